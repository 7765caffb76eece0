// import: the row of an older program becomes the beginning of a log. Never changes the file that it reads.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/projection/row_table.h"
#include "engine/projection/sqlite_reading.h"
#include "foldlog/engine.h"
#include "foldlog/single_row.h"
#include "tools/cli/arguments.h"
#include "tools/cli/command.h"

namespace foldlog::cli {
namespace {

struct ImportOptions {
  std::string sqlite;
};

absl::StatusOr<SingleRow> RowToImport(SqliteDatabase& database) {
  ASSIGN_OR_RETURN(const bool has_table, HasTable(database, "indexing_state"));
  if (!has_table) {
    return absl::NotFoundError(database.name() + " has no table indexing_state; give the file that has it");
  }
  RETURN_IF_ERROR(CheckRowTable(database));
  ASSIGN_OR_RETURN(std::optional<SingleRow> row, ReadRow(database));
  if (!row) {
    return absl::NotFoundError("the table indexing_state of " + database.name() +
                               " is empty: there is nothing to import; just start");
  }
  return *std::move(row);
}

// The row is read before the log is made, so that there is none if there is nothing to put into it.
absl::Status RunImport(const ImportOptions& options, Context& context) {
  SingleRow row;
  RETURN_IF_ERROR(ReadSqlite(options.sqlite, "file", [&](SqliteDatabase& database) -> absl::Status {
    ASSIGN_OR_RETURN(row, RowToImport(database));
    return absl::OkStatus();
  }));
  ASSIGN_OR_RETURN(Imported operation, ImportedFrom(row, options.sqlite));
  ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, Engine::Open(context.log));
  ASSIGN_OR_RETURN(const OperationHandle handle, engine->Import(std::move(operation)));
  const State state = engine->state();
  RETURN_IF_ERROR(engine->Close());
  context.out.Line(handle.operation_id);
  if (state.status() == OperationStatus::kInProgress) {
    context.messages.Line(
        "the row says that the operation is in progress: make sure that the older program has stopped,");
    context.messages.Line("then go on with \"foldlog resume\"");
  }
  return absl::OkStatus();
}

}  // namespace

void AddImportCommand(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<ImportOptions>();
  CLI::App* command =
      AddCommand(app, "import", "Go on with an operation that an older program kept in one row", Group::kScript);
  AddText(*command, "--sqlite", options->sqlite, "The file with its table indexing_state; only read")
      ->type_name("FILE")
      ->required();
  command->footer(
      "Creates the log if there is none, and prints the operation's id. The file is not changed, and\n"
      "nothing is left beside it, whatever its journal mode and whoever has it open; where it has a\n"
      "journal, it is read from a copy in $TMPDIR or /tmp.\n"
      "Example:\n"
      "  foldlog import --sqlite state.db --log photos.log");
  command->callback(
      [options, &chosen] { chosen = [options](Context& context) { return RunImport(*options, context); }; });
}

}  // namespace foldlog::cli
