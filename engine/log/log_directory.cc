#include "foldlog/log_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/log/file_system.h"
#include "engine/log/lmdb_env.h"
#include "engine/log/lmdb_log.h"
#include "engine/log/writer_lock.h"
#include "engine/status_macros.h"

namespace foldlog {
namespace {

using Create = LogDirectoryOptions::Create;

std::string LogFile(const std::string& directory) { return directory + "/log.mdb"; }

// What an interrupted creation may leave. Anything else means that the directory is somebody else's.
const std::set<std::string>& LeftOfCreation() {
  static const std::set<std::string> names = {"writer.lock", "log.mdb.new"};
  return names;
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
  if (lstat(LogFile(directory).c_str(), &info) == 0) return true;
  if (errno == ENOENT) return false;
  return ErrnoStatus(errno, absl::StrCat("look into the log ", directory));
}

absl::Status CheckMayBecomeLog(const std::string& directory) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (LeftOfCreation().contains(name)) continue;
    return absl::FailedPreconditionError(absl::StrCat(directory, " is not a foldlog log, and not empty (it holds \"",
                                                      name, "\"); name a log or a new directory"));
  }
  if (error) return ErrnoStatus(error.value(), absl::StrCat("list ", directory));
  return absl::OkStatus();
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
  if (!exists && create == Create::kNever) return NoLogHere(directory);
  if (!exists) RETURN_IF_ERROR(CheckMayBecomeLog(directory));
  return exists;
}

}  // namespace

absl::StatusOr<WritableLog> OpenLogForWriting(const std::string& given, const LogDirectoryOptions& options) {
  const std::string directory = WithoutTrailingSlashes(given);
  RETURN_IF_ERROR(PrepareDirectory(directory, options.create).status());
  Owner self = DescribeThisProcess(NewUuid());
  ASSIGN_OR_RETURN(std::unique_ptr<WriterLock> lock, WriterLock::Acquire(directory, self));
  // Only under the lock is it certain that no other process is creating the file right now.
  ASSIGN_OR_RETURN(const bool exists, PrepareDirectory(directory, options.create));
  if (!exists) RETURN_IF_ERROR(LmdbEnv::Create(directory, LogFile(directory)));
  // The entries, of the file in the directory and of the directory in its parent, may also come from a creation that
  // was killed before it made them durable.
  RETURN_IF_ERROR(SyncDirectory(directory));
  if (!exists) RETURN_IF_ERROR(SyncDirectory(ParentOf(directory)));
  ASSIGN_OR_RETURN(std::shared_ptr<LmdbEnv> env, LmdbEnv::Open(LogFile(directory)));
  WriterInfo previous = lock->previous();
  ASSIGN_OR_RETURN(auto log, NewLmdbLog(std::move(env), std::move(lock), directory));
  return WritableLog{std::move(log), std::move(self), std::move(previous)};
}

absl::StatusOr<std::unique_ptr<EventLog>> OpenLogForReading(const std::string& given) {
  const std::string directory = WithoutTrailingSlashes(given);
  RETURN_IF_ERROR(PrepareDirectory(directory, Create::kNever).status());
  ASSIGN_OR_RETURN(std::shared_ptr<LmdbEnv> env, LmdbEnv::Open(LogFile(directory)));
  return NewLmdbLog(std::move(env), /*lock=*/nullptr, directory);
}

absl::StatusOr<WriterInfo> InspectWriter(const std::string& directory) {
  RETURN_IF_ERROR(PrepareDirectory(directory, Create::kNever).status());
  return InspectWriterLock(directory);
}

}  // namespace foldlog
