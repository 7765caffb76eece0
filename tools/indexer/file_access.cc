// See file_access.h.

#include "tools/indexer/file_access.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "tools/indexer/paths.h"

namespace foldlog::indexer {
namespace {

// O_PATH: passing through a directory takes the right to search it only, not the right to list it.
constexpr int kReachFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

PresenceProbe::Presence FromErrno(int error) {
  const bool gone = error == ENOENT || error == ENOTDIR || error == ELOOP;
  return gone ? PresenceProbe::Presence::kGone : PresenceProbe::Presence::kUnknown;
}

}  // namespace

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = other.Release();
  }
  return *this;
}

int UniqueFd::Release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

void UniqueFd::Close() {
  if (fd_ < 0) return;
  const int error = errno;
  close(Release());
  errno = error;
}

FileId IdOf(const struct stat& facts) { return {.device = facts.st_dev, .inode = facts.st_ino}; }

FileFacts FactsOf(const struct stat& facts) {
  // Unsigned, so that a time beyond the year 2262 wraps instead of overflowing: it is only ever compared for equality.
  const std::uint64_t mtime_ns = static_cast<std::uint64_t>(facts.st_mtim.tv_sec) * 1'000'000'000U +
                                 static_cast<std::uint64_t>(facts.st_mtim.tv_nsec);
  return {.size = static_cast<std::int64_t>(facts.st_size), .mtime_ns = static_cast<std::int64_t>(mtime_ns)};
}

UniqueFd ReachDirectory(int base_fd, std::string_view relative) {
  UniqueFd at(openat(base_fd, ".", kReachFlags));
  while (at.valid() && !relative.empty()) {
    const std::size_t slash = relative.find('/');
    const std::string name(relative.substr(0, slash));
    relative.remove_prefix(slash == std::string_view::npos ? relative.size() : slash + 1);
    at = UniqueFd(openat(at.get(), name.c_str(), kReachFlags));
  }
  return at;
}

absl::Status PresenceProbe::Open() {
  root_fd_ = UniqueFd(open(root_.c_str(), kReachFlags));
  if (root_fd_.valid()) return absl::OkStatus();
  const int error = errno;
  return absl::Status(absl::ErrnoToStatusCode(error), ErrnoText(error));
}

PresenceProbe::Presence PresenceProbe::Check(std::string_view path) {
  const std::size_t skipped = root_ == "/" ? 1 : root_.size() + 1;
  const std::string_view relative = path.substr(skipped);
  const std::size_t slash = relative.rfind('/');
  const std::string_view directory = slash == std::string_view::npos ? "" : relative.substr(0, slash);
  const std::string name(slash == std::string_view::npos ? relative : relative.substr(slash + 1));
  if (!directory_known_ || directory != directory_) {
    directory_fd_ = ReachDirectory(root_fd_.get(), directory);
    directory_error_ = directory_fd_.valid() ? 0 : errno;
    directory_ = directory;
    directory_known_ = true;
  }
  if (directory_error_ != 0) return FromErrno(directory_error_);
  struct stat facts {};
  if (fstatat(directory_fd_.get(), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) return FromErrno(errno);
  return S_ISREG(facts.st_mode) ? Presence::kRegularFile : Presence::kGone;
}

}  // namespace foldlog::indexer
