// Cuts the power while a log is backed up or restored, at every call and in every way that the disk model allows. What
// is left is a whole backup of less, or no log; the next call finishes it; and the log itself is never touched.
//
//   backup_cut_test [IMAGES]      of each; 2,000 unless given
//
// With all barriers ignored it must fail, or it would prove nothing.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "foldlog/backup.h"
#include "foldlog/engine.h"
#include "foldlog/verify.h"
#include "tests/crash/checker_pool.h"
#include "tests/crash/enumerator.h"
#include "tests/crash/foldlog_check.h"
#include "tests/crash/recorder.h"
#include "tests/support/file_bytes.h"

namespace foldlog::power_cut {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kTailBytes = std::uint64_t{64} << 10;

struct Campaign {
  std::string command;  // of the workload
  std::string scratch;
  std::uint64_t images;
  std::uint64_t seed;
  std::string source() const { return scratch + "/" + command + "_source"; }
};

absl::Status Require(bool holds, const char* what) {
  return holds ? absl::OkStatus() : absl::InternalError(absl::StrCat("not so: ", what));
}

absl::Status CheckSound(const std::string& log) {
  ASSIGN_OR_RETURN(const VerifyReport report, Verify(log, {.jobs = 1}));
  if (report.sound()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("verify says: ", report.findings.front().message));
}

// How many of the first events of the source are in `copy`; kNoLog if there is no log.
absl::StatusOr<std::int64_t> CountPrefix(const std::string& copy, const std::vector<RecordedEvent>& reference) {
  const auto events = ReadEvents(copy);
  if (absl::IsNotFound(events.status())) return kNoLog;
  RETURN_IF_ERROR(events.status());
  RETURN_IF_ERROR(Require(events->size() <= reference.size(), "nothing was added"));
  RETURN_IF_ERROR(
      Require(std::equal(events->begin(), events->end(), reference.begin()), "the copy is a prefix of the log"));
  RETURN_IF_ERROR(CheckSound(copy));
  return static_cast<std::int64_t>(events->size());
}

// What the next call makes of it.
absl::StatusOr<std::int64_t> CheckImage(const Campaign& campaign, const std::string& directory,
                                        const std::vector<RecordedEvent>& reference) {
  const std::string copy = directory + "/copy";
  PretendReboot(copy);
  ASSIGN_OR_RETURN(const std::int64_t found, CountPrefix(copy, reference));
  const auto all = static_cast<std::int64_t>(reference.size());
  if (campaign.command == "backup") {
    RETURN_IF_ERROR(Backup(campaign.source(), copy, {.tail_bytes = kTailBytes}).status());
  } else {
    RETURN_IF_ERROR(Require(found == kNoLog || found == all, "a restored log is whole or not there"));
    if (found == kNoLog) RETURN_IF_ERROR(Restore(campaign.source(), copy, {.tail_bytes = kTailBytes}).status());
    ASSIGN_OR_RETURN(const auto restoration, ReadRestoration(copy));
    RETURN_IF_ERROR(Require(restoration.has_value(), "a restored log says that it is one"));
  }
  ASSIGN_OR_RETURN(const std::int64_t after, CountPrefix(copy, reference));
  RETURN_IF_ERROR(Require(after == all, "the next call finishes it"));
  if (campaign.command == "restore") {
    EngineOptions options;
    options.directory.create = LogDirectoryOptions::Create::kNever;
    ASSIGN_OR_RETURN(auto engine, Engine::Open(copy, std::move(options)));
    RETURN_IF_ERROR(engine->Clear());
    RETURN_IF_ERROR(engine->Close());
  }
  return found;
}

Report Check(const Campaign& campaign, const Trace& trace, const std::vector<RecordedEvent>& reference,
             bool ignore_barriers) {
  CheckerPool pool({.scratch = campaign.scratch, .keep_failures_in = ignore_barriers ? "" : "backup_cut_failures"},
                   [&](const std::string& directory) { return CheckImage(campaign, directory, reference); });
  const EnumerationOptions options{.seed = campaign.seed,
                                   .images = ignore_barriers ? campaign.images / 4 : campaign.images,
                                   .background = {"writer.lock", "-lock", "tail-shm"},
                                   .ignore_barriers = ignore_barriers,
                                   .systematic = !ignore_barriers};
  Enumerate(trace, options, [&](CrashImage image) { pool.Add(std::move(image)); });
  return pool.Finish();
}

std::string SourceBytes(const std::string& log) {
  std::string bytes;
  for (const char* name : {"/log.mdb", "/tail", "/writer.lock"}) bytes += ReadFile(log + name);
  return bytes;
}

absl::Status Run(const Campaign& campaign) {
  const std::string programs = fs::canonical("/proc/self/exe").parent_path();
  const std::string directory = campaign.scratch + "/" + campaign.command;
  fs::create_directories(directory);
  ASSIGN_OR_RETURN(const Trace trace,
                   Record({programs + "/backup_workload", campaign.command, campaign.source(), directory},
                          programs + "/libfoldlog_recorder.so", directory, directory + ".trace"));
  ASSIGN_OR_RETURN(const auto reference, ReadEvents(campaign.source()));
  const std::string before = SourceBytes(campaign.source());
  const Report control = Check(campaign, trace, reference, /*ignore_barriers=*/true);
  printf("%s, control without barriers: %s\n", campaign.command.c_str(), Summary(control).c_str());
  RETURN_IF_ERROR(Require(control.lost + control.corrupt > 0, "a disk without barriers is found out"));
  const Report report = Check(campaign, trace, reference, /*ignore_barriers=*/false);
  printf("%s: %s\n", campaign.command.c_str(), Summary(report).c_str());
  for (const std::string& failure : report.failures) printf("  %s\n", failure.c_str());
  RETURN_IF_ERROR(Require(report.failed() == 0, "the copies survive the power cut"));
  return Require(SourceBytes(campaign.source()) == before, "the log that was copied is as it was");
}

}  // namespace
}  // namespace foldlog::power_cut

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  const std::uint64_t images = argc > 1 ? strtoull(argv[1], nullptr, 10) : 2'000;
  const char* given = getenv("FOLDLOG_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? strtoull(given, nullptr, 10) : std::random_device{}();
  printf("FOLDLOG_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::string scratch = fs::is_directory("/dev/shm") ? "/dev/shm/foldlog_backup_cut_XXXXXX" : "backup_cut_XXXXXX";
  scratch = fs::absolute(mkdtemp(scratch.data()));
  absl::Status status;
  for (const char* command : {"backup", "restore"}) {
    if (status.ok()) status = foldlog::power_cut::Run({command, scratch, images, seed});
  }
  std::error_code ignored;
  fs::remove_all(scratch, ignored);
  if (!status.ok()) fprintf(stderr, "backup_cut_test: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
