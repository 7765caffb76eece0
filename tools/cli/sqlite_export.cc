#include "tools/cli/sqlite_export.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/json/writer.h"
#include "replay/report/fields.h"
#include "replay/report/text.h"

namespace foldlog::cli {
namespace {

constexpr const char* kTables[] = {
    "CREATE TABLE runs (first_sequence INTEGER PRIMARY KEY, last_sequence INTEGER NOT NULL, operation_id TEXT NOT NULL,"
    " operation_type TEXT NOT NULL, status TEXT NOT NULL, reset INTEGER, total_files INTEGER, files_processed INTEGER "
    "NOT NULL,"
    " current_path TEXT, last_processed_file TEXT, batch_num INTEGER, error_count INTEGER NOT NULL, rate REAL, "
    "active_s REAL,"
    " started_at TEXT NOT NULL, updated_at TEXT NOT NULL, completed_at TEXT, clock_steps INTEGER NOT NULL, epoch "
    "INTEGER NOT NULL,"
    " checkpoints INTEGER NOT NULL, interruptions INTEGER NOT NULL, pause_reason TEXT, failure TEXT, roots TEXT, "
    "metadata TEXT,"
    " stats TEXT, owner TEXT)",
    "CREATE TABLE events (sequence INTEGER PRIMARY KEY, time TEXT NOT NULL, epoch INTEGER NOT NULL, kind TEXT NOT NULL,"
    " run INTEGER REFERENCES runs, operation_id TEXT, hash TEXT NOT NULL, boot INTEGER, booted_at TEXT, data TEXT)",
    "CREATE TABLE checkpoints (sequence INTEGER PRIMARY KEY REFERENCES events, time TEXT NOT NULL, run INTEGER "
    "REFERENCES runs,"
    " files_processed INTEGER NOT NULL, current_path TEXT, last_processed_file TEXT, batch_num INTEGER)",
    "CREATE TABLE errors (sequence INTEGER NOT NULL REFERENCES events, time TEXT NOT NULL, run INTEGER REFERENCES runs,"
    " of_file INTEGER NOT NULL, path TEXT, error TEXT NOT NULL, details TEXT)",
};
constexpr const char* kIndexes[] = {
    "CREATE INDEX runs_by_id ON runs (operation_id)",       "CREATE INDEX runs_by_start ON runs (started_at)",
    "CREATE INDEX events_by_run ON events (run)",           "CREATE INDEX events_by_time ON events (time)",
    "CREATE INDEX events_by_kind ON events (kind)",         "CREATE INDEX checkpoints_by_run ON checkpoints (run)",
    "CREATE INDEX errors_by_sequence ON errors (sequence)", "CREATE INDEX errors_by_run ON errors (run)",
    "CREATE INDEX errors_by_path ON errors (path)",
};

// SQLite's own functions, and Python, take text for UTF-8, and its end for the first zero.
bool IsPlainText(std::string_view bytes) {
  while (!bytes.empty()) {
    const Utf8Character character = FirstCharacter(bytes);
    if (!character.valid || character.code_point == 0) return false;
    bytes.remove_prefix(character.size);
  }
  return true;
}

struct Bind {
  SqliteQuery& query;
  int parameter;
  void operator()(std::monostate) const { query.BindNull(parameter); }
  void operator()(bool value) const { query.BindInteger(parameter, value ? 1 : 0); }
  void operator()(std::int64_t value) const { query.BindInteger(parameter, value); }
  void operator()(std::uint64_t value) const { query.BindInteger(parameter, static_cast<std::int64_t>(value)); }
  void operator()(double value) const { query.BindReal(parameter, value); }
  void operator()(const std::string& bytes) const {
    IsPlainText(bytes) ? query.BindText(parameter, bytes) : query.BindBlob(parameter, bytes);
  }
};

FlatValue RunOf(const QueriedEvent& event) { return event.operation == 0 ? FlatValue() : FlatValue(event.operation); }

}  // namespace

SqliteExport::SqliteExport(std::unique_ptr<SqliteDatabase> database)
    : database_(std::move(database)),
      transaction_(std::make_unique<SqliteTransaction>(*database_)),
      runs_{"runs",
            {"first_sequence", "last_sequence",   "operation_id",  "operation_type",      "status",       "reset",
             "total_files",    "files_processed", "current_path",  "last_processed_file", "batch_num",    "error_count",
             "rate",           "active_s",        "started_at",    "updated_at",          "completed_at", "clock_steps",
             "epoch",          "checkpoints",     "interruptions", "pause_reason",        "failure",      "roots",
             "metadata",       "stats",           "owner"}},
      events_{"events",
              {"sequence", "time", "epoch", "kind", "run", "operation_id", "hash", "boot", "booted_at", "data"}},
      checkpoints_{"checkpoints",
                   {"sequence", "time", "run", "files_processed", "current_path", "last_processed_file", "batch_num"}},
      errors_{"errors", {"sequence", "time", "run", "of_file", "path", "error", "details"}} {}

SqliteExport::~SqliteExport() {
  for (Table* table : {&runs_, &events_, &checkpoints_, &errors_}) table->insert.reset();
  transaction_.reset();
}

absl::StatusOr<std::unique_ptr<SqliteExport>> SqliteExport::Into(const std::string& path, const std::string& name) {
  ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database, SqliteDatabase::Open(path, "file"));
  database->set_name(SqliteFileName("file", name));
  auto made = std::unique_ptr<SqliteExport>(new SqliteExport(std::move(database)));
  RETURN_IF_ERROR(made->Prepare());
  return made;
}

