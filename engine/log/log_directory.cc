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

// What an interrupted creation may leave. Anything else means that the directory is somebody else's.
const std::set<std::string>& LeftOfCreation() {
  static const std::set<std::string> names = {"writer.lock", "tail.new", "tail", "log.mdb.new"};
  return names;
}

// What file systems, desktops and file servers put into directories without being asked.
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

absl::StatusOr<bool> HasLogFile(const std::string& directory) {
  struct stat info = {};
  if (lstat(PathOfLogFile(directory).c_str(), &info) == 0) return true;
  if (errno == ENOENT) return false;
  return ErrnoStatus(errno, absl::StrCat("look into the log ", directory));
}

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

// A log that was opened once has both of these, and an interrupted creation has not.
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

// The log begins to exist when log.mdb gets its name; the tail has to be there for good before that.
absl::Status CreateLog(const std::string& directory, std::uint64_t tail_bytes) {
  LogId log_id = {};
  FillWithRandomBytes(log_id);
  RETURN_IF_ERROR(TailFile::Create(directory, log_id, tail_bytes));
  RETURN_IF_ERROR(SyncDirectory(directory));
  return Store::Create(directory, log_id);
}

// By the holder of the writer lock: only then is it certain that no other process is creating the file right now.
absl::Status EnsureLogExists(const std::string& directory, const LogDirectoryOptions& options) {
  ASSIGN_OR_RETURN(const bool exists, PrepareDirectory(directory, options.create));
  if (!exists) RETURN_IF_ERROR(CreateLog(directory, options.tail_bytes));
  // The entries, of the file in the directory and of the directory in its parent, may also come from a creation that
  // was killed before it made them durable.
  RETURN_IF_ERROR(SyncDirectory(directory));
  return exists ? absl::OkStatus() : SyncEntryOf(directory);
}

// What is in the place of log.mdb may be no such file at all. Beside a tail, it was one.
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
  ASSIGN_OR_RETURN(auto store, Store::Open(std::move(file), directory));
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
  if (durable == 0) {  // nobody says: so it is made so
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

absl::StatusOr<WriterInfo> InspectWriter(const std::string& directory) {
  RETURN_IF_ERROR(PrepareDirectory(directory, Create::kNever).status());
  return InspectWriterLock(directory);
}

}  // namespace foldlog
