// Logs on disk: a directory with an LMDB file, a tail of the newest events, and a writer lock (schema/FORMAT.md lists
// the files).
//
// One writer process a log; any number of readers, in this and other processes, at the same time. Within one process a
// directory is opened for writing once; readers may be opened beside it. A log must not cross fork(): the child finds
// every call refused, and its exit does the parent no harm.
//
// Only local file systems: network file systems and FUSE are refused, because neither locks nor mapped pages can be
// trusted there.

#ifndef FOLDLOG_LOG_DIRECTORY_H_
#define FOLDLOG_LOG_DIRECTORY_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/owner.h"

namespace foldlog {

struct LogDirectoryOptions {
  enum class Create { kIfMissing, kNever, kMustBeNew };
  Create create = Create::kIfMissing;

  // Opens a log although events that were durable are missing at its end: DataLoss otherwise. It goes on with the last
  // one that is there; RecoveryReport::events_lost says how many are not.
  bool accept_loss = false;

  // Of a new log: the size of its tail, which is written at once. Made a multiple of 4 KiB from 64 KiB to 1 GiB. A
  // larger one lets more events run ahead of the disk before a checkpoint has to wait for it.
  std::uint64_t tail_bytes = std::uint64_t{8} << 20;

  // An event that nobody waits for is durable after at most so long, and a flush of the disk.
  std::chrono::milliseconds flush_interval{50};

  // How long to wait for another writer to end before the opening is refused. Each one that gets the log meanwhile is
  // waited for anew, as in a queue. A signal that the thread handles ends the waiting.
  std::chrono::milliseconds lock_wait{0};

  WriterUse use = WriterUse::kProgram;
};

// A log opened for writing, and what its opening found out.
struct WritableLog {
  std::unique_ptr<EventLog> log = {};
  Owner self = {};           // this process and this opening
  WriterInfo previous = {};  // the writer lock as it was before it was taken
  RecoveryReport recovery = {};
};

// Opens `directory` for writing, creating it if the options say so. Errors: FailedPrecondition, another writer holds it
// (the message names it), or it is no log, a newer format, or on a network file system; NotFound; PermissionDenied;
// DataLoss, the file is damaged; ResourceExhausted, no room to create it.
absl::StatusOr<WritableLog> OpenLogForWriting(const std::string& directory, const LogDirectoryOptions& options = {});

// Opens `directory` for reading, whether or not a writer is at work. Append(), Sync() and PutSnapshot() are refused.
absl::StatusOr<std::unique_ptr<EventLog>> OpenLogForReading(const std::string& directory);

// Who writes to `directory` now, or did last. Takes no lock and changes nothing.
absl::StatusOr<WriterInfo> InspectWriter(const std::string& directory);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_DIRECTORY_H_
