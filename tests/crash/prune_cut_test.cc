// Cuts the power while a log is pruned, at every call and in every way that the disk model allows, and kills the
// program at random moments. What is left verifies, lacks nothing that was to be kept, and is pruned further by the
// next call.
//
//   prune_cut_test [IMAGES [KILLS]]      2,000 and 30 unless given
//
// With all barriers ignored it must fail, or it would prove nothing.

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "foldlog/engine.h"
#include "foldlog/event_index.h"
#include "foldlog/history.h"
#include "foldlog/retention.h"
#include "foldlog/system_clock.h"
#include "foldlog/verify.h"
#include "tests/crash/checker_pool.h"
#include "tests/crash/enumerator.h"
#include "tests/crash/foldlog_check.h"
#include "tests/crash/recorder.h"

namespace foldlog::power_cut {
namespace {

namespace fs = std::filesystem;

// Of each operation of the workload, and how many are always kept.
constexpr Sequence kEvents = 12;
constexpr Sequence kKept = 2;

absl::Status Require(bool holds, const std::string& what) {
  return holds ? absl::OkStatus() : absl::InternalError("not so: " + what);
}

// The sum of end and base, after everything that must hold of the log was looked at.
absl::StatusOr<std::int64_t> CheckLog(const std::string& directory) {
  ASSIGN_OR_RETURN(const auto log, OpenLogForReading(directory));
  ASSIGN_OR_RETURN(const LogExtent extent, log->Extent());
  const Sequence base = extent.base.sequence;
  RETURN_IF_ERROR(Require(base % kEvents == 0, "the base lies between two operations"));
  RETURN_IF_ERROR(Require(base == 0 || base + kKept * kEvents <= extent.end.sequence, "the latest operations stay"));
  ASSIGN_OR_RETURN(const VerifyReport report, Verify(directory, {.jobs = 1}));
  if (!report.sound()) return absl::InternalError(absl::StrCat("verify says: ", report.findings.front().message));
  RETURN_IF_ERROR(Require(report.events == extent.end.sequence - base, "all events behind the base are there"));
  ASSIGN_OR_RETURN(const std::vector<HistoryEntry> history, ReadHistory(*log));
  const Sequence begun = (extent.end.sequence + kEvents - 1) / kEvents;
  RETURN_IF_ERROR(
      Require(history.size() == begun, absl::StrCat("the history has ", begun, " operations, not ", history.size())));
  return static_cast<std::int64_t>(base + extent.end.sequence);
}

absl::Status PruneFurther(const std::string& directory) {
  LogDirectoryOptions options;
  options.indexer = NewEventIndexer();
  ASSIGN_OR_RETURN(WritableLog log, OpenLogForWriting(directory, options));
  ASSIGN_OR_RETURN(const PrunePlan plan, PlanPrune(*log.log, {.keep_runs = kKept}, SystemClock()().time));
  RETURN_IF_ERROR(Prune(*log.log, plan, "the check"));
  RETURN_IF_ERROR(log.log->FreePruned());
  return log.log->Close();
}

absl::StatusOr<std::int64_t> CheckImage(const std::string& directory) {
  const std::string log = directory + "/log";
  PretendReboot(log);
  const absl::Status there = ReadLogId(log).status();
  if (absl::IsNotFound(there)) return kNoLog;
  ASSIGN_OR_RETURN(const std::int64_t found, CheckLog(log));
  RETURN_IF_ERROR(PruneFurther(log));
  RETURN_IF_ERROR(CheckLog(log).status());
  return found;
}

Report Check(const std::string& scratch, const Trace& trace, std::uint64_t seed, std::uint64_t images,
             bool ignore_barriers) {
  CheckerPool pool({.scratch = scratch, .keep_failures_in = ignore_barriers ? "" : "prune_cut_failures"}, CheckImage);
  const EnumerationOptions options{.seed = seed,
                                   .images = images,
                                   .background = {"writer.lock", "-lock", "tail-shm", "snapshots"},
                                   .ignore_barriers = ignore_barriers,
                                   .systematic = !ignore_barriers};
  Enumerate(trace, options, [&](CrashImage image) { pool.Add(std::move(image)); });
  return pool.Finish();
}

absl::Status CutPower(const std::string& scratch, std::uint64_t seed, std::uint64_t images) {
  const std::string programs = fs::canonical("/proc/self/exe").parent_path();
  const std::string directory = scratch + "/cut";
  fs::create_directories(directory);
  ASSIGN_OR_RETURN(const Trace trace, Record({programs + "/prune_workload", directory},
                                             programs + "/libfoldlog_recorder.so", directory, directory + ".trace"));
  const Report control = Check(scratch, trace, seed, images / 4, /*ignore_barriers=*/true);
  printf("control without barriers: %s\n", Summary(control).c_str());
  RETURN_IF_ERROR(Require(control.lost + control.corrupt > 0, "a disk without barriers is found out"));
  const Report report = Check(scratch, trace, seed, images, /*ignore_barriers=*/false);
  printf("power cuts: %s\n", Summary(report).c_str());
  for (const std::string& failure : report.failures) printf("  %s\n", failure.c_str());
  return Require(report.failed() == 0, "the log survives the power cut");
}

// One log, which goes on after each kill.
absl::Status Kill(const std::string& scratch, std::uint64_t seed, std::uint64_t kills) {
  const std::string program = fs::canonical("/proc/self/exe").parent_path().string() + "/prune_workload";
  const std::string directory = scratch + "/killed";
  fs::create_directories(directory);
  std::mt19937_64 random(seed);
  for (std::uint64_t kill_number = 0; kill_number < kills; ++kill_number) {
    const pid_t child = fork();
    if (child == 0) {
      execl(program.c_str(), program.c_str(), directory.c_str(), "forever", static_cast<char*>(nullptr));
      _exit(1);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(20'000 + random() % 100'000));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    RETURN_IF_ERROR(Require(WIFSIGNALED(status), "the workload works until it is killed"));
    const absl::Status there = ReadLogId(directory + "/log").status();
    if (absl::IsNotFound(there)) continue;
    // An operation that was cut off makes the next start a refusal.
    EngineOptions options;
    options.retention = RetentionPolicy();
    ASSIGN_OR_RETURN(auto engine, Engine::Open(directory + "/log", std::move(options)));
    const State state = engine->state();
    ASSIGN_OR_RETURN(const VerifyReport report, Verify(directory + "/log", {.jobs = 1}));
    if (!report.sound()) return absl::InternalError(absl::StrCat("verify says: ", report.findings.front().message));
    ASSIGN_OR_RETURN(const auto history, ReadHistory(engine->log()));
    for (std::size_t i = 0; i + 1 < history.size(); ++i) {
      RETURN_IF_ERROR(Require(history[i].operation.checkpoints <= 10, "the history is that of the workload"));
    }
    if (state.active()) RETURN_IF_ERROR(engine->Reset("it was killed"));
    RETURN_IF_ERROR(engine->Close());
  }
  printf("%llu kills: verified\n", static_cast<unsigned long long>(kills));
  return absl::OkStatus();
}

}  // namespace
}  // namespace foldlog::power_cut

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  const std::uint64_t images = argc > 1 ? strtoull(argv[1], nullptr, 10) : 2'000;
  const std::uint64_t kills = argc > 2 ? strtoull(argv[2], nullptr, 10) : 30;
  const char* given = getenv("FOLDLOG_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? strtoull(given, nullptr, 10) : std::random_device{}();
  printf("FOLDLOG_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::string scratch = fs::is_directory("/dev/shm") ? "/dev/shm/foldlog_prune_cut_XXXXXX" : "prune_cut_XXXXXX";
  scratch = fs::absolute(mkdtemp(scratch.data()));
  absl::Status status = foldlog::power_cut::Kill(scratch, seed, kills);
  if (status.ok()) status = foldlog::power_cut::CutPower(scratch, seed, images);
  std::error_code ignored;
  fs::remove_all(scratch, ignored);
  if (!status.ok()) fprintf(stderr, "prune_cut_test: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
