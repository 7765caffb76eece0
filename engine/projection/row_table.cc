#include "engine/projection/row_table.h"

#include <xxhash.h>

#include <charconv>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/base/text.h"
#include "engine/json/writer.h"

namespace foldlog {
namespace {

// Exactly as the older programs create it, so that either may come first.
constexpr const char* kCreateRowTable =
    "CREATE TABLE IF NOT EXISTS indexing_state ("
    "id INTEGER PRIMARY KEY CHECK (id = 1), "
    "operation_type TEXT NOT NULL, "
    "status TEXT NOT NULL, "
    "checkpoint_data TEXT, "
    "started_at INTEGER NOT NULL, "
    "updated_at INTEGER NOT NULL, "
    "completed_at INTEGER)";

// A table of the mirror's own: columns added to indexing_state could confuse the programs that read it.
constexpr const char* kCreateRecordTable =
    "CREATE TABLE IF NOT EXISTS foldlog_mirror ("
    "id INTEGER PRIMARY KEY CHECK (id = 1), "
    "log TEXT NOT NULL, "
    "sequence INTEGER NOT NULL, "
    "event_hash TEXT NOT NULL, "
    "row_hash TEXT NOT NULL)";

constexpr std::string_view kColumns[] = {"id",         "operation_type", "status",      "checkpoint_data",
                                         "started_at", "updated_at",     "completed_at"};

using Type = SqliteQuery::Type;

std::string_view Name(Type type) {
  switch (type) {
    case Type::kInteger:
      return "an integer";
    case Type::kFloat:
      return "a real number";
    case Type::kText:
      return "text";
    case Type::kBlob:
      return "a blob";
    case Type::kNull:
      return "NULL";
  }
  return "of an unknown type";
}

// SQLite's columns take values of any type, whatever the table declares.
absl::Status CheckType(const SqliteDatabase& database, const SqliteQuery& query, int column, Type type) {
  const Type is = query.TypeOf(column);
  if (is == type) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(database.name(), ": in the row of indexing_state, ",
                                                 ToAbsl(kColumns[column]), " is ", ToAbsl(Name(is)), ", not ",
                                                 ToAbsl(Name(type))));
}

// As text, because SQLite's integers are signed.
std::string Hexadecimal(std::uint64_t number) { return absl::StrCat(absl::Hex(number, absl::kZeroPad16)); }

// 0 for text that is no number: such a hash matches no event.
std::uint64_t FromHexadecimal(const std::string& text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number, 16);
  return number;
}

}  // namespace

// Compares names as SQLite does. Only a real table has a root page.
absl::StatusOr<bool> HasTable(SqliteDatabase& database, std::string_view table) {
  ASSIGN_OR_RETURN(const auto find, database.Prepare("SELECT type = 'table' AND rootpage > 0 FROM sqlite_master "
                                                     "WHERE name = ?1 COLLATE NOCASE AND type IN ('table', 'view')"));
  SqliteQuery query(*find);
  query.BindText(1, table);
  ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found || query.Integer(0) == 1) return found;
  return absl::FailedPreconditionError(
      absl::StrCat(database.name(), ": its ", ToAbsl(table), " is a view or a virtual table; give another file"));
}

// More columns than these do no harm; they are left alone.
absl::Status CheckRowTable(SqliteDatabase& database) {
  ASSIGN_OR_RETURN(const auto list, database.Prepare("SELECT name FROM pragma_table_info('indexing_state')"));
  SqliteQuery query(*list);
  std::set<std::string> columns;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, query.Step());
    if (!more) break;
    columns.insert(absl::AsciiStrToLower(query.Bytes(0)));
  }
  for (const std::string_view column : kColumns) {
    if (columns.count(std::string(column)) != 0) continue;
    return absl::FailedPreconditionError(absl::StrCat(database.name(), ": its table indexing_state has no column ",
                                                      ToAbsl(column), "; give another file"));
  }
  return absl::OkStatus();
}

absl::Status CreateTables(SqliteDatabase& database) {
  RETURN_IF_ERROR(database.Execute(kCreateRowTable));
  // IF NOT EXISTS in both: a table that is there stays as it is, with more columns if it has them.
  return database.Execute(kCreateRecordTable);
}

