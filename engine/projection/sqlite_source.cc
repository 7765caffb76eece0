#include "engine/projection/sqlite_source.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/projection/sqlite.h"

namespace foldlog {
namespace {

// The bytes of a -shm that stand for two locks, as SQLite's description of the WAL format numbers them: that of
// checkpoints, and that of readers at the first mark, which a writer needs to start the -wal anew.
constexpr off_t kWalLocks[] = {121, 124};

// A checkpoint or a change takes these locks for a moment; with a busy writer it takes some tries to come between.
constexpr int kWalLockTries = 200;
constexpr std::chrono::milliseconds kWalLockInterval(1);

enum class LockResult { kHeld, kBusy, kImpossible };

// Locks the open file description, not the process, so that other code of this process cannot unlock it by closing the
// file.
LockResult LockShared(int fd, off_t byte) {
  struct flock lock {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  for (int tries = 0; tries < kWalLockTries; ++tries) {
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return LockResult::kHeld;
    if (errno != EAGAIN && errno != EACCES && errno != EINTR) return LockResult::kImpossible;
    std::this_thread::sleep_for(kWalLockInterval);
  }
  return LockResult::kBusy;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteSource>> SqliteSource::Open(const std::string& path, const std::string& name) {
  constexpr int kFlags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, kFlags, nullptr);
  if (handle == nullptr) return absl::ResourceExhaustedError("no memory for SQLite");
  std::unique_ptr<SqliteSource> source(new SqliteSource(name, handle));
  if (code != SQLITE_OK) return SqliteStatus(code, handle, name);
  const int control = sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &source->file_);
  // Without SQLite's object for the file nothing can be locked or read.
  if (control != SQLITE_OK || source->file_ == nullptr || source->file_->pMethods == nullptr) {
    return absl::InternalError(absl::StrCat(name, ": SQLite has no file for it"));
  }
  source->path_ = sqlite3_db_filename(handle, "main");
  return source;
}

// SQLite does not know of the lock that was taken past it, so it is released by hand before the file is closed.
SqliteSource::~SqliteSource() {
  if (locked_) file_->pMethods->xUnlock(file_, SQLITE_LOCK_NONE);
  sqlite3_close_v2(handle_);
}

// Errors other than "busy" mean that the file system has no locks: reading goes on without.
bool SqliteSource::Lock() {
  const int code = file_->pMethods->xLock(file_, SQLITE_LOCK_SHARED);
  if ((code & 0xff) == SQLITE_BUSY) return false;
  locked_ = code == SQLITE_OK;
  return true;
}

bool SqliteSource::LockWal() {
  // Without a -shm, or without permission to read it, no lock can be taken: then comparing the copy has to do.
  shm_ = FileDescriptor(open((path_ + "-shm").c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!shm_.valid()) return true;
  for (const off_t lock : kWalLocks) {
    const LockResult result = LockShared(shm_.get(), lock);
    if (result != LockResult::kHeld) return result == LockResult::kImpossible;
  }
  return true;
}

absl::StatusOr<std::uint64_t> SqliteSource::Size() const {
  sqlite3_int64 bytes = 0;
  const int code = file_->pMethods->xFileSize(file_, &bytes);
  if (code != SQLITE_OK) return absl::UnavailableError(absl::StrCat(name_, ": ", sqlite3_errstr(code)));
  return static_cast<std::uint64_t>(bytes);
}

absl::StatusOr<bool> SqliteSource::Read(std::span<std::byte> into, std::uint64_t offset) const {
  const int code =
      file_->pMethods->xRead(file_, into.data(), static_cast<int>(into.size()), static_cast<sqlite3_int64>(offset));
  if (code == SQLITE_OK) return true;
  if (code == SQLITE_IOERR_SHORT_READ) return false;
  return absl::UnavailableError(absl::StrCat(name_, " cannot be read at offset ", offset, ": ", sqlite3_errstr(code)));
}

absl::StatusOr<std::optional<SqliteCompanion>> SqliteCompanion::Open(const std::string& path) {
  absl::StatusOr<FileDescriptor> fd = OpenRegularFile(path, O_RDONLY);
  if (absl::IsNotFound(fd.status())) return std::optional<SqliteCompanion>();
  if (!fd.ok()) {
    return absl::Status(fd.status().code(), absl::StrCat(fd.status().message(), "; it holds a part of the database"));
  }
  return std::optional(SqliteCompanion(path, *std::move(fd)));
}

absl::StatusOr<std::uint64_t> SqliteCompanion::Size() const {
  struct stat facts {};
  if (fstat(fd_.get(), &facts) != 0) return ErrnoStatus(errno, absl::StrCat("inspect ", path_));
  return static_cast<std::uint64_t>(facts.st_size);
}

absl::StatusOr<bool> SqliteCompanion::Read(std::span<std::byte> into, std::uint64_t offset) const {
  while (!into.empty()) {
    const ssize_t got = pread(fd_.get(), into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, absl::StrCat("read ", path_));
    if (got == 0) return false;
    into = into.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return true;
}

}  // namespace foldlog
