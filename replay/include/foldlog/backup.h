// Backup and restore: copies of a log that are logs.
//
//   ASSIGN_OR_RETURN(const BackupReport report, Backup("/var/lib/photos/log", "/backups/photos"));   // now and then
//   …
//   ASSIGN_OR_RETURN(const RestoreReport restored, Restore("/backups/photos", "/var/lib/photos/log"));
//
// A backup holds the frames of its log, unchanged: it can be read, verified, queried and backed up like any log. The
// first call copies all; later ones append what is new. It never holds an event that the log might still lose: only
// what is durable there is copied. The log is read as by any reader: no lock, no transaction, nothing written, and its
// writer goes on at full speed.
//
// Logs of one id are copies of each other, until two of them are written to: then they have diverged, which shows in
// the hashes. Who lets both the old log and a restored one go on has two logs, and needs two backups.
//
// Threads: any. A call may start one of its own, which ends before it returns.

#ifndef FOLDLOG_BACKUP_H_
#define FOLDLOG_BACKUP_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/log_directory.h"
#include "foldlog/log_id.h"

namespace foldlog {

struct BackupOptions {
  // How long to wait for another process that writes to the backup.
  std::chrono::milliseconds lock_wait{0};
  // As in LogDirectoryOptions, of a new backup. What is copied goes past the tail, so a small one will do.
  std::uint64_t tail_bytes = std::uint64_t{1} << 20;
};

struct RestoreOptions {
  std::uint64_t tail_bytes = LogDirectoryOptions().tail_bytes;  // likewise, of the new log
};

struct BackupReport {
  LogId log_id = {};
  bool created = false;     // the backup was begun, or is a stream
  ChainEnd base = {};       // of the backup: it starts behind this
  ChainEnd before = {};     // where it ended before
  ChainEnd end = {};        // and where it ends now; what was between was copied
  std::uint64_t bytes = 0;  // of the frames that were copied, unpacked
  // Events that the log has behind that and that were not durable yet when the call began. The next call takes them.
  std::uint64_t not_durable = 0;
  // Events behind the log's end, up to this one, were durable and are gone: the log is damaged, and what is left of it
  // was copied. 0 if none is known to be missing.
  Sequence missing_through = 0;

  std::uint64_t events() const { return end.sequence - before.sequence; }
};

struct CopyProgress {
  std::uint64_t events = 0;  // copied so far
  std::uint64_t events_total = 0;
};
using CopyProgressCallback = std::function<void(const CopyProgress&)>;

// Makes `destination` a backup of the log in `directory`, or appends what is new to the one that it is. Every
// transaction leaves a backup that is whole, so it may be killed at any moment, and called again. It is the backup's
// only writer meanwhile. `progress` may be null.
//
// Errors: FailedPrecondition, `destination` is no backup of this log, has diverged from it (with both hashes), is
// longer than it, lacks events that were pruned from it, or is being written by another process; DataLoss, log or
// backup are damaged; ResourceExhausted, the disk is full: what was copied stays, as a whole backup of less.
absl::StatusOr<BackupReport> Backup(const std::string& directory, const std::string& destination,
                                    const BackupOptions& options = {}, const CopyProgressCallback& progress = nullptr);

// Writes all of the log in `directory` to the open file `fd`, as one stream that RestoreFromStream() reads. It checks
// itself: one that is cut short or damaged is refused.
absl::StatusOr<BackupReport> BackupToStream(const std::string& directory, int fd,
                                            const CopyProgressCallback& progress = nullptr);

struct RestoreReport {
  LogId log_id = {};
  ChainEnd base = {};
  ChainEnd end = {};
  std::uint64_t bytes = 0;       // of the frames, unpacked
  Restoration restoration = {};  // as it was recorded in the log

  std::uint64_t events() const { return end.sequence - base.sequence; }
};

// Makes a new log in `directory` of the backup, with the same id. It is there when it is whole: a call that fails or is
// killed leaves none. Nothing is overwritten: FailedPrecondition if `directory` holds a log or anything else. DataLoss
// if the backup is damaged. An operation that was active at its end is so in the new log, and its owner is that of the
// old one: a writer goes on with it by Engine::RecoverByForce(), once nothing works on the old log any more.
absl::StatusOr<RestoreReport> Restore(const std::string& backup, const std::string& directory,
                                      const RestoreOptions& options = {},
                                      const CopyProgressCallback& progress = nullptr);

// Restore() from a stream of BackupToStream(), up to its end. What is wrong with it shows before there is a log.
absl::StatusOr<RestoreReport> RestoreFromStream(int fd, const std::string& directory,
                                                const RestoreOptions& options = {},
                                                const CopyProgressCallback& progress = nullptr);

}  // namespace foldlog

#endif  // FOLDLOG_BACKUP_H_
