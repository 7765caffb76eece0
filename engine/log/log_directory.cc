#include "foldlog/log_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/file_system.h"
#include "engine/base/random_bytes.h"
#include "engine/base/status_macros.h"
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

using Create = LogDirectoryOptions::Create;

// Files that an interrupted creation may leave. Any other file means that the directory serves another purpose.
const std::set<std::string>& LeftOfCreation() {
  static const std::set<std::string> names = {"writer.lock", "tail.new", "tail", "log.mdb.new"};
  return names;
}

// Entries that file systems, desktops and file servers make in directories unasked.
bool IsPutByTheSystem(std::string_view name) {
  static const std::set<std::string_view> names = {
      "lost+found", ".DS_Store",   ".directory",  ".fseventsd",   ".Spotlight-V100",           ".Trashes",
      "Thumbs.db",  "desktop.ini", "Desktop.ini", "$RECYCLE.BIN", "System Volume Information", ".snapshots",
      ".snapshot"};
  return names.contains(name) || name.starts_with(".Trash-") || name.starts_with(".nfs") || name.starts_with("._");
}

absl::Status CheckIsDirectory(const std::string& directory) {
  struct stat info = {};
  if (stat(directory.c_str(), &info) != 0) return ErrnoStatus(errno, absl::StrCat("open the log ", directory));
  if (!S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the log ", directory, " is not a directory; a log is a directory, name a new one"));
  }
  return absl::OkStatus();
}

// By lstat: a symbolic link counts as there, and is refused when it is opened.
absl::StatusOr<bool> HasLogFile(const std::string& directory) {
  struct stat info = {};
  if (lstat(PathOfLogFile(directory).c_str(), &info) == 0) return true;
  if (errno == ENOENT) return false;
  return ErrnoStatus(errno, absl::StrCat("look into the log ", directory));
}

// A log takes over its whole directory. One that holds other files is likely a mistake in the path.
absl::Status CheckMayBecomeLog(const std::string& directory) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (LeftOfCreation().contains(name) || IsPutByTheSystem(name)) continue;
    return absl::FailedPreconditionError(absl::StrCat(directory, " is not a foldlog log, and not empty (it holds \"",
                                                      name, "\"); name a log or a new directory"));
  }
  if (error) return ErrnoStatus(error.value(), absl::StrCat("list ", directory));
  return absl::OkStatus();
}

// A log that was opened once has both files; an interrupted creation has at most the tail. Creating a new log beside
// them would bury the lost one.
absl::Status CheckLogFileIsNotLost(const std::string& directory) {
  struct stat info = {};
  for (const char* name : {"/tail", "/tail-shm"}) {
    if (lstat((directory + name).c_str(), &info) != 0) return absl::OkStatus();
  }
  return absl::DataLossError(
      absl::StrCat("the log ", directory,
                   " has lost its file \"log.mdb\", which holds all events but the newest; put it "
                   "back from where the log was copied"));
}

absl::Status NoLogHere(const std::string& directory) {
  return absl::NotFoundError(absl::StrCat("there is no log at ", directory, "; start or index creates one"));
}

