// Lets every system call that a foldlog log makes on its files fail, one after the other, in several ways, once and for
// good. Whatever happens, a command gets a status; what was promised before is there afterwards, in the page cache and,
// if the power went as well, on the disk; and a writer whose flush has failed promises nothing more.
//
//   errno_sweep_test [--every N]    each N-th call only
//
// The threads of the log make the same call come at other places each time, so it is no exact list, but a sweep. A
// control ignores that flushes fail (fdatasync and pwrite are wrapped by the linker), and has to be found out.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "foldlog/engine.h"
#include "tests/crash/errno_workload.h"
#include "tests/crash/fault_injector.h"
#include "tests/crash/foldlog_check.h"
#include "tests/crash/numbered_events.h"

namespace {
bool failed_flushes_are_ignored = false;
}

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): names that the linker gives
extern "C" {
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd) {
  const int rc = __real_fdatasync(fd);
  return failed_flushes_are_ignored ? 0 : rc;
}
ssize_t __real_pwrite(int fd, const void* data, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void* data, size_t size, off_t offset) {
  const ssize_t put = __real_pwrite(fd, data, size, offset);
  const bool is_flush = (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
  return failed_flushes_are_ignored && is_flush ? static_cast<ssize_t>(size) : put;
}
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace foldlog {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kHangSeconds = 120;

absl::Status Require(bool holds, const std::string& what) {
  return holds ? absl::OkStatus() : absl::InternalError(what);
}

// The log as it was left, without faults from here on: all from `at_least` to `at_most` is there, and work goes on.
absl::Status CheckWhatIsLeft(const std::string& log, std::int64_t at_least, std::int64_t at_most, const char* where) {
  ASSIGN_OR_RETURN(auto engine, Engine::Open(log));
  ASSIGN_OR_RETURN(const Sequence found, CheckEvents(engine->log()));
  const auto last = static_cast<std::int64_t>(found);
  RETURN_IF_ERROR(Require(last >= at_least, absl::StrCat(where, ": ends with ", last, " instead of ", at_least)));
  RETURN_IF_ERROR(Require(last <= at_most, absl::StrCat(where, ": event ", last, " was never submitted")));
  RETURN_IF_ERROR(engine->Reset("to go on"));
  ASSIGN_OR_RETURN(const OperationHandle handle, engine->Start({}));
  RETURN_IF_ERROR(engine->Checkpoint(handle, CheckpointOf(found + 3), Durability::kSync));
  RETURN_IF_ERROR(engine->Close());
  engine.reset();
  ASSIGN_OR_RETURN(const auto reading, OpenLogForReading(log));
  ASSIGN_OR_RETURN(const Sequence after, CheckEvents(*reading));
  return Require(after == found + 3, absl::StrCat(where, ": appending does not go on"));
}

class Sweep {
 public:
  // `start_from`: a directory with a log of so many events to begin with, or nothing.
  Sweep(std::string scratch, std::string start_from, std::int64_t start_events)
      : scratch_(std::move(scratch)),
        start_from_(std::move(start_from)),
        start_events_(start_events),
        shared_(Share()) {}
  ~Sweep() { munmap(shared_, sizeof(Outcome)); }
  Sweep(const Sweep&) = delete;
  Sweep& operator=(const Sweep&) = delete;

  // One run with one fault. Internal if a rule was broken.
  absl::StatusOr<faults::Counts> RunWith(faults::Plan plan) {
    const std::string run = scratch_ + "/run";
    const std::string disk = scratch_ + "/disk";
    for (const std::string& directory : {run, disk}) {
      fs::remove_all(directory);
      fs::create_directories(directory);
    }
    if (!start_from_.empty()) fs::copy(start_from_, run, fs::copy_options::recursive);
    plan.directory = run.c_str();
    Outcome& outcome = *new (shared_) Outcome;
    outcome.submitted = std::max<std::int64_t>(0, start_events_);
    outcome.durable = outcome.returned = start_events_;
    const pid_t child = fork();
    if (child == 0) Live(plan, run, disk, outcome);
    int status = 0;
    waitpid(child, &status, 0);
    const absl::Status judged = Judge(status, run, disk, outcome);
    if (judged.ok()) return outcome.counts;
    return absl::InternalError(absl::StrCat("call ", plan.at, ", ", outcome.counts.what, ", error ", plan.error, ", ",
                                            plan.times, " times: ", judged.message()));
  }

 private:
  static void* Share() {
    void* const shared = mmap(nullptr, sizeof(Outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) abort();
    return shared;
  }

  [[noreturn]] static void Live(const faults::Plan& plan, const std::string& run, const std::string& disk,
                                Outcome& outcome) {
    const Injector injector;
    signal(SIGALRM, SIG_DFL);
    alarm(kHangSeconds);
    injector.arm(&plan);
    for (const auto& file : fs::recursive_directory_iterator(run)) {
      if (file.is_regular_file()) injector.adopt(file.path().c_str());
    }
    Workload(run + "/log", disk + "/log", injector, plan.at % 3, outcome).Run();
    outcome.counts = injector.disarm();
    _exit(0);
  }

  static absl::Status Judge(int wait_status, const std::string& run, const std::string& disk, const Outcome& outcome) {
    RETURN_IF_ERROR(Require(!WIFSIGNALED(wait_status), absl::StrCat("signal ", WTERMSIG(wait_status))));
    RETURN_IF_ERROR(Require(WEXITSTATUS(wait_status) == 0, "the workload has not ended"));
    RETURN_IF_ERROR(Require(outcome.complaint[0] == '\0', outcome.complaint));
    RETURN_IF_ERROR(CheckWhatIsLeft(run + "/log", outcome.returned, outcome.submitted, "in the page cache"));
    if (outcome.durable < 0) return absl::OkStatus();
    power_cut::PretendReboot(disk + "/log");
    return CheckWhatIsLeft(disk + "/log", outcome.durable, outcome.submitted, "on the disk");
  }

  const std::string scratch_;
  const std::string start_from_;
  const std::int64_t start_events_;
  void* const shared_;
};

struct Fault {
  const char* name;
  int error;
  std::uint64_t times;
};

// A call that is interrupted for good would be one that never ends, as it is for any program.
constexpr std::uint64_t kForGood = UINT64_MAX;
constexpr Fault kFaults[] = {{"EIO once", EIO, 1},
                             {"EIO for good", EIO, kForGood},
                             {"ENOSPC once", ENOSPC, 1},
                             {"ENOSPC for good", ENOSPC, kForGood},
                             {"EINTR once", EINTR, 1},
                             {"EINTR 100 times", EINTR, 100},
                             {"short once", faults::kShort, 1},
                             {"short for good", faults::kShort, kForGood}};

struct Totals {
  std::uint64_t runs = 0;
  std::uint64_t calls_max = 0;
  std::vector<std::string> failures = {};
};

// For every call until the workload runs through untouched; twice in a row, since threads do not keep time.
Totals SweepFault(Sweep& sweep, const Fault& fault, std::uint64_t every) {
  Totals totals;
  for (std::uint64_t at = 1, untouched = 0; untouched < 2; at += every) {
    const auto counts = sweep.RunWith({.at = at, .times = fault.times, .error = fault.error});
    ++totals.runs;
    if (!counts.ok()) {
      totals.failures.push_back(absl::StrCat(fault.name, ", ", std::string(counts.status().message())));
      continue;
    }
    totals.calls_max = std::max(totals.calls_max, counts->calls);
    untouched = counts->fired == 0 ? untouched + 1 : 0;
  }
  return totals;
}

constexpr Sequence kInterruptedEvents = 39;

// A log whose writer died with a tail full of events.
absl::Status MakeInterruptedLog(const std::string& directory) {
  fs::create_directories(directory);
  const pid_t child = fork();
  if (child == 0) {
    EngineOptions options;
    options.directory.tail_bytes = std::uint64_t{64} << 10;
    options.directory.flush_interval = std::chrono::seconds(60);
    auto engine = Engine::Open(directory + "/log", options);
    if (!engine.ok()) _exit(1);
    const auto handle = (*engine)->Start({});
    bool good = handle.ok();
    for (Sequence n = 2; n <= kInterruptedEvents && good; ++n)
      good = (*engine)->Checkpoint(*handle, CheckpointOf(n)).ok();
    _exit(good ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return Require(WIFEXITED(status) && WEXITSTATUS(status) == 0, "cannot make a log to recover");
}

absl::Status Control(const std::string& scratch) {
  failed_flushes_are_ignored = true;
  Sweep sweep(scratch, "", kNoLog);
  const Totals totals = SweepFault(sweep, {"EIO once", EIO, 1}, /*every=*/1);
  failed_flushes_are_ignored = false;
  const auto lost = std::find_if(totals.failures.begin(), totals.failures.end(), [](const std::string& failure) {
    return failure.find("on the disk: ends with") != std::string::npos;
  });
  RETURN_IF_ERROR(Require(lost != totals.failures.end(),
                          "that failed flushes are ignored was not found out: this test proves nothing"));
  printf("control, failed flushes ignored: found out %zu times, %s\n", totals.failures.size(), lost->c_str());
  fflush(stdout);
  return absl::OkStatus();
}

// In a process of its own, with a directory of its own.
[[noreturn]] void SweepAndExit(const std::string& scratch, const std::string& start_from, const Fault& fault,
                               std::uint64_t every) {
  fs::create_directories(scratch);
  const auto begin = std::chrono::steady_clock::now();
  Sweep sweep(scratch, start_from, start_from.empty() ? kNoLog : static_cast<std::int64_t>(kInterruptedEvents));
  const Totals totals = SweepFault(sweep, fault, every);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  printf("%s, %s: %llu runs of up to %llu calls, %zu failures (%.1f s)\n",
         start_from.empty() ? "new log" : "interrupted log", fault.name, static_cast<unsigned long long>(totals.runs),
         static_cast<unsigned long long>(totals.calls_max), totals.failures.size(), seconds);
  for (const std::string& failure : totals.failures) printf("  %s\n", failure.c_str());
  fflush(stdout);
  _exit(totals.failures.empty() ? 0 : 1);
}

// Most of the time each waits, for an interval to end or a retry to come: so several go at once.
absl::Status Campaign(const std::string& scratch, std::uint64_t every) {
  constexpr int kAtOnce = 4;
  RETURN_IF_ERROR(Control(scratch));
  const std::string interrupted = scratch + "/interrupted";
  RETURN_IF_ERROR(MakeInterruptedLog(interrupted));
  int running = 0;
  int failed = 0;
  const auto wait_for_one = [&] {
    int status = 0;
    if (wait(&status) > 0) --running;
    if (status != 0) ++failed;
  };
  for (const std::string& start_from : {std::string(), interrupted}) {
    for (const Fault& fault : kFaults) {
      if (running == kAtOnce) wait_for_one();
      const pid_t child = fork();
      if (child < 0) return absl::ResourceExhaustedError("cannot fork");
      if (child == 0) SweepAndExit(absl::StrCat(scratch, "/", getpid()), start_from, fault, every);
      ++running;
    }
  }
  while (running > 0) wait_for_one();
  return Require(failed == 0, "a failing system call was not stood");
}

absl::Status Run(int argc, char** argv) {
  std::uint64_t every = 1;
  if (argc != 1 &&
      (argc != 3 || std::string(argv[1]) != "--every" || !absl::SimpleAtoi(argv[2], &every) || every == 0)) {
    return absl::InvalidArgumentError("usage: errno_sweep_test [--every N]");
  }
  std::string scratch = fs::is_directory("/dev/shm") ? "/dev/shm/errno_sweep_XXXXXX" : "errno_sweep_XXXXXX";
  if (mkdtemp(scratch.data()) == nullptr) return absl::InternalError("cannot make a directory to work in");
  const absl::Status status = Campaign(fs::absolute(scratch), every);
  std::error_code ignored;
  fs::remove_all(scratch, ignored);
  return status;
}

}  // namespace
}  // namespace foldlog

int main(int argc, char** argv) {
  if (foldlog::Injector().arm == nullptr) {
    const auto self = std::filesystem::canonical("/proc/self/exe");
    setenv("LD_PRELOAD", (self.parent_path() / "libfoldlog_faults.so").c_str(), 1);
    if (getenv("FOLDLOG_FAULTS_PRELOADED") == nullptr) {
      setenv("FOLDLOG_FAULTS_PRELOADED", "1", 1);
      execv(self.c_str(), argv);
    }
    fprintf(stderr, "errno_sweep_test: cannot preload the fault injector\n");
    return 1;
  }
  const absl::Status status = foldlog::Run(argc, argv);
  if (!status.ok()) fprintf(stderr, "errno_sweep_test: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
