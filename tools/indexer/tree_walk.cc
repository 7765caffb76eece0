// See tree_walk.h.

#include "tools/indexer/tree_walk.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <utility>

#include "tools/indexer/paths.h"

namespace foldlog::indexer {
namespace {

// Directories this deep keep their descriptor until they are done; of those deeper only the current one and the one it
// is in are open. The others are reached again through "..", which takes the right to search a directory that the walk
// has been below. Real trees hardly ever go deeper.
constexpr std::size_t kLevelsKeptOpen = 32;

constexpr int kListFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

struct PseudoName {
  std::uint32_t magic;
  const char* name;
};

// Those without a name in <linux/magic.h> are numbers from the kernel's sources.
constexpr std::array<PseudoName, 22> kPseudoFileSystems = {{{PROC_SUPER_MAGIC, "proc"},
                                                            {SYSFS_MAGIC, "sysfs"},
                                                            {CGROUP_SUPER_MAGIC, "cgroup"},
                                                            {CGROUP2_SUPER_MAGIC, "cgroup2"},
                                                            {DEBUGFS_MAGIC, "debugfs"},
                                                            {TRACEFS_MAGIC, "tracefs"},
                                                            {DEVPTS_SUPER_MAGIC, "devpts"},
                                                            {SECURITYFS_MAGIC, "securityfs"},
                                                            {SELINUX_MAGIC, "selinuxfs"},
                                                            {SMACK_MAGIC, "smackfs"},
                                                            {AAFS_MAGIC, "apparmorfs"},
                                                            {PSTOREFS_MAGIC, "pstore"},
                                                            {EFIVARFS_MAGIC, "efivarfs"},
                                                            {BPF_FS_MAGIC, "bpf"},
                                                            {BINFMTFS_MAGIC, "binfmt_misc"},
                                                            {BINDERFS_SUPER_MAGIC, "binder"},
                                                            {RDTGROUP_SUPER_MAGIC, "resctrl"},
                                                            {HUGETLBFS_MAGIC, "hugetlbfs"},
                                                            {0x62656570, "configfs"},
                                                            {0x65735543, "fusectl"},
                                                            {0x19800202, "mqueue"},
                                                            {0x67596969, "rpc_pipefs"}}};

std::int64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);  // not before the stamp of any change until now
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

struct CloseDir {
  void operator()(DIR* directory) const { closedir(directory); }
};

std::string_view FirstComponent(std::string_view relative) { return relative.substr(0, relative.find('/')); }

std::string_view WithoutFirstComponent(std::string_view relative) {
  const std::size_t slash = relative.find('/');
  return slash == std::string_view::npos ? "" : relative.substr(slash + 1);
}

// What of `after` lies below `root`, itself at or above `after`.
std::string_view Below(std::string_view after, std::string_view root) {
  if (after.size() == root.size()) return "";
  return after.substr(root == "/" ? 1 : root.size() + 1);
}

}  // namespace

void Exclusions::Add(const std::string& path) {
  paths.push_back(path);
  struct stat facts {};
  if (lstat(path.c_str(), &facts) == 0) ids.push_back(IdOf(facts));
}

bool Exclusions::CoverPath(std::string_view path) const {
  return std::any_of(paths.begin(), paths.end(), [&](const std::string& p) { return IsAtOrUnder(path, p); });
}

std::string PseudoFileSystem(int fd) {
  struct statfs facts {};
  if (fstatfs(fd, &facts) != 0) return "";
  const auto magic = static_cast<std::uint32_t>(facts.f_type);
  for (const PseudoName& known : kPseudoFileSystems) {
    if (known.magic == magic) return known.name;
  }
  return "";
}

TreeWalk::TreeWalk(WalkOptions options, FileDescriptor start)
    : options_(std::move(options)), start_(std::move(start)) {}

