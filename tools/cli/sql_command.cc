// sql: questions in SQL, answered by the tables of replay/sql. Without a statement, sqlite3's own shell with them.

#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/projection/sqlite.h"
#include "foldlog/log_directory.h"
#include "replay/report/json_sink.h"
#include "replay/sql/virtual_table.h"
#include "tools/cli/arguments.h"
#include "tools/cli/command.h"
#include "tools/cli/layout.h"

namespace foldlog::cli {
namespace {

struct SqlOptions {
  std::optional<std::string> statement;
  Metadata attached;  // names and files
  bool json = false;
  bool csv = false;
};

using Database = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;
using Statement = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

// What would be made or changed here is gone with this program; "temp" is so by its name. SQLite updates its own table
// of names when a virtual table is used, and lets nobody else do so. Files are attached before this is asked.
int Authorize(void*, int action, const char* table, const char*, const char* database, const char*) {
  switch (action) {
    case SQLITE_UPDATE:
      if (table != nullptr && std::string_view(table) == "sqlite_master") return SQLITE_OK;
      [[fallthrough]];
    case SQLITE_INSERT:
    case SQLITE_DELETE:
    case SQLITE_CREATE_INDEX:
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_TRIGGER:
    case SQLITE_CREATE_VIEW:
    case SQLITE_CREATE_VTABLE:
      return database != nullptr && std::string_view(database) == "temp" ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_ATTACH:
      return SQLITE_DENY;
    default:
      return SQLITE_OK;
  }
}

absl::Status SqlError(sqlite3* database, int code) {
  if (code == SQLITE_AUTH) {
    return absl::InvalidArgumentError(
        "SQL: here a log is asked, and nothing is written. CREATE TEMP TABLE serves the statements behind it, "
        "--attach NAME=FILE reads tables of yours, \"foldlog export --sqlite FILE\" makes tables to keep, and in "
        "\"foldlog sql\", sqlite3's shell, everything goes");
  }
  const std::string message = absl::StrCat("SQL: ", sqlite3_errmsg(database));
  return code == SQLITE_CORRUPT ? absl::DataLossError(message) : absl::InvalidArgumentError(message);
}

absl::Status Check(sqlite3* database, int code) {
  return code == SQLITE_OK ? absl::OkStatus() : SqlError(database, code);
}

// Files of the user are only read: what the program is asked must not change anything.
absl::Status Attach(sqlite3* database, const std::string& name, const std::string& file) {
  sqlite3_stmt* prepared = nullptr;
  RETURN_IF_ERROR(Check(database, sqlite3_prepare_v2(database, "ATTACH ? AS ?", -1, &prepared, nullptr)));
  const Statement statement(prepared, sqlite3_finalize);
  ASSIGN_OR_RETURN(const std::string path, SqlitePath(file, SqliteFileName("database", file)));
  const std::string uri = SqliteUri(path) + "?mode=ro";
  sqlite3_bind_text(prepared, 1, uri.c_str(), -1, SQLITE_TRANSIENT);
  sqlite3_bind_text(prepared, 2, name.c_str(), -1, SQLITE_TRANSIENT);
  const int rc = sqlite3_step(prepared);
  return rc == SQLITE_DONE ? absl::OkStatus() : SqlError(database, rc);
}

absl::StatusOr<Database> OpenDatabase(const SqlOptions& options, const std::string& log) {
  sqlite3* opened = nullptr;
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_MEMORY;
  const int rc = sqlite3_open_v2(":memory:", &opened, kFlags, nullptr);
  Database database(opened, sqlite3_close);
  if (rc != SQLITE_OK) return absl::ResourceExhaustedError("SQLite cannot be started");
  RETURN_IF_ERROR(Check(opened, sql::AddTables(opened, log)));
  for (const auto& [name, file] : options.attached) RETURN_IF_ERROR(Attach(opened, name, file));
  RETURN_IF_ERROR(Check(opened, sqlite3_set_authorizer(opened, Authorize, nullptr)));
  return database;
}

std::string Bytes(sqlite3_stmt* row, int column) {
  const auto* const bytes = static_cast<const char*>(sqlite3_column_blob(row, column));
  return bytes == nullptr ? "" : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(row, column)));
}

