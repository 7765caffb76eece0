#include "engine/log/log_files.h"

#include <fcntl.h>
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
#include "engine/base/status_macros.h"

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

// A symbolic link counts as there, and is refused when it is opened.
absl::StatusOr<bool> HasLogFile(const std::string& directory) {
  FileFacts facts;
  if (InspectAt(AT_FDCWD, PathOfLogFile(directory).c_str(), facts)) return true;
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
  FileFacts facts;
  for (const char* name : {"/tail", "/tail-shm"}) {
    if (!InspectAt(AT_FDCWD, (directory + name).c_str(), facts)) return absl::OkStatus();
  }
  return absl::DataLossError(
      absl::StrCat("the log ", directory,
                   " has lost its file \"log.mdb\", which holds all events but the newest; put it "
                   "back from where the log was copied"));
}

absl::Status NoLogHere(const std::string& directory) {
  return absl::NotFoundError(absl::StrCat("there is no log at ", directory, "; start or index creates one"));
}

}  // namespace

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

}  // namespace foldlog