// Whether `directory` holds a log already. It runs before the lock is taken, so that a refused opening leaves no lock
// file in a directory of another kind, and once more under the lock.
absl::StatusOr<bool> PrepareDirectory(const std::string& directory, Create create) {
  if (directory.empty()) return absl::InvalidArgumentError("the log's directory has no name");
  if (create != Create::kNever) RETURN_IF_ERROR(CreateDirectories(directory));
  const absl::Status is_directory = CheckIsDirectory(directory);
  if (absl::IsNotFound(is_directory)) {
    if (create == Create::kNever) return NoLogHere(directory);
    return absl::FailedPreconditionError(
        absl::StrCat("the log ", directory, " is a symbolic link that leads nowhere; name a directory"));
  }
  RETURN_IF_ERROR(is_directory);
  RETURN_IF_ERROR(CheckFileSystem(directory));
  ASSIGN_OR_RETURN(const bool exists, HasLogFile(directory));
  if (exists && create == Create::kMustBeNew) {
    return absl::FailedPreconditionError(
        absl::StrCat("there is a log at ", directory, " already; name a new directory"));
  }
  if (!exists) RETURN_IF_ERROR(CheckLogFileIsNotLost(directory));
  if (!exists && create == Create::kNever) return NoLogHere(directory);
  if (!exists) RETURN_IF_ERROR(CheckMayBecomeLog(directory));
  return exists;
}

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
absl::Status EnsureLogExists(const std::string& directory, const LogDirectoryOptions& options) {
  ASSIGN_OR_RETURN(const bool exists, PrepareDirectory(directory, options.create));
  if (!exists) RETURN_IF_ERROR(CreateLog(directory, options));
  // Also for a log that exists: a creation may have been killed before it made these entries durable, of the file in
  // the directory and of the directory in its parent.
  RETURN_IF_ERROR(SyncDirectory(directory));
  return exists ? absl::OkStatus() : SyncEntryOf(directory);
}

// The file named log.mdb may be of another kind. A tail beside it shows that it was a log's and has been overwritten.
absl::StatusOr<std::unique_ptr<LogFile>> OpenLogFile(const std::string& directory) {
  const std::string path = PathOfLogFile(directory);
  absl::StatusOr<std::unique_ptr<LogFile>> file = LogFile::Open(path, directory);
  if (!absl::IsInvalidArgument(file.status())) return file;
  const absl::string_view why = file.status().message();
  if (TailFile::LooksLikeOne(directory)) {
    return absl::DataLossError(
        absl::StrCat(why, "; but there is a log's tail beside it: it was overwritten", kDamageAdvice));
  }
  return absl::FailedPreconditionError(absl::StrCat(why, "; name the directory of a log"));
}

absl::StatusOr<std::unique_ptr<TailFile>> OpenTail(const std::string& directory, const LogId& log_id,
                                                   TailFile::Access access) {
  absl::StatusOr<std::unique_ptr<TailFile>> tail = TailFile::Open(directory, log_id, access);
  if (!absl::IsNotFound(tail.status())) return tail;
  return absl::DataLossError(
      absl::StrCat("the log ", directory,
                   " has lost its file \"tail\", which holds its newest events; put it back from "
                   "where the log was copied"));
}

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
  RETURN_IF_ERROR(EnsureLogExists(directory, options));
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
                                                    .accept_loss = options.accept_loss}));
  RETURN_IF_ERROR(lock->NoteRecovery(recovered.report));
  ASSIGN_OR_RETURN(TailShared shared, TailShared::OpenForWriting(directory, *tail, recovered.stored.chain.sequence));
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
  // Where the shared page does not tell how far events are durable, the reader flushes log.mdb itself: what it calls
  // durable must survive a power cut.
  if (durable == 0) {  // after a reboot, or in a copy
    ASSIGN_OR_RETURN(const CommitRecord commit, file->ReadCommit());
    RETURN_IF_ERROR(file->MakeDurable());
    durable = commit.end.sequence;
  }
  return NewReaderLog({.name = directory,
                       .file = std::move(file),
                       .tail = std::move(tail),
                       .shared = std::move(shared),
                       .snapshots = SnapshotCache(directory, SnapshotCache::Access::kRead),
                       .durable = durable});
}

absl::StatusOr<LogId> ReadLogId(const std::string& given) {
  const std::string directory = WithoutTrailingSlashes(given);
  RETURN_IF_ERROR(PrepareDirectory(directory, Create::kNever).status());
  ASSIGN_OR_RETURN(const std::unique_ptr<LogFile> file, OpenLogFile(directory));
  return file->log_id();
}

absl::StatusOr<WriterInfo> InspectWriter(const std::string& directory) {
  RETURN_IF_ERROR(PrepareDirectory(directory, Create::kNever).status());
  return InspectWriterLock(directory);
}

}  // namespace foldlog
