// The tables runs, state_at and progress: operations, now and as they were.

#include <algorithm>
#include <utility>

#include "engine/base/saturated.h"
#include "engine/base/status_macros.h"
#include "engine/seconds.h"
#include "foldlog/history.h"
#include "foldlog/replayer.h"
#include "replay/report/text.h"
#include "replay/sql/operation_row.h"
#include "replay/sql/table.h"

namespace foldlog::sql {
namespace {

const std::string* AsText(const Value* value) { return value == nullptr ? nullptr : std::get_if<std::string>(value); }

// ---- runs ----

constexpr double kRuns = 1e4;

enum RunColumn { kResetBy = kOperationColumns };

// The operations of the history, as they stood at the statement's moment.
class RunRows final : public Rows {
 public:
  RunRows(HistoryQuery query, const LogMoment& moment) : query_(std::move(query)), moment_(moment) {}

  absl::StatusOr<bool> Next() override {
    while (true) {
      ASSIGN_OR_RETURN(entry_, query_.Next());
      if (!entry_) return false;
      if (entry_->operation.first_sequence > moment_.through) continue;  // it has begun since
      if (std::max(entry_->operation.last_sequence, entry_->reset_by.value_or(0)) <= moment_.through) return true;
      ASSIGN_OR_RETURN(State state, StateAt(*moment_.log, moment_.through));
      if (!state.operation) continue;
      entry_ = HistoryEntry{*std::move(state.operation), std::nullopt};
      return true;
    }
  }

  Value At(int column) const override {
    if (column != kResetBy) return ColumnOf(entry_->operation, column);
    return entry_->reset_by ? Value(static_cast<std::int64_t>(*entry_->reset_by)) : Value();
  }
  std::int64_t id() const override { return static_cast<std::int64_t>(entry_->operation.first_sequence); }

 private:
  HistoryQuery query_;
  LogMoment moment_;
  std::optional<HistoryEntry> entry_;
};

// An operation that was under way at the earliest start asked for, or later, has ended no earlier.
void NarrowStart(const Scan& scan, HistoryFilter& filter) {
  for (const Constraint& constraint : scan.constraints) {
    const std::string* const text = constraint.column == kStartedAt ? AsText(&constraint.value) : nullptr;
    const std::optional<Instants> when = text == nullptr ? std::nullopt : ParseTime(*text);
    if (!when) continue;
    const bool less = constraint.comparison == Comparison::kLess || constraint.comparison == Comparison::kLessOrEqual;
    const TimeNs end = SaturatedPlus(when->last, 1);
    // The last event of an operation may be stamped before its first, where a clock was set: no bound from below then.
    if (less) filter.until = std::min(filter.until.value_or(end), end);
  }
}

class Runs final : public Table {
 public:
  const char* name() const override { return "runs"; }
  const std::vector<Column>& columns() const override {
    static const std::vector<Column> columns = [] {
      std::vector<Column> all = OperationColumns({kFirstSequence, kId, kType, kStatus, kStartedAt});
      for (const OperationColumn key : {kFirstSequence, kId}) all.at(static_cast<std::size_t>(key)).share = kRuns;
      all.push_back({.name = "reset_by", .type = "INTEGER"});
      return all;
    }();
    return columns;
  }
  double rows() const override { return kRuns; }
  int ordered_by() const override { return kFirstSequence; }

  // An operation that has ended keeps its status. Any other status is that of now, and may have been another one at the
  // statement's moment: then nothing is left out.
  absl::StatusOr<std::unique_ptr<Rows>> Find(const Scan& scan) const override {
    HistoryFilter filter;
    if (const std::string* id = AsText(scan.Equal(kId))) filter.id_prefix = *id;
    if (const std::string* type = AsText(scan.Equal(kType))) filter.type = ParseOperationType(*type);
    for (const OperationStatus ended : {OperationStatus::kCompleted, OperationStatus::kFailed}) {
      const std::string* const status = AsText(scan.Equal(kStatus));
      if (status != nullptr && *status == Name(ended)) filter.statuses = {ended};
    }
    NarrowStart(scan, filter);
    const Order order = scan.newest_first ? Order::kNewestFirst : Order::kOldestFirst;
    ASSIGN_OR_RETURN(HistoryQuery query, HistoryQuery::Over(*scan.moment.log, filter, order));
    return std::make_unique<RunRows>(std::move(query), scan.moment);
  }
};

// ---- state_at ----

enum StateColumn { kSequence = kOperationColumns, kEpoch, kAtGiven };

class StateRow final : public Rows {
 public:
  explicit StateRow(State state) : state_(std::move(state)) {}

  absl::StatusOr<bool> Next() override { return !std::exchange(given_, true); }
  Value At(int column) const override {
    if (column == kSequence) return static_cast<std::int64_t>(state_.sequence);
    if (column == kEpoch) return static_cast<std::int64_t>(state_.epoch);
    if (state_.operation) return ColumnOf(*state_.operation, column);
    return column == kStatus ? Value(std::string(Name(OperationStatus::kIdle))) : Value();
  }
  std::int64_t id() const override { return static_cast<std::int64_t>(state_.sequence); }

