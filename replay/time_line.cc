#include "replay/time_line.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/saturated.h"
#include "engine/base/status_macros.h"
#include "engine/codec/checkpoint_codec.h"
#include "engine/codec/event_codec.h"
#include "engine/index/index_reader.h"
#include "engine/missing_events.h"
#include "foldlog/state.h"

namespace foldlog {

absl::StatusOr<std::optional<MomentReader::Reading>> MomentReader::Next() {
  ASSIGN_OR_RETURN(const FrameView* const frame, frames_.Peek());
  if (!frame) return std::optional<Reading>();
  Reading reading{.sequence = frame->header.sequence};
  CheckpointView plain;
  if (DecodePlainCheckpoint(frame->payload, plain)) {
    reading.at = plain.at;
  } else {
    const absl::StatusOr<Event> event = DecodeEvent(frame->payload);
    if (!event.ok()) return frames_.InContext(event.status());
    reading.at = {event->time, event->boot};
  }
  frames_.StepOver(*frame);
  return std::optional(reading);
}

// The summary of a batch under one setting of the clock says all that is needed. Others, and what has none, are read.
absl::StatusOr<TimeLine> TimeLine::Of(const EventLog& log, TimeNs now) {
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  TimeLine line(log);
  line.base_ = extent.base.sequence;
  BatchWalk walk(log, extent.base.sequence + 1, extent.end.sequence, IndexOrder::kRising);
  while (const std::optional<foldlog::Stretch> batch = walk.Next()) {
    if (batch->summary && batch->summary->boot) {
      const BatchSummary& summary = *batch->summary;
      line.Add({*summary.boot, batch->first, batch->last, summary.earliest, summary.latest});
    } else {
      RETURN_IF_ERROR(line.AddEvents(batch->first, batch->last));
    }
  }
  // Durable events are missing at the end, and with them what they say of the clocks.
  RETURN_IF_ERROR(CheckNothingIsMissing(log, extent));
  line.Correct(now);
  return line;
}

absl::Status TimeLine::AddEvents(Sequence first, Sequence last) {
  MomentReader reader(FrameReader(*log_, first));
  for (Sequence next = first; next <= last; ++next) {
    ASSIGN_OR_RETURN(const std::optional<MomentReader::Reading> reading, reader.Next());
    if (!reading) return absl::DataLossError(absl::StrCat("the log ", log_->name(), " ends before event ", last));
    const auto& [sequence, at] = *reading;
    Add({at.boot, sequence, sequence, at.time, at.time});
  }
  return absl::OkStatus();
}

void TimeLine::Add(const Stretch& more) {
  if (stretches_.empty() || stretches_.back().boot != more.boot) {
    stretches_.push_back(more);
    return;
  }
  Stretch& stretch = stretches_.back();
  stretch.last = more.last;
  stretch.earliest = std::min(stretch.earliest, more.earliest);
  stretch.latest = std::max(stretch.latest, more.latest);
}

// From the latest boot to the first, because the times of later events bound those of earlier ones.
void TimeLine::Correct(TimeNs now) {
  TimeNs bound = now;
  for (std::size_t end = stretches_.size(); end > 0;) {
    std::size_t begin = end - 1;
    while (begin > 0 && stretches_[begin - 1].boot.id == stretches_[begin].boot.id) --begin;
    bound = CorrectBoot(begin, end, bound);
    end = begin;
  }
}

// Corrects the stretches from `begin` to `end`, which are of one boot, or of unknown ones. Returns the bound for those
// before them. The latest setting of the clock that keeps the boot within `bound` is believed.
TimeNs TimeLine::CorrectBoot(std::size_t begin, std::size_t end, TimeNs bound) {
  const Stretch& newest = stretches_[end - 1];
  const std::int64_t lasted_ns = SaturatedMinus(newest.latest, newest.boot.at);
  std::optional<TimeNs> believed;
  for (std::size_t i = end; i > begin && newest.boot.id != 0 && !believed; --i) {
    const TimeNs booted_at = stretches_[i - 1].boot.at;
    if (SaturatedPlus(booted_at, lasted_ns) <= bound) believed = booted_at;
  }
  for (std::size_t i = begin; i < end; ++i) {
    Stretch& stretch = stretches_[i];
    const Moment as_stamped{0, stretch.boot};
    if (believed) stretch.shift_ns = ClockStepNs(as_stamped, {0, {.at = *believed, .id = stretch.boot.id}});
    bound = std::min(bound, SaturatedPlus(stretch.earliest, stretch.shift_ns));
  }
  return bound;
}

absl::StatusOr<Sequence> TimeLine::LastBy(TimeNs time) const {
  // Only this stretch can hold the last event by `time`: every later one begins after it. It is read again only if it
  // does not lie wholly before.
  const auto stretch = std::find_if(stretches_.rbegin(), stretches_.rend(), [&](const Stretch& candidate) {
    return SaturatedPlus(candidate.earliest, candidate.shift_ns) <= time;
  });
  if (stretch == stretches_.rend()) return base_;
  if (SaturatedPlus(stretch->latest, stretch->shift_ns) <= time) return stretch->last;
  BatchWalk walk(*log_, stretch->first, stretch->last, IndexOrder::kFalling);
  while (const std::optional<foldlog::Stretch> batch = walk.Next()) {
    const std::optional<BatchSummary>& summary = batch->summary;
    if (summary && SaturatedPlus(summary->earliest, stretch->shift_ns) > time) continue;
    if (summary && SaturatedPlus(summary->latest, stretch->shift_ns) <= time) return batch->last;
    ASSIGN_OR_RETURN(const std::optional<Sequence> last,
                     LastBy(time, {stretch->boot, batch->first, batch->last, 0, 0, stretch->shift_ns}));
    if (last) return *last;
  }
  return base_;
}

// The last event by `time` in a part of a stretch, by reading it.
absl::StatusOr<std::optional<Sequence>> TimeLine::LastBy(TimeNs time, const Stretch& part) const {
  MomentReader reader(FrameReader(*log_, part.first));
  std::optional<Sequence> last;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<MomentReader::Reading> reading, reader.Next());
    if (!reading || reading->sequence > part.last) return last;
    if (SaturatedPlus(reading->at.time, part.shift_ns) <= time) last = reading->sequence;
    if (reading->sequence == part.last) return last;
  }
}

}  // namespace foldlog
