// The operation on the row, one of the past, and the state at a moment: whole.

#include "replay/report/objects.h"

#include <algorithm>
#include <string_view>

#include "engine/seconds.h"
#include "replay/report/fields.h"
#include "replay/report/pulse.h"
#include "replay/report/text.h"

namespace foldlog::report {
namespace {

std::optional<std::string_view> NameOf(const std::optional<OwnerFate>& fate) {
  return fate ? std::optional(Name(*fate)) : std::nullopt;
}

// Null if nobody holds the log; an empty object if somebody does whose record can't be read.
void PutWriter(Sink& sink, const WriterInfo& writer) {
  if (!writer.held || writer.writer) return Put(sink, "writer", If(writer.held, writer.writer.value_or(Owner())));
  sink.Key("writer");
  sink.BeginObject();
  sink.EndObject();
}

// What the present or last writer found when it opened the log; null if that is not known.
void PutRestoration(Sink& sink, const std::optional<Restoration>& restoration) {
  sink.Key("restored");
  if (!restoration) return sink.Null();
  sink.BeginObject();
  Put(sink, "at", Instant{restoration->at});
  Put(sink, "source", If(!restoration->source.empty(), restoration->source));
  Put(sink, "host", restoration->host);
  Put(sink, "last_sequence", restoration->end.sequence);
  Put(sink, "last_hash", HashText(restoration->end.hash));
  sink.EndObject();
}

void PutRecovery(Sink& sink, const std::optional<RecoveryReport>& recovery) {
  sink.Key("recovery");
  if (!recovery) return sink.Null();
  sink.BeginObject();
  Put(sink, "events_from_tail", recovery->events_from_tail);
  Put(sink, "frames_discarded", recovery->frames_discarded);
  Put(sink, "events_lost", recovery->events_lost);
  Put(sink, "events_in_doubt", recovery->events_in_doubt);
  Put(sink, "last_writer", NameOf(recovery->last_writer));
  sink.EndObject();
}

// How often the wall clock was set while the operation lasted is told besides; this is the last time that it was.
void PutLastClockStep(Sink& sink, const Operation& operation) {
  sink.Key("last_clock_step");
  if (operation.clock_steps == 0) return sink.Null();
  sink.BeginObject();
  Put(sink, "sequence", operation.clock_step_sequence);
  Put(sink, "seconds", SecondsOf(operation.clock_step_ns));
  sink.EndObject();
}

// `fate` of the owner, if the operation is in progress; it is evidence if it proves that the owner is gone.
void PutOriginAndFate(Sink& sink, const Operation& operation, const std::optional<OwnerFate>& fate) {
  PutOrigin(sink, operation);
  Put(sink, "evidence", NameOf(fate && IsGone(*fate) ? fate : std::nullopt));
  Put(sink, "owner_fate", NameOf(fate));
}

void PutLogEnd(Sink& sink, const LogView& view) {
  Put(sink, "epoch", view.state.epoch);
  Put(sink, "last_sequence", view.state.sequence);
  // The log may have grown since the state was folded.
  Put(sink, "durable_sequence", std::min(view.extent.durable_through, view.state.sequence));
  const Sequence missing = view.extent.missing_through;
  Put(sink, "missing_through", If(missing > view.extent.end.sequence, missing));
  Put(sink, "stored_sequence", std::min(view.extent.stored_through, view.state.sequence));
  Put(sink, "last_hash", HashText(view.hash));
}

void PutHead(Sink& sink, const Operation& operation, bool interrupted) {
  PutIdentity(sink, operation);
  Put(sink, "interrupted", interrupted);
  PutProgress(sink, operation);
  Put(sink, "file_errors", FileErrors(operation));
  PutPace(sink, operation);
  PutTimes(sink, operation);
  PutLastClockStep(sink, operation);
}

// How the operation on the row is getting on; nulls where there is no telling.
void PutPulse(Sink& sink, const LogView& view, const Moment& now, std::optional<std::int64_t> stalled_after_ns) {
  const std::optional<Operation>& operation = view.state.operation;
  std::optional<double> left;
  if (operation && operation->total_files && IsAtWork(*operation, view)) {
    left = SecondsLeft(*operation->total_files, operation->files_processed, RateAhead(*operation, true));
  }
  const std::optional<std::int64_t> idle = IdleNs(view, now);
  Put(sink, "time_left_s", left);
  Put(sink, "last_progress_at", operation ? std::optional(Instant{operation->last_progress_at}) : std::nullopt);
  Put(sink, "idle_s", idle ? std::optional(SecondsOf(*idle)) : std::nullopt);
  Put(sink, "stalled", stalled_after_ns ? std::optional(IsStalled(view, now, *stalled_after_ns)) : std::nullopt);
}

}  // namespace

void PutStatus(Sink& sink, const LogView& view, const Moment& now, std::optional<std::int64_t> stalled_after_ns) {
  const Operation operation = view.state.operation.value_or(Operation{.status = OperationStatus::kIdle});
  PutHead(sink, operation, view.interrupted);
  PutLogEnd(sink, view);
  PutOriginAndFate(sink, operation, view.fate);
  PutOutcome(sink, operation);
  PutPulse(sink, view, now, stalled_after_ns);
  PutWriter(sink, view.writer);
  PutRecovery(sink, view.writer.recovery);
  PutRestoration(sink, view.restoration);
  if (view.state.misfit) Put(sink, "misfit", *view.state.misfit);
}

void PutHistoryEntry(Sink& sink, const HistoryEntry& entry, const LogView& view) {
  const Operation& operation = entry.operation;
  PutHead(sink, operation, view.interrupted && view.IsAbout(operation));
  PutRecord(sink, operation);
  Put(sink, "reset", entry.reset_by);
  PutOriginAndFate(sink, operation, view.IsAbout(operation) ? view.fate : std::nullopt);
  PutOutcome(sink, operation);
}

void PutGap(Sink& sink, const Gap& gap) {
  Put(sink, "kind", std::string_view("missing"));
  Put(sink, "from", gap.from);
  Put(sink, "through", gap.through);
}

void PutStateAt(Sink& sink, const State& state, const std::optional<SingleRow>& row) {
  const Operation operation = state.operation.value_or(Operation{.status = OperationStatus::kIdle});
  Put(sink, "sequence", state.sequence);
  Put(sink, "time", If(state.sequence != 0, Instant{state.seen.time}));
  PutIdentity(sink, operation);
  PutProgress(sink, operation);
  Put(sink, "file_errors", FileErrors(operation));
  PutPace(sink, operation);
  PutTimes(sink, operation);
  PutLastClockStep(sink, operation);
  PutRecord(sink, operation);
  PutOrigin(sink, operation);
  PutOutcome(sink, operation);
  Put(sink, "row", row);
  Put(sink, "misfit", state.misfit);
}

}  // namespace foldlog::report
