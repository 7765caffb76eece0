// A database file of another program and the journals beside it, as bytes: found, locked against changes as far as a
// reader can, and read. Never written.

#ifndef FOLDLOG_PROJECTION_SQLITE_SOURCE_H_
#define FOLDLOG_PROJECTION_SQLITE_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/base/file_system.h"

struct sqlite3;
struct sqlite3_file;

namespace foldlog {

// Reads the file through SQLite's own object for it, not through a descriptor of its own: closing a descriptor gives up
// every lock that this process has on the file, those of other connections included. The -shm is opened here, because
// SQLite running as root would give it another owner; so a process that has the same file open in WAL mode must not use
// this. Threads: one.
class SqliteSource {
 public:
  // `path` is absolute; `name` is for messages.
  static absl::StatusOr<std::unique_ptr<SqliteSource>> Open(const std::string& path, const std::string& name);
  ~SqliteSource();
  SqliteSource(const SqliteSource&) = delete;
  SqliteSource& operator=(const SqliteSource&) = delete;

  // Takes the shared lock. False if a writer has the file for itself.
  bool Lock();

  // Whether the lock is held: no program that follows the protocol of rollback journals changes the file then. False
  // where the file system has no locks.
  bool locked() const { return locked_; }

  // Keeps programs that use the -wal from moving it into the file or starting it anew, if there are any and the -shm
  // can be read. False if they are at it all the time.
  bool LockWal();

  // With all links resolved, because the journals are beside that file.
  const std::string& path() const { return path_; }

  absl::StatusOr<std::uint64_t> Size() const;

  // Fills `into`. False if the file ends before.
  absl::StatusOr<bool> Read(std::span<std::byte> into, std::uint64_t offset) const;

 private:
  SqliteSource(std::string name, sqlite3* handle) : name_(std::move(name)), handle_(handle) {}

  std::string name_;
  std::string path_;
  sqlite3* handle_;
  sqlite3_file* file_ = nullptr;
  bool locked_ = false;
  FileDescriptor shm_;  // holds the locks of LockWal()
};

// One of the journals that SQLite keeps beside a database. Threads: one.
class SqliteCompanion {
 public:
  // The file; nothing if it does not exist. PermissionDenied if it cannot be read: without it the database is not
  // whole.
  static absl::StatusOr<std::optional<SqliteCompanion>> Open(const std::string& path);

  absl::StatusOr<std::uint64_t> Size() const;
  absl::StatusOr<bool> Read(std::span<std::byte> into, std::uint64_t offset) const;

 private:
  SqliteCompanion(std::string path, FileDescriptor fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  FileDescriptor fd_;
};

}  // namespace foldlog

#endif  // FOLDLOG_PROJECTION_SQLITE_SOURCE_H_
