// See sqlite.h.

#include "engine/projection/sqlite.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/base/text.h"

namespace foldlog {
namespace {

// Long enough for another program's commit or a backup's checkpoint, short enough for a person to wait.
constexpr std::chrono::milliseconds kPatience(5000);

// How many instructions SQLite's virtual machine runs between two looks at the clock.
constexpr int kInstructionsBetweenLooks = 20000;

// SQLite only says that it cannot open the file; the errno of the file system says why.
absl::StatusCode CodeOfOpening(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::StatusCode::kNotFound;
    case EMFILE:
    case ENFILE:
    case ENOSPC:
    case EDQUOT:
      return absl::StatusCode::kResourceExhausted;
    default:
      return absl::StatusCode::kPermissionDenied;
  }
}

// SQLite's result codes by what the caller can do about them: wait, make room, take another file, or restore one.
absl::StatusCode CodeOf(int code, int error) {
  switch (code & 0xff) {  // the low byte; the rest says more, but not what to do
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_INTERRUPT:
      return absl::StatusCode::kUnavailable;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_CORRUPT:
      return absl::StatusCode::kDataLoss;
    case SQLITE_NOTADB:
      return absl::StatusCode::kInvalidArgument;
    case SQLITE_CONSTRAINT:
      return absl::StatusCode::kFailedPrecondition;
    case SQLITE_CANTOPEN:
      return CodeOfOpening(error);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return absl::StatusCode::kPermissionDenied;
    default:
      return absl::StatusCode::kInternal;
  }
}

// SQLite's progress handler: a result other than 0 interrupts the statement.
int IsOverdue(void* deadline) {
  return std::chrono::steady_clock::now() > *static_cast<std::chrono::steady_clock::time_point*>(deadline) ? 1 : 0;
}

}  // namespace

std::string SqliteFileName(std::string_view what, const std::string& path) {
  return absl::StrCat(ToAbsl(what), " \"", absl::Utf8SafeCEscape(absl::string_view(path.data(), path.size())), "\"");
}

absl::StatusOr<std::string> SqlitePath(const std::string& path, std::string_view name) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (path.empty() || error) return absl::NotFoundError(absl::StrCat(ToAbsl(name), " is no path"));
  struct stat facts {};
  if (stat(absolute.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(ToAbsl(name), " is ",
                                                      S_ISDIR(facts.st_mode) ? "a directory" : "no regular file",
                                                      "; give the path of an SQLite file"));
  }
  return absolute.string();
}

// Everything but letters, digits and slashes is escaped: `?` and `%` have a meaning in a URI.
std::string SqliteUri(std::string_view absolute_path) {
  std::string uri = "file:";
  for (const char c : absolute_path) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '/') {
      uri += c;
    } else {
      absl::StrAppend(&uri, "%", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
    }
  }
  return uri;
}

// For I/O errors SQLite keeps the errno, which says more than its own message.
absl::Status SqliteStatus(int code, sqlite3* handle, std::string_view name) {
  const int primary = code & 0xff;
  const int error = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN ? sqlite3_system_errno(handle) : 0;
  const std::string why = error == 0 ? "" : absl::StrCat(" (", std::generic_category().message(error), ")");
  return absl::Status(CodeOf(code, error), absl::StrCat(ToAbsl(name), ": ", sqlite3_errmsg(handle), why));
}

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const std::string& path, std::string_view what,
                                                                     Access access) {
  const std::string name = SqliteFileName(what, path);
  ASSIGN_OR_RETURN(const std::string absolute, SqlitePath(path, name));
  sqlite3* handle = nullptr;
  int code = SQLITE_OK;
  if (access == Access::kCreate) {
    constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    code = sqlite3_open_v2(absolute.c_str(), &handle, kFlags, nullptr);
  } else {
    constexpr int kFlags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
    code = sqlite3_open_v2((SqliteUri(absolute) + "?immutable=1").c_str(), &handle, kFlags, nullptr);
  }
  if (handle == nullptr) return absl::ResourceExhaustedError("no memory for SQLite");
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(name, absolute, handle));
  if (code != SQLITE_OK) return database->Error(code);
  sqlite3_extended_result_codes(handle, 1);
  // The schema of a foreign file is not trusted: its views and triggers may call no function with side effects.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  database->WaitForLocks(kPatience);
  struct stat facts {};
  if (stat(absolute.c_str(), &facts) == 0) {
    database->device_ = facts.st_dev;
    database->inode_ = facts.st_ino;
  }
  return database;
}

// close_v2: with a statement still alive, it closes when that is finalized, where close() would fail and leak.
SqliteDatabase::~SqliteDatabase() { sqlite3_close_v2(handle_); }

absl::StatusOr<std::unique_ptr<SqliteStatement>> SqliteDatabase::Prepare(const std::string& sql) {
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v2(handle_, sql.c_str(), static_cast<int>(sql.size()) + 1, &handle, nullptr);
  if (code != SQLITE_OK) return Error(code);
  return std::unique_ptr<SqliteStatement>(new SqliteStatement(*this, handle));
}

