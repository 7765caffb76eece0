#include "foldlog/replayer.h"

#include <string>
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/fold.h"
#include "engine/lazy_fold.h"
#include "engine/missing_events.h"
#include "foldlog/system_clock.h"
#include "replay/event_operation.h"
#include "replay/time_line.h"

namespace foldlog {

absl::StatusOr<State> StateAt(const EventLog& log, std::optional<Sequence> at) {
  absl::StatusOr<Fold> fold = FoldLog(log, at);
  if (absl::IsOutOfRange(fold.status())) {
    // An event that was durable and is missing did exist.
    ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
    if (at && *at <= extent.missing_through) RETURN_IF_ERROR(CheckNothingIsMissing(log, extent));
  }
  RETURN_IF_ERROR(fold.status());
  return std::move(fold->state);
}

absl::StatusOr<State> StateAtTime(const EventLog& log, TimeNs time, std::optional<TimeNs> now) {
  ASSIGN_OR_RETURN(const TimeLine line, TimeLine::Of(log, now ? *now : SystemClock()().time));
  ASSIGN_OR_RETURN(const Sequence last, line.LastBy(time));
  ASSIGN_OR_RETURN(State state, StateAt(log, last));
  // Before the first event that is left, but behind the last one that was pruned, the state is that at the base.
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  const bool pruned = last > 0 && last == extent.base.sequence && time < state.seen.time;
  if (pruned) return log.Read(last, 1).status();
  return state;
}

Replayer::Replayer(ViewReader reader, LazyFold fold)
    : reader_(std::move(reader)), fold_(std::make_unique<LazyFold>(std::move(fold))) {}

Replayer::Replayer(Replayer&&) noexcept = default;
Replayer& Replayer::operator=(Replayer&&) noexcept = default;
Replayer::~Replayer() = default;

absl::StatusOr<Replayer> Replayer::From(const EventLog& log, Sequence from) {
  ASSIGN_OR_RETURN(Fold fold, FoldLog(log, from == 0 ? 0 : from - 1));
  return Replayer(ViewReader(log, fold.at), LazyFold(std::move(fold.state), log.name()));
}

// The reader steps over a frame that is intact but holds no event; the state has to follow it, as a misfit.
absl::StatusOr<const EventView*> Replayer::NextView() {
  if (reader_.IsRunDone()) fold_->Settle();
  absl::StatusOr<const EventView*> view = reader_.Next();
  if (view.ok() && *view != nullptr) RETURN_IF_ERROR(FoldIn(**view));
  if (!view.ok() && reader_.position().sequence > fold_->sequence()) {
    fold_->AddMisfit(std::string(view.status().message()));
    id_is_known_ = false;
  }
  return view;
}

absl::StatusOr<std::optional<RecordedEvent>> Replayer::Next() {
  ASSIGN_OR_RETURN(const EventView* const view, NextView());
  return view == nullptr ? std::optional<RecordedEvent>() : CopyOf(*view);
}

// A checkpoint that is only noted is of the operation on the row, like those noted before it.
absl::Status Replayer::FoldIn(const EventView& view) {
  if (id_is_known_ && view.decoded == nullptr && fold_->Note(view.sequence, view)) return absl::OkStatus();
  const State& before = fold_->Settled();
  id_is_known_ = view.decoded == nullptr && before.operation.has_value();
  if (view.decoded != nullptr) {
    NoteOperation(view.decoded->body, before, operation_id_);
  } else {
    operation_id_ = before.operation ? before.operation->operation_id : "";
  }
  return fold_->Add(view);
}

const State& Replayer::state() const { return fold_->Settled(); }

}  // namespace foldlog
