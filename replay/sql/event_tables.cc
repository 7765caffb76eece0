// The tables events, checkpoints and errors: three views of the events of a log.

#include <algorithm>
#include <deque>
#include <utility>

#include "engine/base/saturated.h"
#include "engine/base/status_macros.h"
#include "foldlog/event_query.h"
#include "foldlog/history.h"
#include "replay/report/text.h"
#include "replay/sql/table.h"

namespace foldlog::sql {
namespace {

// Each table begins with the columns by which events are found.
enum FindColumn { kSequence, kTime, kOperationId, kOperation, kFindColumns };

const std::int64_t* AsInteger(const Value& value) { return std::get_if<std::int64_t>(&value); }

// Sequence numbers are compared with integers; with anything else the constraint is left to SQLite.
void NarrowSequence(const Constraint& constraint, EventFilter& filter) {
  const std::int64_t* const number = AsInteger(constraint.value);
  if (number == nullptr) return;
  const auto at = static_cast<Sequence>(std::max<std::int64_t>(*number, 0));
  const bool none_below = *number < 0;
  switch (constraint.comparison) {
    case Comparison::kGreater:
      filter.from = std::max(filter.from, none_below ? 0 : at + 1);
      break;
    case Comparison::kGreaterOrEqual:
      filter.from = std::max(filter.from, at);
      break;
    case Comparison::kLess:
      filter.through = std::min(filter.through, at == 0 ? 0 : at - 1);
      break;
    case Comparison::kLessOrEqual:
      filter.through = std::min(filter.through, at);
      break;
    case Comparison::kEqual:
      filter.from = std::max(filter.from, at);
      filter.through = std::min(filter.through, at);
  }
}

void NarrowTime(const Constraint& constraint, EventFilter& filter) {
  const auto* const text = std::get_if<std::string>(&constraint.value);
  const std::optional<Instants> when = text == nullptr ? std::nullopt : ParseTime(*text);
  if (!when) return;
  const bool less = constraint.comparison == Comparison::kLess || constraint.comparison == Comparison::kLessOrEqual;
  const bool equal = constraint.comparison == Comparison::kEqual;
  if (!less || equal) filter.since = std::max(filter.since.value_or(when->first), when->first);
  const TimeNs end = SaturatedPlus(when->last, 1);
  if (less || equal) filter.until = std::min(filter.until.value_or(end), end);
}

// Nothing if no event can be meant.
std::optional<EventFilter> FilterOf(const Scan& scan) {
  EventFilter filter{.from = scan.moment.first, .through = scan.moment.through};
  for (const Constraint& constraint : scan.constraints) {
    if (constraint.column == kSequence) NarrowSequence(constraint, filter);
    if (constraint.column == kTime) NarrowTime(constraint, filter);
  }
  if (filter.from > filter.through) return std::nullopt;
  if (filter.since && filter.until && *filter.since >= *filter.until) return std::nullopt;
  return filter;
}

Value Text(const std::optional<std::string>& text) { return text ? Value(*text) : Value(); }
Value TextUnlessEmpty(const std::string& text) { return text.empty() ? Value() : Value(text); }
Value Number(const std::optional<std::int64_t>& number) { return number ? Value(*number) : Value(); }
Value Number(Sequence sequence) { return static_cast<std::int64_t>(sequence); }

// Events, as an EventQuery gives them.
class EventRows : public Rows {
 public:
  static absl::StatusOr<std::unique_ptr<EventRows>> Over(const Scan& scan, std::unique_ptr<EventRows> rows,
                                                         std::optional<EventFilter> filter) {
    if (!filter) return rows;
    const Order order = scan.newest_first ? Order::kNewestFirst : Order::kOldestFirst;
    absl::StatusOr<EventQuery> query = EventQuery::Over(*scan.moment.log, *filter, order);
    // An operation that the log does not know has no events.
    if (absl::IsNotFound(query.status())) return rows;
    RETURN_IF_ERROR(query.status());
    rows->query_.emplace(*std::move(query));
    return rows;
  }

  absl::StatusOr<bool> Next() override {
    if (!query_) return false;
    ASSIGN_OR_RETURN(found_, query_->Next());
    return found_.has_value();
  }