absl::Status SqliteDatabase::Execute(const std::string& sql) {
  ASSIGN_OR_RETURN(const std::unique_ptr<SqliteStatement> statement, Prepare(sql));
  return SqliteQuery(*statement).Finish();
}

std::int64_t SqliteDatabase::RowsChanged() const { return sqlite3_changes64(handle_); }

// SQLite compares only the inode number at the path that it resolved when it opened the file. This also compares the
// device, and follows a symbolic link to where it leads now.
bool SqliteDatabase::HasMoved() const {
  int moved = 0;
  if (sqlite3_file_control(handle_, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0) return true;
  struct stat facts {};
  return stat(path_.c_str(), &facts) != 0 || facts.st_dev != device_ || facts.st_ino != inode_;
}

void SqliteDatabase::WaitForLocks(std::chrono::milliseconds patience) {
  sqlite3_busy_timeout(handle_, static_cast<int>(patience.count()));
}

void SqliteDatabase::SetDeadline(std::chrono::steady_clock::time_point deadline) {
  deadline_ = deadline;
  sqlite3_progress_handler(handle_, kInstructionsBetweenLooks, IsOverdue, &deadline_);
}

bool SqliteDatabase::IsReadOnly() const { return sqlite3_db_readonly(handle_, "main") == 1; }

absl::Status SqliteDatabase::Error(int code) const { return SqliteStatus(code, handle_, name_); }

SqliteTransaction::~SqliteTransaction() {
  // If this fails, SQLite has rolled back already. The caller reports the error that led here.
  if (open_) database_.Execute("ROLLBACK").IgnoreError();
}

// IMMEDIATE takes the write lock now: a transaction that reads first could fail when it comes to write.
absl::Status SqliteTransaction::Begin() {
  RETURN_IF_ERROR(database_.Execute("BEGIN IMMEDIATE"));
  open_ = true;
  return absl::OkStatus();
}

absl::Status SqliteTransaction::Commit() {
  RETURN_IF_ERROR(database_.Execute("COMMIT"));
  open_ = false;
  return absl::OkStatus();
}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(handle_); }

SqliteQuery::~SqliteQuery() {
  sqlite3_reset(statement_.handle_);
  sqlite3_clear_bindings(statement_.handle_);
}

// No destructor for the bytes: the caller owns them. The pointer is never null, which would bind NULL instead of an
// empty value.
void SqliteQuery::BindBlob(int parameter, std::string_view bytes) {
  const char* data = bytes.empty() ? "" : bytes.data();
  Note(sqlite3_bind_blob64(statement_.handle_, parameter, data, bytes.size(), nullptr));
}

void SqliteQuery::BindText(int parameter, std::string_view text) {
  const char* data = text.empty() ? "" : text.data();
  Note(sqlite3_bind_text64(statement_.handle_, parameter, data, text.size(), nullptr, SQLITE_UTF8));
}

void SqliteQuery::BindInteger(int parameter, std::int64_t value) {
  Note(sqlite3_bind_int64(statement_.handle_, parameter, value));
}

void SqliteQuery::BindReal(int parameter, double value) {
  Note(sqlite3_bind_double(statement_.handle_, parameter, value));
}

void SqliteQuery::BindNull(int parameter) { Note(sqlite3_bind_null(statement_.handle_, parameter)); }

// Binding errors are kept for Step(), so that callers need not check every call.
void SqliteQuery::Note(int code) {
  if (bind_error_ == SQLITE_OK) bind_error_ = code;
}

absl::StatusOr<bool> SqliteQuery::Step() {
  if (bind_error_ != SQLITE_OK) return statement_.database_.Error(bind_error_);
  const int code = sqlite3_step(statement_.handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return statement_.database_.Error(code);
}

absl::Status SqliteQuery::Finish() {
  while (true) {
    ASSIGN_OR_RETURN(const bool row, Step());
    if (!row) return absl::OkStatus();
  }
}

SqliteQuery::Type SqliteQuery::TypeOf(int column) const {
  switch (sqlite3_column_type(statement_.handle_, column)) {
    case SQLITE_INTEGER:
      return Type::kInteger;
    case SQLITE_FLOAT:
      return Type::kFloat;
    case SQLITE_TEXT:
      return Type::kText;
    case SQLITE_BLOB:
      return Type::kBlob;
    default:
      return Type::kNull;
  }
}

std::string SqliteQuery::Bytes(int column) const {
  // column_text() converts to UTF-8, whatever the file's encoding is.
  const void* data = sqlite3_column_type(statement_.handle_, column) == SQLITE_TEXT
                         ? static_cast<const void*>(sqlite3_column_text(statement_.handle_, column))
                         : sqlite3_column_blob(statement_.handle_, column);
  const int size = sqlite3_column_bytes(statement_.handle_, column);
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

std::int64_t SqliteQuery::Integer(int column) const { return sqlite3_column_int64(statement_.handle_, column); }

}  // namespace foldlog
