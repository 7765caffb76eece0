#include "tests/damage/bad_sectors.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

namespace foldlog::damage {
namespace {

struct BadSector {
  bool set = false;
  dev_t device = 0;
  ino_t inode = 0;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

BadSector bad_sector;

// How much of a read at `offset` comes before the bad sector; the read fails if that is nothing.
std::size_t ReadableBytes(int fd, std::size_t bytes, off_t offset) {
  struct stat file = {};
  if (!bad_sector.set || bytes == 0 || fstat(fd, &file) != 0) return bytes;
  if (file.st_dev != bad_sector.device || file.st_ino != bad_sector.inode) return bytes;
  const auto begin = static_cast<std::uint64_t>(offset);
  if (begin >= bad_sector.end || begin + bytes <= bad_sector.begin) return bytes;
  return begin >= bad_sector.begin ? 0 : static_cast<std::size_t>(bad_sector.begin - begin);
}

ssize_t Read(int fd, void* buffer, std::size_t bytes, off_t offset) {
  const std::size_t readable = ReadableBytes(fd, bytes, offset);
  if (readable == 0 && bytes > 0) return errno = EIO, -1;
  return syscall(SYS_pread64, fd, buffer, readable, offset);
}

}  // namespace

void SetBadSector(const std::string& path, std::size_t offset, std::size_t bytes) {
  struct stat file = {};
  if (stat(path.c_str(), &file) != 0) return;
  bad_sector = {.set = true,
                .device = file.st_dev,
                .inode = file.st_ino,
                .begin = offset,
                .end = std::max<std::uint64_t>(offset, offset + bytes)};
}

void ClearBadSector() { bad_sector = {}; }

}  // namespace foldlog::damage

// LMDB's own calls come here, too: a program's functions go before those of its libraries.
extern "C" {

ssize_t pread(int fd, void* buffer, size_t bytes, off_t offset) {
  return foldlog::damage::Read(fd, buffer, bytes, offset);
}

ssize_t pread64(int fd, void* buffer, size_t bytes, off_t offset) {
  return foldlog::damage::Read(fd, buffer, bytes, offset);
}

ssize_t read(int fd, void* buffer, size_t bytes) {
  const off_t offset = lseek(fd, 0, SEEK_CUR);
  const size_t readable = offset < 0 ? bytes : foldlog::damage::ReadableBytes(fd, bytes, offset);
  if (readable == 0 && bytes > 0) return errno = EIO, -1;
  return syscall(SYS_read, fd, buffer, readable);
}
}
