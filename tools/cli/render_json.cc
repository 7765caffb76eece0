// Events and states as JSON objects.

#include "tools/cli/render_json.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "engine/seconds.h"
#include "replay/report/fields.h"
#include "replay/report/json_sink.h"
#include "tools/cli/pulse.h"
#include "tools/cli/script_step.h"
#include "tools/cli/story_json.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

using report::If;
using report::JsonSink;

std::optional<std::string_view> NameOf(const std::optional<OwnerFate>& fate) {
  return fate ? std::optional(Name(*fate)) : std::nullopt;
}

// Null if nobody holds the log; an empty object if somebody does whose record can't be read.
void PutWriter(JsonSink& json, const WriterInfo& writer) {
  if (!writer.held || writer.writer) return Put(json, "writer", If(writer.held, writer.writer.value_or(Owner())));
  json.Key("writer");
  json.BeginObject();
  json.EndObject();
}

// What the present or last writer found when it opened the log; null if that is not known.
void PutRecovery(JsonSink& json, const std::optional<RecoveryReport>& recovery) {
  json.Key("recovery");
  if (!recovery) return json.Null();
  json.BeginObject();
  Put(json, "events_from_tail", recovery->events_from_tail);
  Put(json, "frames_discarded", recovery->frames_discarded);
  Put(json, "events_lost", recovery->events_lost);
  Put(json, "events_in_doubt", recovery->events_in_doubt);
  Put(json, "last_writer", NameOf(recovery->last_writer));
  json.EndObject();
}

// How often the wall clock was set while the operation lasted is told besides; this is the last time that it was.
void PutLastClockStep(JsonSink& json, const Operation& operation) {
  json.Key("last_clock_step");
  if (operation.clock_steps == 0) return json.Null();
  json.BeginObject();
  Put(json, "sequence", operation.clock_step_sequence);
  Put(json, "seconds", SecondsOf(operation.clock_step_ns));
  json.EndObject();
}

// `fate` of the owner, if the operation is in progress; it is evidence if it proves that the owner is gone.
void PutOriginAndFate(JsonSink& json, const Operation& operation, const std::optional<OwnerFate>& fate) {
  PutOrigin(json, operation);
  Put(json, "evidence", NameOf(fate && IsGone(*fate) ? fate : std::nullopt));
  Put(json, "owner_fate", NameOf(fate));
}

void PutLogEnd(JsonSink& json, const LogView& view) {
  Put(json, "epoch", view.state.epoch);
  Put(json, "last_sequence", view.state.sequence);
  // The log may have grown since the state was folded.
  Put(json, "durable_sequence", std::min(view.extent.durable_through, view.state.sequence));
  const Sequence missing = view.extent.missing_through;
  Put(json, "missing_through", If(missing > view.extent.end.sequence, missing));
  Put(json, "stored_sequence", std::min(view.extent.stored_through, view.state.sequence));
  Put(json, "last_hash", HashText(view.hash));
}

void PutHead(JsonSink& json, const Operation& operation, bool interrupted) {
  PutIdentity(json, operation);
  Put(json, "interrupted", interrupted);
  PutProgress(json, operation);
  Put(json, "file_errors", FileErrors(operation));
  PutPace(json, operation);
  PutTimes(json, operation);
  PutLastClockStep(json, operation);
}

void PutHistoryEntry(JsonSink& json, const HistoryEntry& entry, const LogView& view) {
  const Operation& operation = entry.operation;
  PutHead(json, operation, view.interrupted && view.IsAbout(operation));
  PutRecord(json, operation);
  Put(json, "reset", entry.reset_by);
  PutOriginAndFate(json, operation, view.IsAbout(operation) ? view.fate : std::nullopt);
  PutOutcome(json, operation);
}

void PutEvent(JsonSink& json, const ShownEvent& shown, const std::string& operation_id) {
  json.BeginObject();
  PutEventHead(json, shown.event, operation_id);
  PutClocks(json, shown.event.event, shown.notes.clock_step_ns);
  PutBody(json, shown.event.event);
  if (shown.notes.with_hash) Put(json, "hash", HashText(shown.event.hash));
  json.EndObject();
}