  std::int64_t id() const override { return static_cast<std::int64_t>(event().sequence); }
  std::uint64_t batches_unpacked() const override { return query_ ? query_->batches_unpacked() : 0; }

 protected:
  const RecordedEvent& event() const { return found_->event; }

  template <typename Body>
  const Body* body() const {
    return std::get_if<Body>(&event().event.body);
  }

  Value FoundBy(int column) const {
    if (column == kSequence) return Number(event().sequence);
    if (column == kTime) return report::Rfc3339(event().event.time);
    if (found_->operation == 0) return {};
    return column == kOperation ? Number(found_->operation) : Value(found_->operation_id);
  }

 private:
  std::optional<EventQuery> query_;
  std::optional<QueriedEvent> found_;
};

// Of a log of ten million events in some thousand operations.
constexpr double kEvents = 1e7;
constexpr double kErrors = 1e5;
constexpr double kOperations = 1e4;

constexpr Column kSequenceColumn = {.name = "sequence", .type = "INTEGER NOT NULL", .usable = true, .share = kEvents};
constexpr Column kTimeColumn = {.name = "time", .type = "TEXT", .usable = true, .share = kEvents};
constexpr Column kIdColumn = {.name = "operation_id", .type = "TEXT", .usable = true, .share = kOperations / 2};
// The same as runs.first_sequence.
constexpr Column kOperationColumn = {.name = "operation", .type = "INTEGER", .usable = true, .share = kOperations};

// An id may have been used by several operations, whose events then begin with the first of them.
absl::Status NarrowToId(const std::string& id, const LogMoment& moment, std::optional<EventFilter>& filter) {
  ASSIGN_OR_RETURN(HistoryQuery query, HistoryQuery::Over(*moment.log, {.id_prefix = id}));
  std::optional<Sequence> first;
  int uses = 0;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<HistoryEntry> entry, query.Next());
    if (!entry) break;
    if (entry->operation.operation_id != id) continue;
    if (!first) first = entry->operation.first_sequence;
    ++uses;
  }
  if (!first) filter.reset();
  if (uses == 1) filter->operation = *first;
  if (uses > 1) filter->from = std::max(filter->from, *first);
  return absl::OkStatus();
}

absl::Status NarrowToOperation(const Scan& scan, std::optional<EventFilter>& filter) {
  const Value* const number = scan.Equal(kOperation);
  if (const std::int64_t* first = number == nullptr ? nullptr : AsInteger(*number); first != nullptr && filter) {
    if (*first <= 0) filter.reset();
    if (filter) filter->operation = static_cast<Sequence>(*first);
    return absl::OkStatus();
  }
  const Value* const id = scan.Equal(kOperationId);
  const auto* const text = id == nullptr ? nullptr : std::get_if<std::string>(id);
  return text != nullptr && filter ? NarrowToId(*text, scan.moment, filter) : absl::OkStatus();
}

// ---- events ----

enum EventColumn {
  kKind = kFindColumns,
  kEpoch,
  kFilesProcessed,
  kCurrentPath,
  kLastProcessedFile,
  kBatchNum,
  kErrorPath,
  kError,
  kReason,
  kEvidence
};

class AllEventRows final : public EventRows {
 public:
  Value At(int column) const override {
    if (column < kFindColumns) return FoundBy(column);
    if (column == kKind) return std::string(KindName(event().event.body));
    if (column == kEpoch) return static_cast<std::int64_t>(event().event.epoch);
    if (const auto* checkpoint = body<Checkpoint>()) return OfCheckpoint(*checkpoint, column);
    if (const auto* imported = body<Imported>()) {
      if (column == kFilesProcessed) return imported->files_processed;
      if (column == kError && imported->status == OperationStatus::kFailed) return imported->failure;
    }
    if (const auto* failed = body<Failed>()) return column == kError ? Value(failed->error) : Value();
    if (const auto* recovered = body<Recovered>(); recovered != nullptr && column == kEvidence) {
      return std::string(Name(recovered->evidence));
    }
    return column == kReason ? Reason() : Value();
  }

