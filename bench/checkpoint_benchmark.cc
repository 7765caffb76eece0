// What a checkpoint costs at each level of durability, and how long a log takes to open after its writer was killed.
// Each row says in its label what survives when the call returns. `RawOverwrite` is the least that durability can cost
// on this disk: compare with it within one run, not across machines.
//
//   build/release/checkpoint_benchmark --benchmark_repetitions=5 --benchmark_report_aggregates_only=true
//   build/release/checkpoint_benchmark --small        20,000 instead of 20 million events, to see that it works
//
// Counters: events a second, bytes written to the device an event (the whole device's, as the kernel counts them), and
// latencies of single calls in nanoseconds, p50, p99 and p99.9.

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <memory>
#include <mutex>
#include <vector>

#include "bench/bench_support.h"
#include "foldlog/engine.h"
#include "foldlog/replayer.h"

namespace foldlog {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Bytes written so far to the device that holds `path`; 0 if the kernel does not tell.
std::uint64_t DeviceBytes(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return 0;
  std::ifstream file("/sys/dev/block/" + std::to_string(major(info.st_dev)) + ":" + std::to_string(minor(info.st_dev)) +
                     "/stat");
  std::uint64_t value = 0;
  constexpr int kSectorsWritten = 7;  // Documentation/block/stat.rst
  constexpr std::uint64_t kSectorBytes = 512;
  for (int field = 1; field <= kSectorsWritten; ++field) file >> value;
  return file ? value * kSectorBytes : 0;
}

// Latencies of one thread's calls: of all, or of one in `every`, where reading the clock would cost as much as the
// call.
class Latencies {
 public:
  explicit Latencies(std::uint64_t every) : every_(every) {}

  template <typename Call>
  bool Time(const Call& call) {
    if (++calls_ % every_ != 0) return call();
    const auto start = SteadyClock::now();
    const bool good = call();
    taken_ns_.push_back(static_cast<double>((SteadyClock::now() - start).count()));
    return good;
  }

  std::vector<double>& taken_ns() { return taken_ns_; }

 private:
  const std::uint64_t every_;
  std::uint64_t calls_ = 0;
  std::vector<double> taken_ns_;
};

// One log and what its threads measured together.
struct Run {
  ScratchDirectory scratch;
  std::unique_ptr<Engine> engine;
  OperationHandle handle;
  std::uint64_t device_bytes_before = 0;
  std::mutex mutex;
  std::vector<double> taken_ns;
  bool good = true;

  std::atomic<int> merged = 0;

  void Merge(Latencies& latencies, bool all_good) {
    const std::lock_guard lock(mutex);
    taken_ns.insert(taken_ns.end(), latencies.taken_ns().begin(), latencies.taken_ns().end());
    good = good && all_good;
    ++merged;
    merged.notify_one();
  }