void PutSummary(JsonSink& json, const EventSummary& summary, const std::string& operation_id) {
  json.Key("events");
  json.BeginObject();
  for (std::size_t kind = 0; kind < summary.counts.size(); ++kind) {
    if (summary.counts[kind] != 0) Put(json, KindNames()[kind], summary.counts[kind]);
  }
  json.EndObject();
  for (const auto& [key, events] : {std::pair("milestones", &summary.milestones), {"errors", &summary.errors}}) {
    json.Key(key);
    json.BeginList();
    for (const ShownEvent& event : *events) PutEvent(json, event, operation_id);
    json.EndList();
  }
}

// How the operation on the row is getting on; nulls where there is no telling.
void PutPulse(JsonSink& json, const LogView& view, const Moment& now, std::optional<std::int64_t> stalled_after_ns) {
  const std::optional<Operation>& operation = view.state.operation;
  std::optional<double> left;
  if (operation && operation->total_files && IsAtWork(*operation, view)) {
    left = SecondsLeft(*operation->total_files, operation->files_processed, RateAhead(*operation, true));
  }
  const std::optional<std::int64_t> idle = IdleNs(view, now);
  Put(json, "time_left_s", left);
  Put(json, "last_progress_at", operation ? std::optional(report::Instant{operation->last_progress_at}) : std::nullopt);
  Put(json, "idle_s", idle ? std::optional(SecondsOf(*idle)) : std::nullopt);
  Put(json, "stalled", stalled_after_ns ? std::optional(IsStalled(view, now, *stalled_after_ns)) : std::nullopt);
}

// What `put` puts into an object.
template <typename PutFields>
std::string ObjectWith(PutFields put) {
  JsonSink json;
  json.BeginObject();
  put(json);
  json.EndObject();
  return json.Take();
}

}  // namespace

std::string StatusJson(const LogView& view, const Moment& now, std::optional<std::int64_t> stalled_after_ns) {
  const Operation operation = view.state.operation.value_or(Operation{.status = OperationStatus::kIdle});
  return ObjectWith([&](JsonSink& json) {
    PutHead(json, operation, view.interrupted);
    PutLogEnd(json, view);
    PutOriginAndFate(json, operation, view.fate);
    PutOutcome(json, operation);
    PutPulse(json, view, now, stalled_after_ns);
    PutWriter(json, view.writer);
    PutRecovery(json, view.writer.recovery);
    if (view.state.misfit) Put(json, "misfit", *view.state.misfit);
  });
}

std::string HistoryJson(const HistoryEntry& entry, const LogView& view) {
  return ObjectWith([&](JsonSink& json) { PutHistoryEntry(json, entry, view); });
}

std::string ShowJson(const OperationStory& story, const LogView& view, const EventSummary& summary) {
  return ObjectWith([&](JsonSink& json) {
    PutHistoryEntry(json, story.entry, view);
    PutSummary(json, summary, story.entry.operation.operation_id);
    PutStory(json, story);
  });
}

std::string EventJson(const ShownEvent& shown, const std::string& operation_id) {
  JsonSink json;
  PutEvent(json, shown, operation_id);
  return json.Take();
}

std::string RowJson(const std::optional<SingleRow>& row) {
  JsonSink json;
  PutValue(json, row);
  return json.Take();
}

std::string AtJson(const State& state, const std::optional<SingleRow>& row) {
  const Operation operation = state.operation.value_or(Operation{.status = OperationStatus::kIdle});
  return ObjectWith([&](JsonSink& json) {
    Put(json, "sequence", state.sequence);
    Put(json, "time", If(state.sequence != 0, report::Instant{state.seen.time}));
    PutIdentity(json, operation);
    PutProgress(json, operation);
    Put(json, "file_errors", FileErrors(operation));
    PutPace(json, operation);
    PutTimes(json, operation);
    PutLastClockStep(json, operation);
    PutRecord(json, operation);
    PutOrigin(json, operation);
    PutOutcome(json, operation);
    Put(json, "row", row);
    Put(json, "misfit", state.misfit);
  });
}

std::string StepJson(const State& state) {
  const auto& operation = state.operation;
  return ObjectWith([&](JsonSink& json) {
    Put(json, "operation_id", operation ? std::optional(operation->operation_id) : std::nullopt);
    Put(json, "epoch", state.epoch);
    Put(json, "sequence", state.sequence);
    Put(json, "status", Name(state.status()));
    Put(json, "token", operation ? std::optional(TokenOf({operation->operation_id, operation->epoch})) : std::nullopt);
  });
}

}  // namespace foldlog::cli
