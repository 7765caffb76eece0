#include "replay/event_search.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/codec/checkpoint_codec.h"
#include "engine/codec/event_codec.h"
#include "replay/event_filter.h"

namespace foldlog {
namespace {

// What has no summary may be of any length. Newest first it is read in steps of so many events …
constexpr Sequence kStepEvents = 4096;
// … of which so many bytes are held, and those before them read once more.
constexpr std::size_t kHeldBytesMax = std::size_t{4} << 20;

}  // namespace

EventSearch::EventSearch(const EventLog& log, const LogExtent& extent, EventFilter filter, Order order,
                         EventRange range)
    : log_(&log), filter_(std::move(filter)), order_(order), operations_(log, extent) {
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
  return order_ == Order::kOldestFirst ? NextForwards() : NextBackwards();
}

// The next stretch that may hold an answer, or false.
bool EventSearch::TakePart() {
  while (walk_) {
    const std::optional<Stretch> stretch = walk_->Next();
    if (!stretch) break;
    part_ = PartToRead(filter_, *stretch);
    part_is_batch_ = stretch->summary.has_value();
    if (!part_.empty()) return true;
  }
  cursor_ = 0;
  return false;
}

absl::StatusOr<std::optional<QueriedEvent>> EventSearch::NextForwards() {
  while (true) {
    if (!part_.empty()) {
      ASSIGN_OR_RETURN(std::optional<Item> item, NextItem(*reader_, part_.through));
      part_.from = reader_->position().sequence + 1;
      if (item) {
        RETURN_IF_ERROR(item->event.status());
        given_behind_ = item->before;
        cursor_ = item->sequence + 1;
        return std::optional(*std::move(item->event));
      }
    }
    if (!TakePart()) return std::optional<QueriedEvent>();
    ++parts_read_;
    // Where parts join, the chain is checked from one to the other.
    if (!reader_ || reader_->position().sequence + 1 != part_.from) reader_.emplace(*log_, part_.from);
  }
}

absl::StatusOr<std::optional<QueriedEvent>> EventSearch::NextBackwards() {
  while (held_.empty()) {
    if (part_.empty() && !TakePart()) return std::optional<QueriedEvent>();
    RETURN_IF_ERROR(CollectPart());
  }
  Item item = std::move(held_.back());
  held_.pop_back();
  RETURN_IF_ERROR(item.event.status());
  given_behind_ = item.before;
  cursor_ = item.sequence - 1;
  return std::optional(*std::move(item.event));
}

// Reads the last events of the part, and holds those that pass.
absl::Status EventSearch::CollectPart() {
  const bool whole = part_is_batch_ || part_.through - part_.from < kStepEvents;
  Sequence from = whole ? part_.from : part_.through - kStepEvents + 1;
  FrameReader reader(*log_, from);
  ++parts_read_;
  std::size_t bytes = 0;
  while (true) {
    absl::StatusOr<std::optional<Item>> item = NextItem(reader, part_.through);
    if (!item.ok()) {
      held_.clear();
      return item.status();
    }
    if (!item->has_value()) break;
    bytes += (*item)->bytes;
    held_.push_back(**std::move(item));
    for (; bytes > kHeldBytesMax && held_.size() > 1; held_.pop_front()) {
      bytes -= held_.front().bytes;
      from = held_.front().sequence + 1;
    }
  }
  part_.through = from - 1;
  return absl::OkStatus();
}

// The next event up to `through` that passes, or the error of one that is intact but cannot be decoded. The reader then
// is behind it. A status is the error of what cannot be read: the reader stays before it.
absl::StatusOr<std::optional<EventSearch::Item>> EventSearch::NextItem(FrameReader& reader, Sequence through) {
  while (reader.position().sequence < through) {
    ASSIGN_OR_RETURN(const FrameView* const frame, reader.Peek());
    if (!frame) return absl::DataLossError(absl::StrCat("the log ", log_->name(), " ends before event ", through));
    const Sequence sequence = frame->header.sequence;
    const std::optional<Moment> before = looked_at_ + 1 == sequence ? moment_ : std::nullopt;
    absl::StatusOr<std::optional<QueriedEvent>> found = Match(*frame);
    looked_at_ = sequence;
    if (absl::IsUnimplemented(found.status())) return reader.InContext(found.status());
    const absl::Status no_event = found.ok() ? absl::OkStatus() : reader.InContext(found.status());
    if (found.ok() && found->has_value()) {
      RETURN_IF_ERROR(operations_.Attribute(**found));
      if (filter_.operation != 0 && (*found)->operation != filter_.operation) found->reset();
    }
    const std::size_t bytes = frame->size_words() * sizeof(std::uint64_t);
    reader.StepOver(*frame);
    if (!no_event.ok()) return std::optional(Item{no_event, sequence, bytes, before});
    if (found->has_value()) return std::optional(Item{**std::move(found), sequence, bytes, before});
  }
  return std::optional<Item>();
}

// The event of the frame if it passes, without its operation. Nearly all events are plain checkpoints, which are looked
// at where they lie.
absl::StatusOr<std::optional<QueriedEvent>> EventSearch::Match(const FrameView& frame) {
  CheckpointView plain;
  moment_.reset();
  if (DecodePlainCheckpoint(frame.payload, plain) && !Passes(filter_, plain)) {
    moment_ = plain.at;
    return std::optional<QueriedEvent>();
  }
  ASSIGN_OR_RETURN(Event event, DecodeEvent(frame.payload));
  moment_ = {event.time, event.boot};
  QueriedEvent queried{{frame.header.sequence, frame.header.hash, std::move(event)}, "", 0};
  if (!Passes(filter_, queried.event)) return std::optional<QueriedEvent>();
  return std::optional(std::move(queried));
}

}  // namespace foldlog