 private:
  static Value OfCheckpoint(const Checkpoint& checkpoint, int column) {
    switch (column) {
      case kFilesProcessed:
        return checkpoint.files_processed;
      case kCurrentPath:
        return Text(checkpoint.current_path);
      case kLastProcessedFile:
        return Text(checkpoint.last_processed_file);
      case kBatchNum:
        return Number(checkpoint.batch_num);
      case kErrorPath:
        return checkpoint.error ? TextUnlessEmpty(checkpoint.error->path) : Value();
      case kError:
        return checkpoint.error ? Value(checkpoint.error->message) : Value();
      default:
        return {};
    }
  }

  Value Reason() const {
    if (const auto* paused = body<Paused>()) return TextUnlessEmpty(paused->reason);
    if (const auto* resumed = body<Resumed>()) return TextUnlessEmpty(resumed->reason);
    if (const auto* recovered = body<Recovered>()) return TextUnlessEmpty(recovered->reason);
    if (const auto* reset = body<Reset>()) return TextUnlessEmpty(reset->reason);
    return {};
  }
};

class Events final : public Table {
 public:
  const char* name() const override { return "events"; }
  const std::vector<Column>& columns() const override {
    static const std::vector<Column> columns = {kSequenceColumn,
                                                kTimeColumn,
                                                kIdColumn,
                                                kOperationColumn,
                                                {.name = "kind", .type = "TEXT", .usable = true, .share = 100},
                                                {.name = "epoch", .type = "INTEGER"},
                                                {.name = "files_processed", .type = "INTEGER"},
                                                {.name = "current_path", .type = "TEXT"},
                                                {.name = "last_processed_file", .type = "TEXT"},
                                                {.name = "batch_num", .type = "INTEGER"},
                                                {.name = "error_path", .type = "TEXT"},
                                                {.name = "error", .type = "TEXT"},
                                                {.name = "reason", .type = "TEXT"},
                                                {.name = "evidence", .type = "TEXT"}};
    return columns;
  }
  double rows() const override { return kEvents; }
  int ordered_by() const override { return kSequence; }
  absl::StatusOr<std::unique_ptr<Rows>> Find(const Scan& scan) const override {
    std::optional<EventFilter> filter = FilterOf(scan);
    if (const Value* kind = scan.Equal(kKind); kind != nullptr && filter) {
      const auto* const text = std::get_if<std::string>(kind);
      const std::vector<std::string_view>& names = KindNames();
      const auto found = text == nullptr ? names.end() : std::find(names.begin(), names.end(), *text);
      if (found == names.end()) filter.reset();
      if (filter) filter->kinds = {static_cast<std::size_t>(found - names.begin())};
    }
    RETURN_IF_ERROR(NarrowToOperation(scan, filter));
    return EventRows::Over(scan, std::make_unique<AllEventRows>(), std::move(filter));
  }
};

// ---- checkpoints ----

enum CheckpointColumn { kFiles = kFindColumns, kPath, kLast, kBatch, kFailedPath, kMessage };

class CheckpointRows final : public EventRows {
 public:
  Value At(int column) const override {
    const Checkpoint& checkpoint = *body<Checkpoint>();
    switch (column) {
      case kFiles:
        return checkpoint.files_processed;
      case kPath:
        return Text(checkpoint.current_path);
      case kLast:
        return Text(checkpoint.last_processed_file);
      case kBatch:
        return Number(checkpoint.batch_num);
      case kFailedPath:
        return checkpoint.error ? TextUnlessEmpty(checkpoint.error->path) : Value();
      case kMessage:
        return checkpoint.error ? Value(checkpoint.error->message) : Value();
      default:
        return FoundBy(column);
    }
  }
};

