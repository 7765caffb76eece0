#include "engine/fold.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/codec/checkpoint_codec.h"
#include "engine/codec/damage_advice.h"
#include "engine/codec/event_codec.h"
#include "engine/codec/frame.h"
#include "engine/codec/frame_reader.h"
#include "engine/codec/state_codec.h"
#include "engine/gaps.h"
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

// The state of a snapshot, if it is of this log and this version.
std::optional<Fold> FoldOf(const Snapshot& snapshot, const EventLog& log, const LogExtent& extent) {
  absl::StatusOr<State> state = DecodeState(snapshot.words);
  if (!state.ok() || state->sequence != snapshot.at.sequence || !ReaderBehind(snapshot, log, extent)) {
    return std::nullopt;
  }
  return Fold{*std::move(state), snapshot.at, snapshot.at.sequence};
}

// The fold begins anew with or behind such an event: `before` is the end of the chain before it.
std::optional<Fold> BeginAnew(const FrameView& frame, const ChainEnd& before) {
  CheckpointView plain;
  if (DecodePlainCheckpoint(frame.payload, plain)) return std::nullopt;
  const absl::StatusOr<Event> event = DecodeEvent(frame.payload);
  if (!event.ok()) return std::nullopt;
  // Filled in place: GCC 12 warns of a temporary that is moved from.
  std::optional<Fold> fold(std::in_place);
  if (std::holds_alternative<Started>(event->body) || std::holds_alternative<Imported>(event->body)) {
    fold->at = before;
  } else if (std::holds_alternative<Cleared>(event->body) || std::holds_alternative<Reset>(event->body)) {
    fold->at = frame.end();
    fold->state.epoch = event->epoch;
    fold->state.seen = {event->time, event->boot};
  } else {
    return std::nullopt;
  }
  fold->state.sequence = fold->at.sequence;
  return fold;
}

// Nothing is known of the row up to `at`.
absl::StatusOr<Fold> FoldUnknown(const EventLog& log, const Gap& gap, Sequence at) {
  Fold fold{.state = {.sequence = at, .misfit = Misfit{gap.from, absl::StrCat(WhichAre(gap), " missing")}}};
  FrameReader reader(log, at);
  ASSIGN_OR_RETURN(const FrameView* const frame, reader.Peek());
  if (!frame) return absl::DataLossError(absl::StrCat("the log ends before event ", at));
  fold.at = frame->end();
  return fold;
}

// FoldLog() for an event behind a gap, where no snapshot before it helps.
absl::StatusOr<Fold> FoldFromGap(const EventLog& log, const Gap& gap, Sequence target) {
  ASSIGN_OR_RETURN(Fold behind, FoldBehindGap(log, gap));
  if (behind.at.sequence > target) return FoldUnknown(log, gap, target);
  FrameReader reader(log, behind.at);
  return FoldOn(reader, log.name(), std::move(behind), target);
}

}  // namespace

absl::StatusOr<Fold> FoldBehindGap(const EventLog& log, const Gap& gap) {
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  const Gap* next = GapFrom(log, gap.through + 1);
  const Sequence last = next != nullptr ? next->from - 1 : extent.end.sequence;
  std::optional<Fold> begun;
  FrameReader reader(log, gap.through + 1);
  while (!begun && reader.position().sequence < last) {
    ASSIGN_OR_RETURN(const FrameView* const frame, reader.Peek());
    if (!frame) break;
    begun = BeginAnew(*frame, reader.position());
    reader.StepOver(*frame);
  }
  Sequence at_most = begun ? begun->at.sequence : last;
  while (at_most > gap.through) {
    ASSIGN_OR_RETURN(const std::optional<Snapshot> snapshot, log.FindSnapshot(at_most));
    if (!snapshot || snapshot->at.sequence <= gap.through) break;
    if (std::optional<Fold> fold = FoldOf(*snapshot, log, extent)) begun = std::move(fold);
    at_most = snapshot->at.sequence - 1;
  }
  if (begun) return *std::move(begun);
  if (next != nullptr) return FoldBehindGap(log, *next);
  if (last <= gap.through) return Fold{State{.sequence = gap.through}, {gap.through, 0}, 0};
  return FoldUnknown(log, gap, last);
}

namespace {

absl::StatusOr<Fold> FoldUpTo(const EventLog& log, const LogExtent& extent, Sequence target) {
  const Gap* const gap = GapUpTo(log, target);
  if (gap != nullptr && gap->through >= target) {
    return absl::DataLossError(absl::StrCat("the log ", log.name(), ": ", WhichAre(*gap), " missing"));
  }
  ASSIGN_OR_RETURN(std::optional<Snapshot> snapshot, log.FindSnapshot(target));
  while (snapshot) {
    const ChainEnd taken_at = snapshot->at;
    if (gap != nullptr && taken_at.sequence <= gap->through) break;
    absl::StatusOr<State> state = DecodeState(snapshot->words);
    std::optional<FrameReader> reader = ReaderBehind(*snapshot, log, extent);
    if (state.ok() && state->sequence == taken_at.sequence && reader) {
      absl::StatusOr<Fold> fold = FoldOn(*reader, log.name(), {*std::move(state), taken_at, taken_at.sequence}, target);
      // A misfit may be the fault of this snapshot: an older one, or none, shows whether it is the log's.
      if (!fold.ok() || !fold->state.misfit || taken_at == extent.base) return fold;
    }
    if (taken_at.sequence <= extent.base.sequence) break;
    ASSIGN_OR_RETURN(snapshot, log.FindSnapshot(taken_at.sequence - 1));
  }
  if (gap != nullptr) return FoldFromGap(log, *gap, target);
  // A log that begins later, and was not pruned, is part of another: nothing is known of what came before.
  ASSIGN_OR_RETURN(const std::vector<PrunedRange> pruned, log.ReadPruned());
  if (!pruned.empty()) {
    return absl::DataLossError(absl::StrCat("the log ", log.name(), " was pruned up to event ", extent.base.sequence,
                                            ", and the state there can't be read", kDamageAdvice));
  }
  FrameReader reader(log, extent.base);
  return FoldOn(reader, log.name(), {State{.sequence = extent.base.sequence}, extent.base, 0}, target);
}

// How often a fold begins anew because a writer has pruned the log meanwhile.
constexpr int kAttemptsMax = 10;

}  // namespace

absl::StatusOr<Fold> FoldLog(const EventLog& log, std::optional<Sequence> at) {
  for (int attempt = 1;; ++attempt) {
    ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
    // Durable events are missing at the end: the latest state that can be folded is not the latest state that was. The
    // caller gets the log's error, unless it asks for an event by number.
    if (!at) RETURN_IF_ERROR(CheckNothingIsMissing(log, extent));
    const Sequence target = at.value_or(extent.end.sequence);
    if (target > extent.end.sequence) {
      return absl::OutOfRangeError(absl::StrCat("event ", target, " does not exist: the log ", log.name(),
                                                " ends with event ", extent.end.sequence));
    }
    // The log tells when and why.
    if (target < extent.base.sequence) return log.Read(std::max<Sequence>(target, 1), 1).status();
    absl::StatusOr<Fold> fold = FoldUpTo(log, extent, target);
    if (fold.ok() || attempt == kAttemptsMax) return fold;
    ASSIGN_OR_RETURN(const LogExtent now, log.Extent());
    if (now.base == extent.base) return fold;
  }
}

}  // namespace foldlog
