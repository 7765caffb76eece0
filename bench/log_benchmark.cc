// What a checkpoint, a replay and an opening cost. Each row says in its label what survives power loss when the call
// returns. The row `Raw…` is the least that durability can cost on this disk: compare with it, not across machines.
//
//   build/release/log_benchmark --benchmark_repetitions=5 --benchmark_report_aggregates_only=true
//
// Files are made in the current directory: run it on the disk that is to be measured, never on tmpfs.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>

#include "engine/event_codec.h"
#include "foldlog/engine.h"
#include "foldlog/history.h"
#include "foldlog/memory_log.h"
#include "foldlog/replayer.h"

namespace foldlog {
namespace {

#ifdef NDEBUG
constexpr const char* kBuild = "release";
#else
constexpr const char* kBuild = "debug: figures mean nothing";
#endif

class ScratchDirectory {
 public:
  ScratchDirectory() : path_(std::filesystem::current_path() / "log_benchmark_XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) abort();
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A path of 60 bytes and a name of 20, as in a photo library.
Checkpoint TypicalCheckpoint(std::int64_t files) {
  return {.files_processed = files,
          .current_path = "/srv/media/photos/2024/2024-07-14 summer in the mountains/raw",
          .last_processed_file = "IMG_20240714_0815.NEF",
          .batch_num = files / 100};
}

void Label(benchmark::State& state, const std::string& durability) {
  state.SetLabel(durability + "; build " + kBuild);
  state.SetItemsProcessed(state.iterations());
}

void RawOverwriteAndFdatasync(benchmark::State& state) {
  const ScratchDirectory scratch;
  const int fd = open((scratch.path() + "/raw").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  const std::string zeros(std::size_t{1} << 20, '\0');
  bool good =
      fd >= 0 && pwrite(fd, zeros.data(), zeros.size(), 0) == static_cast<ssize_t>(zeros.size()) && fsync(fd) == 0;
  const std::array<char, 192> frame = {};
  off_t offset = 0;
  for (auto _ : state) {
    good = good && pwrite(fd, frame.data(), frame.size(), offset) == static_cast<ssize_t>(frame.size());
    good = good && fdatasync(fd) == 0;
    offset = (offset + 192) % (1 << 19);
  }
  close(fd);
  if (!good) state.SkipWithError("writing failed");
  Label(state, "durable");
}
BENCHMARK(RawOverwriteAndFdatasync)->UseRealTime();

void RunCheckpoints(benchmark::State& state, Engine& engine) {
  const auto handle = engine.Start({});
  if (!handle.ok()) return state.SkipWithError("start failed");
  std::int64_t files = 0;
  for (auto _ : state) {
    if (!engine.Checkpoint(*handle, TypicalCheckpoint(++files)).ok()) return state.SkipWithError("checkpoint failed");
  }
  if (StateAt(engine.log())->operation->files_processed != files) state.SkipWithError("events are missing");
}

void CheckpointInLmdb(benchmark::State& state) {
  const ScratchDirectory scratch;
  auto engine = Engine::Open(scratch.path() + "/log");
  if (!engine.ok()) return state.SkipWithError("open failed");
  RunCheckpoints(state, **engine);
  Label(state, "durable");
}
BENCHMARK(CheckpointInLmdb)->UseRealTime();

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

// Opening a log of so many events that was closed in the middle of an operation.
void OpenLog(benchmark::State& state) {
  const ScratchDirectory scratch;
  const std::string directory = scratch.path() + "/log";
  constexpr std::int64_t kEventsPerAppend = 1000;
  {
    auto engine = Engine::Open(directory);
    const auto handle = (*engine)->Start({});
    std::vector<Checkpoint> checkpoints(kEventsPerAppend, TypicalCheckpoint(1));
    for (std::int64_t done = 0; done < state.range(0); done += kEventsPerAppend) {
      if (!(*engine)->Checkpoint(*handle, checkpoints).ok()) return state.SkipWithError("checkpoint failed");
    }
  }
  for (auto _ : state) {
    if (!Engine::Open(directory).ok()) return state.SkipWithError("open failed");
  }
  Label(state, "opening for writing");
}
BENCHMARK(OpenLog)->Arg(20'000)->Arg(200'000)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace foldlog

BENCHMARK_MAIN();
