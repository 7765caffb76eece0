// What both SQLite adapters share: one connection, which threads take turns at, and prepared statements. A connection
// for each thread is slower: SQLite has one writer, and connections wait for each other by polling.

#ifndef FOLDLOG_BENCH_PEERS_SQLITE_SUPPORT_H_
#define FOLDLOG_BENCH_PEERS_SQLITE_SUPPORT_H_

#include <sqlite3.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "bench/peers/system.h"

namespace foldlog::peers {

class SqliteStatement {
 public:
  SqliteStatement() = default;
  ~SqliteStatement() { sqlite3_finalize(statement_); }
  SqliteStatement(const SqliteStatement&) = delete;
  SqliteStatement& operator=(const SqliteStatement&) = delete;

  absl::Status Prepare(sqlite3* database, const char* sql);
  void Finalize();

  void Bind(int place, std::int64_t value) { sqlite3_bind_int64(statement_, place, value); }
  // Not copied: `text` must stay until the statement was run.
  void Bind(int place, std::string_view text) {
    sqlite3_bind_text(statement_, place, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  }
  void BindNull(int place) { sqlite3_bind_null(statement_, place); }

  // Runs a statement that gives no rows.
  absl::Status Run();
  // The next row, if there is one; afterwards Reset().
  absl::StatusOr<bool> Step();
  void Reset() { sqlite3_reset(statement_); }

  std::int64_t Integer(int column) { return sqlite3_column_int64(statement_, column); }
  bool IsNull(int column) { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  std::string_view Text(int column) {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }

 private:
  absl::Status Error() const;
  sqlite3_stmt* statement_ = nullptr;
};

class SqliteDatabase {
 public:
  SqliteDatabase() = default;
  ~SqliteDatabase() { sqlite3_close(database_); }
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  absl::Status Open(const std::string& path);
  absl::Status Execute(const std::string& sql);
  absl::Status Close();
  sqlite3* get() const { return database_; }

 private:
  sqlite3* database_ = nullptr;
};

// Nanoseconds since 1970, as each event of foldlog has them.
std::int64_t SqliteTimeNs();

}  // namespace foldlog::peers

#endif  // FOLDLOG_BENCH_PEERS_SQLITE_SUPPORT_H_
