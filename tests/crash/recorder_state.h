// What the recorder knows: the watched directory, the files in it, and the trace that it writes. Part of recorder.cc,
// which has the calls. Nothing here calls a function that the recorder itself stands in for: system calls are made
// directly.

#ifndef FOLDLOG_TESTS_CRASH_RECORDER_STATE_H_
#define FOLDLOG_TESTS_CRASH_RECORDER_STATE_H_

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "tests/crash/trace.h"

namespace foldlog::power_cut {

inline constexpr std::size_t kPolledBytes = 512;  // a sector: the piece in which a change found by reading is noted

// A file that can change without a call: mapped for writing, or written by stdio. `content` is what was last seen.
struct PolledFile {
  int fd = -1;  // the recorder's own; never closed, for closing it would drop the program's locks on the file
  std::string content = {};
};

class Recorder {
 public:
  static Recorder& Get() {
    static Recorder& instance = *new Recorder;  // never destroyed: calls may come during exit
    return instance;
  }

  std::recursive_mutex& mutex() { return mutex_; }
  bool active() const { return trace_ >= 0 && getpid() == pid_; }

  // The path below the watched directory; false if it is elsewhere. "" is the directory itself.
  bool Relative(int at, const char* path, std::string& relative) const {
    std::string full = path == nullptr ? "" : path;
    if (full.empty()) return false;
    if (full[0] != '/') full = DirectoryOf(at) + "/" + full;
    while (full.size() > 1 && full.back() == '/') full.pop_back();
    const std::size_t slash = full.rfind('/');
    const std::string name = full.substr(slash + 1);
    char resolved[PATH_MAX];
    // The last name is not followed: rename, unlink and link are about the name itself.
    const bool whole = name == "." || name == "..";
    if (realpath(whole ? full.c_str() : full.substr(0, slash + 1).c_str(), resolved) == nullptr) return false;
    full = whole ? resolved : std::string(resolved) + "/" + name;
    return Below(full, relative);
  }

  bool IsWatched(int fd, struct stat& info) const {
    return syscall(SYS_fstat, fd, &info) == 0 && files_.contains(info.st_ino) && info.st_dev == device_;
  }

  bool IsWatchedDirectory(int fd, std::string& relative) const {
    struct stat info = {};
    return syscall(SYS_fstat, fd, &info) == 0 && S_ISDIR(info.st_mode) && Below(FdPath(fd), relative);
  }

  void Watch(const struct stat& info) { files_.insert(info.st_ino); }

  // The last name of the file is gone: its inode number may soon be another file's.
  void Forget(const struct stat& info) {
    if (info.st_nlink > 1 || S_ISDIR(info.st_mode)) return;
    files_.erase(info.st_ino);
    polled_.erase(info.st_ino);
  }

  void Poll(int fd, const struct stat& info) {
    if (polled_.contains(info.st_ino)) return;
    const int own = Reopen(fd);
    if (own < 0) return Unsupported("a file that cannot be read back");
    polled_[info.st_ino] = {own, Content(own)};
  }

  // Notes what changed in polled files since they were last looked at. Other threads may be storing meanwhile: what is
  // seen of a sector is what is noted, and what comes after it is found the next time.
  void LookAtPolledFiles() {
    for (auto& [inode, file] : polled_) {
      seen_.resize(SizeOf(file.fd));
      ReadInto(file.fd, seen_);
      if (seen_.size() != file.content.size()) {
        Write({.kind = Kind(CallKind::kResize), .file = inode, .value = seen_.size()});
        file.content.resize(seen_.size());
      }
      if (seen_ == file.content) continue;
      for (std::size_t begin = 0; begin < seen_.size(); begin += kPolledBytes) {
        const std::size_t size = std::min(kPolledBytes, seen_.size() - begin);
        if (std::memcmp(seen_.data() + begin, file.content.data() + begin, size) == 0) continue;
        Write({.kind = Kind(CallKind::kWrite), .flags = kThroughMapping, .file = inode, .offset = begin}, {}, {},
              std::string_view(seen_).substr(begin, size));
      }
      file.content.swap(seen_);
    }
  }

  void Write(TraceRecord record, std::string_view path = {}, std::string_view path2 = {}, std::string_view data = {}) {
    record.path_bytes = static_cast<std::uint32_t>(path.size());
    record.path2_bytes = static_cast<std::uint32_t>(path2.size());
    record.data_bytes = data.size();
    std::string bytes(sizeof record, '\0');
    std::memcpy(bytes.data(), &record, sizeof record);
    bytes.append(path).append(path2).append(data);
    for (std::string_view rest = bytes; !rest.empty();) {
      const long put = syscall(SYS_write, trace_, rest.data(), rest.size());
      if (put <= 0) Die("cannot write the trace");
      rest.remove_prefix(static_cast<std::size_t>(put));
    }
    // What the program wrote by a call is no news when the file is read back.
    if (record.kind == Kind(CallKind::kWrite) || record.kind == Kind(CallKind::kResize)) NoteInPolled(record, data);
  }

