// The programs whose power is cut while they copy a log: SOURCE is outside of the recorded directory and only read.
//
//   backup_workload backup SOURCE DIRECTORY     three backups of a log that grows between them, in DIRECTORY/copy
//   backup_workload restore SOURCE DIRECTORY    a restore, to DIRECTORY/copy
//
// Items are events; a restored log has all of them or is not there.

#include <cstdio>
#include <string>

#include "engine/base/status_macros.h"
#include "foldlog/backup.h"
#include "foldlog/engine.h"
#include "tests/crash/recorder.h"

namespace foldlog {
namespace {

using power_cut::MarkAcknowledged;
using power_cut::MarkSubmitted;

constexpr std::uint64_t kTailBytes = std::uint64_t{64} << 10;

// More operations at the end of the log.
absl::Status Grow(const std::string& log, int operations) {
  EngineOptions options;
  options.directory.tail_bytes = kTailBytes;
  ASSIGN_OR_RETURN(auto engine, Engine::Open(log, std::move(options)));
  for (int i = 0; i < operations; ++i) {
    ASSIGN_OR_RETURN(const OperationHandle handle, engine->Start({.roots = {std::string(300, 'r')}}));
    for (int j = 1; j <= 20; ++j) {
      RETURN_IF_ERROR(engine->Checkpoint(handle, {.files_processed = j, .current_path = std::string(j * 20, 'p')}));
    }
    RETURN_IF_ERROR(engine->Complete(handle));
  }
  return engine->Close();
}

absl::Status BackUp(const std::string& source, const std::string& copy) {
  for (const int operations : {3, 1, 5}) {
    RETURN_IF_ERROR(Grow(source, operations));
    ASSIGN_OR_RETURN(const auto log, OpenLogForReading(source));
    ASSIGN_OR_RETURN(const LogExtent extent, log->Extent());
    MarkSubmitted(extent.end.sequence);
    ASSIGN_OR_RETURN(const BackupReport report, Backup(source, copy, {.tail_bytes = kTailBytes}));
    if (report.end != extent.end) return absl::InternalError("the backup does not reach the end of the log");
    MarkAcknowledged(report.end.sequence);
  }
  return absl::OkStatus();
}

absl::Status RestoreAll(const std::string& source, const std::string& copy) {
  RETURN_IF_ERROR(Grow(source, 9));
  ASSIGN_OR_RETURN(const auto log, OpenLogForReading(source));
  ASSIGN_OR_RETURN(const LogExtent extent, log->Extent());
  MarkSubmitted(extent.end.sequence);
  ASSIGN_OR_RETURN(const RestoreReport report, Restore(source, copy, {.tail_bytes = kTailBytes}));
  MarkAcknowledged(report.end.sequence);
  return absl::OkStatus();
}

}  // namespace
}  // namespace foldlog

int main(int argc, char** argv) {
  const std::string command = argc == 4 ? argv[1] : "";
  absl::Status status = absl::InvalidArgumentError("usage: backup_workload backup|restore SOURCE DIRECTORY");
  if (command == "backup") status = foldlog::BackUp(argv[2], std::string(argv[3]) + "/copy");
  if (command == "restore") status = foldlog::RestoreAll(argv[2], std::string(argv[3]) + "/copy");
  if (!status.ok()) fprintf(stderr, "backup_workload: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
