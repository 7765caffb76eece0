// Makes system calls fail: a library to be preloaded into a test, which then arms it (fault_injector.h). It counts the
// calls on files below one directory and lets the n-th fail, once or from then on, or write less than it was told to.
//
// It also knows what would be on the disk afterwards. A flush that fails leaves the page cache as it was but marks its
// pages clean, so that no later flush writes them: what was in them is gone with the power, unless it is written again.

#include "tests/crash/fault_injector.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <set>
#include <string>
#include <string_view>

#include "tests/crash/mode_argument.h"

namespace foldlog::faults {
namespace {

constexpr std::size_t kPageBytes = 4096;

std::string Content(int fd) {
  struct stat info = {};
  if (syscall(SYS_fstat, fd, &info) != 0) return {};
  std::string content(static_cast<std::size_t>(info.st_size), '\0');
  const long got = syscall(SYS_pread64, fd, content.data(), content.size(), 0);
  content.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return content;
}

std::string_view PageOf(const std::string& content, std::size_t page) {
  const std::size_t begin = page * kPageBytes;
  return begin < content.size() ? std::string_view(content).substr(begin, kPageBytes) : std::string_view();
}

// What the disk holds of a file, and which pages a failed flush has made the kernel forget about.
class OnDisk {
 public:
  OnDisk() = default;
  explicit OnDisk(std::string content) : durable_(std::move(content)) {}

  void Written(std::uint64_t offset, std::uint64_t bytes) {
    for (std::uint64_t page = offset / kPageBytes; page * kPageBytes < offset + bytes; ++page) forgotten_.erase(page);
  }

  void Flushed(const std::string& now) {
    durable_.resize(now.size(), '\0');
    for (std::size_t page = 0; page * kPageBytes < now.size(); ++page) {
      const auto forgotten = forgotten_.find(page);
      const bool stored_again = forgotten != forgotten_.end() && forgotten->second != PageOf(now, page);
      if (forgotten != forgotten_.end() && !stored_again) continue;
      if (stored_again) forgotten_.erase(forgotten);
      durable_.replace(page * kPageBytes, PageOf(now, page).size(), PageOf(now, page));
    }
  }

  void FlushFailed(const std::string& now) {
    for (std::size_t page = 0; page * kPageBytes < now.size(); ++page) {
      if (PageOf(now, page) != PageOf(durable_, page)) forgotten_[page] = PageOf(now, page);
    }
  }

  void WrittenThrough(std::uint64_t offset, std::string_view data) {
    if (durable_.size() < offset + data.size()) durable_.resize(offset + data.size(), '\0');
    durable_.replace(offset, data.size(), data);
  }

  const std::string& content() const { return durable_; }

 private:
  std::string durable_;
  std::map<std::size_t, std::string> forgotten_;  // page: what it held when its flush failed
};

class Injector {
 public:
  static Injector& Get() {
    static Injector& instance = *new Injector;  // never destroyed: calls may come during exit
    return instance;
  }

  void Arm(const Plan& plan) {
    const std::lock_guard lock(mutex_);
    plan_ = plan;
    root_ = std::string(plan.directory) + "/";
    calls_ = fired_ = 0;
    files_.clear();
    armed_ = true;
  }

  Counts Disarm() {
    const std::lock_guard lock(mutex_);
    armed_ = false;
    Counts counts{.calls = calls_, .fired = fired_};
    snprintf(counts.what, sizeof counts.what, "%s", what_.c_str());
    return counts;
  }

  std::uint64_t fired() {
    const std::lock_guard lock(mutex_);
    return fired_;
  }

  std::recursive_mutex& mutex() { return mutex_; }
  bool armed() const { return armed_; }

  bool IsBelow(const char* path) const { return path != nullptr && std::string_view(path).starts_with(root_); }

  // The path of a descriptor, if it is below the directory.
  bool IsWatched(int fd, std::string& path) const {
    if (fd < 0) return false;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    char target[PATH_MAX];
    const long size = syscall(SYS_readlinkat, AT_FDCWD, link, target, sizeof target);
    if (size <= 0) return false;
    path.assign(target, static_cast<std::size_t>(size));
    return path.starts_with(root_);
  }

  // Counts one call; true if it has to fail. What can't come short does not count where that is the fault.
  bool Fails(const char* call, const std::string& path) {
    if (plan_.error == kShort && std::string_view(call).find("write") == std::string_view::npos) return false;
    ++calls_;
    if (plan_.at == 0 || calls_ < plan_.at || fired_ >= plan_.times) return false;
    if (fired_++ == 0) what_ = std::string(call) + " of " + path.substr(root_.size());
    return true;
  }

  int error() const { return plan_.error; }

  OnDisk& DiskOf(int fd) {
    struct stat info = {};
    syscall(SYS_fstat, fd, &info);
    return files_[info.st_ino];
  }

  // Writes what the disk holds of file `inode`; nothing if it was never flushed.
  const OnDisk* Find(ino_t inode) const {
    const auto found = files_.find(inode);
    return found == files_.end() ? nullptr : &found->second;
  }

