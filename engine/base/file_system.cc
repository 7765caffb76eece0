#include "engine/base/file_system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/base/text.h"

namespace foldlog {
namespace {

bool InspectWith(int directory, const char* name, int flags, FileFacts& facts) {
  struct statx info = {};
  if (statx(directory, name, flags, STATX_TYPE | STATX_NLINK | STATX_INO | STATX_SIZE, &info) != 0) return false;
  facts = {.device = makedev(info.stx_dev_major, info.stx_dev_minor),
           .inode = info.stx_ino,
           .bytes = info.stx_size,
           .names = info.stx_nlink,
           .is_regular = S_ISREG(info.stx_mode)};
  return true;
}

}  // namespace

// Keeps errno: destructors run on the way out of a failed call, whose errno is still to be reported.
void FileDescriptor::Close() {
  if (!valid()) return;
  const int error = errno;
  close(Release());
  errno = error;
}

// An errno without a case of its own is Unavailable: nothing is known to be wrong with the data or the call.
absl::Status ErrnoStatus(int error, std::string_view what) {
  const std::string message = absl::StrCat("cannot ", ToAbsl(what), ": ", std::generic_category().message(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case EFBIG:
      return absl::ResourceExhaustedError(
          absl::StrCat(message, " (a limit of the process, ulimit -f, or of the disk)"));
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::ResourceExhaustedError(message);
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
      return absl::FailedPreconditionError(message);
    default:
      return absl::UnavailableError(message);
  }
}

// In this thread only: the signal is sent to the thread that writes, and the program's other threads keep their masks.
FileSizeSignalBlocked::FileSizeSignalBlocked() {
  sigset_t signal;
  sigemptyset(&signal);
  sigaddset(&signal, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &signal, &before_);
}

// The kernel sends the signal to the thread that writes. This takes it back before the old mask would deliver it.
FileSizeSignalBlocked::~FileSizeSignalBlocked() {
  if (sigismember(&before_, SIGXFSZ) == 1) return;
  sigset_t signal;
  sigemptyset(&signal);
  sigaddset(&signal, SIGXFSZ);
  const timespec at_once = {};
  const int error = errno;
  sigtimedwait(&signal, nullptr, &at_once);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  errno = error;
}

bool Inspect(int fd, FileFacts& facts) { return InspectWith(fd, "", AT_EMPTY_PATH, facts); }

bool InspectAt(int directory, const char* name, FileFacts& facts) {
  return InspectWith(directory, name, AT_SYMLINK_NOFOLLOW, facts);
}

int ErrnoOfWritingTo(const std::string& path) {
  const FileSizeSignalBlocked blocked;
  const FileDescriptor file(open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  FileFacts facts;
  if (!file.valid() || !Inspect(file.get(), facts)) return errno;
  // 1 MiB, as much as other writes have at once: a shorter one may fit below the limit that made those come short.
  const std::vector<std::byte> zeros(std::size_t{1} << 20);
  int error = 0;
  for (std::size_t done = 0; done < zeros.size() && error == 0;) {
    const ssize_t put = pwrite(file.get(), &zeros[done], zeros.size() - done, static_cast<off_t>(facts.bytes + done));
    if (put > 0) {
      done += static_cast<std::size_t>(put);
    } else if (put == 0 || errno != EINTR) {
      error = put == 0 ? ENOSPC : errno;
    }
  }
  return ftruncate(file.get(), static_cast<off_t>(facts.bytes)) == 0 ? error : errno;
}

absl::StatusOr<FileDescriptor> OpenRegularFile(const std::string& path, int flags) {
  constexpr mode_t kMode = 0666;
  FileDescriptor file(open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, kMode));
  // O_NOFOLLOW reports links as ELOOP, O_NONBLOCK pipes without a reader as ENXIO.
  const bool is_something_else = !file.valid() && (errno == ELOOP || errno == EISDIR || errno == ENXIO);
  if (!file.valid() && !is_something_else) return ErrnoStatus(errno, absl::StrCat("open ", path));
  FileFacts facts;
  if (file.valid() && !Inspect(file.get(), facts)) return ErrnoStatus(errno, absl::StrCat("inspect ", path));
  if (is_something_else || !facts.is_regular) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a regular file; put back the one that was there"));
  }
  return file;
}

// The lock file protects the names in its own directory only.
absl::Status RefuseHardLinks(int fd, const std::string& path) {
  FileFacts facts;
  if (!Inspect(fd, facts)) return ErrnoStatus(errno, absl::StrCat("inspect ", path));
  if (facts.names == 1) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(path, " has ", facts.names,
                                                    " names (hard links), so that a lock in one directory does not "
                                                    "protect it; make it a copy of its own"));
}

// By device and inode, for a name may have been given to another file meanwhile.
absl::Status CheckIsAtPath(int fd, const std::string& path) {
  FileFacts opened;
  FileFacts named;
  if (!Inspect(fd, opened)) return ErrnoStatus(errno, absl::StrCat("inspect ", path));
  const bool there = InspectAt(AT_FDCWD, path.c_str(), named);
  if (!there && errno != ENOENT) return ErrnoStatus(errno, absl::StrCat("inspect ", path));
  if (there && opened.device == named.device && opened.inode == named.inode) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(path, there ? " was replaced" : " was removed or renamed",
                                          " while this process had it open; put it back as it was"));
}

