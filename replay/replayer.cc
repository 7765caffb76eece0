#include "foldlog/replayer.h"

#include <string>
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/fold.h"
#include "foldlog/system_clock.h"
#include "replay/event_operation.h"
#include "replay/time_line.h"

namespace foldlog {
absl::StatusOr<State> StateAt(const EventLog& log, std::optional<Sequence> at) {
  ASSIGN_OR_RETURN(Fold fold, FoldLog(log, at));
  return std::move(fold.state);
}

absl::StatusOr<State> StateAtTime(const EventLog& log, TimeNs time, std::optional<TimeNs> now) {
  ASSIGN_OR_RETURN(const TimeLine line, TimeLine::Of(log, now ? *now : SystemClock()().time));
  ASSIGN_OR_RETURN(const Sequence last, line.LastBy(time));
  return StateAt(log, last);
}

absl::StatusOr<Replayer> Replayer::From(const EventLog& log, Sequence from) {
  ASSIGN_OR_RETURN(Fold fold, FoldLog(log, from == 0 ? 0 : from - 1));
  return Replayer(EventReader(log, fold.at), std::move(fold.state));
}

// The reader steps over a frame that is intact but holds no event; the state has to follow it, as a misfit.
absl::StatusOr<std::optional<RecordedEvent>> Replayer::Next() {
  absl::StatusOr<std::optional<RecordedEvent>> event = reader_.Next();
  if (event.ok() && *event) {
    NoteOperation((*event)->event.body, state_, operation_id_);
    RETURN_IF_ERROR(ApplyRecorded(**event, state_));
  }
  if (!event.ok() && reader_.position().sequence > state_.sequence) {
    NoteMisfit(std::string(event.status().message()), state_);
  }
  return event;
}

}  // namespace foldlog
