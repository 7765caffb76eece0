#include "engine/lazy_fold.h"

#include <cstdlib>
#include <utility>

#include "engine/base/saturated.h"
#include "engine/codec/event_codec.h"
#include "engine/codec/frame_reader.h"

namespace foldlog {

LazyFold::LazyFold(State state, std::string log_name)
    : state_(std::move(state)),
      log_name_(std::move(log_name)),
      usual_(UsualBehind(state_)),
      noted_through_(state_.sequence) {}

// The bounds hold for all events behind `state` that pass: what they add to the time at work is at most what passes by
// the wall clock. Sums that come to the end of the numbers end the stretch too early here, never too late. A negative
// time at work, which no fold gives but a snapshot may hold, would not add up there.
LazyFold::Usual LazyFold::UsualBehind(const State& state) {
  if (state.misfit || state.status() != OperationStatus::kInProgress || state.operation->active_ns < 0) return {};
  const Pace& next = state.operation->recent_next;
  const std::int64_t left_ns = SaturatedMinus(SaturatedPlus(next.active_ns, kStretchMinNs), state.operation->active_ns);
  return {.epoch = state.epoch,
          .boot = state.seen.boot,
          .time_min = state.seen.time,
          .files_min = next.files,
          .stretch_end = SaturatedPlus(state.seen.time, left_ns),
          .stretch_end_files = SaturatedPlus(next.files, kStretchMinFiles)};
}

absl::Status LazyFold::AddUnusual(const FrameView& frame) {
  Settle();
  return Behind(Apply(frame));
}

absl::Status LazyFold::AddUnusual(const EventView& view) {
  Settle();
  if (view.decoded == nullptr && ApplyCheckpoint(view.sequence, view, state_).ok()) return Behind(absl::OkStatus());
  return Behind(ApplyRecorded(CopyOf(view), state_));
}

absl::Status LazyFold::AddUnusual(const CheckpointView& checkpoint) {
  Settle();
  return Behind(ApplyCheckpoint(state_.sequence + 1, checkpoint, state_));
}

// The state has changed other than by what was noted.
absl::Status LazyFold::Behind(absl::Status applied) {
  noted_through_ = state_.sequence;
  usual_ = UsualBehind(state_);
  return applied;
}

void LazyFold::AddMisfit(std::string why) {
  Settle();
  NoteMisfit(std::move(why), state_);
  Behind(absl::OkStatus()).IgnoreError();
}

// A checkpoint that does not fit goes the long way, which notes it as a misfit.
absl::Status LazyFold::Apply(const FrameView& frame) {
  const Sequence sequence = frame.header.sequence;
  CheckpointView plain;
  if (DecodePlainCheckpoint(frame.payload, plain) && ApplyCheckpoint(sequence, plain, state_).ok()) {
    return absl::OkStatus();
  }
  absl::StatusOr<Event> event = DecodeEvent(frame.payload);
  if (event.ok()) return ApplyRecorded({sequence, frame.header.hash, *std::move(event)}, state_);
  const absl::Status named = AboutEvent(sequence, log_name_, event.status());
  if (!absl::IsDataLoss(named)) return named;  // of a newer version: not a misfit, but not to be skipped either
  NoteMisfit(std::string(named.message()), state_);
  return absl::OkStatus();
}

// One checkpoint in place of all: it has their last values, and what it finds as the last event is what they found as
// the first.
void LazyFold::Settle() {
  if (noted_through_ == state_.sequence) return;
  state_.operation->checkpoints += static_cast<std::int64_t>(noted_through_ - state_.sequence - 1);
  state_.sequence = noted_through_ - 1;
  noted_.at = {usual_.time_min, usual_.boot};
  noted_.epoch = usual_.epoch;
  const absl::Status applied = ApplyCheckpoint(noted_through_, noted_, state_);
  if (!applied.ok()) std::abort();  // unreachable; a wrong state would be worse
  noted_ = {};
}

}  // namespace foldlog
