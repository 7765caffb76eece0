// A database file of others with the journals beside it, as bytes: found, locked against change as far as a reader can,
// and read. Never written.

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

// The file itself through SQLite's own object for it, not a descriptor of ours: to close one lets go of every lock that
// this process has on the file, those of its other connections included. The -shm has to be opened here, for SQLite, as
// root, would give it another owner; so this is not for a process that has the same file open in WAL mode.
class SqliteSource {
 public:
  // `path` is absolute; `name` is for messages.
  static absl::StatusOr<std::unique_ptr<SqliteSource>> Open(const std::string& path, const std::string& name);
  ~SqliteSource();
  SqliteSource(const SqliteSource&) = delete;
  SqliteSource& operator=(const SqliteSource&) = delete;

  // Takes the shared lock. False: a writer has the file for itself.
  bool Lock();

  // Nobody who follows the protocol of rollback journals changes the file. Not so where the file system has no locks.
  bool locked() const { return locked_; }

  // Keeps those who use the -wal from moving it into the file or starting it anew, if there are any and the -shm can be
  // read. False: they are at it all the time.
  bool LockWal();

  // With all links resolved, for beside that one the journals are.
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
  FileDescriptor shm_;  // with the locks that are held on it
};

// One of the files that SQLite keeps beside a database.
class SqliteCompanion {
 public:
  // Nothing if it does not exist. PermissionDenied if it cannot be read: without it the database is not whole.
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
