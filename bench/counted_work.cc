// Work whose instructions are counted, one kind a run: counted_work KIND EVENTS DIRECTORY. instruction_counts.py runs
// it with two numbers of events; the difference is what the events cost.
//
// It prints a figure that depends on every event, so that no work can be left out.

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/generated_log.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"
#include "engine/lazy_fold.h"
#include "foldlog/engine.h"
#include "foldlog/event_index.h"
#include "foldlog/log_directory.h"
#include "foldlog/memory_log.h"
#include "foldlog/replayer.h"

namespace foldlog {
namespace {

// The same at each run: a clock that ticks, and no random ids.
EngineOptions SteadyOptions() {
  EngineOptions options;
  options.clock = [time = TimeNs{0}]() mutable { return Moment(time += 1000, {.at = 0, .id = 1}); };
  options.new_id = [] { return std::string("operation"); };
  return options;
}

template <typename Work>
[[gnu::noinline]] auto Counted(const Work& work) {
  return work();
}

std::vector<Checkpoint> Checkpoints(std::int64_t count) {
  CheckpointGenerator generator(/*errors_per_10000=*/0);
  std::vector<Checkpoint> checkpoints;
  for (std::int64_t i = 0; i < count; ++i) checkpoints.push_back(generator.Next());
  return checkpoints;
}

FrameRun Frames(const std::vector<Checkpoint>& checkpoints) {
  FrameRun run;
  AppendFrame({1, 1, Started{.operation_id = "operation"}}, run).IgnoreError();
  for (const Checkpoint& checkpoint : checkpoints) AppendCheckpointFrame({2, {}}, 1, checkpoint, run).IgnoreError();
  return run;
}

absl::StatusOr<std::uint64_t> AppendAll(Engine& engine, const std::vector<Checkpoint>& checkpoints) {
  ASSIGN_OR_RETURN(const OperationHandle handle, engine.Start({}));
  return Counted([&]() -> absl::StatusOr<std::uint64_t> {
    for (const Checkpoint& checkpoint : checkpoints) {
      RETURN_IF_ERROR(engine.Checkpoint(handle, checkpoint, Durability::kInterval));
    }
    return engine.state().sequence;
  });
}

// A checkpoint of one thread, kill-safe when the call returns. The tail has room for all.
absl::StatusOr<std::uint64_t> Append(const std::vector<Checkpoint>& checkpoints, const std::string& directory) {
  EngineOptions options = SteadyOptions();
  options.directory.tail_bytes = std::uint64_t{64} << 20;
  ASSIGN_OR_RETURN(const auto engine, Engine::Open(directory, std::move(options)));
  return AppendAll(*engine, checkpoints);
}

// The same without files: what the engine itself costs.
absl::StatusOr<std::uint64_t> AppendInMemory(const std::vector<Checkpoint>& checkpoints, const std::string&) {
  ASSIGN_OR_RETURN(const auto engine, Engine::Open({.log = NewMemoryLog()}, SteadyOptions()));
  return AppendAll(*engine, checkpoints);
}

absl::StatusOr<std::uint64_t> Encode(const std::vector<Checkpoint>& checkpoints, const std::string&) {
  return Counted([&]() -> absl::StatusOr<std::uint64_t> {
    FrameRun run;
    for (const Checkpoint& checkpoint : checkpoints) {
      run.words.clear();
      RETURN_IF_ERROR(AppendCheckpointFrame({2, {}}, 1, checkpoint, run));
    }
    return run.after.hash;
  });
}

absl::StatusOr<std::uint64_t> FoldFrames(const std::vector<Checkpoint>& checkpoints, const std::string&) {
  const FrameRun run = Frames(checkpoints);
  return Counted([&]() -> absl::StatusOr<std::uint64_t> {
    LazyFold fold(State{}, "log");
    std::span<const std::uint64_t> rest = run.words;
    while (const std::optional<FrameView> frame = FrameAtStartOf(rest)) {
      RETURN_IF_ERROR(fold.Add(*frame));
      rest = rest.subspan(frame->size_words());
    }
    return fold.Settled().sequence;
  });
}

// What the index costs on the way into the store.
absl::StatusOr<std::uint64_t> Index(const std::vector<Checkpoint>& checkpoints, const std::string&) {
  const FrameRun run = Frames(checkpoints);
  const std::unique_ptr<LogIndexer> indexer = NewEventIndexer();
  indexer->Begin(*NewMemoryLog(), 0);
  return Counted([&]() -> absl::StatusOr<std::uint64_t> {
    std::span<const std::uint64_t> rest = run.words;
    while (const std::optional<FrameView> frame = FrameAtStartOf(rest)) {
      indexer->Add(rest.first(frame->size_words()));
      rest = rest.subspan(frame->size_words());
    }
    IndexRows rows;
    indexer->EndBatch(rows);
    return rows.batches.at(0).words.at(0);
  });
}

// As a killed process leaves it: a few thousand events are still in the tail.
absl::StatusOr<std::uint64_t> Die(const std::vector<Checkpoint>& checkpoints, const std::string& directory) {
  ASSIGN_OR_RETURN(const auto engine, Engine::Open(directory, SteadyOptions()));
  RETURN_IF_ERROR(AppendAll(*engine, checkpoints).status());
  std::_Exit(0);
}

// Opening a log for writing, with the fold of what no snapshot covers.
absl::StatusOr<std::uint64_t> Open(const std::vector<Checkpoint>&, const std::string& directory) {
  ASSIGN_OR_RETURN(const auto engine, Counted([&] { return Engine::Open(directory, SteadyOptions()); }));
  return engine->state().sequence;
}

// A pass over all events of a log: unpacked, verified, decoded, folded.
absl::StatusOr<std::uint64_t> Scan(const std::vector<Checkpoint>&, const std::string& directory) {
  ASSIGN_OR_RETURN(const auto log, OpenLogForReading(directory));
  return Counted([&]() -> absl::StatusOr<std::uint64_t> {
    ASSIGN_OR_RETURN(Replayer replayer, Replayer::From(*log, 1));
    while (true) {
      ASSIGN_OR_RETURN(const EventView* const event, replayer.NextView());
      if (event == nullptr) return replayer.state().sequence;
    }
  });
}

using Work = absl::StatusOr<std::uint64_t> (*)(const std::vector<Checkpoint>&, const std::string&);

int Main(int argc, char** argv) {
  static const std::map<std::string_view, Work> kinds = {{"append", Append}, {"append_in_memory", AppendInMemory},
                                                         {"encode", Encode}, {"fold", FoldFrames},
                                                         {"index", Index},   {"die", Die},
                                                         {"open", Open},     {"scan", Scan}};
  const auto kind = argc == 4 ? kinds.find(argv[1]) : kinds.end();
  std::int64_t events = 0;
  if (kind != kinds.end()) {
    const std::string_view text = argv[2];
    std::from_chars(text.data(), text.data() + text.size(), events);
  }
  if (events <= 0) {
    std::fprintf(stderr, "usage: counted_work KIND EVENTS DIRECTORY\n");
    return 2;
  }
  const auto result = kind->second(Checkpoints(events), argv[3]);
  if (!result.ok()) {
    std::fprintf(stderr, "counted_work: %s\n", result.status().ToString().c_str());
    return 1;
  }
  std::printf("%llu\n", static_cast<unsigned long long>(*result));
  return 0;
}

}  // namespace
}  // namespace foldlog

int main(int argc, char** argv) { return foldlog::Main(argc, argv); }
