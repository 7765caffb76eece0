#include "replay/event_search.h"

#include <algorithm>
#include <utility>

#include "engine/base/status_macros.h"
#include "replay/event_filter.h"

namespace foldlog {

EventSearch::EventSearch(const EventLog& log, const LogExtent& extent, EventFilter filter, Order order,
                         EventRange range)
    : log_(&log),
      filter_(std::move(filter)),
      order_(order),
      operations_(log, extent),
      reader_(log, filter_, order),
      ahead_(log, filter_, order) {
  if (range.empty()) return;
  const bool rising = order == Order::kOldestFirst;
  walk_.emplace(log, range.from, range.through, rising ? IndexOrder::kRising : IndexOrder::kFalling);
  cursor_ = rising ? range.from : range.through;
}

absl::Status EventSearch::index_damage() const {
  if (walk_ && !walk_->damage().ok()) return walk_->damage();
  return operations_.damage();
}

absl::StatusOr<std::optional<QueriedEvent>> EventSearch::Next() {
  while (true) {
    while (!found_.events.empty()) {
      ASSIGN_OR_RETURN(std::optional<QueriedEvent> given, Give());
      if (given) return given;
    }
    // A later call tries once more what could not be read.
    if (!found_.failure.ok()) return std::exchange(found_.failure, absl::OkStatus());
    if (part_.range.empty() && !TakePart()) return std::optional<QueriedEvent>();
    if (found_.events.empty() && found_.failure.ok() && !part_.range.empty()) ReadPart();
  }
}

// The next event that was found, or nothing if it is of another operation than the one asked for.
absl::StatusOr<std::optional<QueriedEvent>> EventSearch::Give() {
  const bool rising = order_ == Order::kOldestFirst;
  FoundEvent& next = rising ? found_.events.front() : found_.events.back();
  if (next.event.ok()) RETURN_IF_ERROR(operations_.Attribute(*next.event));
  FoundEvent given = std::move(next);
  rising ? found_.events.pop_front() : found_.events.pop_back();
  RETURN_IF_ERROR(given.event.status());
  if (filter_.operation != 0 && given.event->operation != filter_.operation) return std::optional<QueriedEvent>();
  given_behind_ = given.before;
  cursor_ = rising ? given.sequence + 1 : given.sequence - 1;
  return std::optional(*std::move(given.event));
}

// What is of no known batch may be of any length, and is read when its turn comes.
void EventSearch::PlanParts() {
  while (walk_ && !unsummarised_ && ahead_.WantsMore()) {
    const std::optional<Stretch> stretch = walk_->Next();
    if (!stretch) return;
    const Part part{PartToRead(filter_, *stretch), stretch->summary ? stretch->summary->first : 0};
    if (part.range.empty()) continue;
    if (part.batch != 0) ahead_.Plan(part);
    if (part.batch == 0) unsummarised_ = part;
  }
}

// Goes on to the next part that may hold an answer, and false if there is none.
bool EventSearch::TakePart() {
  PlanParts();
  if (ahead_.empty() && !unsummarised_) {
    cursor_ = 0;
    return false;
  }
  ++parts_read_;
  if (ahead_.empty()) {
    part_ = *std::exchange(unsummarised_, std::nullopt);
    return true;
  }
  auto [part, found] = ahead_.Take();
  part_ = part;
  // A part that does not continue the one before it is read once more, to say what is wrong with it.
  if (ContinuesChain(found)) Settle(std::move(found));
  return true;
}

void EventSearch::ReadPart() { Settle(reader_.Read(part_, order_ == Order::kOldestFirst ? end_ : std::nullopt)); }

// Where parts join, the chain is checked from one to the other.
bool EventSearch::ContinuesChain(const FoundPart& found) const {
  return order_ == Order::kNewestFirst || !end_ || end_->sequence != found.before.sequence ||
         end_->hash == found.before.hash;
}

void EventSearch::Settle(FoundPart found) {
  const bool joins = end_ && end_->sequence == found.before.sequence;
  if (joins && !found.events.empty() && found.events.front().sequence == found.read.from &&
      !found.events.front().before) {
    found.events.front().before = moment_;
  }
  if (order_ == Order::kOldestFirst) {
    part_.range.from = found.read.through + 1;
    if (!found.read.empty()) end_ = found.after;
    if (found.read.empty() && !joins) end_.reset();  // which link comes first is not known yet
    moment_ = found.moment;
  } else if (found.failure.ok()) {
    part_.range.through = found.read.from - 1;
  } else {
    found.events.clear();
  }
  found_ = std::move(found);
}

}  // namespace foldlog
