// The table `indexing_state` with its single row, and the mirror's own record beside it. SQL and nothing else.

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
  std::string log = {};       // for people
  ChainEnd shown = {};        // the event that the row is as of; its hash tells the log
  std::string row_hash = {};  // of the row
};

// Whether the file has such a table. FailedPrecondition if something else has its name: behind a view or a virtual
// table there is code of others, which is not run.
absl::StatusOr<bool> HasTable(SqliteDatabase& database, std::string_view table);

// FailedPrecondition if the table lacks a column, naming it.
absl::Status CheckRowTable(SqliteDatabase& database);

// Makes the tables that are missing.
absl::Status CreateTables(SqliteDatabase& database);

// The row; nothing if the table is empty. InvalidArgument if there are several, or a column is of a type or the id a
// number that no such row has: the message names it.
absl::StatusOr<std::optional<SingleRow>> ReadRow(SqliteDatabase& database);

// Nothing takes the row away.
absl::Status WriteRow(SqliteDatabase& database, const std::optional<SingleRow>& row);

absl::StatusOr<std::optional<MirrorRecord>> ReadRecord(SqliteDatabase& database);
absl::Status WriteRecord(SqliteDatabase& database, const MirrorRecord& record);

// Of every column, and of there being a row at all.
std::string RowHash(const std::optional<SingleRow>& row);

}  // namespace foldlog

#endif  // FOLDLOG_PROJECTION_ROW_TABLE_H_
