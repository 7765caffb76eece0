// Restore(): a new log of a backup, or of a stream of one.

#include <unistd.h>

#include <array>
#include <climits>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/log/copy_writer.h"
#include "engine/missing_events.h"
#include "foldlog/backup.h"
#include "foldlog/event_index.h"
#include "replay/backup/frame_source.h"
#include "replay/backup/streams.h"

namespace foldlog {
namespace {

std::string HostName() {
  std::array<char, HOST_NAME_MAX + 1> name = {};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

// Which log is to be made.
struct Plan {
  std::string directory;
  std::string source;  // a path, empty for a stream
  LogId log_id;
  ChainEnd base;
  ChainEnd end;
  std::uint64_t tail_bytes;
};

template <typename Source>
absl::StatusOr<RestoreReport> RestoreAll(const Plan& plan, Source& source, const CopyProgressCallback& progress) {
  RestoreReport report{
      .log_id = plan.log_id,
      .base = plan.base,
      .end = plan.end,
      .restoration = {.at = backup::NowNs(), .source = plan.source, .host = HostName(), .end = plan.end}};
  ASSIGN_OR_RETURN(
      const auto copy,
      CopyWriter::Create(
          plan.directory,
          {.log_id = plan.log_id, .base = plan.base, .restoration = report.restoration, .tail_bytes = plan.tail_bytes},
          NewEventIndexer()));
  const auto append = [&](const FrameRun& run) { return copy->Append(SpanOf(run)); };
  ASSIGN_OR_RETURN(report.bytes, backup::CopyAll(source, report.events(), append, progress));
  if (copy->end() != plan.end) return absl::InternalError("the backup does not end where it was said to");
  RETURN_IF_ERROR(copy->Finish());
  return report;
}

// As it is named from anywhere.
std::string Absolute(const std::string& path) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::canonical(path, error);
  return error ? path : absolute.string();
}

}  // namespace

// All of the backup, and nothing less: where durable events are missing at its end, that is an error.
absl::StatusOr<RestoreReport> Restore(const std::string& backup, const std::string& directory,
                                      const RestoreOptions& options, const CopyProgressCallback& progress) {
  ASSIGN_OR_RETURN(const LogId id, ReadLogId(backup));
  ASSIGN_OR_RETURN(const auto log, OpenLogForReading(backup));
  ASSIGN_OR_RETURN(const LogExtent extent, log->Extent());
  RETURN_IF_ERROR(CheckNothingIsMissing(*log, extent));
  if (extent.base.sequence > 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(backup, " was pruned up to event ", extent.base.sequence,
                     ": what it keeps of the events before is in no frame. Copy the directory instead (cp -r)"));
  }
  backup::FrameSource source(*log, extent.base, extent.end.sequence);
  return RestoreAll({.directory = directory,
                     .source = Absolute(backup),
                     .log_id = id,
                     .base = extent.base,
                     .end = extent.end,
                     .tail_bytes = options.tail_bytes},
                    source, progress);
}

absl::StatusOr<RestoreReport> RestoreFromStream(int fd, const std::string& directory, const RestoreOptions& options,
                                                const CopyProgressCallback& progress) {
  backup::StreamReader source(backup::SourceOf(fd));
  ASSIGN_OR_RETURN(const backup::StreamHead head, source.Begin());
  return RestoreAll({.directory = directory,
                     .source = "",
                     .log_id = head.log_id,
                     .base = head.base,
                     .end = head.end,
                     .tail_bytes = options.tail_bytes},
                    source, progress);
}

}  // namespace foldlog
