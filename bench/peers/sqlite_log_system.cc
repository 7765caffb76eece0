// SQLite as a log: a table that is only appended to, and one with the first row of each operation, so that an old one
// is found without an index over all rows.

#include <mutex>

#include "absl/strings/str_cat.h"
#include "bench/peers/sqlite_support.h"
#include "bench/peers/systems.h"
#include "engine/base/status_macros.h"

namespace foldlog::peers {
namespace {

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS checkpoints (id INTEGER PRIMARY KEY, files INTEGER, batch INTEGER, path TEXT, name "
    "TEXT,"
    " time INTEGER, errors INTEGER, error_path TEXT, error TEXT);"
    "CREATE TABLE IF NOT EXISTS operations (number INTEGER PRIMARY KEY, first INTEGER)";
constexpr const char* kInsert = "INSERT INTO checkpoints VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
constexpr const char* kBegin = "INSERT INTO operations SELECT ?1, coalesce(max(id), 0) + 1 FROM checkpoints";
constexpr const char* kRead =
    "SELECT id - (SELECT first FROM operations ORDER BY number DESC LIMIT 1) + 1, errors, files, batch, path, name"
    " FROM checkpoints ORDER BY id DESC LIMIT 1";
constexpr const char* kReadOperation =
    "SELECT id - (SELECT first FROM operations WHERE number = ?1) + 1, errors, files, batch, path, name"
    " FROM checkpoints WHERE id < coalesce((SELECT first FROM operations WHERE number = ?1 + 1), 1 << 62)"
    " ORDER BY id DESC LIMIT 1";
constexpr const char* kScan = "SELECT files, batch, path, name, error IS NOT NULL FROM checkpoints ORDER BY id";

class SqliteLog : public System {
 public:
  Description Describe(Level level) const override {
    return {.version = sqlite3_libversion(),
            .settings = absl::StrCat(Pragmas(level), "one connection, prepared statements, append-only table"),
            .promise = level == Level::kDurable
                           ? "durable on return"
                           : "kill-safe on return; power loss takes what came since the last WAL checkpoint",
            .keeps_history = true,
            .shared = true};
  }

  absl::Status Open(const Place& place) override {
    RETURN_IF_ERROR(database_.Open(place.directory + "/log.db"));
    RETURN_IF_ERROR(database_.Execute(Pragmas(place.level)));
    RETURN_IF_ERROR(database_.Execute(kSchema));
    RETURN_IF_ERROR(insert_.Prepare(database_.get(), kInsert));
    RETURN_IF_ERROR(begin_.Prepare(database_.get(), kBegin));
    RETURN_IF_ERROR(read_.Prepare(database_.get(), kRead));
    const auto current = ReadCurrent();
    if (!current.ok()) return absl::IsNotFound(current.status()) ? absl::OkStatus() : current.status();
    errors_ = current->errors;
    return absl::OkStatus();
  }

  absl::Status OpenToRead(const Place& place) override {
    RETURN_IF_ERROR(database_.Open(place.directory + "/log.db"));
    return read_.Prepare(database_.get(), kRead);
  }

  absl::Status Begin() override {
    errors_ = 0;
    begin_.Bind(1, ++operation_);
    return begin_.Run();
  }

  absl::Status Record(int, const Checkpoint& checkpoint) override {
    const std::lock_guard lock(mutex_);
    return Insert(checkpoint);
  }

  absl::Status RecordAll(std::span<const Checkpoint> checkpoints) override {
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(database_.Execute("BEGIN IMMEDIATE"));
    for (const Checkpoint& checkpoint : checkpoints) RETURN_IF_ERROR(Insert(checkpoint));
    return database_.Execute("COMMIT");
  }

  absl::Status MakeDurable() override { return database_.Execute("PRAGMA wal_checkpoint(FULL)"); }

  absl::StatusOr<Current> ReadCurrent() override { return ReadOne(read_); }

  absl::StatusOr<Current> ReadOperation(std::int64_t number) override {
    SqliteStatement statement;
    RETURN_IF_ERROR(statement.Prepare(database_.get(), kReadOperation));
    statement.Bind(1, number);
    return ReadOne(statement);
  }

  absl::Status Scan(const Visit& visit) override {
    SqliteStatement scan;
    RETURN_IF_ERROR(scan.Prepare(database_.get(), kScan));
    auto row = scan.Step();
    for (; row.ok() && *row; row = scan.Step()) {
      visit({.files = scan.Integer(0),
             .batch = scan.Integer(1),
             .path = scan.Text(2),
             .name = scan.Text(3),
             .has_error = scan.Integer(4) != 0});
    }
    return row.status();
  }

  absl::Status Close() override {
    insert_.Finalize();
    begin_.Finalize();
    read_.Finalize();
    return database_.Close();
  }

 private:
  static std::string Pragmas(Level level) {
    return absl::StrCat(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = ", level == Level::kDurable ? "FULL" : "NORMAL", "; ");
  }

  absl::StatusOr<Current> ReadOne(SqliteStatement& read) {
    ASSIGN_OR_RETURN(const bool found, read.Step());
    Current current;
    if (found) {
      current = {.checkpoints = read.Integer(0),
                 .errors = read.Integer(1),
                 .files = read.Integer(2),
                 .batch = read.Integer(3),
                 .path = std::string(read.Text(4)),
                 .name = std::string(read.Text(5))};
    }
    read.Reset();
    if (!found) return absl::NotFoundError("no checkpoints");
    return current;
  }

  absl::Status Insert(const Checkpoint& checkpoint) {
    const RecordView record = ViewOf(checkpoint);
    errors_ += record.has_error ? 1 : 0;
    insert_.Bind(1, record.files);
    insert_.Bind(2, record.batch);
    insert_.Bind(3, record.path);
    insert_.Bind(4, record.name);
    insert_.Bind(5, SqliteTimeNs());
    insert_.Bind(6, errors_);
    if (record.has_error) {
      insert_.Bind(7, checkpoint.error->path);
      insert_.Bind(8, checkpoint.error->message);
    } else {
      insert_.BindNull(7);
      insert_.BindNull(8);
    }
    return insert_.Run();
  }

  std::mutex mutex_;
  SqliteDatabase database_;
  SqliteStatement insert_;
  SqliteStatement begin_;
  SqliteStatement read_;
  std::int64_t operation_ = 0;
  std::int64_t errors_ = 0;
};

}  // namespace

std::unique_ptr<System> NewSqliteLog() { return std::make_unique<SqliteLog>(); }

}  // namespace foldlog::peers
