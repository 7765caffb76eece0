#include "engine/log/writer/watched_files.h"

#include <fcntl.h>

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
    FileFacts facts;
    if (!InspectAt(watched.directory_.get(), file.name, facts)) {
      return ErrnoStatus(errno, absl::StrCat("inspect ", directory, "/", file.name));
    }
    file.device = facts.device;
    file.inode = facts.inode;
  }
  return watched;
}

absl::Status WatchedFiles::Check() const {
  for (const File& file : files_) {
    FileFacts facts;
    const bool there = InspectAt(directory_.get(), file.name, facts);
    if (there && facts.device == file.device && facts.inode == file.inode) continue;
    // An error other than "not there" says nothing about the file.
    if (!there && errno != ENOENT) return ErrnoStatus(errno, absl::StrCat("inspect ", name_, "/", file.name));
    return absl::DataLossError(absl::StrCat(name_, "/", file.name, there ? " was replaced" : " was removed or renamed",
                                            " while this process was writing to it; put it back as it was"));
  }
  return absl::OkStatus();
}

}  // namespace foldlog
