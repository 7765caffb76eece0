// Whether the files of a log are still in its directory. If a program removes, renames or replaces one, the writer goes
// on writing to a file that nobody will ever read again; it must notice before it promises anything more.

#ifndef FOLDLOG_LOG_WRITER_WATCHED_FILES_H_
#define FOLDLOG_LOG_WRITER_WATCHED_FILES_H_

#include <sys/types.h>

#include <array>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/base/file_system.h"

namespace foldlog {

// Threads: any; nothing changes after In().
class WatchedFiles {
 public:
  // The files as they are now. The writer must have opened them a moment ago.
  static absl::StatusOr<WatchedFiles> In(const std::string& directory);

  // DataLoss, naming the file, if one is gone or replaced. The directory itself may be renamed: it still has its files.
  // Three system calls.
  absl::Status Check() const;

 private:
  struct File {
    const char* name;
    dev_t device;
    ino_t inode;
  };

  std::string name_;
  FileDescriptor directory_;
  std::array<File, 3> files_ = {File{"log.mdb", 0, 0}, File{"tail", 0, 0}, File{"writer.lock", 0, 0}};
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_WRITER_WATCHED_FILES_H_