std::optional<WalkEntry> TreeWalk::Next() {
  while (!Stopped()) {
    if (levels_.empty()) {
      if (next_root_ == options_.roots.size()) return std::nullopt;
      if (std::optional<WalkEntry> failure = EnterNextRoot()) return failure;
      continue;
    }
    Level& level = levels_.back();
    if (level.next == level.children.size()) {
      Leave();
      continue;
    }
    path_.resize(level.path_bytes);
    if (!level.fd.valid() && !Reopen(levels_.size() - 1)) {
      level.next = level.children.size();
      return Unreadable(errno);
    }
    const Child& child = level.children[level.next++];
    if (!path_.ends_with('/')) path_ += '/';
    path_ += child.name;
    if (!child.is_directory) {
      return WalkEntry{
          .path = path_, .directory_fd = level.fd.get(), .name = child.name.c_str(), .depth = levels_.size()};
    }
    FileDescriptor fd(openat(level.fd.get(), child.name.c_str(), kListFlags));
    if (!fd.valid()) return Unreadable(errno);
    const bool on_the_way = child.name == FirstComponent(level.seek);
    const std::string_view seek = on_the_way ? WithoutFirstComponent(level.seek) : "";
    if (std::optional<WalkEntry> failure = Enter(std::move(fd), seek)) return failure;
  }
  return std::nullopt;
}

std::optional<WalkEntry> TreeWalk::EnterNextRoot() {
  const std::string& root = options_.roots[next_root_++];
  const bool seek_inside = IsAtOrUnder(options_.after, root);
  if (!options_.after.empty() && !seek_inside && ComparePaths(root, options_.after) < 0) return std::nullopt;
  path_ = root;
  FileDescriptor fd = start_.valid() ? std::move(start_) : FileDescriptor(open(root.c_str(), kListFlags));
  struct stat facts {};
  if (!fd.valid() || fstat(fd.get(), &facts) != 0) return Unreadable(errno);
  root_device_ = facts.st_dev;
  return Enter(std::move(fd), seek_inside ? Below(options_.after, root) : "");
}

// Lists the directory that path_ names and makes it the current level. What could be listed is visited even if the rest
// could not.
std::optional<WalkEntry> TreeWalk::Enter(FileDescriptor fd, std::string_view seek) {
  const std::optional<DirectoryFacts> facts = LookAtDirectory(fd.get());
  if (!facts) return Unreadable(errno);
  const std::vector<FileId>& ids = options_.exclusions.ids;
  if (std::find(ids.begin(), ids.end(), facts->id) != ids.end()) return std::nullopt;
  if (options_.one_file_system && facts->id.device != root_device_) return std::nullopt;
  const bool boundary = levels_.empty() || facts->mount_point || facts->id.device != levels_.back().id.device;
  if (boundary) {
    std::string reason = ReasonToLeaveOut(fd.get(), *facts);
    if (!reason.empty())
      return WalkEntry{
          .kind = WalkEntry::Kind::kLeftOut, .path = path_, .depth = levels_.size(), .reason = std::move(reason)};
  }
  if (!levels_.empty() && options_.is_known && options_.is_known(path_, levels_.size(), *facts)) return std::nullopt;
  if (levels_.size() >= kLevelsKeptOpen + 2) levels_[levels_.size() - 2].fd.Close();
  levels_.push_back({.fd = std::move(fd), .id = facts->id, .path_bytes = path_.size(), .seek = seek});
  const std::int64_t listed_at_ns = NowNs();
  if (const int error = List(levels_.back()); error != 0) {
    WalkEntry entry = Unreadable(error);
    entry.depth = levels_.size() - 1;
    entry.entered = true;
    return entry;
  }
  if (!options_.directories || Stopped()) return std::nullopt;
  return WalkEntry{.kind = WalkEntry::Kind::kDirectory,
                   .path = path_,
                   .directory_fd = levels_.back().fd.get(),
                   .depth = levels_.size() - 1,
                   .facts = *facts,
                   .listed_at_ns = listed_at_ns,
                   .partial = !seek.empty(),
                   .boundary = boundary};
}

