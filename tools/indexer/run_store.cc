// See run_store.h.

#include "tools/indexer/run_store.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace foldlog::indexer {
namespace {

constexpr int kFirstCounterParameter = 8;  // behind the seven parameters that PutRow binds by number
constexpr int kFirstCounterColumn = 6;     // behind the six columns that Load reads by number

std::string CounterColumns(const char* prefix, const char* suffix) {
  std::string columns;
  for (const NamedCounter& counter : kRunCounters) absl::StrAppend(&columns, prefix, counter.name, suffix);
  return columns;
}

// Rows as another version of this program wrote them say nothing to this one: their operation starts over.
absl::Status DropOtherShape(SqliteDatabase& database) {
  ASSIGN_OR_RETURN(const auto statement,
                   database.Prepare("SELECT group_concat(name, '') FROM pragma_table_info('foldlog_run')"));
  std::string shape;
  {
    SqliteQuery query(*statement);
    RETURN_IF_ERROR(query.Step().status());
    shape = query.Bytes(0);
  }
  if (shape.empty() ||
      shape == "operation_idbatch_numphaselast_fileswept_tosweepselapsed_ns" + CounterColumns("", "")) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(database.Execute("DROP TABLE foldlog_run"));
  return database.Execute("DELETE FROM foldlog_run_error");
}

absl::Status CreateTables(SqliteDatabase& database) {
  RETURN_IF_ERROR(DropOtherShape(database));
  RETURN_IF_ERROR(database.Execute(
      absl::StrCat("CREATE TABLE IF NOT EXISTS foldlog_run(operation_id TEXT NOT NULL, batch_num INTEGER NOT NULL, "
                   "phase INTEGER NOT NULL, last_file BLOB NOT NULL, swept_to BLOB NOT NULL, "
                   "sweeps INTEGER NOT NULL, elapsed_ns INTEGER NOT NULL, ",
                   CounterColumns("", " INTEGER NOT NULL, "), "PRIMARY KEY(operation_id, batch_num)) WITHOUT ROWID")));
  RETURN_IF_ERROR(database.Execute(
      "CREATE TABLE IF NOT EXISTS foldlog_run_error(operation_id TEXT NOT NULL, batch_num INTEGER NOT NULL, "
      "number INTEGER NOT NULL, path BLOB NOT NULL, message BLOB NOT NULL, "
      "PRIMARY KEY(operation_id, batch_num, number)) WITHOUT ROWID"));
  return database.Execute("CREATE INDEX IF NOT EXISTS foldlog_run_error_path ON foldlog_run_error(operation_id, path)");
}

}  // namespace

