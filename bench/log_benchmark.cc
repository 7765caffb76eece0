// What the parts of a checkpoint and a replay cost without a disk: coding, deciding, folding. checkpoint_benchmark has
// the disk.
//
//   build/release/log_benchmark --benchmark_repetitions=5 --benchmark_report_aggregates_only=true

#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "bench/bench_support.h"
#include "engine/codec/event_codec.h"
#include "foldlog/engine.h"
#include "foldlog/history.h"
#include "foldlog/memory_log.h"
#include "foldlog/replayer.h"

namespace foldlog {
namespace {

void RunCheckpoints(benchmark::State& state, Engine& engine) {
  const auto handle = engine.Start({});
  if (!handle.ok()) return state.SkipWithError("start failed");
  std::int64_t files = 0;
  for (auto _ : state) {
    if (!engine.Checkpoint(*handle, TypicalCheckpoint(++files)).ok()) return state.SkipWithError("checkpoint failed");
  }
  if (StateAt(engine.log())->operation->files_processed != files) state.SkipWithError("events are missing");
}

std::unique_ptr<Engine> EngineInMemory() {
  auto engine = Engine::Open({.log = NewMemoryLog(), .self = DescribeThisProcess(NewUuid()), .previous = {}});
  return engine.ok() ? *std::move(engine) : nullptr;
}

void CheckpointInMemory(benchmark::State& state) {
  const auto engine = EngineInMemory();
  RunCheckpoints(state, *engine);
  Label(state, "nothing survives");
}
BENCHMARK(CheckpointInMemory);

void EncodeCheckpoint(benchmark::State& state) {
  const Event event{1, 1, TypicalCheckpoint(1)};
  std::vector<std::uint64_t> words;
  for (auto _ : state) {
    words.clear();
    if (!EncodeEvent(event, words).ok()) return state.SkipWithError("encoding failed");
    benchmark::DoNotOptimize(words.data());
  }
  state.counters["bytes"] = static_cast<double>(words.size() * sizeof(std::uint64_t));
  Label(state, "no storage");
}
BENCHMARK(EncodeCheckpoint);

// Events a second through read, check, decode and fold.
void Replay(benchmark::State& state) {
  const auto events = static_cast<std::int64_t>(state.range(0));
  const auto engine = EngineInMemory();
  const auto handle = engine->Start({});
  for (std::int64_t i = 1; i < events; ++i) {
    if (!engine->Checkpoint(*handle, TypicalCheckpoint(i)).ok()) return state.SkipWithError("checkpoint failed");
  }
  for (auto _ : state) {
    const auto history = ReadHistory(engine->log());
    if (!history.ok() || history->at(0).operation.checkpoints != events - 1)
      return state.SkipWithError("replay failed");
  }
  Label(state, "reading");
  state.SetItemsProcessed(state.iterations() * events);
}
BENCHMARK(Replay)->Arg(100'000);

}  // namespace
}  // namespace foldlog

BENCHMARK_MAIN();
