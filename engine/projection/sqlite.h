// SQLite with owners: a connection and its statements, with absl::Status for errors.
//
//   ASSIGN_OR_RETURN(auto database, SqliteDatabase::Open("/var/lib/photos/catalog.db", "catalog"));
//   ASSIGN_OR_RETURN(auto find, database->Prepare("SELECT size FROM files WHERE path = ?1"));
//   SqliteQuery query(*find);
//   query.BindBlob(1, path);
//   ASSIGN_OR_RETURN(bool found, query.Step());
//
// Statements must go before their connection. One thread at a time. SQL texts are constants of the program, never made
// of data.
//
// To read a file of others without leaving a trace there: sqlite_reading.h.
//
// Errors: Unavailable, locked by another program, or an I/O error; ResourceExhausted, disk full; DataLoss, the file is
// damaged; InvalidArgument, it is no SQLite file at all; PermissionDenied, it cannot be opened or written; NotFound,
// its directory is missing; FailedPrecondition, it is no regular file, or a constraint of its own forbids what is
// written.

#ifndef FOLDLOG_PROJECTION_SQLITE_H_
#define FOLDLOG_PROJECTION_SQLITE_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct sqlite3;
struct sqlite3_stmt;

namespace foldlog {

class SqliteStatement;

// A connection. Threads: one at a time. Its statements must be destroyed first.
class SqliteDatabase {
 public:
  // kUnchanging: SQLite reads the file without locks and ignores its journals. The caller must have made sure that no
  // program changes the file and that no journal counts.
  enum class Access { kCreate, kUnchanging };

  // SQLite reads nothing yet, so a damaged or foreign file shows only at the first statement. `what` says what the file
  // is to the user, and stands before its path in messages. A name such as file:… or :memory: is a path, too.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& path, std::string_view what,
                                                              Access access = Access::kCreate);
  ~SqliteDatabase();
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  absl::StatusOr<std::unique_ptr<SqliteStatement>> Prepare(const std::string& sql);

  // One statement without parameters, run to its end.
  absl::Status Execute(const std::string& sql);

  // The rows that the latest writing statement changed, without those that triggers did.
  std::int64_t RowsChanged() const;

  // Whether the path no longer names the file behind this connection, because it was renamed, deleted or replaced.
  // Nobody would find what is written to it.
  bool HasMoved() const;

  // How long a statement waits for a lock of another program before it fails with Unavailable; 5 s by default.
  void WaitForLocks(std::chrono::milliseconds patience);

  // Stops statements that run beyond `deadline`, with Unavailable: a crafted file can make a query endless.
  void SetDeadline(std::chrono::steady_clock::time_point deadline);

  bool IsReadOnly() const;

  // The status for result code `code` of the latest call.
  absl::Status Error(int code) const;

  // For messages: what it is, and its path in quotes.
  const std::string& name() const { return name_; }

  // For a copy that is to be called by the name of its original.
  void set_name(std::string name) { name_ = std::move(name); }

 private:
  SqliteDatabase(std::string name, std::string path, sqlite3* handle)
      : name_(std::move(name)), path_(std::move(path)), handle_(handle) {}

  std::string name_;
  std::string path_;  // absolute
  sqlite3* handle_;
  dev_t device_ = 0;  // of the file when it was opened
  ino_t inode_ = 0;
  std::chrono::steady_clock::time_point deadline_;
};

// `what` and the path in quotes, as messages show them.
std::string SqliteFileName(std::string_view what, const std::string& path);

// The absolute path, which SQLite cannot take for anything but a path. NotFound; FailedPrecondition if the path names
// anything but a regular file: opening a pipe would wait.
absl::StatusOr<std::string> SqlitePath(const std::string& path, std::string_view name);

// The path as a URI, to which parameters can be added.
std::string SqliteUri(std::string_view absolute_path);

// The status for a failed call on `handle`.
absl::Status SqliteStatus(int code, sqlite3* handle, std::string_view name);

// One transaction, rolled back unless committed.
class SqliteTransaction {
 public:
  explicit SqliteTransaction(SqliteDatabase& database) : database_(database) {}
  ~SqliteTransaction();
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;

  absl::Status Begin();  // for writing, from the start
  absl::Status Commit();

 private:
  SqliteDatabase& database_;
  bool open_ = false;
};

class SqliteStatement {
 public:
  ~SqliteStatement();
  SqliteStatement(const SqliteStatement&) = delete;
  SqliteStatement& operator=(const SqliteStatement&) = delete;

 private:
  friend class SqliteDatabase;
  friend class SqliteQuery;
  SqliteStatement(const SqliteDatabase& database, sqlite3_stmt* handle) : database_(database), handle_(handle) {}

  const SqliteDatabase& database_;
  sqlite3_stmt* handle_;
};

// One use of a statement. Resets it at the end, because a statement left half-way holds a read transaction open.
class SqliteQuery {
 public:
  // `statement` must outlive the query; one query of it at a time.
  explicit SqliteQuery(SqliteStatement& statement) : statement_(statement) {}
  ~SqliteQuery();
  SqliteQuery(const SqliteQuery&) = delete;
  SqliteQuery& operator=(const SqliteQuery&) = delete;

  // Parameters count from 1. The bytes must stay in place for the life of the query. Errors show in Step().
  void BindBlob(int parameter, std::string_view bytes);
  void BindText(int parameter, std::string_view text);
  void BindInteger(int parameter, std::int64_t value);
  void BindReal(int parameter, double value);
  void BindNull(int parameter);

  absl::StatusOr<bool> Step();  // true: there is a row
  absl::Status Finish();        // runs to the end, and ignores rows

  // Of the current row; columns count from 0.
  enum class Type { kInteger, kFloat, kText, kBlob, kNull };
  Type TypeOf(int column) const;
  std::string Bytes(int column) const;
  std::int64_t Integer(int column) const;

 private:
  void Note(int code);

  SqliteStatement& statement_;
  int bind_error_ = 0;
};

}  // namespace foldlog

#endif  // FOLDLOG_PROJECTION_SQLITE_H_
