// Events and states as JSON objects.

#include "tools/cli/render_json.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>

#include "engine/json/reader.h"
#include "engine/json/writer.h"
#include "engine/seconds.h"
#include "tools/cli/script_step.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

void Put(JsonWriter& json, const char* key, std::string_view text) {
  json.Key(key);
  json.String(text);
}

void Put(JsonWriter& json, const char* key, std::int64_t value) {
  json.Key(key);
  json.Integer(value);
}

void Put(JsonWriter& json, const char* key, std::uint64_t value) {
  json.Key(key);
  json.Unsigned(value);
}

void Put(JsonWriter& json, const char* key, bool value) {
  json.Key(key);
  json.Bool(value);
}

// A literal would rather become a bool than a string_view.
void Put(JsonWriter& json, const char* key, const char* text) = delete;

void Put(JsonWriter& json, const char* key, const std::string& text) { Put(json, key, std::string_view(text)); }

void PutNull(JsonWriter& json, const char* key) {
  json.Key(key);
  json.Null();
}

void PutTime(JsonWriter& json, const char* key, TimeNs time) { Put(json, key, std::string_view(Rfc3339(time))); }

template <typename Value>
void PutOptional(JsonWriter& json, const char* key, const std::optional<Value>& value) {
  if (value) {
    Put(json, key, *value);
  } else {
    PutNull(json, key);
  }
}

void PutStrings(JsonWriter& json, const char* key, const std::vector<std::string>& values) {
  json.Key(key);
  json.BeginArray();
  for (const std::string& value : values) json.String(value);
  json.EndArray();
}

// JSON has no number that is not finite.
void PutNumber(JsonWriter& json, double value) { std::isfinite(value) ? json.Float(value) : json.Null(); }

void Put(JsonWriter& json, const char* key, double value) {
  json.Key(key);
  PutNumber(json, value);
}

void Put(JsonWriter& json, const std::string& value) { json.String(value); }

void Put(JsonWriter& json, const StatValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    json.Integer(*integer);
  } else if (const auto* real = std::get_if<double>(&value)) {
    PutNumber(json, *real);
  } else {
    json.String(std::get<std::string>(value));
  }
}

// Names and values as an object. A name that was given several times has all its values in an array, because readers of
// JSON keep only the last of equal keys.
template <typename Pairs>
void PutPairs(JsonWriter& json, const char* key, const Pairs& pairs) {
  json.Key(key);
  json.BeginObject();
  using Value = typename Pairs::value_type::second_type;
  std::unordered_map<std::string_view, std::vector<const Value*>> values;
  std::vector<std::string_view> names;  // in the order in which they come first
  for (const auto& [name, value] : pairs) {
    std::vector<const Value*>& of_name = values[name];
    if (of_name.empty()) names.push_back(name);
    of_name.push_back(&value);
  }
  for (const std::string_view name : names) {
    const std::vector<const Value*>& of_name = values[name];
    json.Key(name);
    if (of_name.size() > 1) json.BeginArray();
    for (const Value* value : of_name) Put(json, *value);
    if (of_name.size() > 1) json.EndArray();
  }
  json.EndObject();
}

// With the names and in the order of the table's columns.
void PutRowValue(JsonWriter& json, const SingleRow& row) {
  json.BeginObject();
  Put(json, "id", std::int64_t{1});
  Put(json, "operation_type", row.operation_type);
  Put(json, "status", row.status);
  Put(json, "checkpoint_data", row.checkpoint_data);
  Put(json, "started_at", row.started_at);
  Put(json, "updated_at", row.updated_at);
  PutOptional(json, "completed_at", row.completed_at);
  json.EndObject();
}

void PutOwner(JsonWriter& json, const char* key, const Owner& owner) {
  json.Key(key);
  json.BeginObject();
  Put(json, "program", owner.program);
  Put(json, "host", owner.host);
  Put(json, "pid", owner.pid);
  Put(json, "holds_log", owner.holds_log);
  Put(json, "instance", owner.instance);
  Put(json, "machine_id", owner.machine_id);
  Put(json, "boot_id", owner.boot_id);
  Put(json, "pid_namespace", owner.pid_namespace);
  Put(json, "start_ticks", owner.start_ticks);
  json.EndObject();
}

// Null if nobody holds the log; an empty object if somebody does whose record can't be read.
void PutWriter(JsonWriter& json, const WriterInfo& writer) {
  if (!writer.held) {
    PutNull(json, "writer");
  } else if (writer.writer) {
    PutOwner(json, "writer", *writer.writer);
  } else {
    json.Key("writer");
    json.BeginObject();
    json.EndObject();
  }
}

