#include "engine/fold.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"
#include "engine/codec/frame_reader.h"
#include "engine/codec/state_codec.h"
#include "engine/lazy_fold.h"
#include "engine/missing_events.h"

namespace foldlog {
namespace {

// Folds the frames from where the reader stands up to `target`.
absl::StatusOr<Fold> FoldOn(FrameReader& reader, const std::string& log_name, Fold fold, Sequence target) {
  LazyFold lazy(std::move(fold.state), log_name);
  while (reader.position().sequence < target) {
    if (reader.IsRunDone()) lazy.Settle();
    ASSIGN_OR_RETURN(const FrameView* const frame, reader.Peek());
    if (!frame) return absl::DataLossError(absl::StrCat("the log ends before event ", target));
    RETURN_IF_ERROR(lazy.Add(*frame));
    reader.StepOver(*frame);
  }
  fold.at = reader.position();
  fold.state = lazy.Settled();
  return fold;
}

// A reader behind the event that `snapshot` was taken after; nothing if the log does not hold that very event, as after
// a restored backup.
std::optional<FrameReader> ReaderBehind(const Snapshot& snapshot, const EventLog& log, const LogExtent& extent) {
  if (snapshot.at == extent.base) return FrameReader(log, extent.base);
  if (snapshot.at.sequence <= extent.base.sequence) return std::nullopt;
  FrameReader reader(log, snapshot.at.sequence);
  const auto frame = reader.Peek();
  if (!frame.ok() || *frame == nullptr || (*frame)->end() != snapshot.at) return std::nullopt;
  reader.StepOver(**frame);
  return reader;
}

}  // namespace

absl::StatusOr<Fold> FoldLog(const EventLog& log, std::optional<Sequence> at) {
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  // Durable events are missing at the end: the latest state that can be folded is not the latest state that was. The
  // caller gets the log's error, unless it asks for an event by number.
  if (!at) RETURN_IF_ERROR(CheckNothingIsMissing(log, extent));
  const Sequence target = at.value_or(extent.end.sequence);
  if (target > extent.end.sequence) {
    return absl::OutOfRangeError(absl::StrCat("event ", target, " does not exist: the log ", log.name(),
                                              " ends with event ", extent.end.sequence));
  }
  ASSIGN_OR_RETURN(std::optional<Snapshot> snapshot, log.FindSnapshot(target));
  while (snapshot) {
    const ChainEnd taken_at = snapshot->at;
    absl::StatusOr<State> state = DecodeState(snapshot->words);
    std::optional<FrameReader> reader = ReaderBehind(*snapshot, log, extent);
    if (state.ok() && state->sequence == taken_at.sequence && reader) {
      absl::StatusOr<Fold> fold = FoldOn(*reader, log.name(), {*std::move(state), taken_at, taken_at.sequence}, target);
      // A misfit may be the fault of this snapshot: an older one, or none, shows whether it is the log's.
      if (!fold.ok() || !fold->state.misfit) return fold;
    }
    if (taken_at.sequence == 0) break;
    ASSIGN_OR_RETURN(snapshot, log.FindSnapshot(taken_at.sequence - 1));
  }
  FrameReader reader(log, extent.base);
  return FoldOn(reader, log.name(), {State{.sequence = extent.base.sequence}, extent.base, 0}, target);
}

}  // namespace foldlog
