// The table `indexing_state` with its single row, and the mirror's own record beside it. SQL and nothing else. Threads:
// as for the connection, one at a time.

#ifndef FOLDLOG_PROJECTION_ROW_TABLE_H_
#define FOLDLOG_PROJECTION_ROW_TABLE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/projection/sqlite.h"
#include "foldlog/event.h"
#include "foldlog/event_log.h"

namespace foldlog {

// What the mirror wrote last.
struct MirrorRecord {
  std::string log = {};       // the log's name, for messages
  ChainEnd shown = {};        // the last event that the row shows; its hash identifies the log
  std::string row_hash = {};  // RowHash() of the row that was written
};

// Whether the file has such a table. FailedPrecondition if the name belongs to a view or a virtual table: reading one
// would run code of the file's owner.
absl::StatusOr<bool> HasTable(SqliteDatabase& database, std::string_view table);

// FailedPrecondition if the table lacks a column, naming it.
absl::Status CheckRowTable(SqliteDatabase& database);

// Creates the tables that are missing.
absl::Status CreateTables(SqliteDatabase& database);

// The row; nothing if the table is empty. InvalidArgument, naming the column, if the table has several rows, another
// id, or a value of another type than such a row has.
absl::StatusOr<std::optional<SingleRow>> ReadRow(SqliteDatabase& database);

// Replaces the row; deletes it if `row` is nothing.
absl::Status WriteRow(SqliteDatabase& database, const std::optional<SingleRow>& row);

absl::StatusOr<std::optional<MirrorRecord>> ReadRecord(SqliteDatabase& database);
absl::Status WriteRecord(SqliteDatabase& database, const MirrorRecord& record);

// A hash of all columns, and of whether there is a row.
std::string RowHash(const std::optional<SingleRow>& row);

}  // namespace foldlog

#endif  // FOLDLOG_PROJECTION_ROW_TABLE_H_