  void Unsupported(std::string_view what) { Write({.kind = Kind(CallKind::kUnsupported)}, what); }

  static std::uint32_t Kind(CallKind kind) { return static_cast<std::uint32_t>(kind); }

 private:
  Recorder() {
    const char* directory = getenv("FOLDLOG_RECORD_DIR");
    const char* trace = getenv("FOLDLOG_RECORD_TRACE");
    char resolved[PATH_MAX];
    if (directory == nullptr || trace == nullptr) return;
    if (realpath(directory, resolved) == nullptr) Die("FOLDLOG_RECORD_DIR must exist");
    root_ = resolved;
    struct stat info = {};
    stat(resolved, &info);
    device_ = info.st_dev;
    pid_ = getpid();
    const int fd =
        static_cast<int>(syscall(SYS_openat, AT_FDCWD, trace, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
    if (fd < 0) Die("cannot open FOLDLOG_RECORD_TRACE");
    // Two programs at once would need one order of their calls. The second, as a helper of the first, goes unrecorded.
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      dprintf(2, "foldlog recorder: process %d is not recorded, for another one is\n", pid_);
      return;
    }
    // A child made while another thread is at work must not inherit a lock that nobody will give back.
    pthread_atfork([] { Get().mutex_.lock(); }, [] { Get().mutex_.unlock(); }, [] { Get().mutex_.unlock(); });
    trace_ = fd;
    fstat(fd, &info);
    Scan("", /*first=*/info.st_size == 0);
  }

  [[noreturn]] static void Die(const char* why) {
    dprintf(2, "foldlog recorder: %s: %s\n", why, strerror(errno));
    abort();
  }

  static std::string FdPath(int fd) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    char path[PATH_MAX];
    const ssize_t size = readlink(link, path, sizeof path);
    return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : std::string();
  }

  static std::string DirectoryOf(int at) {
    if (at != AT_FDCWD) return FdPath(at);
    char path[PATH_MAX];
    return getcwd(path, sizeof path) != nullptr ? path : "";
  }

  bool Below(const std::string& full, std::string& relative) const {
    if (full == root_) return relative.clear(), true;
    if (full.size() <= root_.size() || !full.starts_with(root_) || full[root_.size()] != '/') return false;
    relative = full.substr(root_.size() + 1);
    return true;
  }

  static int Reopen(int fd) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return static_cast<int>(syscall(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC));
  }

  static std::size_t SizeOf(int fd) {
    struct stat info = {};
    return syscall(SYS_fstat, fd, &info) == 0 ? static_cast<std::size_t>(info.st_size) : 0;
  }

  static void ReadInto(int fd, std::string& content) {
    std::size_t done = 0;
    while (done < content.size()) {
      const long got = syscall(SYS_pread64, fd, content.data() + done, content.size() - done, done);
      if (got <= 0) break;
      done += static_cast<std::size_t>(got);
    }
  }

  static std::string Content(int fd) {
    std::string content(SizeOf(fd), '\0');
    ReadInto(fd, content);
    return content;
  }

  void NoteInPolled(const TraceRecord& record, std::string_view data) {
    const auto found = polled_.find(record.file);
    if (found == polled_.end() || (record.flags & kThroughMapping) != 0) return;
    std::string& content = found->second.content;
    if (record.kind == Kind(CallKind::kResize)) return content.resize(record.value);
    content.resize(std::max<std::size_t>(content.size(), record.offset + data.size()));
    content.replace(record.offset, data.size(), data);
  }

  void Scan(const std::string& relative, bool first) {
    const std::string path = relative.empty() ? root_ : root_ + "/" + relative;
    DIR* directory = opendir(path.c_str());
    if (directory == nullptr) return;
    while (const dirent* entry = readdir(directory)) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      const std::string below = (relative.empty() ? "" : relative + "/").append(name);
      struct stat info = {};
      if (lstat((path + "/").append(name).c_str(), &info) != 0) continue;
      if (S_ISDIR(info.st_mode)) {
        if (first) Write({.kind = Kind(CallKind::kInitialDirectory)}, below);
        Scan(below, first);
      } else if (S_ISREG(info.st_mode)) {
        Watch(info);
        if (!first) continue;
        const int fd =
            static_cast<int>(syscall(SYS_openat, AT_FDCWD, (path + "/").append(name).c_str(), O_RDONLY | O_CLOEXEC));
        Write({.kind = Kind(CallKind::kInitialFile), .file = info.st_ino}, below, {}, Content(fd));
        syscall(SYS_close, fd);
      }
    }
    closedir(directory);
  }

  std::recursive_mutex mutex_;
  std::string root_;
  dev_t device_ = 0;
  pid_t pid_ = 0;
  int trace_ = -1;
  std::set<ino_t> files_;
  std::map<ino_t, PolledFile> polled_;
  std::string seen_;  // what a polled file holds now; kept for its memory
};

}  // namespace foldlog::power_cut

#endif  // FOLDLOG_TESTS_CRASH_RECORDER_STATE_H_
