// Reaching directories without ever following a symbolic link or building a long path.
//
// Everything goes component by component from an open directory, so neither PATH_MAX nor a link swapped in behind our
// back matters. Nothing here writes.

#ifndef FOLDLOG_TOOLS_INDEXER_FILE_ACCESS_H_
#define FOLDLOG_TOOLS_INDEXER_FILE_ACCESS_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/status/status.h"
#include "engine/base/file_system.h"

namespace foldlog::indexer {

struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileId&) const = default;
};

// What tells one version of a file's content from another without reading it.
struct FileFacts {
  std::int64_t size = 0;
  absl::int128 mtime_ns = 0;  // file systems know times that 64 bits of nanoseconds do not reach (1677 to 2262)
  bool operator==(const FileFacts&) const = default;
};

// What changes whenever a name is added to a directory, taken from it or replaced. Without the device's number, which
// some file systems get anew with each mount.
struct DirectoryVersion {
  std::uint64_t inode = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  bool operator==(const DirectoryVersion&) const = default;
};

struct DirectoryFacts {
  FileId id;
  DirectoryVersion version;
  bool mount_point = false;  // something is mounted here
};

FileId IdOf(const struct stat& facts);
FileFacts FactsOf(const struct stat& facts);

// When the file's inode was last changed: its content, its attributes, or where its names are.
std::int64_t ChangeTimeNs(const struct stat& facts);

// Nothing, with errno set, if it cannot be told.
std::optional<DirectoryFacts> LookAtDirectory(int fd);

// The directory `relative` ("a/b/c"; "" is the base itself) below `base_fd`, good for *at() calls but not for reading.
// Invalid, with errno set, if a component is missing or is no directory.
FileDescriptor ReachDirectory(int base_fd, std::string_view relative);

// Goes from one directory to another below a base, cheaply if asked in the order of their paths: what two paths have in
// common is not opened again. Few descriptors are open at a time, however deep it is.
class DirectoryTrail {
 public:
  explicit DirectoryTrail(FileDescriptor base) : base_(std::move(base)) {}

  // The descriptor of `relative`, as ReachDirectory() would open it, until the next call; -1 with errno set.
  int MoveTo(std::string_view relative);

 private:
  struct Step {
    std::size_t path_bytes;
    FileId id;
    FileDescriptor fd;  // may be closed meanwhile
  };

  bool Push(std::string_view name);
  bool BackTo(std::size_t steps);
  int current() const { return steps_.empty() ? base_.get() : steps_.back().fd.get(); }

  FileDescriptor base_;
  std::string path_;
  std::vector<Step> steps_;
};

// Answers, for many files below one directory, whether they are still there. Cheapest in the order of their paths.
class PresenceProbe {
 public:
  enum class Presence { kRegularFile, kGone, kUnknown };

  // What is known of a file; the last two are of one that is there, and valid until the next call.
  struct Answer {
    Presence presence = Presence::kUnknown;
    FileFacts facts{};
    int directory_fd = -1;
    const char* name = nullptr;
  };

  // `root_fd` is the open directory `root`: whatever is mounted over it meanwhile, the answers are about this one.
  PresenceProbe(std::string root, FileDescriptor root_fd) : root_(std::move(root)), trail_(std::move(root_fd)) {}

  // `path` is absolute and lies below the root. kGone covers what is no longer a regular file, and what could only be
  // reached through a symbolic link; kUnknown, what cannot be looked at.
  Answer Check(std::string_view path);

 private:
  std::string root_;
  DirectoryTrail trail_;
  std::string directory_;  // relative to the root; the one looked at last
  std::string name_;
  int directory_fd_ = -1;
  int directory_error_ = 0;
  bool directory_known_ = false;
};

// The directory `path`, absolute and of any length, good for *at() calls. Invalid with errno set.
FileDescriptor ReachAbsolute(std::string_view path);

}  // namespace foldlog::indexer

#endif  // FOLDLOG_TOOLS_INDEXER_FILE_ACCESS_H_
