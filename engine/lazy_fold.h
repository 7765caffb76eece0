// The fold of many events at once. Nearly all events are plain checkpoints of one epoch, and only the last of them
// tells how far the operation is: so LazyFold notes them, and folds them as one when the state is asked for.
//
//   LazyFold fold(State{}, log.name());
//   while (...) RETURN_IF_ERROR(fold.Add(frame));   // the frames' words stay where they are
//   fold.Settle();                                  // now they may go
//   Use(fold.Settled());
//
// The state is that of ApplyRecorded() for each event, to the last bit. Threads: one at a time.

#ifndef FOLDLOG_LAZY_FOLD_H_
#define FOLDLOG_LAZY_FOLD_H_

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "engine/checkpoint_view.h"
#include "engine/codec/checkpoint_codec.h"
#include "engine/codec/frame.h"
#include "foldlog/state.h"

namespace foldlog {

// Copies freely. Invariants: `noted_` are checkpoints that follow `state_` and that fold as one; what `usual_` lets
// pass may be noted behind them.
class LazyFold {
 public:
  // Starts with `state`. The name of the log is for the misfits that Add() notes.
  LazyFold(State state, std::string log_name);

  // Folds the event of `frame`, which must be intact. Until it is settled, views of the frame's words are kept.
  // DataLoss if its number is not the next one, Unimplemented if this version does not know such an event; nothing is
  // folded then. A frame that holds no event, or one that does not follow, is a misfit.
  absl::Status Add(const FrameView& frame) {
    CheckpointView plain;
    const Sequence sequence = frame.header.sequence;
    if (DecodePlainCheckpoint(frame.payload, plain) && Note(sequence, plain)) return absl::OkStatus();
    return AddUnusual(frame);
  }

  // Add() in two steps, for who has decoded the frame: a plain checkpoint is noted if it is like those before it; if
  // not, and for all other frames, there is AddUnusual().
  bool Note(Sequence sequence, const CheckpointView& plain) {
    if (!CanNote(sequence, plain)) return false;
    usual_.time_min = plain.at.time;
    noted_.files_processed = plain.files_processed;
    if (IsPresent(plain.current_path)) noted_.current_path = plain.current_path;
    if (IsPresent(plain.last_processed_file)) noted_.last_processed_file = plain.last_processed_file;
    if (plain.batch_num) noted_.batch_num.emplace(*plain.batch_num);
    noted_through_ = sequence;
    return true;
  }
  bool CanNote(Sequence sequence, const CheckpointView& plain) const {
    return sequence == noted_through_ + 1 && usual_.LetsPass(plain);
  }
  absl::Status AddUnusual(const FrameView& frame);

  // AddUnusual() for a checkpoint in no frame, the next event: ApplyCheckpoint() on the settled state.
  absl::Status AddUnusual(const CheckpointView& checkpoint);

  // Add() for an event that a ViewReader gave.
  absl::Status Add(const EventView& view) {
    if (view.decoded == nullptr && Note(view.sequence, view)) return absl::OkStatus();
    return AddUnusual(view);
  }
  absl::Status AddUnusual(const EventView& view);

  // Notes that the next event is in no frame that can be read: a misfit, for the reason `why`.
  void AddMisfit(std::string why);

  // Folds what is noted. No view is kept behind it.
  void Settle();

  // The state after the last event, settled; valid until the next call.
  const State& Settled() {
    Settle();
    return state_;
  }

  // The state with what is noted left out: right in all that a checkpoint does not change, and it costs nothing.
  const State& Unsettled() const { return state_; }

  // Of the operation, which there must be, noted or not.
  std::int64_t files_processed() const {
    return noted_through_ == state_.sequence ? state_.operation->files_processed : noted_.files_processed;
  }

  // The last event, settled or noted.
  Sequence sequence() const { return noted_through_; }

 private:
  // A checkpoint folds as one with those before it as long as time at work only adds up, no clock was set, and the
  // stretch of the recent rate neither ends nor begins anew. As it is here, nothing passes.
  struct Usual {
    Epoch epoch = 0;
    Boot boot = {};
    TimeNs time_min = 0;  // the time of the event before
    std::int64_t files_min = 0;
    // With so many files at such a time, the stretch ends.
    TimeNs stretch_end = std::numeric_limits<TimeNs>::min();
    std::int64_t stretch_end_files = std::numeric_limits<std::int64_t>::min();

    bool LetsPass(const CheckpointView& plain) const {
      return plain.epoch == epoch && plain.at.boot == boot && plain.at.time >= time_min &&
             plain.files_processed >= files_min &&
             (plain.at.time < stretch_end || plain.files_processed < stretch_end_files);
    }
  };

  absl::Status Apply(const FrameView& frame);
  absl::Status Behind(absl::Status applied);
  static Usual UsualBehind(const State& state);

  State state_;
  std::string log_name_;
  Usual usual_;
  CheckpointView noted_;  // all that is noted, as one
  Sequence noted_through_;
};

}  // namespace foldlog

#endif  // FOLDLOG_LAZY_FOLD_H_
