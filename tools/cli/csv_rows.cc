// Operations and events as rows.

#include "tools/cli/csv_rows.h"

#include <charconv>
#include <optional>
#include <string_view>
#include <variant>

#include "engine/json/writer.h"
#include "engine/seconds.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

std::string Real(double value) {
  std::string text;
  AppendPythonFloat(value, text);
  return text;
}

template <typename Number>
std::string Text(const std::optional<Number>& number) {
  return number ? std::to_string(*number) : "";
}

std::string Text(const std::optional<std::string>& text) { return text.value_or(""); }

std::string Time(const std::optional<TimeNs>& time) { return time ? Rfc3339(*time) : ""; }

// The columns of an event that only some kinds fill.
struct EventRow {
  std::string files_processed = {};
  std::string current_path = {};
  std::string last_processed_file = {};
  std::string batch_num = {};
  std::string error_path = {};
  std::string error = {};
  std::string error_details = {};
  std::string evidence = {};
  std::string reason = {};
  std::string failure = {};
};

struct RowOf {
  EventRow operator()(const Started&) const { return {}; }
  EventRow operator()(const Checkpoint& checkpoint) const {
    EventRow row{.files_processed = std::to_string(checkpoint.files_processed),
                 .current_path = Text(checkpoint.current_path),
                 .last_processed_file = Text(checkpoint.last_processed_file),
                 .batch_num = Text(checkpoint.batch_num)};
    if (checkpoint.error) {
      row.error_path = checkpoint.error->path;
      row.error = checkpoint.error->message;
      row.error_details = checkpoint.error->details;
    }
    return row;
  }
  EventRow operator()(const Paused& paused) const { return {.reason = paused.reason}; }
  EventRow operator()(const Resumed& resumed) const { return {.reason = resumed.reason}; }
  EventRow operator()(const Recovered& recovered) const {
    return {.evidence = std::string(Name(recovered.evidence)), .reason = recovered.reason};
  }
  EventRow operator()(const Completed&) const { return {}; }
  EventRow operator()(const Failed& failed) const { return {.failure = failed.error}; }
  EventRow operator()(const Cleared&) const { return {}; }
  EventRow operator()(const Reset& reset) const { return {.reason = reset.reason}; }
  EventRow operator()(const Imported& imported) const {
    return {.files_processed = std::to_string(imported.files_processed),
            .current_path = Text(imported.current_path),
            .last_processed_file = Text(imported.last_processed_file),
            .batch_num = std::to_string(imported.batch_num),
            .failure = imported.status == OperationStatus::kFailed ? imported.failure : ""};
  }
};

}  // namespace

std::vector<std::string> HistoryColumns() {
  return {"operation_id",    "operation_type", "status",       "interrupted", "reset",
          "started_at",      "updated_at",     "completed_at", "active_s",    "total_files",
          "files_processed", "error_count",    "file_errors",  "checkpoints", "interruptions",
          "first_sequence",  "last_sequence",  "pause_reason", "failure"};
}

std::vector<std::string> HistoryCells(const HistoryEntry& entry, const LogView& view) {
  const Operation& operation = entry.operation;
  const bool interrupted = view.interrupted && view.IsAbout(operation);
  const bool paused = operation.status == OperationStatus::kPaused;
  return {operation.operation_id,
          std::string(Name(operation.type)),
          std::string(Name(operation.status)),
          interrupted ? "true" : "false",
          Text(entry.reset_by),
          Rfc3339(operation.started_at),
          Rfc3339(operation.updated_at),
          Time(operation.completed_at),
          Real(SecondsOf(operation.active_ns)),
          Text(operation.total_files),
          std::to_string(operation.files_processed),
          std::to_string(operation.error_count),
          std::to_string(FileErrors(operation)),
          std::to_string(operation.checkpoints),
          std::to_string(operation.interruptions()),
          std::to_string(operation.first_sequence),
          std::to_string(operation.last_sequence),
          paused ? operation.pause_reason : "",
          operation.status == OperationStatus::kFailed ? operation.failure : ""};
}

std::vector<std::string> EventColumns(bool with_hash) {
  std::vector<std::string> columns = {"sequence",     "time",
                                      "epoch",        "kind",
                                      "operation_id", "files_processed",
                                      "current_path", "last_processed_file",
                                      "batch_num",    "error_path",
                                      "error",        "error_details",
                                      "evidence",     "reason",
                                      "failure"};
  if (with_hash) columns.emplace_back("hash");
  return columns;
}

std::vector<std::string> EventCells(const ShownEvent& shown, const std::string& operation_id) {
  const Event& event = shown.event.event;
  const EventRow row = std::visit(RowOf{}, event.body);
  std::vector<std::string> cells = {std::to_string(shown.event.sequence),
                                    Rfc3339(event.time),
                                    std::to_string(event.epoch),
                                    std::string(KindName(event.body)),
                                    operation_id,
                                    row.files_processed,
                                    row.current_path,
                                    row.last_processed_file,
                                    row.batch_num,
                                    row.error_path,
                                    row.error,
                                    row.error_details,
                                    row.evidence,
                                    row.reason,
                                    row.failure};
  if (shown.notes.with_hash) cells.push_back(HashText(shown.event.hash));
  return cells;
}

}  // namespace foldlog::cli
