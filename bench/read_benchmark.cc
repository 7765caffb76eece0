// What reading a whole log costs an event, beside what it cannot cost less than: LZ4 and XXH3 over the same batches.
//
//   build/release/read_benchmark                      20 million events in 10,000 operations
//   build/release/read_benchmark --log=DIR            the same, in a log that is made once and kept there
//   build/release/read_benchmark --events=N --operations=N
//   build/release/read_benchmark --small              20,000 events in 50, to see that it works
//
// The pages are warm: the log is written or read just before. Rows of one run compare; "jobs" are threads.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/bench_support.h"
#include "bench/generated_log.h"
#include "engine/codec/frame.h"
#include "engine/codec/frame_reader.h"
#include "engine/log/store/batch.h"
#include "foldlog/event_reader.h"
#include "foldlog/event_view.h"
#include "foldlog/log_directory.h"
#include "foldlog/replayer.h"
#include "foldlog/scan.h"

namespace foldlog {
namespace {

// The log that is read, and its batches once more, packed, one behind the other in a file of their own.
struct Subject {
  std::unique_ptr<EventLog> log;
  LogExtent extent;
  State state;
  std::int64_t files = 0;  // the sum of all counts
  std::int64_t errors = 0;
  int packed = -1;
  struct Piece {
    std::size_t packed_words;
    std::size_t words;
  };
  std::vector<Piece> pieces;
};
Subject* subject = nullptr;

absl::Status PackBatches(const std::string& path) {
  subject->packed = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  BatchCodec codec;
  FrameRun run;
  for (Sequence at = subject->extent.base.sequence; at < subject->extent.end.sequence;) {
    RETURN_IF_ERROR(subject->log->ReadInto(at + 1, kBatchBytesMax, run));
    std::span<const std::uint64_t> rest = run.words;
    while (const auto frame = FrameAtStartOf(rest)) {
      at = frame->header.sequence;
      rest = rest.subspan(frame->size_words());
    }
    const auto packed = codec.Pack(run.words);
    const auto bytes = static_cast<ssize_t>(packed.size_bytes());
    if (write(subject->packed, packed.data(), packed.size_bytes()) != bytes) return absl::ResourceExhaustedError(path);
    subject->pieces.push_back({packed.size(), run.words.size()});
  }
  return absl::OkStatus();
}

absl::Status Prepare(const std::string& directory, const LogShape& shape, const std::string& packed) {
  if (!std::filesystem::exists(directory)) RETURN_IF_ERROR(LogGenerator(shape).Write(directory));
  ASSIGN_OR_RETURN(subject->log, OpenLogForReading(directory));
  ASSIGN_OR_RETURN(subject->extent, subject->log->Extent());
  ASSIGN_OR_RETURN(subject->state, StateAt(*subject->log));
  EventReader reader(*subject->log, subject->extent.base);
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<RecordedEvent> event, reader.Next());
    if (!event) break;
    const auto* checkpoint = std::get_if<Checkpoint>(&event->event.body);
    if (checkpoint != nullptr) subject->files += checkpoint->files_processed;
    if (checkpoint != nullptr && checkpoint->error) ++subject->errors;
  }
  return PackBatches(packed);
}

void Finish(benchmark::State& state, bool right) {
  if (!right) return state.SkipWithError("the result is wrong");
  Label(state, "reading");
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(subject->extent.end.sequence));
}

void Limit(benchmark::State& state) {
  std::vector<std::uint64_t> packed(kBatchBytesMax / sizeof(std::uint64_t) + 1024);
  std::vector<std::uint64_t> words(packed.size());
  ChainEnd end;
  for (auto _ : state) {
    off_t at = 0;
    end = subject->extent.base;
    for (const Subject::Piece& piece : subject->pieces) {
      if (piece.packed_words > packed.size()) packed.resize(piece.packed_words);
      if (piece.words > words.size()) words.resize(piece.words);
      const std::size_t bytes = piece.packed_words * sizeof(std::uint64_t);
      if (pread(subject->packed, packed.data(), bytes, at) != static_cast<ssize_t>(bytes)) break;
      at += static_cast<off_t>(bytes);
      const std::span<std::uint64_t> frames(words.data(), piece.words);
      if (!BatchCodec::UnpackInto({packed.data(), piece.packed_words}, frames).ok()) break;
      std::span<const std::uint64_t> rest = frames;
      while (const auto frame = FrameBehind(end, rest)) {
        end = frame->end();
        rest = rest.subspan(frame->size_words());
      }
    }
  }
  Finish(state, end == subject->extent.end);
}