  void Adopt(ino_t inode, std::string content) { files_.insert_or_assign(inode, OnDisk(std::move(content))); }

 private:
  std::recursive_mutex mutex_;
  bool armed_ = false;
  Plan plan_ = {};
  std::string root_;
  std::uint64_t calls_ = 0;
  std::uint64_t fired_ = 0;
  std::string what_;
  std::map<ino_t, OnDisk> files_;
};

// One call of the program: `fails` says whether it has to fail. Held until it is over, so that what is known of the
// disk is in step with what is done.
class Scope {
 public:
  Scope(const char* call, int fd) : injector_(Injector::Get()), lock_(injector_.mutex()) {
    watched = injector_.armed() && injector_.IsWatched(fd, path_);
    fails = watched && injector_.Fails(call, path_);
  }
  Scope(const char* call, const char* path) : injector_(Injector::Get()), lock_(injector_.mutex()) {
    watched = injector_.armed() && injector_.IsBelow(path);
    fails = watched && injector_.Fails(call, path);
  }
  Injector* operator->() { return &injector_; }

  bool watched = false;
  bool fails = false;

 private:
  Injector& injector_;
  std::lock_guard<std::recursive_mutex> lock_;
  std::string path_;
};

int Fail(Scope& scope) {
  errno = scope->error();
  return -1;
}

int OpenAt(int at, const char* path, int flags, mode_t mode) {
  Scope scope("open", path);
  if (scope.fails) return Fail(scope);
  const int fd = static_cast<int>(syscall(SYS_openat, at, path, flags, mode));
  if (fd >= 0 && scope.watched && (flags & O_TRUNC) != 0) scope->DiskOf(fd) = OnDisk();
  return fd;
}

// A copy in memory that a write past the page cache takes.
class Aligned {
 public:
  explicit Aligned(const std::string& data)
      : bytes_(static_cast<char*>(operator new(data.size() + 1, std::align_val_t(kPageBytes)))) {
    std::copy(data.begin(), data.end(), bytes_);
  }
  ~Aligned() { operator delete(bytes_, std::align_val_t(kPageBytes)); }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  const char* data() const { return bytes_; }

 private:
  char* const bytes_;
};

// Writes at `offset`, or at the descriptor's own position if that is negative.
ssize_t Write(const char* call, int fd, const iovec* parts, int count, off_t offset) {
  Scope scope(call, fd);
  std::string data;
  for (int i = 0; i < count; ++i) data.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  if (scope.fails && scope->error() != kShort) return Fail(scope);
  if (scope.fails && data.size() > 1) data.resize(data.size() / 2);
  const off_t begin = offset >= 0 ? offset : static_cast<off_t>(syscall(SYS_lseek, fd, 0, SEEK_CUR));
  const Aligned aligned(data);
  const long put = offset >= 0 ? syscall(SYS_pwrite64, fd, aligned.data(), data.size(), offset)
                               : syscall(SYS_write, fd, aligned.data(), data.size());
  const int error = errno;
  if (put > 0 && scope.watched) {
    OnDisk& disk = scope->DiskOf(fd);
    disk.Written(static_cast<std::uint64_t>(begin), static_cast<std::uint64_t>(put));
    if ((syscall(SYS_fcntl, fd, F_GETFL) & O_DSYNC) != 0) {
      disk.WrittenThrough(static_cast<std::uint64_t>(begin),
                          std::string_view(data).substr(0, static_cast<std::size_t>(put)));
    }
  }
  errno = error;
  return put;
}

int Flush(const char* call, long number, int fd) {
  Scope scope(call, fd);
  if (!scope.watched) return static_cast<int>(syscall(number, fd));
  const std::string now = Content(fd);
  if (scope.fails) {
    // A signal stops the waiting, not the writing.
    if (scope->error() != EINTR) scope->DiskOf(fd).FlushFailed(now);
    return Fail(scope);
  }
  const int rc = static_cast<int>(syscall(number, fd));
  if (rc == 0) scope->DiskOf(fd).Flushed(now);
  return rc;
}

template <typename Call>
int OnFile(const char* name, int fd, const Call& call) {
  Scope scope(name, fd);
  return scope.fails ? Fail(scope) : static_cast<int>(call());
}

template <typename Call>
int OnPath(const char* name, const char* path, const Call& call) {
  Scope scope(name, path);
  return scope.fails ? Fail(scope) : static_cast<int>(call());
}

void* Map(void* wish, std::size_t size, int protection, int flags, int fd, off_t offset) {
  Scope scope("mmap", fd);
  if (scope.fails) {
    Fail(scope);
    return MAP_FAILED;
  }
  const long at = syscall(SYS_mmap, wish, size, protection, flags, fd, offset);
  return at == -1 ? MAP_FAILED : reinterpret_cast<void*>(at);  // NOLINT: what the kernel returns is an address
}

int Control(int fd, int command, void* argument) {
  const bool locks = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;
  if (!locks) return static_cast<int>(syscall(SYS_fcntl, fd, command, argument));
  return OnFile("lock", fd, [&] { return syscall(SYS_fcntl, fd, command, argument); });
}

}  // namespace
}  // namespace foldlog::faults

