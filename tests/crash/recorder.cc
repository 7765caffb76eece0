// The recorder: a library to be preloaded into the program under test. It notes every call that changes files in one
// directory, or makes them durable, in the order in which they took effect. README.md says how to use it.
//
// It must never change what the program does: every call is passed on as it is, and its result handed back. It keeps no
// table of descriptors: what a descriptor stands for is asked of the kernel at each call.
//
//   FOLDLOG_RECORD_DIR    the directory to watch, with everything below it; it must exist
//   FOLDLOG_RECORD_TRACE  the file to write; outside that directory. An existing trace is continued, so that programs
//                         that run one after the other make one trace.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "tests/crash/mode_argument.h"
#include "tests/crash/recorder_state.h"

namespace foldlog::power_cut {
namespace {

// One call of the program: nobody else's call takes effect or is noted before this one has been.
class Scope {
 public:
  Scope() : recorder_(Recorder::Get()), lock_(recorder_.mutex()) {
    if (recorder_.active()) recorder_.LookAtPolledFiles();
  }
  Recorder* operator->() { return &recorder_; }
  bool active() const { return recorder_.active(); }

 private:
  Recorder& recorder_;
  std::lock_guard<std::recursive_mutex> lock_;
};

std::uint32_t Kind(CallKind kind) { return Recorder::Kind(kind); }

bool IsSynchronous(int fd) { return (fcntl(fd, F_GETFL) & O_DSYNC) != 0; }

// The noting of an open: what it created, and what it cut off.
template <typename Open>
auto RecordOpen(int at, const char* path, bool creates, bool truncates, const Open& open_it) -> decltype(open_it()) {
  Scope scope;
  std::string relative;
  if (!scope.active() || !scope->Relative(at, path, relative)) return open_it();
  struct stat before = {};
  const bool existed = fstatat(at, path, &before, 0) == 0;
  auto opened = open_it();
  const int error = errno;
  struct stat info = {};
  if (fstatat(at, path, &info, 0) == 0 && S_ISREG(info.st_mode)) {
    if (creates && !existed) {
      scope->Watch(info);
      scope->Write({.kind = Kind(CallKind::kCreate), .file = info.st_ino}, relative);
    } else if (truncates && before.st_size > 0 && info.st_size == 0) {
      scope->Write({.kind = Kind(CallKind::kResize), .file = info.st_ino, .value = 0});
    }
  }
  errno = error;
  return opened;
}

int OpenAt(int at, const char* path, int flags, mode_t mode) {
  return RecordOpen(at, path, (flags & O_CREAT) != 0, (flags & O_TRUNC) != 0,
                    [&] { return static_cast<int>(syscall(SYS_openat, at, path, flags, mode)); });
}

// Writes at `offset`, or at the descriptor's own position if that is negative.
template <typename Transfer>
ssize_t RecordWrite(int fd, off_t offset, const Transfer& transfer, const iovec* parts, int count) {
  Scope scope;
  struct stat info = {};
  if (!scope.active() || !scope->IsWatched(fd, info)) return transfer();
  if (offset < 0) {
    offset =
        (fcntl(fd, F_GETFL) & O_APPEND) != 0 ? info.st_size : static_cast<off_t>(syscall(SYS_lseek, fd, 0, SEEK_CUR));
  }
  const ssize_t put = transfer();
  const int error = errno;
  if (put > 0) {
    std::string data;
    for (int i = 0; i < count; ++i) data.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    data.resize(static_cast<std::size_t>(put));
    scope->Write({.kind = Kind(CallKind::kWrite),
                  .flags = IsSynchronous(fd) ? kDurableOnReturn : 0,
                  .file = info.st_ino,
                  .offset = static_cast<std::uint64_t>(offset)},
                 {}, {}, data);
  }
  errno = error;
  return put;
}

int Sync(int fd, long number) {
  Scope scope;
  const int rc = static_cast<int>(syscall(number, fd));
  const int error = errno;
  struct stat info = {};
  std::string relative;
  if (rc == 0 && scope.active()) {
    if (scope->IsWatched(fd, info)) {
      scope->Write({.kind = Kind(CallKind::kSyncFile), .file = info.st_ino});
    } else if (scope->IsWatchedDirectory(fd, relative)) {
      scope->Write({.kind = Kind(CallKind::kSyncDirectory)}, relative);
    }
  }
  errno = error;
  return rc;
}

// After a call that may have changed the size of `fd`.
int RecordResize(Scope& scope, int fd, int rc) {
  const int error = errno;
  struct stat info = {};
  if (rc == 0 && scope.active() && scope->IsWatched(fd, info)) {
    scope->Write(
        {.kind = Kind(CallKind::kResize), .file = info.st_ino, .value = static_cast<std::uint64_t>(info.st_size)});
  }
  errno = error;
  return rc;
}

// A hole reads as zeros; until the next barrier, what was there may still be.
int PunchHole(Scope& scope, int fd, int mode, off_t offset, off_t size) {
  const int rc = static_cast<int>(syscall(SYS_fallocate, fd, mode, offset, size));
  const int error = errno;
  struct stat info = {};
  if (rc == 0 && scope.active() && scope->IsWatched(fd, info)) {
    const off_t within = std::max<off_t>(0, std::min(size, info.st_size - offset));
    scope->Write({.kind = Kind(CallKind::kWrite), .file = info.st_ino, .offset = static_cast<std::uint64_t>(offset)},
                 {}, {}, std::string(static_cast<std::size_t>(within), '\0'));
  }
  errno = error;
  return rc;
}

int Allocate(int fd, int mode, off_t offset, off_t size) {
  Scope scope;
  struct stat info = {};
  if (mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)) return PunchHole(scope, fd, mode, offset, size);
  if (mode > FALLOC_FL_KEEP_SIZE && scope.active() && scope->IsWatched(fd, info)) {
    scope->Unsupported("fallocate() with holes or shifts");
  }
  return RecordResize(scope, fd, static_cast<int>(syscall(SYS_fallocate, fd, mode, offset, size)));
}

int Rename(int from_at, const char* from, int to_at, const char* to, unsigned flags) {
  Scope scope;
  std::string from_relative;
  std::string to_relative;
  const bool from_inside = scope.active() && scope->Relative(from_at, from, from_relative);
  const bool to_inside = scope.active() && scope->Relative(to_at, to, to_relative);
  struct stat replaced = {};
  const bool replaces = to_inside && fstatat(to_at, to, &replaced, AT_SYMLINK_NOFOLLOW) == 0;
  struct stat moved = {};
  if (from_inside) fstatat(from_at, from, &moved, AT_SYMLINK_NOFOLLOW);
  const int rc = static_cast<int>(syscall(SYS_renameat2, from_at, from, to_at, to, flags));
  const int error = errno;
  if (rc == 0 && (from_inside || to_inside)) {
    if (from_inside != to_inside) scope->Unsupported("a rename across the directory's border");
    if (S_ISDIR(moved.st_mode) || (flags & ~1U) != 0) scope->Unsupported("a rename of a directory, or an exchange");
    if (replaces && replaced.st_ino != moved.st_ino) scope->Forget(replaced);
    scope->Write({.kind = Kind(CallKind::kRename)}, from_relative, to_relative);
  }
  errno = error;
  return rc;
}

int Remove(int at, const char* path, int flags) {
  Scope scope;
  std::string relative;
  struct stat info = {};
  const bool inside =
      scope.active() && scope->Relative(at, path, relative) && fstatat(at, path, &info, AT_SYMLINK_NOFOLLOW) == 0;
  const int rc = static_cast<int>(syscall(SYS_unlinkat, at, path, flags));
  const int error = errno;
  if (rc == 0 && inside) {
    scope->Forget(info);
    scope->Write({.kind = Kind(CallKind::kRemove)}, relative);
  }
  errno = error;
  return rc;
}

int Link(int from_at, const char* from, int to_at, const char* to, int flags) {
  Scope scope;
  std::string relative;
  const int rc = static_cast<int>(syscall(SYS_linkat, from_at, from, to_at, to, flags));
  const int error = errno;
  struct stat info = {};
  if (rc == 0 && scope.active() && scope->Relative(to_at, to, relative) && fstatat(to_at, to, &info, 0) == 0) {
    struct stat known = {};
    std::string source;
    if (!scope->Relative(from_at, from, source) || fstatat(from_at, from, &known, 0) != 0) {
      scope->Unsupported("a link to a file elsewhere");
    }
    scope->Write({.kind = Kind(CallKind::kLink), .file = info.st_ino}, relative);
  }
  errno = error;
  return rc;
}

int MakeDirectory(int at, const char* path, mode_t mode) {
  Scope scope;
  std::string relative;
  const int rc = static_cast<int>(syscall(SYS_mkdirat, at, path, mode));
  const int error = errno;
  if (rc == 0 && scope.active() && scope->Relative(at, path, relative)) {
    scope->Write({.kind = Kind(CallKind::kMakeDirectory)}, relative);
  }
  errno = error;
  return rc;
}

struct Mapping {
  std::size_t size;
  off_t offset;
  ino_t inode;
};

std::map<char*, Mapping>& Mappings() {
  static std::map<char*, Mapping>& mappings = *new std::map<char*, Mapping>;
  return mappings;
}

void* Map(void* wish, std::size_t size, int protection, int flags, int fd, off_t offset) {
  Scope scope;
  // glibc maps stacks and its heap by calls of its own; these here are the program's.
  const long at = syscall(SYS_mmap, wish, size, protection, flags, fd, offset);
  if (at == -1) return MAP_FAILED;
  void* const mapped = reinterpret_cast<void*>(at);  // NOLINT: what the kernel returns is an address
  const int error = errno;
  struct stat info = {};
  const bool shared = (flags & MAP_TYPE) == MAP_SHARED || (flags & MAP_TYPE) == MAP_SHARED_VALIDATE;
  if (scope.active() && fd >= 0 && shared && scope->IsWatched(fd, info)) {
    Mappings()[static_cast<char*>(mapped)] = {size, offset, info.st_ino};
    if ((protection & PROT_WRITE) != 0) scope->Poll(fd, info);
  }
  errno = error;
  return mapped;
}

FILE* OpenStream(const char* symbol, const char* path, const char* mode) {
  using Function = FILE* (*)(const char*, const char*);
  const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, symbol));  // NOLINT: what dlsym() returns
  const std::string_view how = mode;
  const bool writes = how.find_first_of("wa+") != std::string_view::npos;
  if (!writes) return real(path, mode);
  Scope scope;
  FILE* const stream = RecordOpen(AT_FDCWD, path, how[0] != 'r', how[0] == 'w', [&] { return real(path, mode); });
  struct stat info = {};
  // What stdio writes later goes by none of the calls below.
  if (stream != nullptr && scope.active() && scope->IsWatched(fileno(stream), info)) scope->Poll(fileno(stream), info);
  return stream;
}

