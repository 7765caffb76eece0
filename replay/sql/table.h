// A table of a log, as SQLite's virtual tables want it: what its columns are, which constraints it can use, and its
// rows. virtual_table.cc brings it to SQLite.
//
// A table may use a constraint to look at less; SQLite checks every constraint again, so it need not be exact.

#ifndef FOLDLOG_SQL_TABLE_H_
#define FOLDLOG_SQL_TABLE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event.h"
#include "replay/sql/session.h"

namespace foldlog::sql {

// What SQLite stores in a column.
using Value = std::variant<std::monostate, std::int64_t, double, std::string>;

// A column by its place in the declaration, which makes the order of declaration and code the same.
struct Column {
  const char* name;
  const char* type;       // as SQLite declares it
  bool usable = false;    // whether constraints on it let the table look at less
  double share = 4;       // an equality on it leaves one row of so many
  bool argument = false;  // hidden: given as table(argument, …)
  bool required = false;  // an argument that must be given
};

enum class Comparison { kEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };

// A constraint that a query has on a column, with the value for this scan.
struct Constraint {
  int column;
  Comparison comparison;
  Value value;
};

struct Scan {
  std::vector<Constraint> constraints = {};
  bool newest_first = false;
  LogMoment moment = {};

  // The value that `column` must equal; nothing if none is asked for.
  const Value* Equal(int column) const;
};

// The rows of one scan.
class Rows {
 public:
  virtual ~Rows() = default;
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  // Moves to the next row, at first to the first; false if there is none.
  virtual absl::StatusOr<bool> Next() = 0;
  virtual Value At(int column) const = 0;
  virtual std::int64_t id() const = 0;  // of the row, for SQLite
  virtual std::uint64_t batches_unpacked() const { return 0; }

 protected:
  Rows() = default;
};

// A table. Its objects are constants of the program.
class Table {
 public:
  virtual ~Table() = default;
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  virtual const char* name() const = 0;
  virtual const std::vector<Column>& columns() const = 0;
  // About how many rows there are, for SQLite's choice between plans.
  virtual double rows() const = 0;
  // The column whose order the rows can be given in, either way; -1: none.
  virtual int ordered_by() const { return -1; }
  virtual absl::StatusOr<std::unique_ptr<Rows>> Find(const Scan& scan) const = 0;

 protected:
  Table() = default;
};

// All tables of a log.
const std::vector<const Table*>& Tables();

const Table& RunsTable();
const Table& EventsTable();
const Table& CheckpointsTable();
const Table& ErrorsTable();
const Table& StateAtTable();
const Table& ProgressTable();

// The first and the last instant that a text may mean which is compared with times (report::Rfc3339); nothing if it
// cannot be told.
struct Instants {
  TimeNs first = 0;
  TimeNs last = 0;
};
std::optional<Instants> ParseTime(std::string_view text);

}  // namespace foldlog::sql

#endif  // FOLDLOG_SQL_TABLE_H_
