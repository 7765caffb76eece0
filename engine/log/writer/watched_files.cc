#include "engine/log/writer/watched_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace foldlog {

absl::StatusOr<WatchedFiles> WatchedFiles::In(const std::string& directory) {
  WatchedFiles watched;
  watched.name_ = directory;
  // A descriptor of the directory, not its path, so that renaming the directory does not look like loss.
  watched.directory_ = FileDescriptor(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!watched.directory_.valid()) return ErrnoStatus(errno, absl::StrCat("open ", directory));
  for (File& file : watched.files_) {
    struct stat info = {};
    if (fstatat(watched.directory_.get(), file.name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return ErrnoStatus(errno, absl::StrCat("inspect ", directory, "/", file.name));
    }
    file.device = info.st_dev;
    file.inode = info.st_ino;
  }
  return watched;
}

absl::Status WatchedFiles::Check() const {
  for (const File& file : files_) {
    struct stat info = {};
    const bool there = fstatat(directory_.get(), file.name, &info, AT_SYMLINK_NOFOLLOW) == 0;
    if (there && info.st_dev == file.device && info.st_ino == file.inode) continue;
    // An error other than "not there" says nothing about the file.
    if (!there && errno != ENOENT) return ErrnoStatus(errno, absl::StrCat("inspect ", name_, "/", file.name));
    return absl::DataLossError(absl::StrCat(name_, "/", file.name, there ? " was replaced" : " was removed or renamed",
                                            " while this process was writing to it; put it back as it was"));
  }
  return absl::OkStatus();
}

}  // namespace foldlog
