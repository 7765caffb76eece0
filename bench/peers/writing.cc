// The workloads that write: single checkpoints by some threads, and streams.

#include <algorithm>
#include <array>
#include <barrier>
#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"
#include "bench/peers/latency.h"
#include "bench/peers/process.h"
#include "bench/peers/workload.h"
#include "engine/base/status_macros.h"

namespace foldlog::peers {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kThreadsMax = 64;

// What a writer leaves to the process that started it.
struct Written {
  std::array<std::int64_t, kThreadsMax> calls = {};  // of each thread, all acknowledged
  double seconds = 0;
  std::uint64_t bytes = 0;
  Latency latency;

  std::int64_t checkpoints() const {
    std::int64_t sum = 0;
    for (const std::int64_t of_thread : calls) sum += of_thread;
    return sum;
  }
};

// The number of a thread's checkpoint: threads take turns, and no two make the same one.
std::int64_t NumberOf(const Parameters& parameters, int thread, std::int64_t call) {
  return parameters.errors + call * parameters.threads + thread + 1;
}

struct OfThread {
  std::int64_t calls = 0;
  absl::Status status;
  Clock::time_point begin;
  Clock::time_point end;
  Latency latency;
};

void RecordAsThread(const Parameters& parameters, System& system, int thread, std::barrier<>& start, OfThread& result) {
  Records records;
  const std::int64_t calls_max = std::max<std::int64_t>(parameters.checkpoints / parameters.threads, 1);
  start.arrive_and_wait();
  Clock::time_point now = result.begin = Clock::now();
  const auto stop =
      now + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(parameters.seconds));
  Clock::time_point due = now;
  while (result.calls < calls_max && now < stop) {
    const Checkpoint& checkpoint = records.At(NumberOf(parameters, thread, result.calls));
    due += std::chrono::nanoseconds(parameters.pace_ns);
    do {
      now = Clock::now();
    } while (parameters.pace_ns != 0 && now < due);
    result.status = system.Record(thread, checkpoint);
    if (!result.status.ok()) break;
    const Clock::time_point returned = Clock::now();
    result.latency.Add((returned - now).count());
    now = returned;
    ++result.calls;
  }
  result.end = now;
}

absl::Status RecordWithThreads(const Parameters& parameters, System& system, Written& written) {
  std::vector<OfThread> results(static_cast<std::size_t>(parameters.threads));
  std::barrier start(parameters.threads);
  std::vector<std::thread> threads;
  for (int thread = 1; thread < parameters.threads; ++thread) {
    threads.emplace_back(
        [&, thread] { RecordAsThread(parameters, system, thread, start, results[static_cast<std::size_t>(thread)]); });
  }
  RecordAsThread(parameters, system, 0, start, results[0]);
  for (std::thread& thread : threads) thread.join();
  Clock::time_point begin = results[0].begin;
  Clock::time_point end = results[0].end;
  for (std::size_t i = 0; i < results.size(); ++i) {
    RETURN_IF_ERROR(results[i].status);
    written.calls[i] = results[i].calls;
    written.latency.Merge(results[i].latency);
    begin = std::min(begin, results[i].begin);
    end = std::max(end, results[i].end);
  }
  written.seconds = std::chrono::duration<double>(end - begin).count();
  return absl::OkStatus();
}

absl::Status RecordFailing(System& system, std::int64_t count) {
  Records records;
  std::vector<Checkpoint> failing;
  for (std::int64_t number = 1; number <= count; ++number) {
    failing.push_back(Failing(records.At(number)));
    if (number % kRecordsInTurn != 0 && number != count) continue;
    RETURN_IF_ERROR(system.RecordAll(failing));
    failing.clear();
  }
  return absl::OkStatus();
}

absl::Status Write(const Parameters& parameters, const std::string& directory, Written& written) {
  auto system = MakeSystem(parameters);
  RETURN_IF_ERROR(system->Open(PlaceIn(directory, parameters)));
  RETURN_IF_ERROR(system->Begin());
  RETURN_IF_ERROR(RecordFailing(*system, parameters.errors));
  const std::uint64_t before = BytesWritten();
  RETURN_IF_ERROR(RecordWithThreads(parameters, *system, written));
  const bool closes = parameters.workload == "bytes";
  if (closes) RETURN_IF_ERROR(system->Close());
  written.bytes = BytesWritten() - before;
  // Otherwise everything stays open, for the kill.
  if (!closes) static_cast<void>(system.release());
  return absl::OkStatus();
}

