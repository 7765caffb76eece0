// SQLite with the whole state in one row, which each checkpoint replaces: what the program did that foldlog stands in
// for. The errors of the run are a text in the same row. Every checkpoint changes the row's text: SQLite leaves out a
// write that changes nothing.

#include <mutex>

#include "absl/strings/str_cat.h"
#include "bench/peers/sqlite_support.h"
#include "bench/peers/systems.h"
#include "engine/base/status_macros.h"

namespace foldlog::peers {
namespace {

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY CHECK (id = 1), operation INTEGER, checkpoints INTEGER,"
    " files INTEGER, batch INTEGER, path TEXT, name TEXT, updated_at INTEGER, error_count INTEGER, errors TEXT)";
constexpr const char* kUpdate =
    "UPDATE state SET checkpoints = checkpoints + ?1, files = ?2, batch = ?3, path = ?4, name = ?5, updated_at = ?6"
    " WHERE id = 1";
constexpr const char* kUpdateWithErrors =
    "UPDATE state SET checkpoints = checkpoints + ?1, files = ?2, batch = ?3, path = ?4, name = ?5, updated_at = ?6,"
    " error_count = error_count + ?7, errors = errors || ?8 WHERE id = 1";
constexpr const char* kRead = "SELECT checkpoints, error_count, files, batch, path, name FROM state";

class SqliteRow : public System {
 public:
  explicit SqliteRow(SqliteJournal journal) : journal_(journal) {}

  Description Describe(Level level) const override {
    Description description{.version = sqlite3_libversion(), .shared = true};
    description.settings = absl::StrCat(Pragmas(level), "one connection, prepared statements");
    if (journal_ == SqliteJournal::kRollback) {
      description.levels = {Level::kDurable};
      description.promise = "durable on return";
    } else if (level == Level::kDurable) {
      description.promise = "durable on return";
    } else {
      description.promise = "kill-safe on return; power loss takes what came since the last WAL checkpoint";
    }
    return description;
  }

  absl::Status Open(const Place& place) override {
    RETURN_IF_ERROR(database_.Open(place.directory + "/state.db"));
    RETURN_IF_ERROR(database_.Execute(Pragmas(place.level)));
    RETURN_IF_ERROR(database_.Execute(kSchema));
    RETURN_IF_ERROR(update_.Prepare(database_.get(), kUpdate));
    RETURN_IF_ERROR(update_with_errors_.Prepare(database_.get(), kUpdateWithErrors));
    return read_.Prepare(database_.get(), kRead);
  }

  absl::Status OpenToRead(const Place& place) override {
    RETURN_IF_ERROR(database_.Open(place.directory + "/state.db"));
    return read_.Prepare(database_.get(), kRead);
  }

  absl::Status Begin() override {
    ++operation_;
    return database_.Execute(
        absl::StrCat("INSERT OR REPLACE INTO state VALUES (1, ", operation_, ", 0, 0, 0, '', '', 0, 0, '')"));
  }

  absl::Status Record(int, const Checkpoint& checkpoint) override {
    const std::lock_guard lock(mutex_);
    return Write(checkpoint, 1, 0, {});
  }

  // The row shows the last of them, so it is written once.
  absl::Status RecordAll(std::span<const Checkpoint> checkpoints) override {
    std::string errors;
    std::int64_t count = 0;
    for (const Checkpoint& checkpoint : checkpoints) {
      if (!checkpoint.error) continue;
      absl::StrAppend(&errors, checkpoint.error->path, "\t", checkpoint.error->message, "\n");
      ++count;
    }
    const std::lock_guard lock(mutex_);
    return Write(checkpoints.back(), static_cast<std::int64_t>(checkpoints.size()), count, errors);
  }

  absl::Status MakeDurable() override {
    return journal_ == SqliteJournal::kWal ? database_.Execute("PRAGMA wal_checkpoint(FULL)") : absl::OkStatus();
  }

  absl::StatusOr<Current> ReadCurrent() override {
    ASSIGN_OR_RETURN(const bool found, read_.Step());
    Current current;
    if (found) {
      current = {.checkpoints = read_.Integer(0),
                 .errors = read_.Integer(1),
                 .files = read_.Integer(2),
                 .batch = read_.Integer(3),
                 .path = std::string(read_.Text(4)),
                 .name = std::string(read_.Text(5))};
    }
    read_.Reset();
    if (!found) return absl::NotFoundError("no row");
    return current;
  }

  absl::Status Close() override {
    update_.Finalize();
    update_with_errors_.Finalize();
    read_.Finalize();
    return database_.Close();
  }

 private:
  std::string Pragmas(Level level) const {
    if (journal_ == SqliteJournal::kRollback) return "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; ";
    return absl::StrCat(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = ", level == Level::kDurable ? "FULL" : "NORMAL", "; ");
  }

  absl::Status Write(const Checkpoint& checkpoint, std::int64_t checkpoints, std::int64_t error_count,
                     std::string_view errors) {
    const RecordView record = ViewOf(checkpoint);
    SqliteStatement& update = error_count > 0 ? update_with_errors_ : update_;
    update.Bind(1, checkpoints);
    update.Bind(2, record.files);
    update.Bind(3, record.batch);
    update.Bind(4, record.path);
    update.Bind(5, record.name);
    update.Bind(6, SqliteTimeNs());
    if (error_count > 0) {
      update.Bind(7, error_count);
      update.Bind(8, errors);
    }
    return update.Run();
  }

  const SqliteJournal journal_;
  std::mutex mutex_;
  SqliteDatabase database_;
  SqliteStatement update_;
  SqliteStatement update_with_errors_;
  SqliteStatement read_;
  std::int64_t operation_ = 0;
};

}  // namespace

std::unique_ptr<System> NewSqliteRow(SqliteJournal journal) { return std::make_unique<SqliteRow>(journal); }

}  // namespace foldlog::peers
