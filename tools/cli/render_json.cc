// Events and states as JSON objects.

#include "tools/cli/render_json.h"

#include <optional>
#include <utility>

#include "replay/report/fields.h"
#include "replay/report/json_sink.h"
#include "replay/report/objects.h"
#include "tools/cli/script_step.h"
#include "tools/cli/story_json.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

using report::JsonSink;

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
  return ObjectWith([&](JsonSink& json) { PutStatus(json, view, now, stalled_after_ns); });
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
  return ObjectWith([&](JsonSink& json) { PutStateAt(json, state, row); });
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
