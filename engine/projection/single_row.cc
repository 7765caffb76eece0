// The single row: which part of the state and of the errors in the log goes where. Never decides anything.

#include "foldlog/single_row.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/index/index_reader.h"
#include "engine/json/writer.h"
#include "engine/projection/row_text.h"
#include "engine/seconds.h"
#include "foldlog/event_reader.h"

namespace foldlog {
namespace {

constexpr std::string_view kCheckpointVersion = "1.0";

void Member(JsonWriter& json, std::string_view key, std::string_view text) {
  json.Key(key);
  json.String(text);
}

void Member(JsonWriter& json, std::string_view key, const std::optional<std::string>& text) {
  json.Key(key);
  text ? json.String(*text) : json.Null();
}

void Member(JsonWriter& json, std::string_view key, const std::optional<std::int64_t>& number) {
  json.Key(key);
  number ? json.Integer(*number) : json.Null();
}

void Member(JsonWriter& json, std::string_view key, double number) {
  json.Key(key);
  json.Float(number);
}

std::string CheckpointData(const Operation& operation, const std::string& entries) {
  JsonWriter json;
  json.BeginObject();
  Member(json, "operation_id", std::string_view(operation.operation_id));
  Member(json, "operation_type", Name(operation.type));
  Member(json, "total_files", operation.total_files);
  Member(json, "files_processed", std::optional(operation.files_processed));
  Member(json, "current_path", operation.current_path);
  Member(json, "last_processed_file", operation.last_processed_file);
  json.Key("errors");
  json.Raw("[" + entries + "]");
  Member(json, "rate", operation.rate);
  Member(json, "started_at", SecondsOf(operation.started_at));
  Member(json, "last_update", SecondsOf(operation.last_progress_at));
  Member(json, "batch_num", std::optional(operation.batch_num));
  Member(json, "checkpoint_version", kCheckpointVersion);
  json.EndObject();
  return json.Take();
}

// The row that the operation was imported from, if the event of its import holds one.
absl::StatusOr<std::optional<SingleRow>> RowKeptAt(Sequence sequence, const EventLog& log) {
  EventReader reader(log, sequence);
  ASSIGN_OR_RETURN(const std::optional<RecordedEvent> event, reader.Next());
  const auto* imported = event ? std::get_if<Imported>(&event->event.body) : nullptr;
  if (imported != nullptr) return imported->row;
  return absl::DataLossError(absl::StrCat("event ", sequence, " of the log ", log.name(), " should be an import"));
}

}  // namespace

// As the older programs did it: from the double, which may have been rounded up to a whole second.
std::int64_t WholeSeconds(TimeNs time) { return static_cast<std::int64_t>(SecondsOf(time)); }

std::string FileErrorJson(const FileError& error, TimeNs time) {
  if (!error.details.empty()) return error.details;
  JsonWriter json;
  json.BeginObject();
  Member(json, "path", std::string_view(error.path));
  Member(json, "error", std::string_view(error.message));
  Member(json, "timestamp", SecondsOf(time));
  json.EndObject();
  return json.Take();
}

std::string FailureJson(std::string_view failure, TimeNs time) {
  JsonWriter json;
  json.BeginObject();
  Member(json, "error", failure);
  Member(json, "timestamp", SecondsOf(time));
  json.Key("fatal");
  json.Bool(true);
  json.EndObject();
  return json.Take();
}

void AppendErrors(const Event& event, std::string& entries) {
  const auto append = [&](const std::string& entry) { absl::StrAppend(&entries, entries.empty() ? "" : ", ", entry); };
  if (const auto* failed = std::get_if<Failed>(&event.body)) append(FailureJson(failed->error, event.time));
  if (const auto* checkpoint = std::get_if<Checkpoint>(&event.body); checkpoint != nullptr && checkpoint->error) {
    append(FileErrorJson(*checkpoint->error, event.time));
  }
  if (const auto* imported = std::get_if<Imported>(&event.body)) {
    for (const auto& [time, error] : imported->errors) append(FileErrorJson(error, time));
    if (imported->status == OperationStatus::kFailed) append(FailureJson(imported->failure, imported->ended_at));
  }
}

SingleRow ComputedRow(const Operation& operation, const std::string& entries) {
  SingleRow row;
  row.operation_type = Name(operation.type);
  row.status = Name(operation.status);
  row.checkpoint_data = CheckpointData(operation, entries);
  row.started_at = WholeSeconds(operation.started_at);
  row.updated_at = WholeSeconds(operation.updated_at);
  if (operation.completed_at) row.completed_at = WholeSeconds(*operation.completed_at);
  return row;
}

// Brings `errors_` to the operation's last error. From where it stood, if it was about this operation and not beyond.
absl::Status SingleRowProjector::ReadErrors(const Operation& operation) {
  const Sequence last = operation.last_error_sequence;
  if (first_ != operation.first_error_sequence || through_ > last) {
    errors_.clear();
    first_ = operation.first_error_sequence;
    through_ = first_ - 1;
  }
  if (last == 0 || through_ == last) return absl::OkStatus();
  BatchWalk walk(log_, through_ + 1, last, IndexOrder::kRising);
  while (const std::optional<Stretch> stretch = walk.Next()) {
    // The index tells where errors are; what it says nothing of is read as a whole.
    const Sequence from = stretch->summary ? std::max(stretch->first, stretch->summary->first_error) : stretch->first;
    const Sequence through = stretch->summary ? std::min(stretch->last, stretch->summary->last_error) : stretch->last;
    RETURN_IF_ERROR(ReadErrors(from, through));
    through_ = stretch->last;
  }
  return absl::OkStatus();
}

absl::Status SingleRowProjector::ReadErrors(Sequence from, Sequence through) {
  EventReader reader(log_, from);
  for (Sequence next = from; next <= through; ++next) {
    ASSIGN_OR_RETURN(const std::optional<RecordedEvent> event, reader.Next());
    if (!event) return absl::DataLossError(absl::StrCat("the log ", log_.name(), " ends before event ", through));
    AppendErrors(event->event, errors_);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<SingleRow>> SingleRowProjector::Project(const State& state) {
  if (!state.operation) return std::optional<SingleRow>();
  const Operation& operation = *state.operation;
  if (operation.imported && state.sequence == operation.first_sequence) {
    ASSIGN_OR_RETURN(std::optional<SingleRow> row, RowKeptAt(state.sequence, log_));
    if (row) return row;
  }
  RETURN_IF_ERROR(ReadErrors(operation));
  return std::optional(ComputedRow(operation, errors_));
}

absl::StatusOr<std::optional<SingleRow>> ProjectSingleRow(const EventLog& log, const State& state) {
  return SingleRowProjector(log).Project(state);
}

}  // namespace foldlog
