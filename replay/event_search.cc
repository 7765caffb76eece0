#include "replay/event_search.h"

#include <algorithm>
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/gaps.h"
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
    const std::optional<Part> part = NextPart();
    if (!part) return;
    if (part->batch != 0) ahead_.Plan(*part);
    if (part->batch == 0) unsummarised_ = part;
  }
}

std::optional<Part> EventSearch::NextPart() {
  while (pieces_.empty()) {
    const std::optional<Stretch> stretch = walk_->Next();
    if (!stretch) return std::nullopt;
    CutAtGaps({PartToRead(filter_, *stretch), stretch->summary ? stretch->summary->first : 0});
  }
  const Part part = pieces_.front();
  pieces_.pop_front();
  return part;
}

// What of a part can be read, in the order of the query.
void EventSearch::CutAtGaps(Part part) {
  const bool rising = order_ == Order::kOldestFirst;
  EventRange& range = part.range;
  while (!range.empty()) {
    Part piece = part;
    const Gap* const gap = rising ? GapFrom(*log_, range.from) : GapUpTo(*log_, range.through);
    if (rising) {
      if (gap != nullptr) piece.range.through = std::min(range.through, gap->from - 1);
      range.from = gap != nullptr ? gap->through + 1 : range.through + 1;
    } else {
      if (gap != nullptr) piece.range.from = std::max(range.from, gap->through + 1);
      range.through = gap != nullptr ? gap->from - 1 : range.from - 1;
    }
    if (!piece.range.empty()) pieces_.push_back(piece);
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