absl::Status FlushData(int fd, const std::string& path) {
  while (fdatasync(fd) != 0) {
    if (errno != EINTR) return ErrnoStatus(errno, absl::StrCat("make durable ", path));
  }
  return absl::OkStatus();
}

absl::Status PunchHole(int fd, std::uint64_t offset, std::uint64_t bytes, const std::string& path) {
  while (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                   static_cast<off_t>(bytes)) != 0) {
    if (errno == EOPNOTSUPP || errno == ENOSYS) return absl::OkStatus();
    if (errno != EINTR) return ErrnoStatus(errno, absl::StrCat("give back space of ", path));
  }
  return absl::OkStatus();
}

absl::Status ReadFully(int fd, std::span<std::byte> into, std::uint64_t offset, const std::string& path) {
  while (!into.empty()) {
    const ssize_t got = pread(fd, into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    // EIO is the medium's own failure: the bytes are lost. Other errors may pass.
    if (got < 0 && errno != EIO) return ErrnoStatus(errno, absl::StrCat("read ", path));
    if (got < 0) {
      // The medium itself failed to read: to the log that is damage, with the offset for the user's tools.
      const absl::Status why = absl::ErrnoToStatus(errno, "");
      return absl::DataLossError(absl::StrCat("cannot read ", path, " at offset ", offset, why.message(),
                                              "; keep a copy of what can be read, and restore the last backup"));
    }
    if (got == 0)
      return absl::DataLossError(
          absl::StrCat(path, " ends at offset ", offset, "; restore the last backup of the log"));
    into = into.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return absl::OkStatus();
}

absl::Status WriteFully(int fd, std::span<const std::byte> bytes, std::uint64_t offset, const std::string& path) {
  const FileSizeSignalBlocked blocked;
  while (!bytes.empty()) {
    const ssize_t put = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    // pwrite() may write nothing without an error when the disk is full.
    if (put <= 0) return ErrnoStatus(put < 0 ? errno : ENOSPC, absl::StrCat("write ", path));
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return absl::OkStatus();
}

// Magic numbers from statfs(2); those missing in its list are from linux/magic.h and the file systems' sources. f_type
// may be sign-extended.
std::optional<std::string_view> UnsupportedFileSystem(long f_type) {
  switch (static_cast<unsigned long>(f_type) & 0xffffffff) {
    case 0x6969:
      return "NFS";
    case 0x517b:
    case 0xff534d42:
    case 0xfe534d42:
      return "SMB";
    case 0x5346414f:
    case 0x6b414653:
      return "AFS";
    case 0x73757245:
      return "Coda";
    case 0x00c36400:
      return "Ceph";
    case 0x01021997:
      return "9P";
    case 0x0bd00bd0:
      return "Lustre";
    case 0x01161970:
      return "GFS2";
    case 0x7461636f:
      return "OCFS2";
    case 0x65735546:
      return "FUSE";
    case 0x786f4256:
      return "VirtualBox shared folder";
    case 0x47504653:
      return "GPFS";
    case 0x19830326:
      return "BeeGFS";
    default:
      return std::nullopt;
  }
}

// Refused at the opening, because no error would show later: a lock that does not lock looks like one that does.
absl::Status CheckFileSystem(const std::string& directory) {
  struct statfs info = {};
  if (statfs(directory.c_str(), &info) != 0) return ErrnoStatus(errno, absl::StrCat("inspect ", directory));
  if (const auto name = UnsupportedFileSystem(info.f_type)) {
    return absl::FailedPreconditionError(absl::StrCat("the log ", directory, " is on a file system of type ",
                                                      ToAbsl(*name),
                                                      ", where locks and mapped pages can't be trusted; "
                                                      "put it on a local disk"));
  }
  return absl::OkStatus();
}

std::string WithoutTrailingSlashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string ParentOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return WithoutTrailingSlashes(path.substr(0, slash + 1));
}

// Tries the directory itself first, so that existing parents need not be writable or even visible.
absl::Status CreateDirectories(const std::string& directory) {
  const std::string parent = ParentOf(directory);
  int error = mkdir(directory.c_str(), 0777) == 0 ? 0 : errno;
  if (error == ENOENT && parent != directory && parent != ".") {
    RETURN_IF_ERROR(CreateDirectories(parent));
    error = mkdir(directory.c_str(), 0777) == 0 ? 0 : errno;
  }
  if (error == EEXIST) return absl::OkStatus();
  if (error != 0) return ErrnoStatus(error, absl::StrCat("create ", directory));
  return SyncEntryOf(directory);
}

// fsync() of a directory, not of the file: a file's own flush does not make its name durable.
absl::Status SyncDirectory(const std::string& directory) {
  const FileDescriptor fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, absl::StrCat("open ", directory));
  if (fsync(fd.get()) != 0) return ErrnoStatus(errno, absl::StrCat("make the entries of ", directory, " durable"));
  return absl::OkStatus();
}

// A parent that the process may pass through but not read can't be opened for fsync. Then syncfs() writes out the whole
// file system, by way of the directory itself: slower, but only when a log is created.
absl::Status SyncEntryOf(const std::string& directory) {
  const absl::Status synced = SyncDirectory(ParentOf(directory));
  if (!absl::IsPermissionDenied(synced)) return synced;
  const FileDescriptor fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return synced;
  if (syncfs(fd.get()) != 0) return ErrnoStatus(errno, absl::StrCat("make the entry of ", directory, " durable"));
  return absl::OkStatus();
}

}  // namespace foldlog