absl::StatusOr<std::unique_ptr<RunStore>> RunStore::Open(SqliteDatabase& database) {
  RETURN_IF_ERROR(CreateTables(database));
  std::unique_ptr<RunStore> store(new RunStore(database));
  std::string parameters;
  for (std::size_t i = 0; i < kRunCounters.size(); ++i) absl::StrAppend(&parameters, ", ?", kFirstCounterParameter + i);
  ASSIGN_OR_RETURN(store->put_, database.Prepare(absl::StrCat(
                                    "INSERT OR REPLACE INTO foldlog_run(operation_id, batch_num, phase, last_file, "
                                    "swept_to, sweeps, elapsed_ns",
                                    CounterColumns(", ", ""), ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7", parameters, ")")));
  ASSIGN_OR_RETURN(store->put_error_,
                   database.Prepare("INSERT OR REPLACE INTO foldlog_run_error(operation_id, batch_num, number, path, "
                                    "message) VALUES(?1, ?2, ?3, ?4, ?5)"));
  ASSIGN_OR_RETURN(store->forget_,
                   database.Prepare("DELETE FROM foldlog_run WHERE operation_id = ?1 AND batch_num < ?2"));
  ASSIGN_OR_RETURN(
      store->has_error_,
      database.Prepare(
          "SELECT 1 FROM foldlog_run_error WHERE operation_id = ?1 AND path = ?2 AND message = ?3 LIMIT 1"));
  return store;
}

absl::Status RunStore::Put(const RunRow& row) {
  SqliteQuery query(*put_);
  query.BindText(1, row.operation_id);
  query.BindInteger(2, row.batch_num);
  query.BindInteger(3, static_cast<std::int64_t>(row.phase));
  query.BindBlob(4, row.last_file);
  query.BindBlob(5, row.swept_to);
  query.BindInteger(6, row.sweeps);
  query.BindInteger(7, row.elapsed_ns);
  int parameter = kFirstCounterParameter;
  for (const NamedCounter& counter : kRunCounters) query.BindInteger(parameter++, row.counters.*counter.value);
  RETURN_IF_ERROR(query.Finish());
  return PutErrors(row);
}

absl::Status RunStore::PutErrors(const RunRow& row) {
  std::int64_t number = 0;
  for (const FileError& error : row.errors) {
    SqliteQuery query(*put_error_);
    query.BindText(1, row.operation_id);
    query.BindInteger(2, row.batch_num);
    query.BindInteger(3, number++);
    query.BindBlob(4, error.path);
    query.BindBlob(5, error.message);
    RETURN_IF_ERROR(query.Finish());
  }
  return absl::OkStatus();
}

absl::Status RunStore::ForgetBefore(const std::string& operation_id, std::int64_t batch_num) {
  SqliteQuery query(*forget_);
  query.BindText(1, operation_id);
  query.BindInteger(2, batch_num);
  return query.Finish();
}

absl::Status RunStore::Forget(const std::string& operation_id) {
  RETURN_IF_ERROR(ForgetBefore(operation_id, std::numeric_limits<std::int64_t>::max()));
  ASSIGN_OR_RETURN(const auto statement, database_.Prepare("DELETE FROM foldlog_run_error WHERE operation_id = ?1"));
  SqliteQuery query(*statement);
  query.BindText(1, operation_id);
  return query.Finish();
}

absl::StatusOr<std::vector<RunRow>> RunStore::Load(const std::string& operation_id, std::int64_t from_batch) {
  ASSIGN_OR_RETURN(const std::unique_ptr<SqliteStatement> statement,
                   database_.Prepare(absl::StrCat("SELECT batch_num, phase, last_file, swept_to, sweeps, elapsed_ns",
                                                  CounterColumns(", ", ""),
                                                  " FROM foldlog_run WHERE operation_id = ?1 AND batch_num >= ?2 "
                                                  "ORDER BY batch_num")));
  std::vector<RunRow> rows;
  SqliteQuery query(*statement);
  query.BindText(1, operation_id);
  query.BindInteger(2, from_batch);
  while (true) {
    ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) break;
    RunRow row{.operation_id = operation_id,
               .batch_num = query.Integer(0),
               .phase = query.Integer(1) == 0 ? RunPhase::kWalk : RunPhase::kSweep,
               .last_file = query.Bytes(2),
               .swept_to = query.Bytes(3),
               .sweeps = query.Integer(4),
               .elapsed_ns = query.Integer(5),
               .counters = {},
               .errors = {}};
    int column = kFirstCounterColumn;
    for (const NamedCounter& counter : kRunCounters) row.counters.*counter.value = query.Integer(column++);
    RETURN_IF_ERROR(LoadErrors(row));
    rows.push_back(std::move(row));
  }
  return rows;
}

absl::StatusOr<std::vector<FileError>> RunStore::FirstErrors(const std::string& operation_id, std::size_t limit) {
  ASSIGN_OR_RETURN(const std::unique_ptr<SqliteStatement> statement,
                   database_.Prepare("SELECT path, message FROM foldlog_run_error WHERE operation_id = ?1 "
                                     "ORDER BY batch_num, number LIMIT ?2"));
  SqliteQuery query(*statement);
  query.BindText(1, operation_id);
  query.BindInteger(2, static_cast<std::int64_t>(limit));
  std::vector<FileError> errors;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return errors;
    errors.push_back({.path = query.Bytes(0), .message = query.Bytes(1)});
  }
}

absl::StatusOr<bool> RunStore::HasError(const std::string& operation_id, const FileError& error) {
  SqliteQuery query(*has_error_);
  query.BindText(1, operation_id);
  query.BindBlob(2, error.path);
  query.BindBlob(3, error.message);
  return query.Step();
}

absl::Status RunStore::LoadErrors(RunRow& row) {
  ASSIGN_OR_RETURN(const std::unique_ptr<SqliteStatement> statement,
                   database_.Prepare("SELECT path, message FROM foldlog_run_error WHERE operation_id = ?1 AND "
                                     "batch_num = ?2 ORDER BY number"));
  SqliteQuery query(*statement);
  query.BindText(1, row.operation_id);
  query.BindInteger(2, row.batch_num);
  while (true) {
    ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return absl::OkStatus();
    row.errors.push_back({.path = query.Bytes(0), .message = query.Bytes(1)});
  }
}

}  // namespace foldlog::indexer
