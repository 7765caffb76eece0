#include "tools/cli/new_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <span>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "foldlog/owner.h"

namespace foldlog::cli {
namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;

absl::Status IsThere(const std::string& path) {
  return absl::FailedPreconditionError(
      absl::StrCat("there is something at ", path, " already, and it is not replaced; name a new file"));
}

absl::Status CheckIsFree(const std::string& path) {
  struct stat info = {};
  return lstat(path.c_str(), &info) == 0 ? IsThere(path) : absl::OkStatus();
}

// A name by which an open file can be linked although it has none of its own.
std::string NameOfOpen(int fd) { return absl::StrCat("/proc/self/fd/", fd); }

std::pair<std::string, std::string> DirectoryAndName(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

constexpr std::string_view kPart = ".part-";
constexpr std::size_t kMarkBytes = 8;  // of an id, behind it

bool IsPartOf(std::string_view entry, std::string_view name) {
  if (!entry.starts_with(name) || !entry.substr(name.size()).starts_with(kPart)) return false;
  const std::string_view mark = entry.substr(name.size() + kPart.size());
  return mark.size() == kMarkBytes && mark.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// What programs left that were killed while they wrote to `path`: their locks are gone. What cannot be removed stays.
void RemoveLeftovers(const std::string& path) {
  const auto [directory, name] = DirectoryAndName(path);
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(directory.c_str()), closedir);
  if (!entries) return;
  while (const dirent* entry = readdir(entries.get())) {
    if (!IsPartOf(entry->d_name, name)) continue;
    const std::string part = absl::StrCat(directory, "/", entry->d_name);
    const FileDescriptor file(open(part.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat info = {};
    const bool is_file = file.valid() && fstat(file.get(), &info) == 0 && S_ISREG(info.st_mode);
    if (is_file && flock(file.get(), LOCK_EX | LOCK_NB) == 0) unlink(part.c_str());
  }
}

}  // namespace

absl::StatusOr<NewFile> NewFile::Create(const std::string& path) {
  RETURN_IF_ERROR(CheckIsFree(path));
  RemoveLeftovers(path);
  FileDescriptor file(open(DirectoryAndName(path).first.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666));
  const bool can_be_named = file.valid() && access(NameOfOpen(file.get()).c_str(), F_OK) == 0;
  if (can_be_named) return NewFile(std::move(file), path, "");
  return CreateNamed(path);
}

// Between making the file and locking it, it looks like a leftover: if another program took it for one, another is
// made.
absl::StatusOr<NewFile> NewFile::CreateNamed(const std::string& path) {
  RETURN_IF_ERROR(CheckIsFree(path));
  RemoveLeftovers(path);
  while (true) {
    std::string temporary = absl::StrCat(path, std::string(kPart), NewUuid().substr(0, kMarkBytes));
    FileDescriptor file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!file.valid()) return ErrnoStatus(errno, absl::StrCat("write to ", path));
    struct stat info = {};
    flock(file.get(), LOCK_EX);  // where there are no locks, nobody takes the file for a leftover either
    if (fstat(file.get(), &info) == 0 && info.st_nlink > 0) return NewFile(std::move(file), path, std::move(temporary));
  }
}

NewFile::NewFile(NewFile&& other) noexcept
    : file_(std::move(other.file_)),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      buffer_(std::move(other.buffer_)),
      written_(other.written_) {}

NewFile::~NewFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

absl::Status NewFile::Write(std::string_view bytes) {
  buffer_ += bytes;
  return buffer_.size() < kBufferBytes ? absl::OkStatus() : Flush();
}

absl::Status NewFile::Flush() {
  RETURN_IF_ERROR(WriteFully(file_.get(), std::as_bytes(std::span(buffer_)), written_, path_));
  written_ += buffer_.size();
  buffer_.clear();
  return absl::OkStatus();
}

// What came there meanwhile stays: link() replaces nothing, as rename() would. Where a file system has no links, a look
// has to do.
absl::Status NewFile::Commit() {
  RETURN_IF_ERROR(Flush());
  RETURN_IF_ERROR(FlushData(file_.get(), path_));
  const std::string from = temporary_.empty() ? NameOfOpen(file_.get()) : temporary_;
  if (linkat(AT_FDCWD, from.c_str(), AT_FDCWD, path_.c_str(), AT_SYMLINK_FOLLOW) == 0) {
    if (!temporary_.empty()) unlink(temporary_.c_str());
  } else if (errno == EEXIST) {
    return IsThere(path_);
  } else if (temporary_.empty()) {
    return ErrnoStatus(errno, absl::StrCat("name ", path_));
  } else {
    RETURN_IF_ERROR(CheckIsFree(path_));
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) return ErrnoStatus(errno, absl::StrCat("name ", path_));
  }
  temporary_.clear();
  return SyncEntryOf(path_);
}

}  // namespace foldlog::cli