// All that was acknowledged is there, once, and nothing else.
absl::Status CheckWritten(const Parameters& parameters, const std::string& directory, const Written& written) {
  const auto system = MakeSystem(parameters);
  RETURN_IF_ERROR(system->Open(PlaceIn(directory, parameters)));
  ASSIGN_OR_RETURN(const Current current, system->ReadCurrent());
  absl::Status last = absl::DataLossError("nothing was recorded");
  for (int thread = 0; thread < parameters.threads && !last.ok(); ++thread) {
    const std::int64_t calls = written.calls[static_cast<std::size_t>(thread)];
    last = CheckCurrent(current, parameters.errors + written.checkpoints(), parameters.errors,
                        NumberOf(parameters, thread, calls - 1));
  }
  RETURN_IF_ERROR(last);
  if (system->Describe(parameters.level).keeps_history) {
    Records records;
    Tally wanted;
    for (std::int64_t number = 1; number <= parameters.errors; ++number) {
      wanted.Add(ViewOf(Failing(records.At(number))));
    }
    for (int thread = 0; thread < parameters.threads; ++thread) {
      for (std::int64_t call = 0; call < written.calls[static_cast<std::size_t>(thread)]; ++call) {
        wanted.Add(ViewOf(records.At(NumberOf(parameters, thread, call))));
      }
    }
    Tally found;
    RETURN_IF_ERROR(system->Scan([&found](const RecordView& record) { found.Add(record); }));
    if (found != wanted) {
      return absl::DataLossError(absl::StrCat("the history has ", found.checkpoints, " checkpoints, not the ",
                                              wanted.checkpoints, " that were acknowledged, or others"));
    }
  }
  return system->Close();
}

void AddBytes(Figures& figures, const char* name, std::uint64_t bytes, std::int64_t checkpoints) {
  figures.emplace_back(name, static_cast<double>(bytes) / static_cast<double>(checkpoints));
}

// A percentile that fewer calls than these lie above is not told: it would be the slowest call under another name.
constexpr double kCallsAbove = 5;

void AddLatency(Figures& figures, const Latency& latency) {
  constexpr std::pair<const char*, double> kPercentiles[] = {
      {"p50_ns", 0.5}, {"p99_ns", 0.99}, {"p99.9_ns", 0.999}, {"p99.99_ns", 0.9999}};
  figures.emplace_back("mean_ns", latency.mean_ns());
  for (const auto& [name, share] : kPercentiles) {
    const double above = (1 - share) * static_cast<double>(latency.count());
    if (above >= kCallsAbove) figures.emplace_back(name, latency.Percentile(share));
  }
  figures.emplace_back("max_ns", static_cast<double>(latency.max_ns()));
}

// What the file system still holds after the check has closed everything.
absl::StatusOr<Figures> CheckAndCount(const Parameters& parameters, const std::string& directory,
                                      const Written& written, std::uint64_t device_before) {
  const std::uint64_t device_after = DeviceBytesAfterSync(directory);
  RETURN_IF_ERROR(RunInChild([&] { return CheckWritten(parameters, directory, written); }, Ending::kExit));
  const std::int64_t checkpoints = written.checkpoints();
  Figures figures = {{"checkpoints", static_cast<double>(checkpoints)},
                     {"seconds", written.seconds},
                     {"per_second", static_cast<double>(checkpoints) / written.seconds}};
  AddBytes(figures, "written_bytes", written.bytes, checkpoints);
  if (device_after != 0) AddBytes(figures, "device_bytes", device_after - device_before, checkpoints);
  AddBytes(figures, "kept_bytes", BytesKept(directory), parameters.errors + checkpoints);
  return figures;
}

}  // namespace

absl::StatusOr<Figures> MeasureRecording(const Parameters& parameters) {
  if (parameters.threads < 1 || parameters.threads > kThreadsMax) return absl::InvalidArgumentError("threads");
  const ScratchPlace place(parameters.directory);
  const std::uint64_t before = DeviceBytesAfterSync(place.path());
  const Shared<Written> written;
  const Ending ending = parameters.workload == "bytes" ? Ending::kExit : Ending::kSigkill;
  RETURN_IF_ERROR(RunInChild([&] { return Write(parameters, place.path(), *written); }, ending));
  ASSIGN_OR_RETURN(Figures figures, CheckAndCount(parameters, place.path(), *written, before));
  AddLatency(figures, written->latency);
  return figures;
}

absl::StatusOr<Figures> MeasureStream(const Parameters& parameters) {
  const ScratchPlace place(parameters.directory);
  const std::uint64_t before = DeviceBytesAfterSync(place.path());
  const Shared<Written> written;
  const auto work = [&]() -> absl::Status {
    const auto system = MakeSystem(parameters);
    RETURN_IF_ERROR(system->Open(PlaceIn(place.path(), parameters)));
    RETURN_IF_ERROR(system->Begin());
    Records records;
    const std::uint64_t bytes_before = BytesWritten();
    const auto begin = Clock::now();
    const auto stop = begin + std::chrono::duration<double>(parameters.seconds);
    constexpr std::int64_t kStep = 16 * kRecordsInTurn;  // between two looks at the clock
    std::int64_t done = 0;
    while (done < parameters.checkpoints && Clock::now() < stop) {
      // A step ends where the records begin again, so that calls are as long as they can be.
      const std::int64_t last = std::min(parameters.checkpoints, ((done + 1) / kStep + 1) * kStep - 1);
      RETURN_IF_ERROR(RecordMany(*system, records, done + 1, last, parameters.batch));
      done = last;
    }
    RETURN_IF_ERROR(system->MakeDurable());
    written->seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    written->calls[0] = done;
    RETURN_IF_ERROR(system->Close());
    written->bytes = BytesWritten() - bytes_before;
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(RunInChild(work, Ending::kExit));
  return CheckAndCount(parameters, place.path(), *written, before);
}

}  // namespace foldlog::peers
