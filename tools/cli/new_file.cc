#include "tools/cli/new_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
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

}  // namespace

absl::StatusOr<NewFile> NewFile::Create(const std::string& path) {
  struct stat info = {};
  if (lstat(path.c_str(), &info) == 0) return IsThere(path);
  std::string temporary = absl::StrCat(path, ".part-", NewUuid().substr(0, 8));
  FileDescriptor file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file.valid()) return ErrnoStatus(errno, absl::StrCat("write to ", path));
  return NewFile(std::move(file), path, std::move(temporary));
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
  if (link(temporary_.c_str(), path_.c_str()) == 0) {
    unlink(temporary_.c_str());
  } else if (errno == EEXIST) {
    return IsThere(path_);
  } else {
    struct stat info = {};
    if (lstat(path_.c_str(), &info) == 0) return IsThere(path_);
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) return ErrnoStatus(errno, absl::StrCat("name ", path_));
  }
  temporary_.clear();
  return SyncEntryOf(path_);
}

}  // namespace foldlog::cli
