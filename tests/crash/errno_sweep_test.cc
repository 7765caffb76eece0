// Lets every system call that a foldlog log makes on its files fail, one after the other, in several ways, once and for
// good. Whatever happens, a command gets a status; what was promised before is there afterwards, in the page cache and,
// if the power went as well, on the disk; and a writer whose flush has failed promises nothing more.
//
//   errno_sweep_test [--every N]    each N-th call only
//
// The threads of the log make the same call come at other places each time, so it is no exact list, but a sweep. A
// control ignores that flushes fail (fdatasync is wrapped by the linker), and has to be found out.

#include <dlfcn.h>
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
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace foldlog {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kHangSeconds = 120;
constexpr std::int64_t kNoLog = -1;

// The injector's functions, which only the preloaded library has.
struct Injector {
  decltype(&foldlog_faults_arm) arm = Find<decltype(&foldlog_faults_arm)>("foldlog_faults_arm");
  decltype(&foldlog_faults_disarm) disarm = Find<decltype(&foldlog_faults_disarm)>("foldlog_faults_disarm");
  decltype(&foldlog_faults_adopt) adopt = Find<decltype(&foldlog_faults_adopt)>("foldlog_faults_adopt");
  decltype(&foldlog_faults_copy_disk) copy_disk = Find<decltype(&foldlog_faults_copy_disk)>("foldlog_faults_copy_disk");

  decltype(&foldlog_faults_fired) fired = Find<decltype(&foldlog_faults_fired)>("foldlog_faults_fired");
  decltype(&foldlog_faults_hold) hold = Find<decltype(&foldlog_faults_hold)>("foldlog_faults_hold");
  decltype(&foldlog_faults_let_go) let_go = Find<decltype(&foldlog_faults_let_go)>("foldlog_faults_let_go");

  template <typename Function>
  static Function Find(const char* name) {
    return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));  // NOLINT: what dlsym() returns
  }
};

// What the disk holds now of the files in `from`. Names are taken to be there: when they get there is the power-cut
// test's business. So are files that never were flushed, the lock files: they are evidence, not truth.
void CopyDisk(const Injector& injector, const std::string& from, const std::string& to) {
  std::error_code ignored;
  if (!fs::is_directory(from, ignored)) return;
  fs::create_directories(to);
  injector.hold();
  for (const auto& file : fs::directory_iterator(from)) {
    const std::string copy = to + "/" + file.path().filename().string();
    if (injector.copy_disk(file.path().c_str(), copy.c_str()) == 0) fs::copy_file(file.path(), copy, ignored);
  }
  injector.let_go();
}

// What the child tells its parent, in memory that they share.
struct Outcome {
  std::int64_t durable = kNoLog;   // the last event that was promised to survive power loss…
  bool power_cut = false;          // …until the disk was copied
  std::int64_t returned = kNoLog;  // the last event of a command that succeeded
  std::int64_t submitted = 0;
  faults::Counts counts = {};
  char complaint[400] = {};

  void Complain(const std::string& what) {
    if (complaint[0] == '\0') snprintf(complaint, sizeof complaint, "%s", what.c_str());
  }
};

// A writer's life: everything that touches a file. It goes on after errors as a program would that knows no better.
class Workload {
 public:
  // The power goes, so to say, `delay` commands after the first fault: what the disk holds then is copied to `disk`.
  Workload(std::string log, std::string disk, const Injector& injector, std::uint64_t delay, Outcome& outcome)
      : log_(std::move(log)), disk_(std::move(disk)), injector_(injector), delay_(delay), outcome_(outcome) {}

  void Run() {
    LiveTwice();
    CutPower();
  }

 private:
  void LiveTwice() {
    for (int life = 0; life < 2 && Open(); ++life) {
      const bool sound = Live();
      CheckReader();
      const absl::Status closed = engine_->Close();
      if (closed.ok()) Promise(last_);
      if (sound && !closed.ok() && last_ > outcome_.submitted) outcome_.Complain("the workload has lost count");
      engine_.reset();
      if (!sound || !closed.ok()) return;  // whether the same process may open it again is another question
    }
  }

  // A second try, as a program would that is told to try again.
  bool Open() {
    EngineOptions options;
    options.directory.tail_bytes = std::uint64_t{64} << 10;
    options.directory.flush_interval = std::chrono::milliseconds(4);
    options.snapshot_interval_events = 7;
    for (int attempt = 0; attempt < 2; ++attempt) {
      auto opened = Engine::Open(log_, options);
      if (!opened.ok()) continue;
      engine_ = *std::move(opened);
      last_ = static_cast<std::int64_t>(engine_->state().sequence);
      if (last_ < outcome_.returned) outcome_.Complain("opening again has lost an event");
      Promise(static_cast<std::int64_t>(engine_->durable_through()));
      return true;
    }
    return false;
  }