 private:
  State state_;
  bool given_ = false;
};

class StateAtFunction final : public Table {
 public:
  const char* name() const override { return "state_at"; }
  const std::vector<Column>& columns() const override {
    static const std::vector<Column> columns = [] {
      std::vector<Column> all = OperationColumns({});
      all.push_back({.name = "sequence", .type = "INTEGER"});
      all.push_back({.name = "epoch", .type = "INTEGER"});
      all.push_back({.name = "at", .type = "INTEGER", .argument = true, .required = true});
      return all;
    }();
    return columns;
  }
  double rows() const override { return 1; }
  absl::StatusOr<std::unique_ptr<Rows>> Find(const Scan& scan) const override {
    const auto* const number = std::get_if<std::int64_t>(scan.Equal(kAtGiven));
    if (number == nullptr || *number < 0) {
      return absl::InvalidArgumentError("state_at() takes the sequence number of an event");
    }
    const auto at = static_cast<Sequence>(*number);
    if (at > scan.moment.through) {
      return absl::OutOfRangeError("event " + std::to_string(at) + " does not exist: the log ends with event " +
                                   std::to_string(scan.moment.through));
    }
    ASSIGN_OR_RETURN(State state, StateAt(*scan.moment.log, at));
    return std::make_unique<StateRow>(std::move(state));
  }
};

// ---- progress ----

enum ProgressColumn { kPoint, kAt, kTime, kProgressFiles, kActive, kPointRate, kOperation, kPoints };

// How far an operation was at evenly spaced events, with the rate since the point before.
class ProgressRows final : public Rows {
 public:
  ProgressRows(const EventLog& log, Operation operation, Sequence last, std::int64_t points)
      : log_(log), operation_(std::move(operation)), last_(last), points_(points) {}

  absl::StatusOr<bool> Next() override {
    if (point_ == points_) return false;
    ++point_;
    before_ = now_;
    const Sequence first = operation_.first_sequence;
    const auto events = static_cast<double>(last_ - first);
    at_ = first + static_cast<Sequence>(events * static_cast<double>(point_) / static_cast<double>(points_));
    ASSIGN_OR_RETURN(const State state, StateAt(log_, at_));
    if (!state.operation) return absl::DataLossError("event " + std::to_string(at_) + " is of no operation");
    time_ = state.seen.time;
    now_ = {state.operation->files_processed, state.operation->active_ns};
    return true;
  }

  Value At(int column) const override {
    switch (column) {
      case kPoint:
        return point_;
      case kAt:
        return static_cast<std::int64_t>(at_);
      case kTime:
        return report::Rfc3339(time_);
      case kProgressFiles:
        return now_.files;
      case kActive:
        return SecondsOf(now_.active_ns);
      default:
        return Rate();
    }
  }
  std::int64_t id() const override { return point_; }

 private:
  Value Rate() const {
    const double seconds = SecondsOf(now_.active_ns) - SecondsOf(before_.active_ns);
    if (seconds <= 0) return {};
    return static_cast<double>(now_.files - before_.files) / seconds;
  }

  const EventLog& log_;
  const Operation operation_;
  const Sequence last_;
  const std::int64_t points_;
  std::int64_t point_ = 0;
  Sequence at_ = 0;
  TimeNs time_ = 0;
  Pace before_;
  Pace now_;
};

constexpr std::int64_t kPointsMax = 10'000;

class ProgressFunction final : public Table {
 public:
  const char* name() const override { return "progress"; }
  const std::vector<Column>& columns() const override {
    static const std::vector<Column> columns = {
        {.name = "point", .type = "INTEGER"},
        {.name = "sequence", .type = "INTEGER"},
        {.name = "time", .type = "TEXT"},
        {.name = "files", .type = "INTEGER"},
        {.name = "active_s", .type = "REAL"},
        {.name = "rate", .type = "REAL"},
        {.name = "operation", .type = "TEXT", .argument = true, .required = true},
        {.name = "points", .type = "INTEGER", .argument = true, .required = true}};
    return columns;
  }
  double rows() const override { return 100; }
  absl::StatusOr<std::unique_ptr<Rows>> Find(const Scan& scan) const override {
    const std::string* const text = AsText(scan.Equal(kOperation));
    const auto* const points = std::get_if<std::int64_t>(scan.Equal(kPoints));
    if (text == nullptr || points == nullptr || *points < 1 || *points > kPointsMax) {
      return absl::InvalidArgumentError(
          "progress() takes an operation, by its id, the beginning of it, last, active or last~N, and a number of "
          "points from 1 to 10000");
    }
    ASSIGN_OR_RETURN(HistoryEntry entry, ResolveOperation(*scan.moment.log, *text));
    const Sequence last = std::min(entry.operation.last_sequence, scan.moment.through);
    if (entry.operation.first_sequence > last) return absl::NotFoundError("the operation has begun just now");
    return std::make_unique<ProgressRows>(*scan.moment.log, std::move(entry.operation), last, *points);
  }
};

}  // namespace

const Table& RunsTable() {
  static const Runs table;
  return table;
}

const Table& StateAtTable() {
  static const StateAtFunction table;
  return table;
}

const Table& ProgressTable() {
  static const ProgressFunction table;
  return table;
}

}  // namespace foldlog::sql
