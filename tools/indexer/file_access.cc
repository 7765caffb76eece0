// See file_access.h.

#include "tools/indexer/file_access.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace foldlog::indexer {
namespace {

// O_PATH: passing through a directory takes the right to search it only, not the right to list it.
constexpr int kReachFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// Directories of a trail that keep their descriptor; of those deeper only the last two are open.
constexpr std::size_t kStepsKeptOpen = 32;

PresenceProbe::Presence FromErrno(int error) {
  const bool gone = error == ENOENT || error == ENOTDIR || error == ELOOP;
  return gone ? PresenceProbe::Presence::kGone : PresenceProbe::Presence::kUnknown;
}

// Unsigned, so that it wraps instead of overflowing: such times are only ever compared.
std::int64_t Nanoseconds(std::int64_t seconds, std::uint32_t nanoseconds) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(seconds) * 1'000'000'000U + nanoseconds);
}

}  // namespace

FileId IdOf(const struct stat& facts) { return {.device = facts.st_dev, .inode = facts.st_ino}; }

FileFacts FactsOf(const struct stat& facts) {
  return {.size = static_cast<std::int64_t>(facts.st_size),
          .mtime_ns = absl::int128(facts.st_mtim.tv_sec) * 1'000'000'000 + facts.st_mtim.tv_nsec};
}

std::int64_t ChangeTimeNs(const struct stat& facts) {
  return Nanoseconds(facts.st_ctim.tv_sec, static_cast<std::uint32_t>(facts.st_ctim.tv_nsec));
}

std::optional<DirectoryFacts> LookAtDirectory(int fd) {
  struct statx facts {};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MTIME | STATX_CTIME, &facts) != 0) return std::nullopt;
  return DirectoryFacts{.id = {.device = makedev(facts.stx_dev_major, facts.stx_dev_minor), .inode = facts.stx_ino},
                        .version = {.inode = facts.stx_ino,
                                    .mtime_ns = Nanoseconds(facts.stx_mtime.tv_sec, facts.stx_mtime.tv_nsec),
                                    .ctime_ns = Nanoseconds(facts.stx_ctime.tv_sec, facts.stx_ctime.tv_nsec)},
                        .mount_point = (facts.stx_attributes & facts.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0};
}

FileDescriptor ReachDirectory(int base_fd, std::string_view relative) {
  FileDescriptor at(openat(base_fd, ".", kReachFlags));
  while (at.valid() && !relative.empty()) {
    const std::size_t slash = relative.find('/');
    const std::string name(relative.substr(0, slash));
    relative.remove_prefix(slash == std::string_view::npos ? relative.size() : slash + 1);
    at = FileDescriptor(openat(at.get(), name.c_str(), kReachFlags));
  }
  return at;
}

FileDescriptor ReachAbsolute(std::string_view path) {
  const FileDescriptor top(open("/", kReachFlags));
  if (!top.valid()) return {};
  return ReachDirectory(top.get(), path.substr(std::min<std::size_t>(1, path.size())));
}

int DirectoryTrail::MoveTo(std::string_view relative) {
  const auto alike = static_cast<std::size_t>(
      std::mismatch(relative.begin(), relative.end(), path_.begin(), path_.end()).first - relative.begin());
  const auto on_the_way = [&](const Step& step) {
    return step.path_bytes <= alike && (step.path_bytes == relative.size() || relative[step.path_bytes] == '/');
  };
  std::size_t common = steps_.size();
  while (common > 0 && !on_the_way(steps_[common - 1])) --common;
  if (!BackTo(common)) return -1;
  while (path_.size() < relative.size()) {
    const std::size_t from = path_.empty() ? 0 : path_.size() + 1;
    const std::size_t slash = relative.find('/', from);
    if (!Push(relative.substr(from, slash == std::string_view::npos ? slash : slash - from))) return -1;
  }
  return current();
}

bool DirectoryTrail::Push(std::string_view name) {
  FileDescriptor fd(openat(current(), std::string(name).c_str(), kReachFlags));
  struct stat facts {};
  if (!fd.valid() || fstat(fd.get(), &facts) != 0) return false;
  if (steps_.size() >= kStepsKeptOpen + 2) steps_[steps_.size() - 2].fd.Close();
  if (!path_.empty()) path_ += '/';
  path_ += name;
  steps_.push_back({.path_bytes = path_.size(), .id = IdOf(facts), .fd = std::move(fd)});
  return true;
}

// Up through "..", as long as that leads to where the trail came from; otherwise from above, by name.
bool DirectoryTrail::BackTo(std::size_t count) {
  while (steps_.size() > count) {
    const FileDescriptor left = std::move(steps_.back().fd);
    steps_.pop_back();
    if (steps_.empty() || steps_.back().fd.valid()) continue;
    FileDescriptor parent(openat(left.get(), "..", kReachFlags));
    struct stat facts {};
    if (parent.valid() && fstat(parent.get(), &facts) == 0 && IdOf(facts) == steps_.back().id) {
      steps_.back().fd = std::move(parent);
      continue;
    }
    const std::string wanted = path_.substr(0, count == 0 ? 0 : steps_[count - 1].path_bytes);
    while (!steps_.empty() && !steps_.back().fd.valid()) steps_.pop_back();
    path_.resize(steps_.empty() ? 0 : steps_.back().path_bytes);
    return wanted.size() <= path_.size() ? BackTo(std::min(count, steps_.size())) : MoveTo(wanted) >= 0;
  }
  path_.resize(steps_.empty() ? 0 : steps_.back().path_bytes);
  return true;
}

PresenceProbe::Answer PresenceProbe::Check(std::string_view path) {
  const std::size_t skipped = root_ == "/" ? 1 : root_.size() + 1;
  const std::string_view relative = path.substr(skipped);
  const std::size_t slash = relative.rfind('/');
  const std::string_view directory = slash == std::string_view::npos ? "" : relative.substr(0, slash);
  name_ = slash == std::string_view::npos ? relative : relative.substr(slash + 1);
  if (!directory_known_ || directory != directory_) {
    directory_fd_ = trail_.MoveTo(directory);
    directory_error_ = directory_fd_ >= 0 ? 0 : errno;
    directory_ = directory;
    directory_known_ = true;
  }
  if (directory_error_ != 0) return {.presence = FromErrno(directory_error_)};
  struct stat facts {};
  if (fstatat(directory_fd_, name_.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) return {.presence = FromErrno(errno)};
  if (!S_ISREG(facts.st_mode)) return {.presence = Presence::kGone};
  return {.presence = Presence::kRegularFile,
          .facts = FactsOf(facts),
          .directory_fd = directory_fd_,
          .name = name_.c_str()};
}

}  // namespace foldlog::indexer