class Checkpoints final : public Table {
 public:
  const char* name() const override { return "checkpoints"; }
  const std::vector<Column>& columns() const override {
    static const std::vector<Column> columns = {kSequenceColumn,
                                                kTimeColumn,
                                                kIdColumn,
                                                kOperationColumn,
                                                {.name = "files_processed", .type = "INTEGER"},
                                                {.name = "current_path", .type = "TEXT"},
                                                {.name = "last_processed_file", .type = "TEXT"},
                                                {.name = "batch_num", .type = "INTEGER"},
                                                {.name = "error_path", .type = "TEXT"},
                                                {.name = "error", .type = "TEXT"}};
    return columns;
  }
  double rows() const override { return kEvents; }
  int ordered_by() const override { return kSequence; }
  absl::StatusOr<std::unique_ptr<Rows>> Find(const Scan& scan) const override {
    std::optional<EventFilter> filter = FilterOf(scan);
    if (filter) filter->kinds = {KindOf<Checkpoint>};
    RETURN_IF_ERROR(NarrowToOperation(scan, filter));
    return EventRows::Over(scan, std::make_unique<CheckpointRows>(), std::move(filter));
  }
};

// ---- errors ----

enum ErrorColumn { kErrorOf = kFindColumns, kErrorMessage, kFatal, kDetails };

// One error of an event: an import brings many.
struct FoundError {
  TimeNs time;
  std::optional<std::string> path;
  std::string message;
  std::string details;
  bool fatal;
};

FoundError ToFound(TimeNs time, const FileError& error) {
  return {time, error.path.empty() ? std::nullopt : std::optional(error.path), error.message, error.details, false};
}

class ErrorRows final : public EventRows {
 public:
  absl::StatusOr<bool> Next() override {
    if (!errors_.empty()) errors_.pop_front();
    while (errors_.empty()) {
      ASSIGN_OR_RETURN(const bool more, EventRows::Next());
      if (!more) return false;
      Collect();
    }
    return true;
  }

  Value At(int column) const override {
    const FoundError& error = errors_.front();
    switch (column) {
      case kTime:
        return report::Rfc3339(error.time);
      case kErrorOf:
        return Text(error.path);
      case kErrorMessage:
        return error.message;
      case kFatal:
        return std::int64_t{error.fatal ? 1 : 0};
      case kDetails:
        return TextUnlessEmpty(error.details);
      default:
        return FoundBy(column);
    }
  }

 private:
  void Collect() {
    const TimeNs time = event().event.time;
    if (const auto* checkpoint = body<Checkpoint>()) errors_.push_back(ToFound(time, *checkpoint->error));
    if (const auto* failed = body<Failed>()) errors_.push_back({time, std::nullopt, failed->error, "", true});
    const auto* const imported = body<Imported>();
    if (imported == nullptr) return;
    for (const ImportedError& error : imported->errors) errors_.push_back(ToFound(error.time, error.error));
    if (imported->status == OperationStatus::kFailed) {
      errors_.push_back({imported->ended_at, std::nullopt, imported->failure, "", true});
    }
  }

  std::deque<FoundError> errors_;
};

// The times of an import's errors are older than the event: constraints on them say nothing of it.
class Errors final : public Table {
 public:
  const char* name() const override { return "errors"; }
  const std::vector<Column>& columns() const override {
    static const std::vector<Column> columns = {kSequenceColumn,
                                                {.name = "time", .type = "TEXT"},
                                                kIdColumn,
                                                kOperationColumn,
                                                {.name = "path", .type = "TEXT"},
                                                {.name = "message", .type = "TEXT"},
                                                {.name = "fatal", .type = "INTEGER"},
                                                {.name = "details", .type = "TEXT"}};
    return columns;
  }
  double rows() const override { return kErrors; }
  int ordered_by() const override { return kSequence; }
  absl::StatusOr<std::unique_ptr<Rows>> Find(const Scan& scan) const override {
    std::optional<EventFilter> filter = FilterOf(scan);
    if (filter) filter->with_error = true;
    RETURN_IF_ERROR(NarrowToOperation(scan, filter));
    return EventRows::Over(scan, std::make_unique<ErrorRows>(), std::move(filter));
  }
};

}  // namespace

const Table& EventsTable() {
  static const Events table;
  return table;
}

const Table& CheckpointsTable() {
  static const Checkpoints table;
  return table;
}

const Table& ErrorsTable() {
  static const Errors table;
  return table;
}

}  // namespace foldlog::sql