namespace fi = foldlog::faults;

extern "C" {

void foldlog_faults_arm(const fi::Plan* plan) { fi::Injector::Get().Arm(*plan); }
fi::Counts foldlog_faults_disarm() { return fi::Injector::Get().Disarm(); }
std::uint64_t foldlog_faults_fired() { return fi::Injector::Get().fired(); }
void foldlog_faults_hold() { fi::Injector::Get().mutex().lock(); }
void foldlog_faults_let_go() { fi::Injector::Get().mutex().unlock(); }

void foldlog_faults_adopt(const char* path) {
  const int fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC));
  struct stat info = {};
  if (fd < 0 || syscall(SYS_fstat, fd, &info) != 0) return;
  fi::Injector::Get().Adopt(info.st_ino, fi::Content(fd));
  syscall(SYS_close, fd);
}

int foldlog_faults_copy_disk(const char* from, const char* to) {
  struct stat info = {};
  const fi::OnDisk* const disk = stat(from, &info) == 0 ? fi::Injector::Get().Find(info.st_ino) : nullptr;
  if (disk == nullptr) return 0;
  const std::string& content = disk->content();
  const int fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  const bool whole =
      fd >= 0 && syscall(SYS_write, fd, content.data(), content.size()) == static_cast<long>(content.size());
  syscall(SYS_close, fd);
  return whole ? 1 : -1;
}

int open(const char* path, int flags, ...) {
  FOLDLOG_MODE_ARGUMENT(flags)
  return fi::OpenAt(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  FOLDLOG_MODE_ARGUMENT(flags)
  return fi::OpenAt(AT_FDCWD, path, flags, mode);
}
ssize_t pread(int fd, void* data, size_t size, off_t offset) {
  fi::Scope scope("pread", fd);
  return scope.fails ? fi::Fail(scope) : syscall(SYS_pread64, fd, data, size, offset);
}
ssize_t pread64(int fd, void* data, size_t size, off_t offset) { return pread(fd, data, size, offset); }
ssize_t write(int fd, const void* data, size_t size) {
  const iovec part{const_cast<void*>(data), size};
  return fi::Write("write", fd, &part, 1, -1);
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  const iovec part{const_cast<void*>(data), size};
  return fi::Write("pwrite", fd, &part, 1, offset);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off_t offset) { return pwrite(fd, data, size, offset); }
ssize_t writev(int fd, const iovec* parts, int count) { return fi::Write("writev", fd, parts, count, -1); }
ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) {
  return fi::Write("pwritev", fd, parts, count, offset);
}
ssize_t pwritev64(int fd, const iovec* parts, int count, off_t offset) { return pwritev(fd, parts, count, offset); }

int fdatasync(int fd) { return fi::Flush("fdatasync", SYS_fdatasync, fd); }
int fsync(int fd) { return fi::Flush("fsync", SYS_fsync, fd); }
int ftruncate(int fd, off_t size) {
  return fi::OnFile("ftruncate", fd, [&] { return syscall(SYS_ftruncate, fd, size); });
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }
int posix_fallocate(int fd, off_t offset, off_t size) {
  return fi::OnFile("fallocate", fd, [&] { return syscall(SYS_fallocate, fd, 0, offset, size); }) == 0 ? 0 : errno;
}
int posix_fallocate64(int fd, off_t offset, off_t size) { return posix_fallocate(fd, offset, size); }
int rename(const char* from, const char* to) {
  return fi::OnPath("rename", from, [&] { return syscall(SYS_rename, from, to); });
}
int unlink(const char* path) {
  return fi::OnPath("unlink", path, [&] { return syscall(SYS_unlink, path); });
}
int mkdir(const char* path, mode_t mode) {
  return fi::OnPath("mkdir", path, [&] { return syscall(SYS_mkdir, path, mode); });
}
void* mmap(void* wish, size_t size, int protection, int flags, int fd, off_t offset) {
  return fi::Map(wish, size, protection, flags, fd, offset);
}
void* mmap64(void* wish, size_t size, int protection, int flags, int fd, off_t offset) {
  return fi::Map(wish, size, protection, flags, fd, offset);
}
#define FOLDLOG_POINTER_ARGUMENT()           \
  va_list arguments;                         \
  va_start(arguments, command);              \
  void* argument = va_arg(arguments, void*); \
  va_end(arguments);
int fcntl(int fd, int command, ...) {
  FOLDLOG_POINTER_ARGUMENT()
  return fi::Control(fd, command, argument);
}
int fcntl64(int fd, int command, ...) {
  FOLDLOG_POINTER_ARGUMENT()
  return fi::Control(fd, command, argument);
}
}