  // For the thread that reports.
  void WaitForMerges(int threads) {
    for (int seen = merged; seen < threads; seen = merged) merged.wait(seen);
  }
};
std::unique_ptr<Run> run;  // of the benchmark at work: the library starts its threads

void ReportDistribution(benchmark::State& state, std::vector<double>& taken_ns) {
  if (taken_ns.empty()) return;
  std::sort(taken_ns.begin(), taken_ns.end());
  const auto at = [&](double share) {
    return taken_ns[static_cast<std::size_t>(share * static_cast<double>(taken_ns.size() - 1))];
  };
  state.counters["p50_ns"] = at(0.50);
  state.counters["p99_ns"] = at(0.99);
  state.counters["p99.9_ns"] = at(0.999);
}

void ReportDeviceBytes(benchmark::State& state, const std::string& path, std::uint64_t before, double events) {
  sync();
  const std::uint64_t after = DeviceBytes(path);
  if (before != 0 && events > 0)
    state.counters["device_bytes_per_event"] = static_cast<double>(after - before) / events;
}

void RawOverwrite(benchmark::State& state) {
  const ScratchDirectory scratch;
  constexpr std::size_t kFileBytes = std::size_t{16} << 20;
  const int fd = open((scratch.path() + "/raw").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  const std::string zeros(kFileBytes, '\0');
  bool good = fd >= 0 && pwrite(fd, zeros.data(), zeros.size(), 0) == static_cast<ssize_t>(zeros.size());
  good = good && fsync(fd) == 0;
  sync();
  const std::uint64_t before = DeviceBytes(scratch.path());
  const std::array<char, kTypicalFrameBytes> frame = {};
  Latencies latencies(1);
  off_t offset = 0;
  for (auto _ : state) {
    good = latencies.Time([&] {
      return pwrite(fd, frame.data(), frame.size(), offset) == static_cast<ssize_t>(frame.size()) && fdatasync(fd) == 0;
    }) && good;
    offset = (offset + static_cast<off_t>(frame.size())) % static_cast<off_t>(kFileBytes - frame.size());
  }
  close(fd);
  if (!good) state.SkipWithError("writing failed");
  ReportDistribution(state, latencies.taken_ns());
  ReportDeviceBytes(state, scratch.path(), before, static_cast<double>(state.iterations()));
  Label(state, "durable: pwrite and fdatasync into a preallocated file");
}
BENCHMARK(RawOverwrite)->UseRealTime();

void SetUpRun(const benchmark::State&) {
  run = std::make_unique<Run>();
  auto engine = Engine::Open(run->scratch.path() + "/log");
  if (!engine.ok()) abort();
  run->engine = *std::move(engine);
  run->handle = *run->engine->Start({});
  sync();
  run->device_bytes_before = DeviceBytes(run->scratch.path());
}

void TearDownRun(const benchmark::State&) { run.reset(); }

void Checkpoints(benchmark::State& state, Durability durability) {
  Latencies latencies(durability == Durability::kSync ? 1 : 61);  // a prime: in no step with any period
  Checkpoint checkpoint = TypicalCheckpoint(0);
  bool good = true;
  for (auto _ : state) {
    ++checkpoint.files_processed;
    good = latencies.Time([&] { return run->engine->Checkpoint(run->handle, checkpoint, durability).ok(); }) && good;
  }
  run->Merge(latencies, good);
}

// By one thread for all: what they did is all there, and durable.
void ReportRun(benchmark::State& state, const std::string& label) {
  run->WaitForMerges(state.threads());
  const double events = static_cast<double>(state.iterations()) * state.threads();
  if (!run->engine->Flush().ok()) run->good = false;
  const State folded = run->engine->state();
  if (folded.operation->checkpoints < static_cast<std::int64_t>(state.iterations())) run->good = false;
  if (!run->good) state.SkipWithError("checkpoints failed");
  ReportDistribution(state, run->taken_ns);
  ReportDeviceBytes(state, run->scratch.path(), run->device_bytes_before, events);
  state.SetLabel(label + "; build " + kBuild);
}

void Sync(benchmark::State& state) {
  Checkpoints(state, Durability::kSync);
  state.SetItemsProcessed(state.iterations());
  if (state.thread_index() == 0) ReportRun(state, "durable when the call returns");
}
BENCHMARK(Sync)->Threads(1)->Threads(4)->Threads(16)->UseRealTime()->Setup(SetUpRun)->Teardown(TearDownRun);

void Interval(benchmark::State& state) {
  Checkpoints(state, Durability::kInterval);
  state.SetItemsProcessed(state.iterations());
  if (state.thread_index() == 0) ReportRun(state, "kill-safe when the call returns, durable within 50 ms");
}
BENCHMARK(Interval)->Threads(1)->Threads(4)->UseRealTime()->Setup(SetUpRun)->Teardown(TearDownRun);

bool AppendMany(Engine& engine, const OperationHandle& handle, std::int64_t events) {
  Checkpoint checkpoint = TypicalCheckpoint(0);
  for (checkpoint.files_processed = 1; checkpoint.files_processed <= events; ++checkpoint.files_processed) {
    if (!engine.Checkpoint(handle, checkpoint).ok()) return false;
  }
  return true;
}

// From the first checkpoint until all of them have gone through the tail into LMDB, durable.
void Sustained(benchmark::State& state) {
  const std::int64_t events = state.range(0);
  for (auto _ : state) {
    state.PauseTiming();
    SetUpRun(state);
    state.ResumeTiming();
    if (!AppendMany(*run->engine, run->handle, events) || !run->engine->Close().ok()) {
      state.SkipWithError("checkpoints failed");
    }
    state.PauseTiming();
    const auto log = OpenLogForReading(run->scratch.path() + "/log");
    const auto extent = log.ok() ? (*log)->Extent() : log.status();
    if (!extent.ok() || extent->stored_through != static_cast<Sequence>(events) + 1) {
      state.SkipWithError("events are missing");
    }
    ReportDeviceBytes(state, run->scratch.path(), run->device_bytes_before, static_cast<double>(events));
    run.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * events);
  state.SetLabel(std::string("drained and durable at the end; build ") + kBuild);
}

// In a child process that reports and then kills itself, so that what it had open is left as by a crash.
template <typename Work>
bool DieAfter(const Work& work, std::array<double, 3>& report) {
  std::array<int, 2> ends = {};
  if (pipe(ends.data()) != 0) return false;
  const pid_t child = fork();
  if (child == 0) {
    const bool done = work(report);
    if (done && write(ends[1], report.data(), sizeof report) == sizeof report) raise(SIGKILL);
    _exit(1);
  }
  close(ends[1]);
  const bool reported = read(ends[0], report.data(), sizeof report) == sizeof report;
  close(ends[0]);
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) && reported;
}

// Opening a log of so many events whose writer was killed in the middle of its work. Whoever opens it is killed, too,
// so that the next one finds the same.
void OpenAfterKill(benchmark::State& state) {
  const ScratchDirectory scratch;
  const std::string directory = scratch.path() + "/log";
  std::array<double, 3> report = {};
  const bool written = DieAfter(
      [&](auto&) {
        auto engine = Engine::Open(directory);
        const auto handle = engine.ok() ? (*engine)->Start({}) : engine.status();
        return handle.ok() && AppendMany(**engine, *handle, state.range(0)) && (engine->release(), true);
      },
      report);
  if (!written) return state.SkipWithError("the writer was to be killed");
  sync();
  std::vector<double> taken_us;
  for (auto _ : state) {
    const bool opened = DieAfter(
        [&](std::array<double, 3>& measured) {
          const auto start = SteadyClock::now();
          auto engine = Engine::Open(directory);
          const std::chrono::duration<double> taken = SteadyClock::now() - start;
          if (!engine.ok()) return false;
          measured = {taken.count(), static_cast<double>((*engine)->state().operation->checkpoints),
                      static_cast<double>((*engine)->recovery().events_from_tail)};
          return engine->release() != nullptr;
        },
        report);
    if (!opened || report[1] != static_cast<double>(state.range(0))) return state.SkipWithError("events are missing");
    state.SetIterationTime(report[0]);
    taken_us.push_back(report[0] * 1e6);
  }
  std::nth_element(taken_us.begin(), taken_us.begin() + taken_us.size() / 2, taken_us.end());
  state.counters["median_us"] = taken_us[taken_us.size() / 2];
  state.counters["events_from_tail"] = report[2];
  Label(state, "opening for writing after SIGKILL");
}

}  // namespace
}  // namespace foldlog

int main(int argc, char** argv) {
  const bool small = argc > 1 && std::strcmp(argv[1], "--small") == 0;
  if (small) {
    --argc;
    std::rotate(argv + 1, argv + 2, argv + argc + 1);
  }
  const std::int64_t many = small ? 20'000 : 20'000'000;
  const std::int64_t few = small ? 2'000 : 20'000;
  benchmark::RegisterBenchmark("Sustained", foldlog::Sustained)->Arg(many)->Iterations(1)->UseRealTime();
  for (const std::int64_t events : {few, many}) {
    benchmark::RegisterBenchmark("OpenAfterKill", foldlog::OpenAfterKill)
        ->Arg(events)
        ->Iterations(50)
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
