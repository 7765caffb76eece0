#include "replay/sql/operation_row.h"

#include <cstdint>
#include <string>

#include "engine/seconds.h"
#include "replay/report/fields.h"
#include "replay/report/json_sink.h"
#include "replay/report/text.h"

namespace foldlog::sql {
namespace {

Value TextUnlessEmpty(const std::string& text) { return text.empty() ? Value() : Value(text); }

// As in the program's lines of JSON.
template <typename Field>
std::string Json(const Field& field) {
  report::JsonSink json;
  report::PutValue(json, field);
  return json.Take();
}

Value EndedAt(const Operation& operation) {
  if (operation.completed_at) return report::Rfc3339(*operation.completed_at);
  return operation.status == OperationStatus::kFailed ? Value(report::Rfc3339(operation.updated_at)) : Value();
}

Value Interrupted(const Operation& operation, Evidence evidence) {
  return operation.interruptions_by.at(static_cast<std::size_t>(evidence));
}

// The columns that are numbers.
Value NumberOf(const Operation& operation, int column) {
  switch (column) {
    case kFirstSequence:
      return static_cast<std::int64_t>(operation.first_sequence);
    case kLastSequence:
      return static_cast<std::int64_t>(operation.last_sequence);
    case kActiveS:
      return SecondsOf(operation.active_ns);
    case kPausedS:
      return SecondsOf(operation.paused_ns);
    case kTotalFiles:
      return operation.total_files ? Value(*operation.total_files) : Value();
    case kFiles:
      return operation.files_processed;
    case kErrors:
      return operation.error_count;
    case kCheckpoints:
      return operation.checkpoints;
    case kRate:
      return MeanRate(operation);
    case kBatch:
      return operation.batch_num;
    case kInterruptions:
      return operation.interruptions();
    case kProcessDied:
      return Interrupted(operation, Evidence::kProcessDied);
    case kMachineRebooted:
      return Interrupted(operation, Evidence::kMachineRebooted);
    case kClosedWithoutEnd:
      return Interrupted(operation, Evidence::kClosedWithoutEnd);
    case kForced:
      return Interrupted(operation, Evidence::kForced);
    default:
      return operation.owner.pid;
  }
}

}  // namespace

std::vector<Column> OperationColumns(const std::vector<OperationColumn>& usable) {
  std::vector<Column> columns = {{.name = "first_sequence", .type = "INTEGER"},
                                 {.name = "last_sequence", .type = "INTEGER"},
                                 {.name = "operation_id", .type = "TEXT"},
                                 {.name = "type", .type = "TEXT"},
                                 {.name = "status", .type = "TEXT"},
                                 {.name = "started_at", .type = "TEXT"},
                                 {.name = "updated_at", .type = "TEXT"},
                                 {.name = "ended_at", .type = "TEXT"},
                                 {.name = "active_s", .type = "REAL"},
                                 {.name = "paused_s", .type = "REAL"},
                                 {.name = "total_files", .type = "INTEGER"},
                                 {.name = "files", .type = "INTEGER"},
                                 {.name = "errors", .type = "INTEGER"},
                                 {.name = "checkpoints", .type = "INTEGER"},
                                 {.name = "rate", .type = "REAL"},
                                 {.name = "current_path", .type = "TEXT"},
                                 {.name = "last_processed_file", .type = "TEXT"},
                                 {.name = "batch_num", .type = "INTEGER"},
                                 {.name = "interruptions", .type = "INTEGER"},
                                 {.name = "process_died", .type = "INTEGER"},
                                 {.name = "machine_rebooted", .type = "INTEGER"},
                                 {.name = "closed_without_end", .type = "INTEGER"},
                                 {.name = "forced", .type = "INTEGER"},
                                 {.name = "failure", .type = "TEXT"},
                                 {.name = "pause_reason", .type = "TEXT"},
                                 {.name = "roots", .type = "TEXT"},
                                 {.name = "metadata", .type = "TEXT"},
                                 {.name = "stats", .type = "TEXT"},
                                 {.name = "host", .type = "TEXT"},
                                 {.name = "program", .type = "TEXT"},
                                 {.name = "pid", .type = "INTEGER"}};
  for (const OperationColumn column : usable) columns.at(static_cast<std::size_t>(column)).usable = true;
  return columns;
}

Value ColumnOf(const Operation& operation, int column) {
  switch (column) {
    case kId:
      return operation.operation_id;
    case kType:
      return std::string(Name(operation.type));
    case kStatus:
      return std::string(Name(operation.status));
    case kStartedAt:
      return report::Rfc3339(operation.started_at);
    case kUpdatedAt:
      return report::Rfc3339(operation.updated_at);
    case kEndedAt:
      return EndedAt(operation);
    case kCurrent:
      return operation.current_path ? Value(*operation.current_path) : Value();
    case kLastFile:
      return operation.last_processed_file ? Value(*operation.last_processed_file) : Value();
    case kFailure:
      return operation.status == OperationStatus::kFailed ? Value(operation.failure) : Value();
    case kPauseReason:
      return operation.status == OperationStatus::kPaused ? TextUnlessEmpty(operation.pause_reason) : Value();
    case kRoots:
      return Json(operation.roots);
    case kMetadata:
      return Json(operation.metadata);
    case kStats:
      return Json(operation.stats);
    case kHost:
      return TextUnlessEmpty(operation.owner.host);
    case kProgram:
      return TextUnlessEmpty(operation.owner.program);
    default:
      return NumberOf(operation, column);
  }
}

}  // namespace foldlog::sql
