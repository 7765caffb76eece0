#include "replay/time_line.h"

#include <algorithm>
#include <utility>

#include "engine/base/saturated.h"
#include "engine/base/status_macros.h"
#include "engine/codec/checkpoint_codec.h"
#include "engine/codec/event_codec.h"
#include "foldlog/state.h"

namespace foldlog {

absl::StatusOr<std::optional<MomentReader::Reading>> MomentReader::Next() {
  ASSIGN_OR_RETURN(const std::optional<FrameView> frame, frames_.Peek());
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

absl::StatusOr<TimeLine> TimeLine::Of(const EventLog& log, TimeNs now) {
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  MomentReader reader(FrameReader(log, extent.base));
  TimeLine line(log);
  line.base_ = extent.base.sequence;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<MomentReader::Reading> reading, reader.Next());
    if (!reading) break;
    line.Add(*reading);
  }
  line.Correct(now);
  return line;
}

void TimeLine::Add(const MomentReader::Reading& reading) {
  const auto& [sequence, at] = reading;
  if (stretches_.empty() || stretches_.back().boot != at.boot) {
    stretches_.push_back({.boot = at.boot, .first = sequence, .earliest = at.time, .latest = at.time});
  }
  Stretch& stretch = stretches_.back();
  stretch.last = sequence;
  stretch.earliest = std::min(stretch.earliest, at.time);
  stretch.latest = std::max(stretch.latest, at.time);
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
  MomentReader reader(FrameReader(*log_, stretch->first));
  Sequence last = base_;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<MomentReader::Reading> reading, reader.Next());
    if (!reading || reading->sequence > stretch->last) return last;
    if (SaturatedPlus(reading->at.time, stretch->shift_ns) <= time) last = reading->sequence;
  }
}

}  // namespace foldlog
