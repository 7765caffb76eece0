#include "foldlog/backup.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"
#include "engine/codec/frame_reader.h"
#include "engine/log/copy_writer.h"
#include "foldlog/event_index.h"
#include "replay/backup/frame_source.h"
#include "replay/backup/streams.h"

namespace foldlog {
namespace {

using backup::FrameSource;

std::string Hex(std::uint64_t hash) { return absl::StrCat(absl::Hex(hash, absl::kZeroPad16)); }

// The log as it was when the backup began.
struct Source {
  std::unique_ptr<EventLog> log;
  LogId id;
  LogExtent extent;
};

absl::StatusOr<Source> OpenSource(const std::string& directory) {
  Source source;
  ASSIGN_OR_RETURN(source.id, ReadLogId(directory));
  ASSIGN_OR_RETURN(source.log, OpenLogForReading(directory));
  ASSIGN_OR_RETURN(source.extent, source.log->Extent());
  return source;
}

// The end of the chain behind event `at`, which the log has, or its base.
absl::StatusOr<ChainEnd> EndBehind(const EventLog& log, const LogExtent& extent, Sequence at) {
  if (at == extent.base.sequence) return extent.base;
  FrameReader reader(log, at);
  ASSIGN_OR_RETURN(const FrameView* const frame, reader.Peek());
  if (frame == nullptr) return absl::UnavailableError(absl::StrCat("event ", at, " of ", log.name(), " is not there"));
  return frame->end();
}

absl::Status Diverged(const std::string& directory, const std::string& destination, const ChainEnd& here,
                      const ChainEnd& there) {
  return absl::FailedPreconditionError(absl::StrCat(
      "the backup ", destination, " and the log ", directory, " have diverged: event ", here.sequence, " has the hash ",
      Hex(there.hash), " in the backup and ", Hex(here.hash),
      " in the log. One of them was written to after they had been copies of each other; keep both, and back up to a "
      "new directory"));
}

// A backup that ends behind the log.
absl::Status TooLong(const Source& source, const std::string& directory, const std::string& destination,
                     const ChainEnd& end) {
  const ChainEnd& here = source.extent.end;
  ASSIGN_OR_RETURN(const auto backup, OpenLogForReading(destination));
  ASSIGN_OR_RETURN(const LogExtent extent, backup->Extent());
  if (here.sequence >= extent.base.sequence && here.sequence <= extent.end.sequence) {
    ASSIGN_OR_RETURN(const ChainEnd there, EndBehind(*backup, extent, here.sequence));
    if (there != here) return Diverged(directory, destination, here, there);
  }
  return absl::FailedPreconditionError(
      absl::StrCat("the backup ", destination, " is longer than the log ", directory, ": it ends with event ",
                   end.sequence, ", the log with event ", here.sequence,
                   ". An older copy of the log has taken its place; keep both, and restore "
                   "the backup or back up to a new directory"));
}

// Whether what the log has behind `end`, with which the backup ends, is what comes next in the backup.
absl::Status CheckContinues(const Source& source, const std::string& directory, const std::string& destination,
                            const CopyWriter& copy) {
  const ChainEnd& end = copy.end();
  if (copy.log_id() != source.id) {
    return absl::FailedPreconditionError(absl::StrCat(destination, " holds another log than ", directory,
                                                      ", or a backup of another; name a new directory"));
  }
  if (end.sequence < source.extent.base.sequence) {
    return absl::FailedPreconditionError(
        absl::StrCat("the backup ", destination, " ends with event ", end.sequence, ", and events ", end.sequence + 1,
                     " to ", source.extent.base.sequence, " were pruned from the log ", directory,
                     ": nothing can close that gap. Keep the backup, and back up to a new directory"));
  }
  if (end.sequence > source.extent.end.sequence) return TooLong(source, directory, destination, end);
  ASSIGN_OR_RETURN(const ChainEnd here, EndBehind(*source.log, source.extent, end.sequence));
  return here == end ? absl::OkStatus() : Diverged(directory, destination, here, end);
}

absl::Status CheckAreTwo(const std::string& directory, const std::string& destination) {
  std::error_code ignored;
  if (!std::filesystem::equivalent(directory, destination, ignored)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(destination, " is the log itself; name another directory"));
}

// What a pruned log keeps of the events that it dropped is in none of its frames.
absl::Status CheckIsWhole(const Source& source, const std::string& directory) {
  if (source.extent.base.sequence == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the log ", directory, " was pruned up to event ", source.extent.base.sequence,
      ": a new backup would lack what it keeps of the events before. Go on with a backup that is older than that; or "
      "copy the directory while nobody writes to the log (cp -r), and back up to the copy"));
}

// An empty backup is one already: what follows extends it, and may be killed.
absl::StatusOr<bool> EnsureExists(const Source& source, const std::string& directory, const std::string& destination,
                                  const BackupOptions& options) {
  const absl::Status there = ReadLogId(destination).status();
  if (!absl::IsNotFound(there)) {
    RETURN_IF_ERROR(there);
    return false;
  }
  RETURN_IF_ERROR(CheckIsWhole(source, directory));
  ASSIGN_OR_RETURN(
      const auto copy,
      CopyWriter::Create(destination,
                         {.log_id = source.id, .base = source.extent.base, .tail_bytes = options.tail_bytes}, nullptr));
  RETURN_IF_ERROR(copy->Finish());
  return true;
}

BackupReport ReportOf(const Source& source, Sequence through) {
  return {.log_id = source.id,
          .not_durable = source.extent.end.sequence > through ? source.extent.end.sequence - through : 0,
          .missing_through = source.extent.missing_through};
}

}  // namespace

