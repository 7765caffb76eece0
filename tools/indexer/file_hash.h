// FileHasher: the content of one regular file as an XXH3-128 hash, with the size and time that belong to it.
//
//   FileHasher hasher;
//   ASSIGN_OR_RETURN(HashedFile file, hasher.Hash(directory_fd, "name", keep_going));
//
// The hash is written as 32 lower-case hex digits, most significant first: what `xxhsum -H2` prints. Holds a read
// buffer that is used again for every file. One thread at a time.

#ifndef FOLDLOG_TOOLS_INDEXER_FILE_HASH_H_
#define FOLDLOG_TOOLS_INDEXER_FILE_HASH_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/indexer/file_access.h"

namespace foldlog::indexer {

struct HashedFile {
  FileFacts facts;  // as they were before the content was read, and still after it
  std::string xxh3;
};

class FileHasher {
 public:
  // Asked before every read, with the bytes read so far; false abandons the file.
  using KeepGoing = std::function<bool(std::int64_t bytes_read)>;

  FileHasher();
  ~FileHasher();
  FileHasher(const FileHasher&) = delete;
  FileHasher& operator=(const FileHasher&) = delete;

  // Never follows a link, never waits on a FIFO. Cancelled: `keep_going` said no. ResourceExhausted: this process is
  // out of something, and the next file would fare no better. Any other error is about this file alone; its message is
  // fit for the log and does not repeat the path.
  absl::StatusOr<HashedFile> Hash(int directory_fd, const char* name, const KeepGoing& keep_going);

 private:
  struct HashState;

  // Reads `fd` from its start; nothing if the file no longer is as `facts` say.
  absl::StatusOr<std::optional<std::string>> ReadOnce(int fd, const FileFacts& facts, const KeepGoing& keep_going);

  std::unique_ptr<HashState> state_;
  std::vector<char> buffer_;
};

}  // namespace foldlog::indexer

#endif  // FOLDLOG_TOOLS_INDEXER_FILE_HASH_H_
