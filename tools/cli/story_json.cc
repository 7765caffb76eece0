#include "tools/cli/story_json.h"

#include <optional>
#include <utility>

#include "engine/seconds.h"
#include "replay/report/fields.h"
#include "tools/cli/log_view.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

using report::If;
using report::Instant;
using report::JsonSink;

// The rates of a story.
constexpr std::size_t kRates = 10;

void PutSteps(JsonSink& json, const OperationStory& story) {
  json.Key("progress");
  json.BeginList();
  for (const StoryStep& step : story.steps) {
    json.BeginObject();
    Put(json, "sequence", step.sequence);
    Put(json, "time", Instant{step.time});
    Put(json, "status", Name(step.status));
    Put(json, "files_processed", step.files);
    Put(json, "error_count", step.errors);
    Put(json, "active_s", SecondsOf(step.active_ns));
    Put(json, "rate", step.rate);
    Put(json, "last_processed_file", step.last_processed_file);
    json.EndObject();
  }
  json.EndList();
  Put(json, "rates", RateCurve(story.steps, kRates));
}

void PutPauses(JsonSink& json, const OperationStory& story) {
  json.Key("pauses");
  json.BeginList();
  for (const StoryPause& pause : story.pauses) {
    json.BeginObject();
    Put(json, "sequence", pause.sequence);
    Put(json, "time", Instant{pause.began});
    Put(json, "reason", pause.reason);
    Put(json, "ended_sequence", pause.ended_by);
    Put(json, "ended_at", If(pause.ended.has_value(), Instant{pause.ended.value_or(0)}));
    Put(json, "duration_s", SecondsOf(pause.duration_ns));
    json.EndObject();
  }
  json.EndList();
  Put(json, "pauses_left_out", story.pauses_left_out);
}

void PutRecoveries(JsonSink& json, const OperationStory& story) {
  json.Key("recoveries");
  json.BeginList();
  for (const StoryInterruption& interruption : story.interruptions) {
    json.BeginObject();
    Put(json, "sequence", interruption.sequence);
    Put(json, "time", Instant{interruption.recovered});
    Put(json, "last_sign_at", Instant{interruption.last_sign});
    Put(json, "lost_s", SecondsOf(interruption.lost_ns));
    Put(json, "evidence", Name(interruption.evidence));
    Put(json, "reason", interruption.reason);
    json.EndObject();
  }
  json.EndList();
  Put(json, "recoveries_left_out", story.interruptions_left_out);
}

void PutExample(JsonSink& json, const ReportedError& error) {
  json.BeginObject();
  Put(json, "sequence", error.sequence);
  Put(json, "time", Instant{error.time});
  Put(json, "operation_id", If(!error.operation_id.empty(), error.operation_id));
  json.Key("error");
  json.Error(error.error, error.time);
  json.EndObject();
}

void PutGroupFields(JsonSink& json, const ErrorGroup& group) {
  Put(json, "count", group.count);
  Put(json, "first_time", Instant{group.first_time});
  Put(json, "last_time", Instant{group.last_time});
  Put(json, "first_sequence", group.first_sequence);
  Put(json, "last_sequence", group.last_sequence);
  json.Key("examples");
  json.BeginList();
  for (const ReportedError& error : group.examples) PutExample(json, error);
  json.EndList();
}

void PutGroups(JsonSink& json, std::string_view key, const ErrorGroups& groups) {
  json.Key(key);
  json.BeginList();
  for (const ErrorGroup& group : groups.groups) {
    json.BeginObject();
    Put(json, "name", group.key);
    PutGroupFields(json, group);
    json.EndObject();
  }
  json.EndList();
  Put(json, std::string(key) + "_left_out", groups.left_out);
}

void PutSide(JsonSink& json, std::string_view key, const OperationDiff& diff, std::size_t side) {
  const HistoryEntry& entry = diff.entries.at(side);
  const Operation& operation = entry.operation;
  json.Key(key);
  json.BeginObject();
  PutIdentity(json, operation);
  PutProgress(json, operation);
  Put(json, "file_errors", FileErrors(operation));
  PutPace(json, operation);
  PutTimes(json, operation);
  PutRecord(json, operation);
  Put(json, "reset", entry.reset_by);
  PutOrigin(json, operation);
  PutOutcome(json, operation);
  Put(json, "rates", diff.rates.at(side));
  Put(json, "roots_only_here", diff.roots.at(side));
  json.EndObject();
}

}  // namespace

void PutStory(JsonSink& json, const OperationStory& story) {
  PutSteps(json, story);
  PutPauses(json, story);
  PutRecoveries(json, story);
  PutGroups(json, "error_groups", story.errors.by_kind);
}

std::vector<std::string> ErrorGroupLines(const ErrorGroups& groups, std::string_view by) {
  std::vector<std::string> lines;
  for (const ErrorGroup& group : groups.groups) {
    JsonSink json;
    json.BeginObject();
    Put(json, "by", by);
    Put(json, "name", group.key);
    PutGroupFields(json, group);
    json.EndObject();
    lines.push_back(json.Take());
  }
  if (groups.left_out > 0) {
    JsonSink json;
    json.BeginObject();
    Put(json, "by", by);
    Put(json, "name", std::optional<std::string>());
    Put(json, "count", groups.left_out);
    json.EndObject();
    lines.push_back(json.Take());
  }
  return lines;
}

std::string DiffJson(const OperationDiff& diff) {
  JsonSink json;
  json.BeginObject();
  PutSide(json, "first", diff, 0);
  PutSide(json, "second", diff, 1);
  json.Key("metadata_changes");
  json.BeginList();
  for (const MetadataDifference& difference : diff.metadata) {
    json.BeginObject();
    Put(json, "name", difference.name);
    Put(json, "first", difference.values[0]);
    Put(json, "second", difference.values[1]);
    json.EndObject();
  }
  json.EndList();
  Put(json, "same_type", diff.same_type);
  Put(json, "same_owner", diff.same_owner);
  Put(json, "errors_in_both", diff.errors_in_both);
  PutGroups(json, "new_errors", diff.new_errors);
  PutGroups(json, "gone_errors", diff.gone_errors);
  Put(json, "errors_not_compared", diff.errors_not_compared);
  json.EndObject();
  return json.Take();
}

std::vector<std::string> ErrorGroupColumns() {
  return {"by", "name", "count", "first_time", "last_time", "first_sequence", "last_sequence"};
}

std::vector<std::vector<std::string>> ErrorGroupCells(const ErrorGroups& groups, std::string_view by) {
  std::vector<std::vector<std::string>> rows;
  for (const ErrorGroup& group : groups.groups) {
    rows.push_back({std::string(by), group.key, std::to_string(group.count), Rfc3339(group.first_time),
                    Rfc3339(group.last_time), std::to_string(group.first_sequence),
                    std::to_string(group.last_sequence)});
  }
  if (groups.left_out > 0) rows.push_back({std::string(by), "", std::to_string(groups.left_out), "", "", "", ""});
  return rows;
}

}  // namespace foldlog::cli