absl::StatusOr<BackupReport> Backup(const std::string& directory, const std::string& destination,
                                    const BackupOptions& options, const CopyProgressCallback& progress) {
  ASSIGN_OR_RETURN(const Source source, OpenSource(directory));
  RETURN_IF_ERROR(CheckAreTwo(directory, destination));
  const Sequence through = source.extent.durable_through;
  BackupReport report = ReportOf(source, through);
  ASSIGN_OR_RETURN(report.created, EnsureExists(source, directory, destination, options));
  ASSIGN_OR_RETURN(const auto copy, CopyWriter::OpenToExtend(destination, NewEventIndexer(), options.lock_wait));
  RETURN_IF_ERROR(CheckContinues(source, directory, destination, *copy));
  report.base = copy->base();
  report.before = copy->end();
  if (copy->end().sequence < through) {
    FrameSource frames(*source.log, copy->end(), through);
    const auto append = [&](const FrameRun& run) { return copy->Append(SpanOf(run)); };
    ASSIGN_OR_RETURN(report.bytes, backup::CopyAll(frames, through - copy->end().sequence, append, progress));
  }
  report.end = copy->end();
  RETURN_IF_ERROR(copy->Finish());
  return report;
}

absl::StatusOr<BackupReport> BackupToStream(const std::string& directory, int fd,
                                            const CopyProgressCallback& progress) {
  ASSIGN_OR_RETURN(const Source source, OpenSource(directory));
  RETURN_IF_ERROR(CheckIsWhole(source, directory));
  const Sequence through = source.extent.durable_through;
  BackupReport report = ReportOf(source, through);
  report.created = true;
  report.base = report.before = source.extent.base;
  ASSIGN_OR_RETURN(report.end, EndBehind(*source.log, source.extent, through));
  backup::StreamWriter writer(backup::SinkOf(fd));
  RETURN_IF_ERROR(
      writer.Begin({.log_id = source.id, .base = report.base, .end = report.end, .made_at = backup::NowNs()}));
  FrameSource frames(*source.log, report.base, through);
  const auto add = [&](const FrameRun& run) { return writer.Add(run); };
  ASSIGN_OR_RETURN(report.bytes, backup::CopyAll(frames, report.events(), add, progress));
  RETURN_IF_ERROR(writer.End());
  return report;
}

}  // namespace foldlog