// What the present or last writer found when it opened the log; null if that is not known.
void PutRecovery(JsonWriter& json, const std::optional<RecoveryReport>& recovery) {
  if (!recovery) return PutNull(json, "recovery");
  json.Key("recovery");
  json.BeginObject();
  Put(json, "events_from_tail", recovery->events_from_tail);
  Put(json, "frames_discarded", recovery->frames_discarded);
  Put(json, "events_lost", recovery->events_lost);
  Put(json, "events_in_doubt", recovery->events_in_doubt);
  if (recovery->last_writer) {
    Put(json, "last_writer", Name(*recovery->last_writer));
  } else {
    PutNull(json, "last_writer");
  }
  json.EndObject();
}

void PutProgress(JsonWriter& json, const Operation& operation) {
  PutOptional(json, "total_files", operation.total_files);
  Put(json, "files_processed", operation.files_processed);
  PutOptional(json, "current_path", operation.current_path);
  PutOptional(json, "last_processed_file", operation.last_processed_file);
  Put(json, "batch_num", operation.batch_num);
  Put(json, "error_count", operation.error_count);
  Put(json, "file_errors", FileErrors(operation));
  Put(json, "rate", MeanRate(operation));
  Put(json, "recent_rate", RecentRate(operation));
  Put(json, "active_s", SecondsOf(operation.active_ns));
}

// How often the wall clock was set while the operation lasted, and the last time that it was.
void PutClockSteps(JsonWriter& json, const Operation& operation) {
  Put(json, "clock_steps", operation.clock_steps);
  if (operation.clock_steps == 0) return PutNull(json, "last_clock_step");
  json.Key("last_clock_step");
  json.BeginObject();
  Put(json, "sequence", operation.clock_step_sequence);
  Put(json, "seconds", SecondsOf(operation.clock_step_ns));
  json.EndObject();
}

void PutTimes(JsonWriter& json, const Operation& operation) {
  PutTime(json, "started_at", operation.started_at);
  PutTime(json, "updated_at", operation.updated_at);
  if (operation.completed_at) {
    PutTime(json, "completed_at", *operation.completed_at);
  } else {
    PutNull(json, "completed_at");
  }
  PutClockSteps(json, operation);
}

// `fate` of the owner, if the operation is in progress; it is evidence if it proves that the owner is gone.
void PutCircumstances(JsonWriter& json, const Operation& operation, const std::optional<OwnerFate>& fate) {
  PutStrings(json, "roots", operation.roots);
  PutPairs(json, "metadata", operation.metadata);
  PutOwner(json, "owner", operation.owner);
  const std::optional<std::string_view> name = fate ? std::optional(Name(*fate)) : std::nullopt;
  PutOptional(json, "evidence", fate && IsGone(*fate) ? name : std::nullopt);
  PutOptional(json, "owner_fate", name);
}

void PutOutcome(JsonWriter& json, const Operation& operation) {
  if (operation.status == OperationStatus::kPaused) {
    Put(json, "pause_reason", operation.pause_reason);
  } else {
    PutNull(json, "pause_reason");
  }
  if (operation.status == OperationStatus::kFailed) {
    Put(json, "failure", operation.failure);
  } else {
    PutNull(json, "failure");
  }
}

void PutLogEnd(JsonWriter& json, const LogView& view) {
  Put(json, "epoch", view.state.epoch);
  Put(json, "last_sequence", view.state.sequence);
  // The log may have grown since the state was folded.
  Put(json, "durable_sequence", std::min(view.extent.durable_through, view.state.sequence));
  if (view.extent.missing_through > view.extent.end.sequence) {
    Put(json, "missing_through", view.extent.missing_through);
  } else {
    PutNull(json, "missing_through");
  }
  Put(json, "stored_sequence", std::min(view.extent.stored_through, view.state.sequence));
  Put(json, "last_hash", HashText(view.hash));
}

void PutIdle(JsonWriter& json, const LogView& view) {
  PutNull(json, "operation_id");
  PutNull(json, "operation_type");
  Put(json, "status", Name(OperationStatus::kIdle));
  Put(json, "interrupted", false);
  PutNull(json, "total_files");
  Put(json, "files_processed", std::int64_t{0});
  PutNull(json, "current_path");
  PutNull(json, "last_processed_file");
  Put(json, "batch_num", std::int64_t{0});
  Put(json, "error_count", std::int64_t{0});
  Put(json, "file_errors", std::int64_t{0});
  for (const char* number : {"rate", "recent_rate", "active_s"}) Put(json, number, 0.0);
  for (const char* time : {"started_at", "updated_at", "completed_at"}) PutNull(json, time);
  Put(json, "clock_steps", std::int64_t{0});
  PutNull(json, "last_clock_step");
  PutLogEnd(json, view);
  PutStrings(json, "roots", {});
  PutPairs(json, "metadata", Metadata());
  for (const char* key : {"owner", "evidence", "owner_fate", "pause_reason", "failure"}) PutNull(json, key);
}

