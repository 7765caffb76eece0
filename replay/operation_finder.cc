#include "replay/operation_finder.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/gaps.h"
#include "replay/indexed_history.h"

namespace foldlog {

OperationFinder::OperationFinder(const EventLog& log, const LogExtent& extent) : log_(&log), extent_(extent) {}

absl::Status OperationFinder::Attribute(QueriedEvent& queried) {
  const Sequence sequence = queried.event.sequence;
  const EventBody& body = queried.event.event.body;
  const auto* started = std::get_if<Started>(&body);
  const auto* imported = std::get_if<Imported>(&body);
  RETURN_IF_ERROR(Seek(sequence));
  if (started != nullptr || imported != nullptr) {
    queried.operation_id = started != nullptr ? started->operation_id : imported->operation_id;
    queried.operation = span_->first == sequence ? sequence : 0;
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const bool on_row, IsOnRowBefore(sequence));
  queried.operation_id = on_row ? span_->id : "";
  queried.operation = on_row ? span_->first : 0;
  return absl::OkStatus();
}

OperationFinder::Span OperationFinder::SpanOf(const Operation& operation, std::optional<Sequence> reset_by) {
  const bool active = operation.status == OperationStatus::kInProgress || operation.status == OperationStatus::kPaused;
  return {.first = operation.first_sequence,
          .last = operation.last_sequence,
          .next = kNever,
          .epoch = operation.epoch,
          .has_ended = !active,
          .id = operation.operation_id,
          .off = reset_by,
          .looked_through = operation.last_sequence};
}

// An index that tells of no operations leaves them all to the events.
void OperationFinder::LearnWhatIsIndexed() {
  indexed_ =
      FindOperationsIndexed(*log_, extent_.end.sequence, damage_).value_or(OperationsIndexed{extent_.base.sequence, 0});
}

// Makes span_ the last operation that began by event `sequence`.
absl::Status OperationFinder::Seek(Sequence sequence) {
  if (span_ && span_->first <= sequence && sequence < span_->next) return absl::OkStatus();
  reader_.reset();
  if (!indexed_) LearnWhatIsIndexed();
  const absl::StatusOr<bool> found = SeekRow(sequence);
  if (absl::IsDataLoss(found.status())) {
    if (damage_.ok()) damage_ = found.status();
    indexed_ = {extent_.base.sequence, 0};
    behind_.reset();
    return SeekBehindRows(sequence);
  }
  RETURN_IF_ERROR(found.status());
  return *found ? absl::OkStatus() : SeekBehindRows(sequence);
}

// Whether a row tells of it.
absl::StatusOr<bool> OperationFinder::SeekRow(Sequence sequence) {
  if (indexed_->operations == 0) return false;
  std::optional<OperationRow> row;
  if (row_ahead_ && row_ahead_->operation.first_sequence <= sequence) {
    row = std::exchange(row_ahead_, std::nullopt);
    ASSIGN_OR_RETURN(const bool skipped, rows_->SkipTo(sequence));
    if (skipped) {
      ASSIGN_OR_RETURN(row, rows_->Next());
    }
  } else {
    row_ahead_.reset();
    rows_.emplace(*log_, sequence, IndexOrder::kRising);
    ASSIGN_OR_RETURN(row, rows_->Next());
  }
  const absl::Status lacks_rows = absl::DataLossError("the index lacks rows of operations");
  if (!row) return lacks_rows;
  if (row->operation.first_sequence > sequence) {
    if (row->ordinal != 1) return lacks_rows;
    span_ = Span{.next = row->operation.first_sequence};
    return true;
  }
  if (row->ordinal > indexed_->operations) return false;  // was added meanwhile
  RETURN_IF_ERROR(TakeRow(*row));
  if (row_ahead_ && row_ahead_->operation.first_sequence <= sequence) return lacks_rows;
  return sequence < span_->next;
}

// Makes span_ that of a row; the next row, or the first operation without one, tells where it ends.
absl::Status OperationFinder::TakeRow(const OperationRow& row) {
  Span span = SpanOf(row.operation, row.reset_by);
  ASSIGN_OR_RETURN(row_ahead_, rows_->Next());
  if (row_ahead_ && row_ahead_->ordinal <= indexed_->operations) {
    span.next = row_ahead_->operation.first_sequence;
  } else {
    row_ahead_.reset();
    if (row.ordinal < indexed_->operations) return absl::DataLossError("the index lacks rows of operations");
    RETURN_IF_ERROR(LoadBehindRows());
    if (!behind_->empty()) span.next = behind_->front().first;
  }
  span_ = std::move(span);
  return absl::OkStatus();
}

absl::Status OperationFinder::SeekBehindRows(Sequence sequence) {
  RETURN_IF_ERROR(LoadBehindRows());
  const auto next = std::upper_bound(behind_->begin(), behind_->end(), sequence,
                                     [](Sequence at, const Span& span) { return at < span.first; });
  if (next != behind_->begin()) {
    span_ = *std::prev(next);
  } else {
    span_ = Span{};
  }
  span_->next = next == behind_->end() ? kNever : next->first;
  return absl::OkStatus();
}

absl::Status OperationFinder::LoadBehindRows() {
  if (behind_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<HistoryEntry> entries, OperationsBehind(*log_, indexed_->through, extent_));
  behind_.emplace();
  for (const HistoryEntry& entry : entries) {
    behind_->push_back(SpanOf(entry.operation, entry.reset_by));
    Span& span = behind_->back();
    // Whether it was still on the row behind the gap, nobody can tell.
    if (!span.has_ended && !span.off && GapAt(*log_, span.last + 1) != nullptr) span.off = span.last;
  }
  return absl::OkStatus();
}

// Whether the operation of span_ was on the row when event `sequence` came, which is behind its first.
absl::StatusOr<bool> OperationFinder::IsOnRowBefore(Sequence sequence) {
  if (span_->first == 0) return false;
  if (sequence <= span_->last + 1) return true;
  if (span_->has_ended && !span_->off) RETURN_IF_ERROR(LookBehindEnd(sequence - 1));
  return !span_->off || sequence <= *span_->off;
}

// Looks for the event that took the operation, which has ended, off the row. Anything but a reset or the operation's
// clearing does not follow there.
absl::Status OperationFinder::LookBehindEnd(Sequence through) {
  if (!reader_) reader_.emplace(*log_, span_->looked_through + 1);
  while (span_->looked_through < through && !span_->off) {
    if (GapAt(*log_, span_->looked_through + 1) != nullptr) {
      span_->off = span_->looked_through;
      break;
    }
    const absl::StatusOr<std::optional<RecordedEvent>> event = reader_->Next();
    const bool is_no_event = !event.ok() && reader_->position().sequence > span_->looked_through;
    if (!is_no_event) RETURN_IF_ERROR(event.status());
    if (event.ok() && !event->has_value()) {
      return absl::DataLossError(absl::StrCat("the log ", log_->name(), " ends before event ", through));
    }
    ++span_->looked_through;
    const Event* const body = event.ok() ? &(*event)->event : nullptr;
    const bool fits =
        body != nullptr && body->epoch == span_->epoch &&
        (std::holds_alternative<Reset>(body->body) || (std::holds_alternative<Cleared>(body->body) && !span_->misfit));
    if (fits) span_->off = span_->looked_through;
    span_->misfit = span_->misfit || !fits;
  }
  return absl::OkStatus();
}

}  // namespace foldlog