template <typename Transfer>
ssize_t RefuseIfWatched(int fd, const char* name, const Transfer& transfer) {
  Scope scope;
  struct stat info = {};
  if (scope.active() && scope->IsWatched(fd, info)) scope->Unsupported(name);
  return transfer();
}

__attribute__((constructor)) void Begin() { Recorder::Get(); }

}  // namespace
}  // namespace foldlog::power_cut

namespace pc = foldlog::power_cut;

// The names that programs call. Those with 64 are the same on 64-bit machines; a program may have been compiled to use
// either.
extern "C" {

// flags: 0, item `number` is submitted; 1, it is acknowledged. See README.md.
void foldlog_recorder_mark(unsigned flags, unsigned long number) {
  pc::Scope scope;
  if (scope.active()) scope->Write({.kind = pc::Kind(pc::CallKind::kMark), .flags = flags, .value = number});
}

int open(const char* path, int flags, ...) {
  FOLDLOG_MODE_ARGUMENT(flags)
  return pc::OpenAt(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  FOLDLOG_MODE_ARGUMENT(flags)
  return pc::OpenAt(AT_FDCWD, path, flags, mode);
}
int openat(int at, const char* path, int flags, ...) {
  FOLDLOG_MODE_ARGUMENT(flags)
  return pc::OpenAt(at, path, flags, mode);
}
int openat64(int at, const char* path, int flags, ...) {
  FOLDLOG_MODE_ARGUMENT(flags)
  return pc::OpenAt(at, path, flags, mode);
}
int creat(const char* path, mode_t mode) { return pc::OpenAt(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char* path, mode_t mode) { return creat(path, mode); }
FILE* fopen(const char* path, const char* mode) { return pc::OpenStream("fopen", path, mode); }
FILE* fopen64(const char* path, const char* mode) { return pc::OpenStream("fopen64", path, mode); }

ssize_t write(int fd, const void* data, size_t size) {
  const iovec part{const_cast<void*>(data), size};
  return pc::RecordWrite(
      fd, -1, [&] { return syscall(SYS_write, fd, data, size); }, &part, 1);
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  const iovec part{const_cast<void*>(data), size};
  return pc::RecordWrite(
      fd, offset, [&] { return syscall(SYS_pwrite64, fd, data, size, offset); }, &part, 1);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off_t offset) { return pwrite(fd, data, size, offset); }
ssize_t writev(int fd, const iovec* parts, int count) {
  return pc::RecordWrite(
      fd, -1, [&] { return syscall(SYS_writev, fd, parts, count); }, parts, count);
}
ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) {
  return pc::RecordWrite(
      fd, offset, [&] { return syscall(SYS_pwritev, fd, parts, count, offset, 0); }, parts, count);
}
ssize_t pwritev64(int fd, const iovec* parts, int count, off_t offset) { return pwritev(fd, parts, count, offset); }
ssize_t pwritev2(int fd, const iovec* parts, int count, off_t offset, int flags) {
  // Only plain ones are understood; RWF_DSYNC and RWF_APPEND change what a write means.
  if (flags != 0)
    return pc::RefuseIfWatched(fd, "pwritev2() with flags",
                               [&] { return syscall(SYS_pwritev2, fd, parts, count, offset, 0, flags); });
  return pc::RecordWrite(
      fd, offset, [&] { return syscall(SYS_pwritev2, fd, parts, count, offset, 0, 0); }, parts, count);
}
ssize_t sendfile(int to, int from, off_t* offset, size_t size) {
  return pc::RefuseIfWatched(to, "sendfile()", [&] { return syscall(SYS_sendfile, to, from, offset, size); });
}
ssize_t sendfile64(int to, int from, off_t* offset, size_t size) { return sendfile(to, from, offset, size); }
ssize_t copy_file_range(int from, off_t* from_offset, int to, off_t* to_offset, size_t size, unsigned flags) {
  return pc::RefuseIfWatched(to, "copy_file_range()", [&] {
    return syscall(SYS_copy_file_range, from, from_offset, to, to_offset, size, flags);
  });
}

int fdatasync(int fd) { return pc::Sync(fd, SYS_fdatasync); }
int fsync(int fd) { return pc::Sync(fd, SYS_fsync); }
int msync(void* address, size_t size, int flags) {
  pc::Scope scope;
  const int rc = static_cast<int>(syscall(SYS_msync, address, size, flags));
  const int error = errno;
  char* const begin = static_cast<char*>(address);
  for (const auto& [mapped, mapping] : pc::Mappings()) {
    if (!scope.active() || rc != 0 || (flags & MS_SYNC) == 0 || begin < mapped || begin >= mapped + mapping.size)
      continue;
    scope->Write({.kind = pc::Kind(pc::CallKind::kSyncRange),
                  .file = mapping.inode,
                  .offset = static_cast<std::uint64_t>(mapping.offset + (begin - mapped)),
                  .value = size});
  }
  errno = error;
  return rc;
}

int ftruncate(int fd, off_t size) {
  pc::Scope scope;
  return pc::RecordResize(scope, fd, static_cast<int>(syscall(SYS_ftruncate, fd, size)));
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }
int truncate(const char* path, off_t size) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  const int rc = ftruncate(fd, size);
  const int error = errno;
  syscall(SYS_close, fd);
  errno = error;
  return rc;
}
int truncate64(const char* path, off_t size) { return truncate(path, size); }
int fallocate(int fd, int mode, off_t offset, off_t size) { return pc::Allocate(fd, mode, offset, size); }
int fallocate64(int fd, int mode, off_t offset, off_t size) { return pc::Allocate(fd, mode, offset, size); }
int posix_fallocate(int fd, off_t offset, off_t size) {
  const int before = errno;
  const int rc = pc::Allocate(fd, 0, offset, size) == 0 ? 0 : errno;
  errno = before;
  return rc;
}
int posix_fallocate64(int fd, off_t offset, off_t size) { return posix_fallocate(fd, offset, size); }

int rename(const char* from, const char* to) { return pc::Rename(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_at, const char* from, int to_at, const char* to) {
  return pc::Rename(from_at, from, to_at, to, 0);
}
int renameat2(int from_at, const char* from, int to_at, const char* to, unsigned flags) {
  return pc::Rename(from_at, from, to_at, to, flags);
}
int unlink(const char* path) { return pc::Remove(AT_FDCWD, path, 0); }
int unlinkat(int at, const char* path, int flags) { return pc::Remove(at, path, flags); }
int rmdir(const char* path) { return pc::Remove(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char* path) {
  struct stat info = {};
  const bool directory = lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
  return pc::Remove(AT_FDCWD, path, directory ? AT_REMOVEDIR : 0);
}
int link(const char* from, const char* to) { return pc::Link(AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int from_at, const char* from, int to_at, const char* to, int flags) {
  return pc::Link(from_at, from, to_at, to, flags);
}
int mkdir(const char* path, mode_t mode) { return pc::MakeDirectory(AT_FDCWD, path, mode); }
int mkdirat(int at, const char* path, mode_t mode) { return pc::MakeDirectory(at, path, mode); }

void* mmap(void* wish, size_t size, int protection, int flags, int fd, off_t offset) {
  return pc::Map(wish, size, protection, flags, fd, offset);
}
void* mmap64(void* wish, size_t size, int protection, int flags, int fd, off_t offset) {
  return pc::Map(wish, size, protection, flags, fd, offset);
}
int munmap(void* address, size_t size) {
  pc::Scope scope;  // looks at the file once more, for the last stores
  pc::Mappings().erase(static_cast<char*>(address));
  return static_cast<int>(syscall(SYS_munmap, address, size));
}
int mprotect(void* address, size_t size, int protection) {
  const int rc = static_cast<int>(syscall(SYS_mprotect, address, size, protection));
  if (rc != 0 || (protection & PROT_WRITE) == 0) return rc;
  pc::Scope scope;
  char* const begin = static_cast<char*>(address);
  for (const auto& [mapped, mapping] : pc::Mappings()) {
    const bool inside = begin >= mapped && begin < mapped + mapping.size;
    if (inside && scope.active()) scope->Unsupported("mprotect() of a read-only mapping");
  }
  return rc;
}

// The last stores before the end of the program.
void foldlog_recorder_finish() __attribute__((destructor));
void foldlog_recorder_finish() { const pc::Scope scope; }
}