void PutHead(JsonWriter& json, const Operation& operation, bool interrupted) {
  Put(json, "operation_id", operation.operation_id);
  Put(json, "operation_type", Name(operation.type));
  Put(json, "status", Name(operation.status));
  Put(json, "interrupted", interrupted);
  PutProgress(json, operation);
  PutTimes(json, operation);
}

void PutHistoryEntry(JsonWriter& json, const HistoryEntry& entry, const LogView& view) {
  const Operation& operation = entry.operation;
  const bool interrupted = view.interrupted && view.IsAbout(operation);
  PutHead(json, operation, interrupted);
  Put(json, "epoch", operation.epoch);
  Put(json, "checkpoints", operation.checkpoints);
  Put(json, "interruptions", operation.interruptions);
  Put(json, "first_sequence", operation.first_sequence);
  Put(json, "last_sequence", operation.last_sequence);
  PutPairs(json, "stats", operation.stats);
  PutOptional(json, "reset", entry.reset_by);
  PutCircumstances(json, operation, view.IsAbout(operation) ? view.fate : std::nullopt);
  PutOutcome(json, operation);
}

// What a command takes for details is JSON in one line of ASCII; what a log holds may be anything.
void PutDetails(JsonWriter& json, const std::string& details) {
  const bool one_line = std::all_of(details.begin(), details.end(), [](char c) { return c >= ' ' && c <= '~'; });
  const absl::StatusOr<JsonSlice> value = ParseJson(details);
  json.Key("details");
  if (value.ok() && one_line) {
    json.Raw(StandardJson(*value));
  } else {
    json.String(details);
  }
}

// The fields of each kind of event.
struct PutBody {
  JsonWriter& json;

  void operator()(const Started& started) const {
    Put(json, "operation_type", Name(started.type));
    PutOptional(json, "total_files", started.total_files);
    PutStrings(json, "roots", started.roots);
    PutPairs(json, "metadata", started.metadata);
    PutOwner(json, "owner", started.owner);
  }

  // Only what is present: that is what a checkpoint says.
  void operator()(const Checkpoint& checkpoint) const {
    Put(json, "files_processed", checkpoint.files_processed);
    if (checkpoint.current_path) Put(json, "current_path", *checkpoint.current_path);
    if (checkpoint.last_processed_file) Put(json, "last_processed_file", *checkpoint.last_processed_file);
    if (checkpoint.batch_num) Put(json, "batch_num", *checkpoint.batch_num);
    if (!checkpoint.error) return;
    json.Key("error");
    json.BeginObject();
    Put(json, "path", checkpoint.error->path);
    Put(json, "error", checkpoint.error->message);
    if (!checkpoint.error->details.empty()) PutDetails(json, checkpoint.error->details);
    json.EndObject();
  }

  void operator()(const Paused& paused) const { Put(json, "reason", paused.reason); }

  void operator()(const Resumed& resumed) const {
    Put(json, "reason", resumed.reason);
    PutOwner(json, "owner", resumed.owner);
  }

  void operator()(const Recovered& recovered) const {
    Put(json, "evidence", Name(recovered.evidence));
    Put(json, "reason", recovered.reason);
    PutOwner(json, "owner", recovered.owner);
  }

  void operator()(const Completed& completed) const { PutPairs(json, "stats", completed.stats); }
  void operator()(const Failed& failed) const { Put(json, "failure", failed.error); }
  void operator()(const Cleared&) const {}
  void operator()(const Reset& reset) const { Put(json, "reason", reset.reason); }

  void operator()(const Imported& imported) const {
    Put(json, "operation_type", Name(imported.type));
    PutOptional(json, "total_files", imported.total_files);
    Put(json, "files_processed", imported.files_processed);
    PutOptional(json, "current_path", imported.current_path);
    PutOptional(json, "last_processed_file", imported.last_processed_file);
    Put(json, "batch_num", imported.batch_num);
    Put(json, "rate", imported.rate);
    PutTime(json, "last_update", imported.last_update);
    PutTime(json, "updated_at", imported.updated_at);
    PutTime(json, "imported_at", imported.imported_at);
    Put(json, "source", imported.source);
    Put(json, "followers", imported.followers);
    PutOwner(json, "owner", imported.owner);
    json.Key("row");
    json.Raw(RowJson(imported.row));
  }
};

