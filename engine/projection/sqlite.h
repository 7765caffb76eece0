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
// Errors: Unavailable, locked by another program, or an I/O error; ResourceExhausted, disk full; DataLoss, the file is
// damaged; InvalidArgument, it is no SQLite file at all; PermissionDenied, it cannot be opened or written.

#ifndef FOLDLOG_PROJECTION_SQLITE_H_
#define FOLDLOG_PROJECTION_SQLITE_H_

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

class SqliteDatabase {
 public:
  enum class Access { kCreate, kReadOnly };

  // SQLite reads nothing yet, so that a damaged or foreign file shows with the first statement only. `what` the file is
  // to the user stands before its path in messages. NotFound if it does not exist and is not to be created.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& path, std::string_view what,
                                                              Access access = Access::kCreate);
  ~SqliteDatabase();
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  absl::StatusOr<std::unique_ptr<SqliteStatement>> Prepare(const std::string& sql);

  // One statement without parameters, run to its end.
  absl::Status Execute(const std::string& sql);

  // Whether the file behind this connection is no longer the one at its path.
  bool HasMoved() const;

  bool IsReadOnly() const;

  // The status for result code `code` of the latest call.
  absl::Status Error(int code) const;

  // For messages: what it is, and its path in quotes.
  const std::string& name() const { return name_; }

 private:
  SqliteDatabase(std::string name, sqlite3* handle) : name_(std::move(name)), handle_(handle) {}

  std::string name_;
  sqlite3* handle_;
};

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
  explicit SqliteQuery(SqliteStatement& statement) : statement_(statement) {}
  ~SqliteQuery();
  SqliteQuery(const SqliteQuery&) = delete;
  SqliteQuery& operator=(const SqliteQuery&) = delete;

  // Parameters count from 1. The bytes must stay in place for the life of the query. Errors show in Step().
  void BindBlob(int parameter, std::string_view bytes);
  void BindText(int parameter, std::string_view text);
  void BindInteger(int parameter, std::int64_t value);
  void BindNull(int parameter);

  absl::StatusOr<bool> Step();  // true: there is a row
  absl::Status Finish();        // runs to the end, whatever rows there are

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