// The file is thrown away if anything fails, so it needs no journal.
absl::Status SqliteExport::Prepare() {
  RETURN_IF_ERROR(database_->Execute("PRAGMA journal_mode = OFF"));
  RETURN_IF_ERROR(database_->Execute("PRAGMA synchronous = OFF"));
  RETURN_IF_ERROR(transaction_->Begin());
  for (const char* const table : kTables) RETURN_IF_ERROR(database_->Execute(table));
  for (Table* table : {&runs_, &events_, &checkpoints_, &errors_}) {
    std::string names;
    std::string marks;
    for (const std::string& column : table->columns) {
      absl::StrAppend(&names, names.empty() ? "" : ", ", column);
      absl::StrAppend(&marks, marks.empty() ? "?" : ", ?");
    }
    ASSIGN_OR_RETURN(table->insert, database_->Prepare(absl::StrCat("INSERT INTO ", table->name, " (", names,
                                                                    ") VALUES (", marks, ")")));
  }
  return absl::OkStatus();
}

absl::Status SqliteExport::Insert(Table& table, const std::vector<FlatValue>& values) {
  SqliteQuery query(*table.insert);
  int parameter = 0;
  for (const FlatValue& value : values) std::visit(Bind{query, ++parameter}, value);
  ++table.rows;
  return query.Finish();
}

absl::Status SqliteExport::Add(const QueriedEvent& event) {
  const RecordedEvent& recorded = event.event;
  const auto* checkpoint = std::get_if<Checkpoint>(&recorded.event.body);
  FlatRow row(events_.columns);
  row.BeginObject();
  PutEventHead(row, recorded, event.operation_id);
  if (event.operation != 0) Put(row, "run", event.operation);
  Put(row, "hash", report::HashText(recorded.hash));
  PutClocks(row, recorded.event, 0);
  if (checkpoint == nullptr) {
    row.Key("data");
    row.BeginObject();
    PutBody(row, recorded.event);
    row.EndObject();
  }
  row.EndObject();
  RETURN_IF_ERROR(Insert(events_, row.Take()));
  if (checkpoint != nullptr) {
    FlatRow progress(checkpoints_.columns);
    progress.BeginObject();
    PutEventHead(progress, recorded, event.operation_id);
    if (event.operation != 0) Put(progress, "run", event.operation);
    PutBody(progress, recorded.event);
    progress.EndObject();
    RETURN_IF_ERROR(Insert(checkpoints_, progress.Take()));
  }
  return AddErrors(event);
}

absl::Status SqliteExport::AddErrors(const QueriedEvent& event) {
  const Event& of = event.event.event;
  if (const auto* checkpoint = std::get_if<Checkpoint>(&of.body)) {
    return checkpoint->error ? InsertError(event, of.time, *checkpoint->error, true) : absl::OkStatus();
  }
  if (const auto* failed = std::get_if<Failed>(&of.body)) {
    return InsertError(event, of.time, {.message = failed->error}, false);
  }
  const auto* imported = std::get_if<Imported>(&of.body);
  if (imported == nullptr) return absl::OkStatus();
  for (const ImportedError& error : imported->errors) {
    RETURN_IF_ERROR(InsertError(event, error.time, error.error, true));
  }
  if (imported->status != OperationStatus::kFailed) return absl::OkStatus();
  return InsertError(event, imported->ended_at, {.message = imported->failure}, false);
}

absl::Status SqliteExport::InsertError(const QueriedEvent& event, TimeNs time, const FileError& error, bool of_file) {
  return Insert(errors_, {event.event.sequence, report::Rfc3339(time), RunOf(event), of_file,
                          of_file ? FlatValue(error.path) : FlatValue(), error.message,
                          error.details.empty() ? FlatValue() : FlatValue(error.details)});
}

absl::Status SqliteExport::Add(const HistoryEntry& run) {
  FlatRow row(runs_.columns);
  row.BeginObject();
  PutIdentity(row, run.operation);
  PutProgress(row, run.operation);
  PutPace(row, run.operation);
  PutTimes(row, run.operation);
  PutRecord(row, run.operation);
  Put(row, "reset", run.reset_by);
  PutOrigin(row, run.operation);
  PutOutcome(row, run.operation);
  row.EndObject();
  return Insert(runs_, row.Take());
}

absl::Status SqliteExport::CheckRows(const Table& table) {
  ASSIGN_OR_RETURN(const auto count, database_->Prepare(absl::StrCat("SELECT count(*) FROM ", table.name)));
  SqliteQuery query(*count);
  ASSIGN_OR_RETURN(const bool found, query.Step());
  if (found && query.Integer(0) == table.rows) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(database_->name(), " does not hold the rows written to its table ", table.name));
}

absl::Status SqliteExport::Finish() {
  for (const char* const index : kIndexes) RETURN_IF_ERROR(database_->Execute(index));
  RETURN_IF_ERROR(transaction_->Commit());
  for (const Table* table : {&runs_, &events_, &checkpoints_, &errors_}) RETURN_IF_ERROR(CheckRows(*table));
  ASSIGN_OR_RETURN(const auto check, database_->Prepare("PRAGMA integrity_check"));
  SqliteQuery query(*check);
  ASSIGN_OR_RETURN(const bool found, query.Step());
  if (found && query.Bytes(0) == "ok") return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(database_->name(), " was written, and does not read back whole"));
}

}  // namespace foldlog::cli