// What the event tells of the clocks: how long the machine had been up, which boot it was, and whether the wall clock
// was set since the event before.
void PutClocks(JsonWriter& json, const ShownEvent& shown) {
  const Boot& boot = shown.event.event.boot;
  if (boot.id != 0) {
    Put(json, "boot", std::uint64_t{boot.id});
    PutTime(json, "booted_at", boot.at);
  }
  if (shown.notes.clock_step_ns != 0) Put(json, "clock_step_s", SecondsOf(shown.notes.clock_step_ns));
}

void PutEvent(JsonWriter& json, const ShownEvent& shown, const std::string& operation_id) {
  const RecordedEvent& event = shown.event;
  json.BeginObject();
  Put(json, "sequence", event.sequence);
  PutTime(json, "time", event.event.time);
  Put(json, "epoch", event.event.epoch);
  Put(json, "kind", KindName(event.event.body));
  if (operation_id.empty()) {
    PutNull(json, "operation_id");
  } else {
    Put(json, "operation_id", operation_id);
  }
  PutClocks(json, shown);
  std::visit(PutBody{json}, event.event.body);
  if (shown.notes.with_hash) Put(json, "hash", HashText(event.hash));
  json.EndObject();
}

void PutSummary(JsonWriter& json, const EventSummary& summary, const std::string& operation_id) {
  json.Key("events");
  json.BeginObject();
  for (std::size_t kind = 0; kind < summary.counts.size(); ++kind) {
    if (summary.counts[kind] == 0) continue;
    json.Key(KindNames()[kind]);
    json.Unsigned(summary.counts[kind]);
  }
  json.EndObject();
  for (const auto& [key, events] : {std::pair("milestones", &summary.milestones), {"errors", &summary.errors}}) {
    json.Key(key);
    json.BeginArray();
    for (const ShownEvent& event : *events) PutEvent(json, event, operation_id);
    json.EndArray();
  }
}

void PutMisfit(JsonWriter& json, const std::optional<Misfit>& misfit) {
  if (!misfit) return;
  json.Key("misfit");
  json.BeginObject();
  json.Key("sequence");
  json.Unsigned(misfit->sequence);
  json.Key("why");
  json.String(misfit->why);
  json.EndObject();
}

}  // namespace

std::string StatusJson(const LogView& view) {
  JsonWriter json;
  json.BeginObject();
  if (const std::optional<Operation>& operation = view.state.operation) {
    PutHead(json, *operation, view.interrupted);
    PutLogEnd(json, view);
    PutCircumstances(json, *operation, view.fate);
    PutOutcome(json, *operation);
  } else {
    PutIdle(json, view);
  }
  PutWriter(json, view.writer);
  PutRecovery(json, view.writer.recovery);
  PutMisfit(json, view.state.misfit);
  json.EndObject();
  return json.Take();
}

std::string HistoryJson(const HistoryEntry& entry, const LogView& view) {
  JsonWriter json;
  json.BeginObject();
  PutHistoryEntry(json, entry, view);
  json.EndObject();
  return json.Take();
}

std::string ShowJson(const HistoryEntry& entry, const LogView& view, const EventSummary& summary) {
  JsonWriter json;
  json.BeginObject();
  PutHistoryEntry(json, entry, view);
  PutSummary(json, summary, entry.operation.operation_id);
  json.EndObject();
  return json.Take();
}

std::string EventJson(const ShownEvent& shown, const std::string& operation_id) {
  JsonWriter json;
  PutEvent(json, shown, operation_id);
  return json.Take();
}

std::string RowJson(const std::optional<SingleRow>& row) {
  JsonWriter json;
  if (row) {
    PutRowValue(json, *row);
  } else {
    json.Null();
  }
  return json.Take();
}

std::string StepJson(const State& state) {
  JsonWriter json;
  json.BeginObject();
  if (state.operation) {
    Put(json, "operation_id", state.operation->operation_id);
  } else {
    PutNull(json, "operation_id");
  }
  Put(json, "epoch", state.epoch);
  Put(json, "sequence", state.sequence);
  Put(json, "status", Name(state.status()));
  if (state.operation) {
    Put(json, "token", TokenOf({state.operation->operation_id, state.operation->epoch}));
  } else {
    PutNull(json, "token");
  }
  json.EndObject();
  return json.Take();
}

}  // namespace foldlog::cli
