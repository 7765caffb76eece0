// import: the row of an older program becomes the beginning of a log, and an export a log. Never changes the file that
// it reads.

#include <sys/types.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/file_system.h"
#include "engine/base/status_macros.h"
#include "engine/projection/row_table.h"
#include "engine/projection/sqlite_reading.h"
#include "foldlog/engine.h"
#include "foldlog/json_lines.h"
#include "foldlog/single_row.h"
#include "tools/cli/arguments.h"
#include "tools/cli/command.h"
#include "tools/cli/signals.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

struct ImportOptions {
  std::optional<std::string> sqlite;
  std::optional<std::string> jsonl;
};

// The lines of a file, however long each is.
class LineReader {
 public:
  static absl::StatusOr<LineReader> Open(const std::string& name) {
    if (name == "-") return LineReader(stdin);
    FILE* const file = std::fopen(name.c_str(), "re");
    if (file == nullptr) return ErrnoStatus(errno, "read " + name);
    return LineReader(file);
  }
  LineReader(LineReader&& other) noexcept
      : file_(std::exchange(other.file_, nullptr)), line_(std::exchange(other.line_, nullptr)), room_(other.room_) {}
  LineReader& operator=(LineReader&&) = delete;
  ~LineReader() {
    std::free(line_);
    if (file_ != nullptr && file_ != stdin) std::fclose(file_);
  }

  // Valid until the next call.
  absl::StatusOr<std::optional<std::string_view>> Next() {
    const ssize_t size = getline(&line_, &room_, file_);
    if (size < 0 && std::ferror(file_) != 0) return ErrnoStatus(errno, "read the lines");
    if (size < 0) return std::optional<std::string_view>();
    std::string_view line(line_, static_cast<std::size_t>(size));
    if (line.ends_with('\n')) line.remove_suffix(1);
    return std::optional(line);
  }

 private:
  explicit LineReader(FILE* file) : file_(file) {}

  FILE* file_;
  char* line_ = nullptr;
  std::size_t room_ = 0;
};

absl::Status RunImportJsonl(const std::string& file, Context& context) {
  const std::atomic<int>& stop = StopFlagOnSignals();
  ASSIGN_OR_RETURN(LineReader reader, LineReader::Open(file));
  const NextLine next = [&]() -> absl::StatusOr<std::optional<std::string_view>> {
    ASSIGN_OR_RETURN(const std::optional<std::string_view> line, reader.Next());
    if (stop != 0) return absl::CancelledError("interrupted: nothing was imported");
    return line;
  };
  ASSIGN_OR_RETURN(const JsonLinesSummary made, ImportJsonLines(next, context.log));
  context.out.Line(absl::StrCat("imported ", Grouped(made.events), " events, up to hash ", HashText(made.last_hash)));
  return absl::OkStatus();
}

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
  if (options.jsonl) return RunImportJsonl(*options.jsonl, context);
  SingleRow row;
  RETURN_IF_ERROR(ReadSqlite(*options.sqlite, "file", [&](SqliteDatabase& database) -> absl::Status {
    ASSIGN_OR_RETURN(row, RowToImport(database));
    return absl::OkStatus();
  }));
  ASSIGN_OR_RETURN(Imported operation, ImportedFrom(row, *options.sqlite));
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
  CLI::App* command = AddCommand(
      app, "import", "Go on with what an older program kept in one row, or make a log of an export", Group::kScript);
  AddText(*command, "--sqlite", options->sqlite, "The file with its table indexing_state; only read")
      ->type_name("FILE");
  AddText(*command, "--jsonl", options->jsonl, "Lines of \"export --jsonl\"; they become the same log again")
      ->type_name("FILE");
  command->footer(
      "Creates the log if there is none, and prints the operation's id. The file is not changed, and\n"
      "nothing is left beside it, whatever its journal mode and whoever has it open; where it has a\n"
      "journal, it is read from a copy in $TMPDIR or /tmp.\n"
      "Of the lines of an export (\"-\": standard input) a new log is made, with the same hashes; if one of\n"
      "them is damaged, missing or of another log, none is.\n"
      "Examples:\n"
      "  foldlog import --sqlite state.db --log photos.log\n"
      "  foldlog import --jsonl photos.jsonl --log copy.log");
  command->callback([options, &chosen] {
    if (options->sqlite.has_value() == options->jsonl.has_value()) {
      throw CLI::ValidationError("import", "give one of --sqlite FILE and --jsonl FILE");
    }
    chosen = [options](Context& context) { return RunImport(*options, context); };
  });
}

}  // namespace foldlog::cli
