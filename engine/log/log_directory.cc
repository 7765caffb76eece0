#include "foldlog/log_directory.h"

#include <utility>

#include "engine/base/file_system.h"
#include "engine/base/random_bytes.h"
#include "engine/base/status_macros.h"
#include "engine/log/log_files.h"
#include "engine/log/reader_log.h"
#include "engine/log/recovery.h"
#include "engine/log/store/log_file.h"
#include "engine/log/store/snapshot_cache.h"
#include "engine/log/store/store.h"
#include "engine/log/tail/file.h"
#include "engine/log/tail/shared.h"
#include "engine/log/writer/lock.h"
#include "engine/log/writer/writer_log.h"

namespace foldlog {
namespace {

// The log begins to exist when log.mdb gets its name. Tail and entry must be durable before that: a power cut must not
// leave log.mdb without its tail.
absl::Status CreateLog(const std::string& directory, const LogDirectoryOptions& options) {
  LogId log_id = {};
  FillWithRandomBytes(log_id);
  if (options.log_id) log_id = *options.log_id;
  RETURN_IF_ERROR(TailFile::Create(directory, log_id, options.tail_bytes));
  RETURN_IF_ERROR(SyncDirectory(directory));
  return Store::Create(directory, log_id);
}

// The caller holds the writer lock: only then is it certain that no other process is creating the file right now.
// Gives whether the log was there already.
absl::StatusOr<bool> EnsureLogExists(const std::string& directory, const LogDirectoryOptions& options) {
  ASSIGN_OR_RETURN(const bool exists, PrepareDirectory(directory, options.create));
  if (!exists) RETURN_IF_ERROR(CreateLog(directory, options));
  // Also for a log that exists: a creation may have been killed before it made these entries durable, of the file in
  // the directory and of the directory in its parent.
  RETURN_IF_ERROR(SyncDirectory(directory));
  if (!exists) RETURN_IF_ERROR(SyncEntryOf(directory));
  return exists;
}

using Create = LogDirectoryOptions::Create;

}  // namespace

// The order is that of engine/log/README.md. Nothing is written to the log's files before the lock is held; the shared
// page says what is durable only after recovery has judged the end of the tail.
absl::StatusOr<WritableLog> OpenLogForWriting(const std::string& given, const LogDirectoryOptions& options) {
  const FileSizeSignalBlocked blocked;
  const std::string directory = WithoutTrailingSlashes(given);
  RETURN_IF_ERROR(PrepareDirectory(directory, options.create).status());
  Owner self = DescribeThisProcess(NewUuid());
  ASSIGN_OR_RETURN(std::unique_ptr<WriterLock> lock,
                   WriterLock::Acquire(directory, self, {.use = options.use, .wait = options.lock_wait}));
  self = lock->self();
  ASSIGN_OR_RETURN(const bool exists, EnsureLogExists(directory, options));
  ASSIGN_OR_RETURN(std::unique_ptr<LogFile> file, OpenLogFile(directory));
  ASSIGN_OR_RETURN(auto tail, OpenTail(directory, file->log_id(), TailFile::Access::kWrite));
  ASSIGN_OR_RETURN(auto store, Store::Open(std::move(file), directory, options.indexer));
  ASSIGN_OR_RETURN(WatchedFiles watched, WatchedFiles::In(directory));
  const Sequence durable_by_shared = TailShared::OpenForReading(directory).durable(*tail);
  ASSIGN_OR_RETURN(RecoveredLog recovered, Recover({.file = store->file(),
                                                    .tail = *tail,
                                                    .durable_by_shared = durable_by_shared,
                                                    .previous = lock->previous(),
                                                    .self = self,
                                                    .is_new = !exists,
                                                    .accept_loss = options.accept_loss}));
  RETURN_IF_ERROR(lock->NoteRecovery(recovered.report));
  ASSIGN_OR_RETURN(TailShared shared, TailShared::OpenForWriting(directory, *tail, recovered.durable));
  WriterInfo previous = lock->previous();
  ASSIGN_OR_RETURN(auto log, NewWriterLog({.name = directory,
                                           .lock = std::move(lock),
                                           .store = std::move(store),
                                           .tail = std::move(tail),
                                           .watched = std::move(watched),
                                           .shared = std::move(shared),
                                           .snapshots = SnapshotCache(directory, SnapshotCache::Access::kWrite),
                                           .base = recovered.base,
                                           .stored = recovered.stored,
                                           .found = std::move(recovered.found),
                                           .durable = recovered.durable,
                                           .flush_interval = options.flush_interval}));
  return WritableLog{std::move(log), std::move(self), std::move(previous), recovered.report};
}

absl::StatusOr<std::unique_ptr<EventLog>> OpenLogForReading(const std::string& given) {
  const std::string directory = WithoutTrailingSlashes(given);
  RETURN_IF_ERROR(PrepareDirectory(directory, Create::kNever).status());
  ASSIGN_OR_RETURN(std::unique_ptr<LogFile> file, OpenLogFile(directory));
  ASSIGN_OR_RETURN(auto tail, OpenTail(directory, file->log_id(), TailFile::Access::kRead));
  TailShared shared = TailShared::OpenForReading(directory);
  Sequence durable = shared.durable(*tail);
  Sequence claimed = 0;
  // Where the shared page does not tell how far events are durable, the tail's copy does, and the reader flushes
  // log.mdb itself: what it calls durable must survive a power cut.
  if (durable == 0) {  // after a reboot, or in a copy
    claimed = tail->ReadClaims().claim.durable;
    ASSIGN_OR_RETURN(const CommitRecord commit, file->ReadCommit());
    RETURN_IF_ERROR(file->MakeDurable());
    durable = commit.end.sequence;
  }
  return NewReaderLog({.name = directory,
                       .file = std::move(file),
                       .tail = std::move(tail),
                       .shared = std::move(shared),
                       .snapshots = SnapshotCache(directory, SnapshotCache::Access::kRead),
                       .claimed = claimed,
                       .durable = durable});
}

absl::StatusOr<LogId> ReadLogId(const std::string& given) {
  const std::string directory = WithoutTrailingSlashes(given);
  RETURN_IF_ERROR(PrepareDirectory(directory, Create::kNever).status());
  ASSIGN_OR_RETURN(const std::unique_ptr<LogFile> file, OpenLogFile(directory));
  return file->log_id();
}

absl::StatusOr<std::optional<Restoration>> ReadRestoration(const std::string& given) {
  const std::string directory = WithoutTrailingSlashes(given);
  RETURN_IF_ERROR(PrepareDirectory(directory, Create::kNever).status());
  ASSIGN_OR_RETURN(const std::unique_ptr<LogFile> file, OpenLogFile(directory));
  return file->ReadRestoration();
}

absl::StatusOr<WriterInfo> InspectWriter(const std::string& directory) {
  RETURN_IF_ERROR(PrepareDirectory(directory, Create::kNever).status());
  return InspectWriterLock(directory);
}

}  // namespace foldlog
