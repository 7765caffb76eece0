// See place.h.

#include "tools/indexer/place.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tools/indexer/file_access.h"
#include "tools/indexer/paths.h"

namespace foldlog::indexer {
namespace {

constexpr const char* kByUuid = "/dev/disk/by-uuid";

struct CloseDir {
  void operator()(DIR* directory) const { closedir(directory); }
};

// As <linux/fs.h> has it from Linux 6.9 on.
struct FileSystemUuid {
  std::uint8_t size;
  std::uint8_t bytes[16];
};
constexpr unsigned long kGetFileSystemUuid = _IOR(0x15, 0, FileSystemUuid);

// Asked of the file system itself, in the form that udev uses. Not of btrfs, all of whose subvolumes have the same.
std::string UuidFromFileSystem(int fd, long type) {
  if (type == BTRFS_SUPER_MAGIC) return "";
  const FileDescriptor readable(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  FileSystemUuid uuid{};
  if (!readable.valid() || ioctl(readable.get(), kGetFileSystemUuid, &uuid) != 0) return "";
  if (uuid.size != sizeof uuid.bytes) return "";
  std::string hex = absl::BytesToHexString(std::string(std::begin(uuid.bytes), std::end(uuid.bytes)));
  for (const std::size_t dash : {20, 16, 12, 8}) hex.insert(dash, 1, '-');
  return hex;
}

// The link below /dev/disk/by-uuid that leads to the device; empty if there is none, as for network file systems.
std::string UuidFromUdev(dev_t device) {
  const std::unique_ptr<DIR, CloseDir> links(opendir(kByUuid));
  if (!links) return "";
  while (const dirent* link = readdir(links.get())) {
    struct stat facts {};
    const bool found = fstatat(dirfd(links.get()), link->d_name, &facts, 0) == 0 && S_ISBLK(facts.st_mode);
    if (found && facts.st_rdev == device) return link->d_name;
  }
  return "";
}

}  // namespace

std::optional<Place> LookAtPlace(const std::string& path, int fd) {
  const std::optional<DirectoryFacts> facts = LookAtDirectory(fd);
  struct statfs system {};
  if (!facts || fstatfs(fd, &system) != 0) return std::nullopt;
  std::array<std::uint32_t, 2> id{};
  static_assert(sizeof id == sizeof system.f_fsid);
  std::memcpy(id.data(), &system.f_fsid, sizeof id);
  std::string uuid = UuidFromFileSystem(fd, system.f_type);
  if (uuid.empty()) uuid = UuidFromUdev(facts->id.device);
  return Place{.path = path,
               .mount_point = facts->mount_point,
               .uuid = std::move(uuid),
               .file_system = absl::StrCat(absl::Hex(static_cast<std::uint32_t>(system.f_type)), ":",
                                           absl::Hex(id[0], absl::kZeroPad8), absl::Hex(id[1], absl::kZeroPad8))};
}

std::string WhyNotTheSame(const Place& recorded, const Place& now) {
  if (recorded.mount_point && !now.mount_point) return "nothing is mounted there, as there was before";
  const bool uuids = !recorded.uuid.empty() && !now.uuid.empty();
  if (uuids ? recorded.uuid == now.uuid : recorded.file_system == now.file_system) return "";
  return absl::StrCat("it is on another file system than before (", uuids ? now.uuid : now.file_system, ", not ",
                      uuids ? recorded.uuid : recorded.file_system, ")");
}

}  // namespace foldlog::indexer
