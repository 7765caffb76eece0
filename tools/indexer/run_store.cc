// See run_store.h.

#include "tools/indexer/run_store.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/status_macros.h"

namespace foldlog::indexer {
namespace {

constexpr int kFirstCounterParameter = 7;  // behind the six parameters that PutRow binds by number
constexpr int kFirstCounterColumn = 5;     // behind the five columns that Load reads by number

std::string CounterColumns(const char* prefix, const char* suffix) {
  std::string columns;
  for (const NamedCounter& counter : kRunCounters) absl::StrAppend(&columns, prefix, counter.name, suffix);
  return columns;
}

absl::Status CreateTables(SqliteDatabase& database) {
  RETURN_IF_ERROR(database.Execute(
      absl::StrCat("CREATE TABLE IF NOT EXISTS foldlog_run(operation_id TEXT NOT NULL, batch_num INTEGER NOT NULL, "
                   "phase INTEGER NOT NULL, last_file BLOB NOT NULL, swept_to BLOB NOT NULL, "
                   "elapsed_ns INTEGER NOT NULL, ",
                   CounterColumns("", " INTEGER NOT NULL, "), "PRIMARY KEY(operation_id, batch_num)) WITHOUT ROWID")));
  return database.Execute(
      "CREATE TABLE IF NOT EXISTS foldlog_run_error(operation_id TEXT NOT NULL, batch_num INTEGER NOT NULL, "
      "number INTEGER NOT NULL, path BLOB NOT NULL, message BLOB NOT NULL, "
      "PRIMARY KEY(operation_id, batch_num, number)) WITHOUT ROWID");
}

}  // namespace

absl::StatusOr<std::unique_ptr<RunStore>> RunStore::Open(SqliteDatabase& database) {
  RETURN_IF_ERROR(CreateTables(database));
  std::unique_ptr<RunStore> store(new RunStore(database));
  std::string parameters;
  for (std::size_t i = 0; i < kRunCounters.size(); ++i) absl::StrAppend(&parameters, ", ?", kFirstCounterParameter + i);
  ASSIGN_OR_RETURN(store->put_, database.Prepare(absl::StrCat(
                                    "INSERT OR REPLACE INTO foldlog_run(operation_id, batch_num, phase, last_file, "
                                    "swept_to, elapsed_ns",
                                    CounterColumns(", ", ""), ") VALUES(?1, ?2, ?3, ?4, ?5, ?6", parameters, ")")));
  ASSIGN_OR_RETURN(store->put_error_,
                   database.Prepare("INSERT OR REPLACE INTO foldlog_run_error(operation_id, batch_num, number, path, "
                                    "message) VALUES(?1, ?2, ?3, ?4, ?5)"));
  ASSIGN_OR_RETURN(store->forget_,
                   database.Prepare("DELETE FROM foldlog_run WHERE operation_id = ?1 AND batch_num < ?2"));
  ASSIGN_OR_RETURN(store->forget_errors_,
                   database.Prepare("DELETE FROM foldlog_run_error WHERE operation_id = ?1 AND batch_num < ?2"));
  return store;
}

absl::Status RunStore::Put(const RunRow& row) {
  SqliteQuery query(*put_);
  query.BindText(1, row.operation_id);
  query.BindInteger(2, row.batch_num);
  query.BindInteger(3, static_cast<std::int64_t>(row.phase));
  query.BindBlob(4, row.last_file);
  query.BindBlob(5, row.swept_to);
  query.BindInteger(6, row.elapsed_ns);
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
  for (SqliteStatement* statement : {forget_.get(), forget_errors_.get()}) {
    SqliteQuery query(*statement);
    query.BindText(1, operation_id);
    query.BindInteger(2, batch_num);
    RETURN_IF_ERROR(query.Finish());
  }
  return absl::OkStatus();
}

absl::Status RunStore::Forget(const std::string& operation_id) {
  return ForgetBefore(operation_id, std::numeric_limits<std::int64_t>::max());
}

absl::StatusOr<std::vector<RunRow>> RunStore::Load(const std::string& operation_id, std::int64_t from_batch) {
  ASSIGN_OR_RETURN(const std::unique_ptr<SqliteStatement> statement,
                   database_.Prepare(absl::StrCat("SELECT batch_num, phase, last_file, swept_to, elapsed_ns",
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
               .elapsed_ns = query.Integer(4),
               .counters = {},
               .errors = {}};
    int column = kFirstCounterColumn;
    for (const NamedCounter& counter : kRunCounters) row.counters.*counter.value = query.Integer(column++);
    RETURN_IF_ERROR(LoadErrors(row));
    rows.push_back(std::move(row));
  }
  return rows;
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