absl::StatusOr<std::optional<SingleRow>> ReadRow(SqliteDatabase& database) {
  ASSIGN_OR_RETURN(const auto select,
                   // Two rows are asked for, so that a second one is noticed.
                   database.Prepare("SELECT id, operation_type, status, checkpoint_data, started_at, updated_at, "
                                    "completed_at FROM indexing_state LIMIT 2"));
  SqliteQuery query(*select);
  ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return std::optional<SingleRow>();
  RETURN_IF_ERROR(CheckType(database, query, 0, Type::kInteger));
  if (query.Integer(0) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(database.name(), ": the row of indexing_state has the id ", query.Integer(0), ", not 1"));
  }
  for (const int text : {1, 2, 3}) RETURN_IF_ERROR(CheckType(database, query, text, Type::kText));
  for (const int integer : {4, 5}) RETURN_IF_ERROR(CheckType(database, query, integer, Type::kInteger));
  SingleRow row{.operation_type = query.Bytes(1),
                .status = query.Bytes(2),
                .checkpoint_data = query.Bytes(3),
                .started_at = query.Integer(4),
                .updated_at = query.Integer(5)};
  if (query.TypeOf(6) != Type::kNull) {
    RETURN_IF_ERROR(CheckType(database, query, 6, Type::kInteger));
    row.completed_at = query.Integer(6);
  }
  ASSIGN_OR_RETURN(const bool another, query.Step());
  if (another) {
    return absl::InvalidArgumentError(
        absl::StrCat(database.name(), ": its table indexing_state has more than one row; leave the one that counts"));
  }
  return std::optional(std::move(row));
}

absl::Status WriteRow(SqliteDatabase& database, const std::optional<SingleRow>& row) {
  if (!row) return database.Execute("DELETE FROM indexing_state");
  const auto write = [&](const std::string& sql) -> absl::Status {
    ASSIGN_OR_RETURN(const auto statement, database.Prepare(sql));
    SqliteQuery query(*statement);
    query.BindText(1, row->operation_type);
    query.BindText(2, row->status);
    query.BindText(3, row->checkpoint_data);
    query.BindInteger(4, row->started_at);
    query.BindInteger(5, row->updated_at);
    row->completed_at ? query.BindInteger(6, *row->completed_at) : query.BindNull(6);
    return query.Finish();
  };
  // Not ON CONFLICT: in a table of an older program, id need not be unique, and further columns keep what they hold.
  RETURN_IF_ERROR(
      write("UPDATE indexing_state SET operation_type = ?1, status = ?2, checkpoint_data = ?3, "
            "started_at = ?4, updated_at = ?5, completed_at = ?6 WHERE id = 1"));
  if (database.RowsChanged() > 0) return absl::OkStatus();
  return write(
      "INSERT INTO indexing_state (id, operation_type, status, checkpoint_data, started_at, updated_at, "
      "completed_at) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)");
}

// The table is missing in a file that no mirror has written to.
absl::StatusOr<std::optional<MirrorRecord>> ReadRecord(SqliteDatabase& database) {
  ASSIGN_OR_RETURN(const bool exists, HasTable(database, "foldlog_mirror"));
  if (!exists) return std::optional<MirrorRecord>();
  ASSIGN_OR_RETURN(const auto select,
                   database.Prepare("SELECT log, sequence, event_hash, row_hash FROM foldlog_mirror WHERE id = 1"));
  SqliteQuery query(*select);
  ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return std::optional<MirrorRecord>();
  return std::optional(MirrorRecord{.log = query.Bytes(0),
                                    .shown = {static_cast<Sequence>(query.Integer(1)), FromHexadecimal(query.Bytes(2))},
                                    .row_hash = query.Bytes(3)});
}

// One record, replaced each time: older positions are of no use to anyone.
absl::Status WriteRecord(SqliteDatabase& database, const MirrorRecord& record) {
  ASSIGN_OR_RETURN(const auto write, database.Prepare("INSERT OR REPLACE INTO foldlog_mirror (id, log, sequence, "
                                                      "event_hash, row_hash) VALUES (1, ?1, ?2, ?3, ?4)"));
  const std::string hash = Hexadecimal(record.shown.hash);
  SqliteQuery query(*write);
  query.BindText(1, record.log);
  query.BindInteger(2, static_cast<std::int64_t>(record.shown.sequence));
  query.BindText(3, hash);
  query.BindText(4, record.row_hash);
  return query.Finish();
}

// Over JSON, which keeps the columns apart: "a" and "bc" differ from "ab" and "c".
std::string RowHash(const std::optional<SingleRow>& row) {
  JsonWriter json;
  json.BeginArray();
  if (row) {
    for (const std::string* text : {&row->operation_type, &row->status, &row->checkpoint_data}) json.String(*text);
    for (const std::int64_t seconds : {row->started_at, row->updated_at}) json.Integer(seconds);
    row->completed_at ? json.Integer(*row->completed_at) : json.Null();
  }
  json.EndArray();
  return Hexadecimal(XXH3_64bits(json.text().data(), json.text().size()));
}

}  // namespace foldlog
