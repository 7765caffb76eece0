// Logs on disk: a directory with an LMDB file, a tail of the newest events, and a writer lock (schema/FORMAT.md lists
// the files).
//
//   ASSIGN_OR_RETURN(WritableLog written, OpenLogForWriting("/var/lib/photos/index.foldlog"));
//   ASSIGN_OR_RETURN(auto read, OpenLogForReading("/var/lib/photos/index.foldlog"));  // in this process or another
//
// A log has one writer process, and any number of readers at the same time, in this and other processes. Within one
// process a directory is opened for writing once; readers may be opened beside it. A log must not cross fork(): in the
// child every call is refused, and the child's exit does the parent no harm.
//
// Only local file systems: network file systems and FUSE are refused, because neither locks nor mapped pages can be
// trusted there.

#ifndef FOLDLOG_LOG_DIRECTORY_H_
#define FOLDLOG_LOG_DIRECTORY_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/log_id.h"
#include "foldlog/log_index.h"
#include "foldlog/owner.h"

namespace foldlog {

struct LogDirectoryOptions {
  // Whether the opening may or must create the log.
  enum class Create { kIfMissing, kNever, kMustBeNew };
  Create create = Create::kIfMissing;

  // Opens a log although durable events are missing at its end, which is DataLoss otherwise. The log goes on behind the
  // last event that is there; RecoveryReport::events_lost counts the missing ones.
  bool accept_loss = false;

  // Of a new log: the size of its tail in bytes, which is written at once. Rounded to a multiple of 4 KiB from 64 KiB
  // to 1 GiB. With a larger tail, more events can run ahead of the disk before an append has to wait for it.
  std::uint64_t tail_bytes = std::uint64_t{8} << 20;

  // Of a new log: its id, for one that is to hold the frames of another. Random unless given.
  std::optional<LogId> log_id = {};

  // An event that no thread waits for is durable after this time and one flush of the disk.
  std::chrono::milliseconds flush_interval{50};

  // How long to wait for another writer to end before the opening is refused. The time starts anew with each writer
  // that gets the log meanwhile, as in a queue. A signal that the thread handles ends the wait.
  std::chrono::milliseconds lock_wait{0};

  // Makes the rows of the log's index; NewEventIndexer() (event_index.h) gives the one that readers understand. Without
  // one, events are stored without rows, and questions about them read the events.
  std::shared_ptr<LogIndexer> indexer = {};

  // What other programs are told about this writer while it holds the lock.
  WriterUse use = WriterUse::kProgram;
};

// A log opened for writing, and what its opening found. `log` holds the writer lock until it is closed or destroyed.
struct WritableLog {
  std::unique_ptr<EventLog> log = {};
  Owner self = {};           // this process and this opening
  WriterInfo previous = {};  // the writer lock before this writer took it
  RecoveryReport recovery = {};
};

// Opens `directory` for writing, and creates it if the options allow that. May wait for lock_wait, and reads the tail.
//
// Errors: FailedPrecondition, another writer holds the log (the message names it), or `directory` is no log, has a
// newer format, or is on a network file system; NotFound; PermissionDenied; DataLoss, a file is damaged or durable
// events are missing; ResourceExhausted, no room to create it.
absl::StatusOr<WritableLog> OpenLogForWriting(const std::string& directory, const LogDirectoryOptions& options = {});

// Opens `directory` for reading, whether or not a writer is at work. Needs no permission but to read, and leaves
// nothing behind. The calls of the result that write are refused with FailedPrecondition.
absl::StatusOr<std::unique_ptr<EventLog>> OpenLogForReading(const std::string& directory);

// Which log `directory` holds. Errors as OpenLogForReading() has them.
absl::StatusOr<LogId> ReadLogId(const std::string& directory);

// That a log was restored from a backup, as was recorded when it was made.
struct Restoration {
  TimeNs at = 0;
  std::string source = {};  // the directory of the backup; empty: it came as a stream
  std::string host = {};    // the machine that the log was restored on
  ChainEnd end = {};        // the backup's, and so the log's: events behind it came after the restore
  bool operator==(const Restoration&) const = default;
};

// Nothing if the log was not restored. Errors as OpenLogForReading() has them; DataLoss, too, if the record is damaged.
absl::StatusOr<std::optional<Restoration>> ReadRestoration(const std::string& directory);

// The process that writes to `directory` now, or the last one that did. Takes no lock and changes nothing.
absl::StatusOr<WriterInfo> InspectWriter(const std::string& directory);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_DIRECTORY_H_
