#include "engine/fold.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/state_codec.h"
#include "engine/status_macros.h"
#include "foldlog/event_reader.h"

namespace foldlog {
namespace {

// Does the log hold, at the snapshot's place, the very event that it was taken after?
bool BelongsTo(const Snapshot& snapshot, const State& state, const EventLog& log, const LogExtent& extent) {
  if (state.sequence != snapshot.at.sequence) return false;
  if (snapshot.at.sequence == extent.base.sequence) return snapshot.at == extent.base;
  EventReader reader(log, snapshot.at.sequence);
  const auto event = reader.Next();
  return event.ok() && event->has_value() && (*event)->hash == snapshot.at.hash;
}

absl::StatusOr<Fold> NewestSnapshot(const EventLog& log, const LogExtent& extent, Sequence at_most) {
  while (true) {
    ASSIGN_OR_RETURN(std::optional<Snapshot> snapshot, log.FindSnapshot(at_most));
    if (!snapshot) break;
    absl::StatusOr<State> state = DecodeState(snapshot->words);
    if (state.ok() && BelongsTo(*snapshot, *state, log, extent)) {
      return Fold{*std::move(state), snapshot->at, snapshot->at.sequence};
    }
    if (snapshot->at.sequence == 0) break;
    at_most = snapshot->at.sequence - 1;
  }
  return Fold{State{.sequence = extent.base.sequence}, extent.base, 0};
}

}  // namespace

absl::StatusOr<Fold> FoldLog(const EventLog& log, std::optional<Sequence> at) {
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  const Sequence target = at.value_or(extent.end.sequence);
  if (target > extent.end.sequence) {
    return absl::OutOfRangeError(absl::StrCat("event ", target, " does not exist: the log ", log.name(),
                                              " ends with event ", extent.end.sequence));
  }
  ASSIGN_OR_RETURN(Fold fold, NewestSnapshot(log, extent, target));
  EventReader reader(log, fold.at);
  while (fold.at.sequence < target) {
    ASSIGN_OR_RETURN(const std::optional<RecordedEvent> event, reader.Next());
    if (!event) return absl::DataLossError(absl::StrCat("the log ", log.name(), " ends before event ", target));
    RETURN_IF_ERROR(Apply(*event, fold.state));
    fold.at = {event->sequence, event->hash};
  }
  return fold;
}

}  // namespace foldlog
