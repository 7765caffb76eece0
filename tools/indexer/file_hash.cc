// See file_hash.h.

#include "tools/indexer/file_hash.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "engine/base/status_macros.h"
#include "tools/indexer/paths.h"

namespace foldlog::indexer {
namespace {

// Large enough that system calls don't show, small enough that a stop signal is seen within 100 ms on a slow disk.
constexpr std::size_t kReadBytes = std::size_t{1} << 20;

// A file that is being written is read again this often in all; one that changes each time is written to all the while.
constexpr int kReadsMax = 3;

absl::Status FromErrno(int error) {
  const bool exhausted = error == EMFILE || error == ENFILE || error == ENOMEM;
  return absl::Status(exhausted ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kUnknown, ErrnoText(error));
}

absl::StatusOr<FileFacts> StatRegular(int fd) {
  struct stat facts {};
  if (fstat(fd, &facts) != 0) return FromErrno(errno);
  if (!S_ISREG(facts.st_mode)) return absl::FailedPreconditionError("is no longer a regular file");
  return FactsOf(facts);
}

std::string Hex(const XXH128_hash_t& hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  std::string bytes(std::begin(canonical.digest), std::end(canonical.digest));
  return absl::BytesToHexString(bytes);
}

}  // namespace

struct FileHasher::HashState {
  HashState() : state(XXH3_createState()) {}
  ~HashState() { XXH3_freeState(state); }
  HashState(const HashState&) = delete;
  HashState& operator=(const HashState&) = delete;

  XXH3_state_t* state;
};

FileHasher::FileHasher() : state_(std::make_unique<HashState>()), buffer_(kReadBytes) {}
FileHasher::~FileHasher() = default;

absl::StatusOr<HashedFile> FileHasher::Hash(int directory_fd, const char* name, const KeepGoing& keep_going) {
  const FileDescriptor file(openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) {
    if (errno == ELOOP) return absl::FailedPreconditionError("is no longer a regular file");
    return FromErrno(errno);
  }
  // Only advice: where it is not taken, the file is read all the same.
  static_cast<void>(posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL));
  for (int reads = 0; reads < kReadsMax; ++reads) {
    ASSIGN_OR_RETURN(const FileFacts facts, StatRegular(file.get()));
    ASSIGN_OR_RETURN(std::optional<std::string> xxh3, ReadOnce(file.get(), facts, keep_going));
    if (xxh3) return HashedFile{.facts = facts, .xxh3 = *std::move(xxh3)};
  }
  return absl::AbortedError("changed while being read");
}

absl::StatusOr<std::optional<std::string>> FileHasher::ReadOnce(int fd, const FileFacts& facts,
                                                                const KeepGoing& keep_going) {
  if (state_->state == nullptr || XXH3_128bits_reset(state_->state) == XXH_ERROR) {
    return absl::ResourceExhaustedError("no memory for hashing");
  }
  std::int64_t bytes_read = 0;
  // A file that grows faster than it is read must not keep us forever.
  while (bytes_read <= facts.size) {
    if (!keep_going(bytes_read)) return absl::CancelledError("stopped");
    const ssize_t got = pread(fd, buffer_.data(), buffer_.size(), bytes_read);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FromErrno(errno);
    if (got == 0) break;
    XXH3_128bits_update(state_->state, buffer_.data(), static_cast<std::size_t>(got));
    bytes_read += got;
  }
  ASSIGN_OR_RETURN(const FileFacts facts_after, StatRegular(fd));
  if (bytes_read != facts.size || facts_after != facts) return std::nullopt;
  return Hex(XXH3_128bits_digest(state_->state));
}

}  // namespace foldlog::indexer
