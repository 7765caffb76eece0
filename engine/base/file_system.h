// Files and directories: descriptors with an owner, errors that name the file, and the file systems that a log must not
// be on.

#ifndef FOLDLOG_BASE_FILE_SYSTEM_H_
#define FOLDLOG_BASE_FILE_SYSTEM_H_

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace foldlog {

// Owns a file descriptor.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      Close();
      fd_ = other.Release();
    }
    return *this;
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() { Close(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }  // the caller owns it from here on
  void Close();                                     // keeps errno

 private:
  int fd_ = -1;
};

// The status for a failed call: "cannot WHAT: strerror". The code says what the caller should do next, e.g.
// ResourceExhausted for a full disk, a quota or a limit.
absl::Status ErrnoStatus(int error, std::string_view what);

// While an object of this class lives, a write beyond the limit on file sizes (ulimit -f) gives the calling thread an
// error, and no signal that would end the process.
class FileSizeSignalBlocked {
 public:
  FileSizeSignalBlocked();
  ~FileSizeSignalBlocked();
  FileSizeSignalBlocked(const FileSizeSignalBlocked&) = delete;
  FileSizeSignalBlocked& operator=(const FileSizeSignalBlocked&) = delete;

 private:
  sigset_t before_ = {};
};

// The errno with which a write to the end of the file `path` fails now; 0 if it works. Found out by making the file
// longer for a moment. For callers that learnt no more than that a write came short.
int ErrnoOfWritingTo(const std::string& path);

// What a file is, but for its times: since Linux 6.13 the next write to a file whose times somebody has read changes
// them again, and without a journal its flush then writes a block of inodes as well.
struct FileFacts {
  dev_t device = 0;
  ino_t inode = 0;
  std::uint64_t bytes = 0;
  std::uint64_t names = 0;  // hard links
  bool is_regular = false;
};

// Of an open file, and of what `directory` has under `name`: of a link itself. False, with errno, if that can't be
// told.
bool Inspect(int fd, FileFacts& facts);
bool InspectAt(int directory, const char* name, FileFacts& facts);

// Opens a file; with O_CREAT, under the permissions that the umask allows. FailedPrecondition if `path` is not a
// regular file but a link, a directory or a pipe, which this does not wait for.
absl::StatusOr<FileDescriptor> OpenRegularFile(const std::string& path, int flags);

// FailedPrecondition if the open file has a second name: a writer in another directory could reach it past this
// directory's lock.
absl::Status RefuseHardLinks(int fd, const std::string& path);

// DataLoss if `path` does not name the open file, or no longer does.
absl::Status CheckIsAtPath(int fd, const std::string& path);

// Gives the bytes back to the file system; they read as zeros from then on, and the file keeps its length. Does nothing
// on a file system that can't.
absl::Status PunchHole(int fd, std::uint64_t offset, std::uint64_t bytes, const std::string& path);

// Makes the contents of an open file durable (fdatasync). A flush that a signal interrupts is repeated. Any other
// failure is final: the kernel may have dropped what it could not write, and a second flush would succeed without it.
absl::Status FlushData(int fd, const std::string& path);

// Fills `into` from `offset` on. DataLoss if the file ends before that, or the medium can't be read.
absl::Status ReadFully(int fd, std::span<std::byte> into, std::uint64_t offset, const std::string& path);

// Writes all of `bytes` at `offset`. Raises no signal.
absl::Status WriteFully(int fd, std::span<const std::byte> bytes, std::uint64_t offset, const std::string& path);

// The name of a file system type (statfs f_type) on which a log is refused: network file systems, and FUSE, which may
// hide one. Nothing for all others.
std::optional<std::string_view> UnsupportedFileSystem(long f_type);

// FailedPrecondition if `directory` is on a file system of that kind.
absl::Status CheckFileSystem(const std::string& directory);

// "a/b///" is "a/b"; "/" stays.
std::string WithoutTrailingSlashes(std::string path);

// The directory that holds the entry of `path`, which must not end with a slash. The kernel, not this function,
// resolves "..".
std::string ParentOf(const std::string& path);

// Creates `directory` and its parents and makes the entries durable.
absl::Status CreateDirectories(const std::string& directory);

// Makes the entries of `directory` durable: files created in it, renamed, removed.
absl::Status SyncDirectory(const std::string& directory);

// Makes the entry of `directory` in its parent durable, whether or not the parent may be read.
absl::Status SyncEntryOf(const std::string& directory);

}  // namespace foldlog

#endif  // FOLDLOG_BASE_FILE_SYSTEM_H_
