// SqliteExport: events and operations as tables of an SQLite file, for programs that ask in SQL.
//
//   runs          one row an operation, by the number of its first event
//   events        one row an event; data is what its kind has besides, as JSON; of checkpoints null, for they have a
//   table checkpoints   the progress errors        of files, of operations that failed, and those that imports brought
//
// Columns have the names and values of schema/JSON.md. Text that is not UTF-8 is a blob. The file is written in one
// transaction, read back and counted.
//
// Threads: one at a time.

#ifndef FOLDLOG_CLI_SQLITE_EXPORT_H_
#define FOLDLOG_CLI_SQLITE_EXPORT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/projection/sqlite.h"
#include "foldlog/event_query.h"
#include "foldlog/history.h"
#include "tools/cli/flat_row.h"

namespace foldlog::cli {

class SqliteExport {
 public:
  // `path`: an empty file. `name` is what messages call it.
  static absl::StatusOr<std::unique_ptr<SqliteExport>> Into(const std::string& path, const std::string& name);
  ~SqliteExport();

  absl::Status Add(const QueriedEvent& event);
  absl::Status Add(const HistoryEntry& run);

  // Commits, and checks what is in the file now.
  absl::Status Finish();

 private:
  struct Table {
    const char* name;
    std::vector<std::string> columns;
    std::unique_ptr<SqliteStatement> insert = nullptr;
    std::int64_t rows = 0;
  };

  explicit SqliteExport(std::unique_ptr<SqliteDatabase> database);
  absl::Status Prepare();
  absl::Status Insert(Table& table, const std::vector<FlatValue>& values);
  absl::Status AddErrors(const QueriedEvent& event);
  absl::Status InsertError(const QueriedEvent& event, TimeNs time, const FileError& error, bool of_file);
  absl::Status CheckRows(const Table& table);

  std::unique_ptr<SqliteDatabase> database_;
  std::unique_ptr<SqliteTransaction> transaction_;
  Table runs_, events_, checkpoints_, errors_;
};

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_SQLITE_EXPORT_H_