void Verified(benchmark::State& state) {
  ChainEnd end;
  for (auto _ : state) {
    FrameReader reader(*subject->log, subject->extent.base);
    for (auto frame = reader.Peek(); frame.ok() && *frame != nullptr; frame = reader.Peek()) reader.StepOver(**frame);
    end = reader.position();
  }
  Finish(state, end == subject->extent.end);
}

// All that a fold could look at.
struct Totals {
  std::int64_t files = 0;
  std::int64_t errors = 0;
  std::size_t path_bytes = 0;

  void Add(const EventView& event) {
    files += event.files_processed;
    errors += event.has_error ? 1 : 0;
    path_bytes += event.current_path.size() + event.last_processed_file.size();
  }
  void Merge(const Totals& later) {
    files += later.files;
    errors += later.errors;
    path_bytes += later.path_bytes;
  }
  bool IsRight() const { return files == subject->files && errors == subject->errors; }
};

void Decoded(benchmark::State& state) {
  Totals totals;
  for (auto _ : state) {
    totals = {};
    ViewReader reader(*subject->log, subject->extent.base);
    for (auto event = reader.Next(); event.ok() && *event != nullptr; event = reader.Next()) totals.Add(**event);
  }
  Finish(state, totals.IsRight());
}

void Folded(benchmark::State& state) {
  bool right = true;
  for (auto _ : state) {
    auto replayer = Replayer::From(*subject->log, 1);
    if (!replayer.ok()) return state.SkipWithError("no replayer");
    for (auto event = replayer->NextView(); event.ok() && *event != nullptr; event = replayer->NextView()) {
    }
    right = right && replayer->state() == subject->state;
  }
  Finish(state, right);
}

void Copied(benchmark::State& state) {
  std::int64_t files = 0;
  for (auto _ : state) {
    files = 0;
    EventReader reader(*subject->log, subject->extent.base);
    for (auto event = reader.Next(); event.ok() && *event; event = reader.Next()) {
      const auto* checkpoint = std::get_if<Checkpoint>(&(*event)->event.body);
      if (checkpoint != nullptr) files += checkpoint->files_processed;
    }
  }
  Finish(state, files == subject->files);
}

void Summed(benchmark::State& state) {
  bool right = true;
  for (auto _ : state) {
    const auto totals = SumEvents<Totals>(*subject->log, {.jobs = static_cast<int>(state.range(0))});
    right = right && totals.ok() && totals->IsRight();
  }
  Finish(state, right);
}

void Register() {
  struct Row {
    const char* name;
    void (*run)(benchmark::State&);
  };
  for (const auto& [name, row] : {Row{"Limit", Limit}, Row{"Verified", Verified}, Row{"Decoded", Decoded},
                                  Row{"Folded", Folded}, Row{"Copied", Copied}}) {
    benchmark::RegisterBenchmark(name, row)->UseRealTime()->Unit(benchmark::kMillisecond);
  }
  benchmark::RegisterBenchmark("Summed", Summed)
      ->ArgName("jobs")
      ->Arg(1)
      ->Arg(2)
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

// Whether `argument` is NAME=VALUE; then `value` is the rest.
bool IsOption(std::string_view argument, std::string_view name, std::string& value) {
  if (!argument.starts_with(name)) return false;
  value = argument.substr(name.size());
  return true;
}

}  // namespace
}  // namespace foldlog

int main(int argc, char** argv) {
  foldlog::LogShape shape;
  const foldlog::ScratchDirectory scratch;
  std::string log = scratch.path() + "/log";
  for (std::string value; argc > 1;) {
    const std::string_view argument = argv[1];
    if (argument == "--small") {
      shape.events = 20'000;
      shape.operations = 50;
    } else if (foldlog::IsOption(argument, "--events=", value)) {
      shape.events = std::stoll(value);
    } else if (foldlog::IsOption(argument, "--operations=", value)) {
      shape.operations = std::stoll(value);
    } else if (!foldlog::IsOption(argument, "--log=", log)) {
      break;
    }
    --argc;
    std::rotate(argv + 1, argv + 2, argv + argc + 1);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  foldlog::subject = new foldlog::Subject;
  const absl::Status prepared = foldlog::Prepare(log, shape, scratch.path() + "/packed");
  if (!prepared.ok()) {
    fprintf(stderr, "%s\n", prepared.ToString().c_str());
    return 1;
  }
  foldlog::Register();
  benchmark::RunSpecifiedBenchmarks();
  delete foldlog::subject;
}
