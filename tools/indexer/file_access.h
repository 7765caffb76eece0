// File descriptors, and reaching directories without ever following a symbolic link or building a long path.
//
// Everything goes component by component from an open directory, so neither PATH_MAX nor a link swapped in behind our
// back matters. Nothing here writes.

#ifndef FOLDLOG_TOOLS_INDEXER_FILE_ACCESS_H_
#define FOLDLOG_TOOLS_INDEXER_FILE_ACCESS_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace foldlog::indexer {

// Owns one file descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd() { Close(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release();
  void Close();  // keeps errno

 private:
  int fd_ = -1;
};

struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileId&) const = default;
};

// What tells one version of a file's content from another without reading it.
struct FileFacts {
  std::int64_t size = 0;
  std::int64_t mtime_ns = 0;
  bool operator==(const FileFacts&) const = default;
};

FileId IdOf(const struct stat& facts);
FileFacts FactsOf(const struct stat& facts);

// The directory `relative` ("a/b/c"; "" is the base itself) below `base_fd`, good for *at() calls but not for reading.
// Invalid, with errno set, if a component is missing or is no directory.
UniqueFd ReachDirectory(int base_fd, std::string_view relative);

// Answers, for many files below one root, whether they are still there. Cheapest if asked in the order of their paths.
class PresenceProbe {
 public:
  enum class Presence { kRegularFile, kGone, kUnknown };

  explicit PresenceProbe(std::string root) : root_(std::move(root)) {}

  // The root itself must be there: a file is not gone because its whole root cannot be reached.
  absl::Status Open();

  // `path` is absolute and lies below the root. kGone covers what is no longer a regular file, and what could only be
  // reached through a symbolic link; kUnknown, what cannot be looked at.
  Presence Check(std::string_view path);

 private:
  std::string root_;
  UniqueFd root_fd_;
  std::string directory_;  // relative to the root; the one looked at last
  UniqueFd directory_fd_;
  int directory_error_ = 0;
  bool directory_known_ = false;
};

}  // namespace foldlog::indexer

#endif  // FOLDLOG_TOOLS_INDEXER_FILE_ACCESS_H_
