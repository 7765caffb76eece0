#include "replay/sql/virtual_table.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/base/text.h"
#include "replay/sql/session.h"
#include "replay/sql/sqlite_api.h"
#include "replay/sql/table.h"

namespace foldlog::sql {
namespace {

// What SQLite passes to each table's functions.
struct Module {
  const Table* table;
  std::shared_ptr<Session> session;
};

struct OpenTable : sqlite3_vtab {
  explicit OpenTable(const Module& from) : sqlite3_vtab(), module(from) {}
  Module module;
};

struct OpenCursor : sqlite3_vtab_cursor {
  explicit OpenCursor(Session& of) : sqlite3_vtab_cursor(), session(of) { session.BeginRead(); }
  ~OpenCursor() {
    rows.reset();  // they may still be reading a log that the session closes
    session.EndRead();
  }
  OpenCursor(const OpenCursor&) = delete;
  OpenCursor& operator=(const OpenCursor&) = delete;

  Session& session;
  std::unique_ptr<Rows> rows;
  std::vector<Constraint> constraints;  // of this scan
  std::uint64_t noted = 0;              // batches that the session knows of
  bool more = false;
};

// A bound on a column is taken to leave one row of so many.
constexpr double kShareOfARange = 4;

// Bits of a plan's number; its text says the rest: "sequence>=? AND kind=?, newest first".
constexpr int kNewestFirst = 1;

struct Operator {
  unsigned char sqlite;
  Comparison comparison;
  const char* text;
};
constexpr std::array<Operator, 5> kOperators = {{{SQLITE_INDEX_CONSTRAINT_EQ, Comparison::kEqual, "=?"},
                                                 {SQLITE_INDEX_CONSTRAINT_LT, Comparison::kLess, "<?"},
                                                 {SQLITE_INDEX_CONSTRAINT_LE, Comparison::kLessOrEqual, "<=?"},
                                                 {SQLITE_INDEX_CONSTRAINT_GT, Comparison::kGreater, ">?"},
                                                 {SQLITE_INDEX_CONSTRAINT_GE, Comparison::kGreaterOrEqual, ">=?"}}};

int Fail(sqlite3_vtab* table, const absl::Status& status) {
  sqlite3_free(table->zErrMsg);
  const std::string message(status.message());
  table->zErrMsg = sqlite3_mprintf("foldlog: %s", message.c_str());
  return absl::IsDataLoss(status) ? SQLITE_CORRUPT : SQLITE_ERROR;
}

// The column of an argument that names the log, which every table has last.
constexpr Column kLogColumn = {.name = "log", .type = "TEXT", .argument = true};

std::string Declaration(const Table& table) {
  std::string text = "CREATE TABLE x(";
  const auto add = [&](const Column& column) {
    absl::StrAppend(&text, text.back() == '(' ? "" : ", ", column.name, " ", column.type,
                    column.argument ? " HIDDEN" : "");
  };
  for (const Column& column : table.columns()) add(column);
  add(kLogColumn);
  return text + ")";
}

const Column& ColumnAt(const Table& table, int index) {
  const std::vector<Column>& columns = table.columns();
  return static_cast<std::size_t>(index) < columns.size() ? columns[static_cast<std::size_t>(index)] : kLogColumn;
}

int Connect(sqlite3* database, void* given, int, const char* const*, sqlite3_vtab** made, char**) {
  const Module& module = *static_cast<const Module*>(given);
  const int rc = sqlite3_declare_vtab(database, Declaration(*module.table).c_str());
  if (rc != SQLITE_OK) return rc;
  *made = new OpenTable(module);
  return SQLITE_OK;
}

int Disconnect(sqlite3_vtab* table) {
  delete static_cast<OpenTable*>(table);
  return SQLITE_OK;
}

const Operator* FindOperator(unsigned char op) {
  for (const Operator& candidate : kOperators) {
    if (candidate.sqlite == op) return &candidate;
  }
  return nullptr;
}

// Each "column:operator;" of a plan's first line stands for a value that SQLite will pass, in their order.
struct Plan {
  std::string codes;
  std::string words;
  int values = 0;
  double share = 1;  // one row of so many is left
};

// False if an argument that is needed depends on a table that this plan comes to later. One that is not given at all is
// for the table to complain of.
bool Choose(const Table& table, sqlite3_index_info& info, Plan& plan) {
  std::vector<bool> given(table.columns().size() + 1);
  std::vector<bool> named(given.size());
  for (int i = 0; i < info.nConstraint; ++i) {
    const auto& constraint = info.aConstraint[i];
    const Operator* const op = FindOperator(constraint.op);
    if (op == nullptr || constraint.iColumn < 0) continue;
    named[static_cast<std::size_t>(constraint.iColumn)] = true;
    if (constraint.usable == 0) continue;
    const Column& column = ColumnAt(table, constraint.iColumn);
    const bool equal = op->comparison == Comparison::kEqual;
    if (column.argument ? !equal : !column.usable) continue;
    // Tables compare bytes; another collation lets more pass.
    if (!column.argument && sqlite3_stricmp(sqlite3_vtab_collation(&info, i), "BINARY") != 0) continue;
    given[static_cast<std::size_t>(constraint.iColumn)] = true;
    auto& usage = info.aConstraintUsage[i];
    usage.argvIndex = ++plan.values;
    usage.omit = column.argument ? 1 : 0;
    absl::StrAppend(&plan.codes, constraint.iColumn, ":", op - kOperators.data(), ";");
    absl::StrAppend(&plan.words, plan.words.empty() ? "" : " AND ", column.name, op->text);
    if (!column.argument) plan.share *= equal ? column.share : kShareOfARange;
  }
  for (std::size_t i = 0; i < table.columns().size(); ++i) {
    if (table.columns()[i].required && named[i] && !given[i]) return false;
  }
  return true;
}

int BestIndex(sqlite3_vtab* given, sqlite3_index_info* info) {
  const Table& table = *static_cast<OpenTable*>(given)->module.table;
  Plan plan;
  if (!Choose(table, *info, plan)) return SQLITE_CONSTRAINT;  // no such plan: an argument depends on a later table
  const bool ordered =
      table.ordered_by() >= 0 && info->nOrderBy == 1 && info->aOrderBy[0].iColumn == table.ordered_by();
  if (ordered) {
    info->orderByConsumed = 1;
    if (info->aOrderBy[0].desc != 0) info->idxNum = kNewestFirst;
  }
  if (info->idxNum == kNewestFirst) absl::StrAppend(&plan.words, plan.words.empty() ? "" : ", ", "newest first");
  // The plan's text is for EXPLAIN QUERY PLAN, which shows it to people; the codes stand behind a mark.
  info->idxStr = sqlite3_mprintf("%s #%s", plan.words.c_str(), plan.codes.c_str());
  info->needToFreeIdxStr = 1;
  // Rough, but in the right order: one event, those of an operation, all of a log. Beginning a scan costs as much as
  // many rows.
  constexpr double kBegin = 50;
  const double rows = std::max(table.rows() / plan.share, 1.0);
  info->estimatedCost = kBegin + rows;
  info->estimatedRows = static_cast<sqlite3_int64>(rows);
  return info->idxStr == nullptr ? SQLITE_NOMEM : SQLITE_OK;
}

int Open(sqlite3_vtab* table, sqlite3_vtab_cursor** made) {
  *made = new OpenCursor(*static_cast<OpenTable*>(table)->module.session);
  return SQLITE_OK;
}

int Close(sqlite3_vtab_cursor* cursor) {
  delete static_cast<OpenCursor*>(cursor);
  return SQLITE_OK;
}

std::string Bytes(sqlite3_value* value) {
  const auto* const bytes = static_cast<const char*>(sqlite3_value_blob(value));
  return bytes == nullptr ? std::string() : std::string(bytes, static_cast<std::size_t>(sqlite3_value_bytes(value)));
}

Value ToValue(sqlite3_value* value) {
  switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
      return std::int64_t{sqlite3_value_int64(value)};
    case SQLITE_FLOAT:
      return sqlite3_value_double(value);
    case SQLITE_TEXT:
    case SQLITE_BLOB:
      return Bytes(value);
    default:
      return std::monostate();
  }
}

// The plan's codes with the values for them.
Scan ToScan(const char* codes, int count, sqlite3_value** values) {
  Scan scan;
  const std::string text = codes == nullptr ? "" : codes;
  std::size_t at = text.rfind('#') + 1;
  for (int i = 0; i < count; ++i) {
    const std::size_t colon = text.find(':', at);
    const std::size_t end = text.find(';', at);
    const auto op = static_cast<std::size_t>(std::stoi(text.substr(colon + 1)));
    scan.constraints.push_back({std::stoi(text.substr(at)), kOperators.at(op).comparison, ToValue(values[i])});
    at = end + 1;
  }
  return scan;
}

absl::Status StartScan(OpenCursor& cursor, const Module& module, Scan scan) {
  std::optional<std::string> directory;
  if (const Value* named = scan.Equal(static_cast<int>(module.table->columns().size()))) {
    const auto* const text = std::get_if<std::string>(named);
    if (text == nullptr) return absl::InvalidArgumentError("the log is named by a text, its directory");
    directory = *text;
  }
  ASSIGN_OR_RETURN(scan.moment, module.session->Find(directory));
  ASSIGN_OR_RETURN(cursor.rows, module.table->Find(scan));
  cursor.constraints = std::move(scan.constraints);
  cursor.noted = 0;
  return absl::OkStatus();
}

int Next(sqlite3_vtab_cursor* given) {
  OpenCursor& cursor = *static_cast<OpenCursor*>(given);
  const absl::StatusOr<bool> more = cursor.rows->Next();
  cursor.session.NoteUnpacked(cursor.rows->batches_unpacked() - cursor.noted);
  cursor.noted = cursor.rows->batches_unpacked();
  cursor.more = more.ok() && *more;
  return more.ok() ? SQLITE_OK : Fail(given->pVtab, more.status());
}

int Filter(sqlite3_vtab_cursor* given, int plan, const char* codes, int count, sqlite3_value** values) {
  OpenCursor& cursor = *static_cast<OpenCursor*>(given);
  Scan scan = ToScan(codes, count, values);
  scan.newest_first = plan == kNewestFirst;
  const absl::Status started = StartScan(cursor, static_cast<OpenTable*>(given->pVtab)->module, std::move(scan));
  return started.ok() ? Next(given) : Fail(given->pVtab, started);
}

int Eof(sqlite3_vtab_cursor* cursor) { return static_cast<OpenCursor*>(cursor)->more ? 0 : 1; }

// Bytes that are no UTF-8 are given as they are: SQLite passes them through.
struct Put {
  sqlite3_context* context;
  void operator()(std::monostate) const { sqlite3_result_null(context); }
  void operator()(std::int64_t number) const { sqlite3_result_int64(context, number); }
  void operator()(double number) const { sqlite3_result_double(context, number); }
  void operator()(const std::string& text) const {
    sqlite3_result_text64(context, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }
};

int ColumnOf(sqlite3_vtab_cursor* of, sqlite3_context* context, int index) {
  const OpenCursor& cursor = *static_cast<OpenCursor*>(of);
  const Table& table = *static_cast<OpenTable*>(of->pVtab)->module.table;
  if (!ColumnAt(table, index).argument) {
    std::visit(Put{context}, cursor.rows->At(index));
    return SQLITE_OK;
  }
  // SQLite may compare an argument again.
  for (const Constraint& given : cursor.constraints) {
    if (given.column == index) std::visit(Put{context}, given.value);
  }
  return SQLITE_OK;
}

int RowId(sqlite3_vtab_cursor* given, sqlite3_int64* id) {
  *id = static_cast<OpenCursor*>(given)->rows->id();
  return SQLITE_OK;
}

// Eponymous: without xCreate the tables are there by their names, and cannot be made by others.
sqlite3_module MakeModule() {
  sqlite3_module module = {};
  module.xConnect = Connect;
  module.xBestIndex = BestIndex;
  module.xDisconnect = Disconnect;
  module.xOpen = Open;
  module.xClose = Close;
  module.xFilter = Filter;
  module.xNext = Next;
  module.xEof = Eof;
  module.xColumn = ColumnOf;
  module.xRowid = RowId;
  return module;
}

void BatchesUnpacked(sqlite3_context* context, int, sqlite3_value**) {
  const auto& session = *static_cast<const std::shared_ptr<Session>*>(sqlite3_user_data(context));
  sqlite3_result_int64(context, static_cast<sqlite3_int64>(session->batches_unpacked()));
}

}  // namespace

int AddTables(sqlite3* database, const std::string& log) {
  static const sqlite3_module module = MakeModule();
  const auto session = std::make_shared<Session>(log);
  for (const Table* table : Tables()) {
    const int rc = sqlite3_create_module_v2(database, table->name(), &module, new Module{table, session},
                                            [](void* given) { delete static_cast<Module*>(given); });
    if (rc != SQLITE_OK) return rc;
  }
  return sqlite3_create_function_v2(database, "foldlog_batches_unpacked", 0, SQLITE_UTF8,
                                    new std::shared_ptr<Session>(session), BatchesUnpacked, nullptr, nullptr,
                                    [](void* given) { delete static_cast<std::shared_ptr<Session>*>(given); });
}

}  // namespace foldlog::sql