  // False once something has failed for good.
  bool Live() {
    const auto state = engine_->state();
    if (!Do(1, [&] {
          return Keep(state.active() ? engine_->Resume(state.operation->operation_id) : engine_->Start({}));
        })) {
      return false;
    }
    for (int i = 0; i < 26; ++i) {
      const Durability durability = i % 5 == 0 ? Durability::kSync : Durability::kInterval;
      std::vector<Checkpoint> checkpoints;
      for (int n = i % 3; n >= 0; --n) checkpoints.push_back(CheckpointOf(Next() + checkpoints.size()));
      if (!Do(checkpoints.size(), [&] { return engine_->Checkpoint(handle_, checkpoints, durability); })) return false;
      if (i % 12 == 11) std::this_thread::sleep_for(std::chrono::milliseconds(6));  // the interval ends
    }
    return Do(1, [&] { return engine_->Pause(handle_); }) &&
           Do(1, [&] { return Keep(engine_->Resume(handle_.operation_id)); }) &&
           Do(1, [&] { return engine_->Complete(handle_); }) && Do(1, [&] { return engine_->Clear(); });
  }

  Sequence Next() const { return static_cast<Sequence>(last_) + 1; }

  template <typename Command>
  bool Do(std::size_t events, const Command& command) {
    const std::int64_t before = last_;
    outcome_.submitted = std::max(outcome_.submitted, before + static_cast<std::int64_t>(events));
    absl::Status status;
    for (int attempt = 0; attempt < 3; ++attempt) {
      status = command();
      last_ = static_cast<std::int64_t>(engine_->state().sequence);
      const bool appended = last_ != before;
      if (status.ok() || appended || !absl::IsResourceExhausted(status)) break;
    }
    if (status.ok()) {
      if (last_ != before + static_cast<std::int64_t>(events)) outcome_.Complain("a command has not done what it says");
      outcome_.returned = last_;
    }
    Promise(static_cast<std::int64_t>(engine_->durable_through()));
    if (injector_.fired() > 0 && delay_-- == 0) CutPower();
    if (absl::IsUnavailable(status)) CheckStopped(status);
    return status.ok();
  }

  // What is promised from here on does not count.
  void CutPower() {
    if (std::exchange(outcome_.power_cut, true)) return;
    CopyDisk(injector_, log_, disk_);
  }

  // The writer has stopped: it says so again, and promises nothing but what LMDB has.
  void CheckStopped(const absl::Status& why) {
    const Sequence durable = engine_->durable_through();
    const Sequence through = engine_->state().sequence;
    if (through > durable && engine_->Flush().ok()) outcome_.Complain("a flush succeeds after a failed one");
    if (engine_->Checkpoint(handle_, CheckpointOf(Next()), Durability::kSync).ok()) {
      outcome_.Complain(absl::StrCat("a checkpoint succeeds after: ", why.ToString()));
    }
    const auto extent = engine_->log().Extent();
    if (!extent.ok()) return outcome_.Complain(extent.status().ToString());
    if (extent->durable_through > std::max(durable, extent->stored_through)) {
      outcome_.Complain(absl::StrCat("more is called durable after: ", why.ToString()));
    }
  }

  // Reading beside the writer sees events as they are, or an error.
  void CheckReader() {
    const auto reading = OpenLogForReading(log_);
    if (!reading.ok()) return;
    const auto last = CheckEvents(**reading);
    if (last.ok() && static_cast<std::int64_t>(*last) < outcome_.returned)
      outcome_.Complain("a reader misses an event");
    if (absl::IsInternal(last.status())) outcome_.Complain(last.status().ToString());
  }

  void Promise(std::int64_t through) {
    if (!outcome_.power_cut) outcome_.durable = std::max(outcome_.durable, through);
  }

  absl::Status Keep(absl::StatusOr<OperationHandle> handle) {
    if (handle.ok()) handle_ = *handle;
    return handle.status();
  }

  const std::string log_;
  const std::string disk_;
  const Injector& injector_;
  std::uint64_t delay_;
  Outcome& outcome_;
  std::unique_ptr<Engine> engine_;
  OperationHandle handle_;
  std::int64_t last_ = 0;
};

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