// As SQLite writes it as a text; nothing for NULL.
std::string TextOf(sqlite3_stmt* row, int column) {
  const int type = sqlite3_column_type(row, column);
  if (type == SQLITE_NULL) return "";
  if (type == SQLITE_TEXT || type == SQLITE_BLOB) return Bytes(row, column);
  return reinterpret_cast<const char*>(sqlite3_column_text(row, column));
}

std::string JsonOf(sqlite3_stmt* row) {
  report::JsonSink sink;
  sink.BeginObject();
  for (int i = 0; i < sqlite3_column_count(row); ++i) {
    sink.Key(sqlite3_column_name(row, i));
    switch (sqlite3_column_type(row, i)) {
      case SQLITE_NULL:
        sink.Null();
        break;
      case SQLITE_INTEGER:
        sink.Integer(sqlite3_column_int64(row, i));
        break;
      case SQLITE_FLOAT:
        sink.Real(sqlite3_column_double(row, i));
        break;
      default:
        sink.Text(Bytes(row, i));
    }
  }
  sink.EndObject();
  return sink.Take();
}

// Rows for people, aligned. Some thousand at a time, so that memory does not grow with the answer.
class Aligned {
 public:
  Aligned(sqlite3_stmt* statement, Context& context) : statement_(statement), context_(context) {}

  void Add() {
    constexpr int kRowsMax = 2000;
    if (!table_) Begin();
    std::vector<Table::Cell> cells;
    for (int i = 0; i < sqlite3_column_count(statement_); ++i) cells.emplace_back(TextOf(statement_, i));
    table_->AddRow(std::move(cells));
    if (++rows_ == kRowsMax) Flush();
  }

  void Flush() {
    if (table_) context_.out.Show(table_->Render(context_.look().columns, heading_));
    heading_ = false;
    rows_ = 0;
    table_.reset();
  }

 private:
  void Begin() {
    std::vector<Table::Column> columns;
    for (int i = 0; i < sqlite3_column_count(statement_); ++i) {
      const int type = sqlite3_column_type(statement_, i);
      const bool number = type == SQLITE_INTEGER || type == SQLITE_FLOAT;
      columns.push_back({.heading = sqlite3_column_name(statement_, i),
                         .align = number ? Table::Align::kRight : Table::Align::kLeft});
    }
    table_.emplace(std::move(columns));
  }

  sqlite3_stmt* const statement_;
  Context& context_;
  std::optional<Table> table_;
  bool heading_ = true;
  int rows_ = 0;
};

std::vector<std::string> Names(sqlite3_stmt* statement) {
  std::vector<std::string> names;
  for (int i = 0; i < sqlite3_column_count(statement); ++i) names.emplace_back(sqlite3_column_name(statement, i));
  return names;
}

void PutCsv(sqlite3_stmt* statement, Output& out) {
  std::vector<std::string> cells;
  for (int i = 0; i < sqlite3_column_count(statement); ++i) cells.push_back(TextOf(statement, i));
  out.Csv(cells);
}

absl::Status RunOne(sqlite3* database, sqlite3_stmt* statement, const SqlOptions& options, Context& context) {
  Aligned aligned(statement, context);
  if (options.csv && sqlite3_column_count(statement) > 0) context.out.Csv(Names(statement));
  int rc = SQLITE_ROW;
  while ((rc = sqlite3_step(statement)) == SQLITE_ROW && !context.out.closed()) {
    if (options.json) {
      context.out.Line(JsonOf(statement));
    } else if (options.csv) {
      PutCsv(statement, context.out);
    } else {
      aligned.Add();
    }
  }
  aligned.Flush();
  return rc == SQLITE_DONE || rc == SQLITE_ROW ? absl::OkStatus() : SqlError(database, rc);
}

