#include "engine/log/writer/watched_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace foldlog {
namespace {

// Which file has the name now; false, with errno, if that can't be told. It must not ask for times: since Linux 6.13
// the next write to a file whose times somebody has read changes them again, and without a journal its flush then
// writes a block of inodes as well.
bool Inspect(int directory, const char* name, dev_t& device, ino_t& inode) {
  struct statx info = {};
  if (statx(directory, name, AT_SYMLINK_NOFOLLOW, STATX_INO, &info) != 0) return false;
  device = makedev(info.stx_dev_major, info.stx_dev_minor);
  inode = info.stx_ino;
  return true;
}

}  // namespace

absl::StatusOr<WatchedFiles> WatchedFiles::In(const std::string& directory) {
  WatchedFiles watched;
  watched.name_ = directory;
  // A descriptor of the directory, not its path, so that renaming the directory does not look like loss.
  watched.directory_ = FileDescriptor(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!watched.directory_.valid()) return ErrnoStatus(errno, absl::StrCat("open ", directory));
  for (File& file : watched.files_) {
    if (!Inspect(watched.directory_.get(), file.name, file.device, file.inode)) {
      return ErrnoStatus(errno, absl::StrCat("inspect ", directory, "/", file.name));
    }
  }
  return watched;
}

absl::Status WatchedFiles::Check() const {
  for (const File& file : files_) {
    dev_t device = 0;
    ino_t inode = 0;
    const bool there = Inspect(directory_.get(), file.name, device, inode);
    if (there && device == file.device && inode == file.inode) continue;
    // An error other than "not there" says nothing about the file.
    if (!there && errno != ENOENT) return ErrnoStatus(errno, absl::StrCat("inspect ", name_, "/", file.name));
    return absl::DataLossError(absl::StrCat(name_, "/", file.name, there ? " was replaced" : " was removed or renamed",
                                            " while this process was writing to it; put it back as it was"));
  }
  return absl::OkStatus();
}

}  // namespace foldlog
