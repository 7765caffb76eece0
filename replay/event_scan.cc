#include "replay/event_scan.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "engine/base/status_macros.h"
#include "replay/event_filter.h"

namespace foldlog {
namespace {

// Long enough that folding from a snapshot is a small part of a step, short enough to be held.
constexpr Sequence kStepEvents = 4096;

bool Begins(const EventBody& body) {
  return std::holds_alternative<Started>(body) || std::holds_alternative<Imported>(body);
}

Sequence FirstOfOperation(const State& state) { return state.operation ? state.operation->first_sequence : 0; }

}  // namespace

EventScan::EventScan(const EventLog& log, EventFilter filter, Order order, EventRange range)
    : log_(&log), filter_(std::move(filter)), order_(order), left_(range) {
  cursor_ = range.empty() ? 0 : order == Order::kOldestFirst ? range.from : range.through;
}

absl::StatusOr<std::optional<QueriedEvent>> EventScan::Next() {
  if (order_ == Order::kOldestFirst) return NextForwards();
  while (step_.empty()) {
    if (left_.empty()) return End();
    RETURN_IF_ERROR(CollectStep());
  }
  Item item = std::move(step_.back());
  step_.pop_back();
  RETURN_IF_ERROR(item.status());
  cursor_ = item->event.sequence - 1;
  return std::optional(*std::move(item));
}

absl::StatusOr<std::optional<QueriedEvent>> EventScan::NextForwards() {
  if (!left_.empty() && !replayer_) {
    ASSIGN_OR_RETURN(replayer_, Replayer::From(*log_, left_.from));
    ++steps_;
  }
  while (!left_.empty()) {
    const Sequence found_on_row = FirstOfOperation(replayer_->state());
    absl::StatusOr<std::optional<RecordedEvent>> event = replayer_->Next();
    // Behind an event that cannot be decoded the replayer goes on; at a damaged frame it stays.
    left_.from = replayer_->state().sequence + 1;
    RETURN_IF_ERROR(event.status());
    if (!event->has_value()) break;
    const Sequence sequence = (*event)->sequence;
    const bool begun = Begins((*event)->event.body);
    const Sequence now_on_row = FirstOfOperation(replayer_->state());
    const Sequence operation = !begun ? found_on_row : now_on_row == sequence ? sequence : 0;
    if (!Passes(filter_, **event) || (filter_.operation != 0 && filter_.operation != operation)) continue;
    cursor_ = sequence + 1;
    return std::optional(QueriedEvent{**std::move(event), replayer_->operation_id(), operation});
  }
  return End();
}

// Reads the last events of what is left. They are given in reverse, an error where its event would have been.
absl::Status EventScan::CollectStep() {
  const Sequence from = left_.through - left_.from < kStepEvents ? left_.from : left_.through - kStepEvents + 1;
  EventScan step(*log_, filter_, Order::kOldestFirst, {from, left_.through});
  ++steps_;
  while (true) {
    const Sequence before = step.left_.from;
    absl::StatusOr<std::optional<QueriedEvent>> event = step.NextForwards();
    if (!event.ok() && step.left_.from == before) {
      step_.clear();
      return event.status();
    }
    if (event.ok() && !event->has_value()) break;
    step_.push_back(event.ok() ? Item(**std::move(event)) : Item(event.status()));
  }
  left_.through = from - 1;
  return absl::OkStatus();
}

absl::StatusOr<std::optional<QueriedEvent>> EventScan::End() {
  cursor_ = 0;
  return std::optional<QueriedEvent>();
}

}  // namespace foldlog