absl::Status RunStatements(const SqlOptions& options, Context& context) {
  ASSIGN_OR_RETURN(const Database database, OpenDatabase(options, context.log));
  const char* rest = options.statement->c_str();
  while (*rest != '\0' && !context.out.closed()) {
    sqlite3_stmt* prepared = nullptr;
    RETURN_IF_ERROR(Check(database.get(), sqlite3_prepare_v2(database.get(), rest, -1, &prepared, &rest)));
    const Statement statement(prepared, sqlite3_finalize);
    if (statement) RETURN_IF_ERROR(RunOne(database.get(), statement.get(), options, context));
  }
  return absl::OkStatus();
}

// Beside the program where it was built, or where it was installed.
absl::StatusOr<std::string> FindExtension() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const std::filesystem::path& place :
       {program / "foldlog_sqlite.so", program.parent_path() / FOLDLOG_LIBDIR / "foldlog/foldlog_sqlite.so"}) {
    if (std::filesystem::exists(place, error)) return place.string();
  }
  return absl::NotFoundError(
      "the extension foldlog_sqlite.so is neither beside the program nor installed; give a statement: foldlog sql "
      "\"SELECT …\"");
}

// The shell takes the place of this program.
absl::Status RunShell(const SqlOptions& options, const std::string& log) {
  RETURN_IF_ERROR(OpenLogForReading(log).status());
  ASSIGN_OR_RETURN(const std::string extension, FindExtension());
  if (extension.find('\'') != std::string::npos) {
    return absl::FailedPreconditionError("the shell cannot load an extension from a path with a quote: " + extension);
  }
  setenv("FOLDLOG", log.c_str(), 1);
  std::vector<std::string> arguments = {"sqlite3",
                                        options.json  ? "-json"
                                        : options.csv ? "-csv"
                                                      : "-box",
                                        "-cmd", ".load '" + extension + "'"};
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  execvp(pointers[0], pointers.data());
  return absl::NotFoundError(absl::StrCat("cannot start sqlite3: ", std::system_category().message(errno),
                                          "; install it, or give a statement: foldlog sql \"SELECT …\""));
}

absl::Status RunSql(const SqlOptions& options, Context& context) {
  if (!options.statement) return RunShell(options, context.log);
  if (!options.json && !options.csv) context.Page();
  return RunStatements(options, context);
}

}  // namespace

void AddSqlCommand(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<SqlOptions>();
  CLI::App* command = AddCommand(app, "sql", "Questions in SQL, over the log as it is at that moment", Group::kLook);
  AddText(*command, "STATEMENT", options->statement, "SQL; sqlite3's shell unless given")->type_name("");
  CLI::Option* json = AddFlag(*command, "--json", options->json, "One JSON object a row");
  AddFlag(*command, "--csv", options->csv, "Comma-separated values, with the names above")->excludes(json);
  AddPairs(*command, "--attach", options->attached, "A database to join with, only read: its tables are NAME.table")
      ->type_name("NAME=FILE");
  command->footer(
      "Tables: runs, events, checkpoints, errors; and state_at(SEQUENCE), progress(OPERATION, POINTS).\n"
      "PRAGMA table_info(runs) lists columns; runs.first_sequence is the operation of the other tables.\n"
      "Each takes the directory of another log as its last argument: runs('DIR'). Constraints on sequence,\n"
      "time, kind and operation, and the order by sequence, decide how much of the log is read.\n"
      "Examples:\n"
      "  foldlog sql \"SELECT status, count(*), sum(errors) FROM runs GROUP BY status\"\n"
      "  foldlog sql");
  command->callback([options, &chosen] { chosen = [options](Context& context) { return RunSql(*options, context); }; });
}

}  // namespace foldlog::cli
