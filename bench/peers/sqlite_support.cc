#include "bench/peers/sqlite_support.h"

#include <chrono>

#include "absl/strings/str_cat.h"

namespace foldlog::peers {

absl::Status SqliteStatement::Prepare(sqlite3* database, const char* sql) {
  Finalize();
  if (sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr) != SQLITE_OK) {
    return absl::InternalError(absl::StrCat("SQLite: ", sqlite3_errmsg(database), ": ", sql));
  }
  return absl::OkStatus();
}

void SqliteStatement::Finalize() {
  sqlite3_finalize(statement_);
  statement_ = nullptr;
}

absl::Status SqliteStatement::Error() const {
  return absl::InternalError(absl::StrCat("SQLite: ", sqlite3_errmsg(sqlite3_db_handle(statement_))));
}

absl::Status SqliteStatement::Run() {
  const int result = sqlite3_step(statement_);
  absl::Status status = result == SQLITE_DONE ? absl::OkStatus() : Error();
  Reset();
  return status;
}

absl::StatusOr<bool> SqliteStatement::Step() {
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  absl::Status status = Error();
  Reset();
  return status;
}

absl::Status SqliteDatabase::Open(const std::string& path) {
  constexpr int kWaitMs = 10'000;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(path.c_str(), &database_, flags, nullptr) != SQLITE_OK) {
    return absl::InternalError(absl::StrCat("SQLite: ", sqlite3_errmsg(database_)));
  }
  sqlite3_busy_timeout(database_, kWaitMs);
  return absl::OkStatus();
}

absl::Status SqliteDatabase::Execute(const std::string& sql) {
  if (sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return absl::InternalError(absl::StrCat("SQLite: ", sqlite3_errmsg(database_), ": ", sql));
  }
  return absl::OkStatus();
}

absl::Status SqliteDatabase::Close() {
  const int result = sqlite3_close(database_);
  if (result != SQLITE_OK) return absl::InternalError(absl::StrCat("SQLite: close gives ", result));
  database_ = nullptr;
  return absl::OkStatus();
}

std::int64_t SqliteTimeNs() { return std::chrono::system_clock::now().time_since_epoch().count(); }

}  // namespace foldlog::peers
