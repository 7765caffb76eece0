#include "foldlog/event_query.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/missing_events.h"
#include "foldlog/history.h"
#include "replay/event_filter.h"
#include "replay/event_search.h"
#include "replay/event_source.h"

namespace foldlog {
namespace {

absl::Status NoSuchOperation(const EventLog& log, const EventFilter& filter) {
  const std::string named =
      filter.operation_id ? *filter.operation_id : absl::StrCat("begun by event ", filter.operation);
  return absl::NotFoundError(
      absl::StrCat("the log ", log.name(), " knows no operation ", named, "; its history lists those it knows"));
}

// Who asks for events that were pruned is told when they were, and not that there are none.
absl::Status CheckNotPruned(const EventLog& log, Sequence from, Sequence through, const LogExtent& extent) {
  const Sequence base = extent.base.sequence;
  if (base == 0 || (from <= 1 && through > base) || from > base) return absl::OkStatus();
  return log.Read(std::max<Sequence>(from, 1), 1).status();
}

// Replaces the operation that the filter names by the number of its first event, and narrows the range to it.
absl::Status FindOperationOf(const EventLog& log, EventFilter& filter, EventRange& range) {
  if (filter.operation_id) {
    ASSIGN_OR_RETURN(const HistoryEntry entry, FindOperation(log, *filter.operation_id));
    const Sequence first = entry.operation.first_sequence;
    if (filter.operation != 0 && filter.operation != first) return NoSuchOperation(log, filter);
    filter.operation = first;
  }
  ASSIGN_OR_RETURN(HistoryQuery history, HistoryQuery::Over(log, {}, Order::kOldestFirst, filter.operation));
  ASSIGN_OR_RETURN(const std::optional<HistoryEntry> entry, history.Next());
  if (!entry || entry->operation.first_sequence != filter.operation) return NoSuchOperation(log, filter);
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  RETURN_IF_ERROR(CheckNotPruned(log, filter.operation, extent.base.sequence, extent));
  range.from = std::max(range.from, filter.operation);
  if (entry->reset_by) range.through = std::min(range.through, *entry->reset_by);
  if (entry->reset_by) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<HistoryEntry> next_one, history.Next());
  if (next_one) range.through = std::min(range.through, next_one->operation.first_sequence - 1);
  return absl::OkStatus();
}

// Where the page begins that goes on at `cursor`.
void GoOnAt(Sequence cursor, Order order, EventRange& range) {
  if (cursor == 0) return;
  if (order == Order::kOldestFirst) range.from = std::max(range.from, cursor);
  if (order == Order::kNewestFirst) range.through = std::min(range.through, cursor);
}

}  // namespace

absl::StatusOr<EventQuery> EventQuery::Over(const EventLog& log, const EventFilter& filter, Order order,
                                            Sequence cursor) {
  RETURN_IF_ERROR(CheckFilter(filter));
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  RETURN_IF_ERROR(CheckNotPruned(log, filter.from, filter.through, extent));
  EventFilter wanted = filter;
  EventRange range{std::max(filter.from, extent.base.sequence + 1), std::min(filter.through, extent.end.sequence)};
  if (filter.operation != 0 || filter.operation_id) RETURN_IF_ERROR(FindOperationOf(log, wanted, range));
  GoOnAt(cursor, order, range);
  EventQuery query(std::make_unique<EventSearch>(log, extent, std::move(wanted), order, range));
  if (filter.through > extent.end.sequence) query.at_end_ = CheckNothingIsMissing(log, extent);
  return query;
}

EventQuery::EventQuery(std::unique_ptr<EventSource> source) : source_(std::move(source)) {}
EventQuery::EventQuery(EventQuery&&) noexcept = default;
EventQuery& EventQuery::operator=(EventQuery&&) noexcept = default;
EventQuery::~EventQuery() = default;

absl::StatusOr<std::optional<QueriedEvent>> EventQuery::Next() {
  absl::StatusOr<std::optional<QueriedEvent>> found = source_->Next();
  if (found.ok() && !found->has_value()) RETURN_IF_ERROR(at_end_);
  return found;
}

std::optional<Moment> EventQuery::moment_before() const { return source_->moment_before(); }

Sequence EventQuery::cursor() const { return source_->cursor(); }

absl::Status EventQuery::index_damage() const { return source_->index_damage(); }

std::uint64_t EventQuery::batches_unpacked() const { return source_->batches_unpacked(); }

}  // namespace foldlog
