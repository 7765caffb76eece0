#include "replay/part_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/codec/checkpoint_codec.h"
#include "engine/codec/event_codec.h"
#include "replay/event_filter.h"

namespace foldlog {
namespace {

// What is of no known batch is read in pieces of so many events …
constexpr Sequence kPieceEvents = 4096;
// … of which so many bytes are held.
constexpr std::size_t kHeldBytesMax = std::size_t{4} << 20;

bool MayPassPlain(const EventFilter& filter) {
  return !filter.with_error && (filter.kinds.empty() || filter.kinds.contains(KindOf<Checkpoint>));
}

}  // namespace

PartReader::PartReader(const EventLog& log, const EventFilter& filter, Order order)
    : log_(&log), filter_(&filter), order_(order), wants_plain_(MayPassPlain(filter)) {}

// The chain is checked from one part to the next where they join.
void PartReader::Start(const Part& part, Sequence from, const std::optional<ChainEnd>& after) {
  if (!reader_) reader_.emplace(*log_, from);
  const bool joins = after && after->sequence + 1 == from;
  if (reader_->position().sequence + 1 == from && (!joins || reader_->position() == *after)) return;
  moment_.reset();
  if (joins) return reader_->Restart(*after);
  reader_->Restart(from, part.batch != 0 && part.batch < from ? part.batch : from);
}

FoundPart PartReader::Read(const Part& part, const std::optional<ChainEnd>& after) {
  auto [from, through] = part.range;
  const bool whole = part.batch != 0 || through - from < kPieceEvents;
  if (!whole && order_ == Order::kNewestFirst) from = through - kPieceEvents + 1;
  if (!whole && order_ == Order::kOldestFirst) through = from + kPieceEvents - 1;
  Start(part, from, after);
  FoundPart found{.read = {from, from - 1}};
  while (found.failure.ok() && found.read.through < through) {
    const absl::StatusOr<const FrameView*> frame = reader_->Peek();
    // The first link may be known only now.
    if (found.read.empty()) found.before = reader_->position();
    if (frame.ok() && *frame == nullptr) {
      found.failure = absl::DataLossError(absl::StrCat("the log ", log_->name(), " ends before event ", through));
    } else {
      found.failure = frame.ok() ? Look(**frame, found) : frame.status();
    }
    if (!found.failure.ok()) break;
    if (!wants_plain_) StepOverPlain(through);
    found.read.through = reader_->position().sequence;
    if (found.bytes <= kHeldBytesMax) continue;
    if (order_ == Order::kOldestFirst) break;
    ForgetFirst(found);
  }
  found.after = reader_->position();
  found.moment = moment_;
  return found;
}

void PartReader::StepOverPlain(Sequence through) {
  reader_->StepOverWhile(through, [this](std::span<const std::uint64_t> payload) {
    const std::optional<Moment> moment = MomentOfPlainCheckpoint(payload);
    if (moment) moment_ = moment;
    return moment.has_value();
  });
}

// Nearly all events are plain checkpoints, which are looked at where they lie.
absl::Status PartReader::Look(const FrameView& frame, FoundPart& found) {
  CheckpointView plain;
  if (DecodePlainCheckpoint(frame.payload, plain) && !(wants_plain_ && Passes(*filter_, plain))) {
    moment_ = plain.at;
    reader_->StepOver(frame);
    return absl::OkStatus();
  }
  absl::StatusOr<Event> event = DecodeEvent(frame.payload);
  // This version would pass over a newer kind of event.
  if (absl::IsUnimplemented(event.status())) return reader_->InContext(event.status());
  if (!event.ok()) {
    Keep(reader_->InContext(event.status()), frame, found);
    moment_.reset();
  } else {
    const Moment at{event->time, event->boot};
    QueriedEvent queried{{frame.header.sequence, frame.header.hash, *std::move(event)}, "", 0};
    if (Passes(*filter_, queried.event)) Keep(std::move(queried), frame, found);
    moment_ = at;
  }
  reader_->StepOver(frame);
  return absl::OkStatus();
}

void PartReader::Keep(absl::StatusOr<QueriedEvent> event, const FrameView& frame, FoundPart& found) {
  const std::size_t bytes = frame.size_words() * sizeof(std::uint64_t);
  found.bytes += bytes;
  found.events.push_back({std::move(event), frame.header.sequence, bytes, moment_});
}

// Newest first, the last events of a part are given first; those before are read once more.
void PartReader::ForgetFirst(FoundPart& found) const {
  while (found.bytes > kHeldBytesMax && found.events.size() > 1) {
    found.bytes -= found.events.front().bytes;
    found.read.from = found.events.front().sequence + 1;
    found.events.pop_front();
  }
}

}  // namespace foldlog