// At a mount point only: nowhere else could the file system change, or a directory lie inside itself.
std::string TreeWalk::ReasonToLeaveOut(int fd, const DirectoryFacts& facts) const {
  if (!options_.pseudo_file_systems) {
    if (std::string name = PseudoFileSystem(fd); !name.empty()) return name + ", a pseudo file system";
  }
  for (const Level& level : levels_) {
    if (level.id == facts.id) {
      return "the same directory as " + Quoted(std::string_view(path_).substr(0, level.path_bytes));
    }
  }
  return "";
}

// A parent that was closed is opened again through "..", which is quicker than from above if it is still the parent.
void TreeWalk::Leave() {
  const FileDescriptor left = std::move(levels_.back().fd);
  levels_.pop_back();
  if (levels_.empty() || levels_.back().fd.valid() || !left.valid()) return;
  FileDescriptor parent = ReachDirectory(left.get(), "..");
  struct stat facts {};
  const bool same = parent.valid() && fstat(parent.get(), &facts) == 0 && IdOf(facts) == levels_.back().id;
  if (same) levels_.back().fd = std::move(parent);
}

int TreeWalk::List(Level& level) {
  FileDescriptor copy(fcntl(level.fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy.valid()) return errno;
  const std::unique_ptr<DIR, CloseDir> directory(fdopendir(copy.get()));
  if (!directory) return errno;
  copy.Release();  // closedir() closes it
  int error = 0;
  while (!Stopped()) {
    errno = 0;
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr) {
      error = errno;
      break;
    }
    AddChild(level, *entry);
  }
  std::sort(level.children.begin(), level.children.end(),
            [](const Child& a, const Child& b) { return a.name < b.name; });
  return error;
}

void TreeWalk::AddChild(Level& level, const dirent& entry) {
  const std::string_view name(entry.d_name);
  if (name == "." || name == "..") return;
  const std::string_view seek_name = FirstComponent(level.seek);
  if (!level.seek.empty() && name < seek_name) return;
  unsigned char type = entry.d_type;
  if (type == DT_UNKNOWN) {
    struct stat facts {};
    // If it vanished meanwhile, whoever opens it will find out, and say so.
    const bool found = fstatat(level.fd.get(), entry.d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0;
    type = found ? IFTODT(facts.st_mode) : static_cast<unsigned char>(DT_REG);
  }
  if (type != DT_REG && type != DT_DIR) return;
  // The file behind which the walk is continued has had its turn. One where there was a directory then has not.
  if (type == DT_REG && !level.seek.empty() && name == level.seek) return;
  if (IsExcluded(level, entry)) return;
  level.children.push_back({.name = std::string(name), .is_directory = type == DT_DIR});
}

bool TreeWalk::IsExcluded(const Level& level, const dirent& entry) const {
  const std::string_view name(entry.d_name);
  for (const std::string& path : options_.exclusions.paths) {
    if (path.ends_with(name) && path == JoinPath(path_, name)) return true;
  }
  for (const FileId& id : options_.exclusions.ids) {
    if (id.inode != entry.d_ino) continue;
    struct stat facts {};
    if (fstatat(level.fd.get(), entry.d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && IdOf(facts) == id) return true;
  }
  return false;
}

// Opens levels_[depth] again; false with errno set if it is no longer where it was.
bool TreeWalk::Reopen(std::size_t depth) {
  std::size_t from = depth;
  while (from > 0 && !levels_[from].fd.valid()) --from;
  const std::string_view path = std::string_view(path_).substr(0, levels_[depth].path_bytes);
  const std::string_view base = path.substr(0, levels_[from].path_bytes);
  FileDescriptor fd = ReachDirectory(levels_[from].fd.get(), Below(path, base));
  struct stat facts {};
  if (!fd.valid() || fstat(fd.get(), &facts) != 0) return false;
  if (IdOf(facts) != levels_[depth].id) {
    errno = ENOENT;
    return false;
  }
  levels_[depth].fd = std::move(fd);
  return true;
}

WalkEntry TreeWalk::Unreadable(int error) const {
  return {.kind = WalkEntry::Kind::kUnreadableDirectory, .path = path_, .depth = levels_.size(), .error = error};
}

}  // namespace foldlog::indexer
