#include "foldlog/error_report.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "engine/base/status_macros.h"
#include "replay/error_groups.h"
#include "replay/message_kind.h"
#include "replay/seen_texts.h"

namespace foldlog {

absl::StatusOr<ErrorQuery> ErrorQuery::Over(const EventLog& log, const ErrorFilter& filter) {
  EventFilter events{.from = filter.from,
                     .through = filter.through,
                     .since = filter.since,
                     .until = filter.until,
                     .operation = filter.operation,
                     .path_prefix = filter.path_prefix,
                     .with_error = true};
  ASSIGN_OR_RETURN(EventQuery query, EventQuery::Over(log, events));
  return ErrorQuery(std::move(query), filter.path_prefix);
}

absl::StatusOr<std::optional<ReportedError>> ErrorQuery::Next() {
  while (ready_.empty()) {
    ASSIGN_OR_RETURN(std::optional<QueriedEvent> queried, events_.Next());
    if (!queried) return std::optional<ReportedError>();
    Take(*std::move(queried));
  }
  ReportedError error = std::move(ready_.front());
  ready_.pop_front();
  return std::optional(std::move(error));
}

// An import tells of its errors in order, and of the failure last.
void ErrorQuery::Take(QueriedEvent queried) {
  auto& [sequence, hash, event] = queried.event;
  const ReportedError found{
      .sequence = sequence, .time = event.time, .operation = queried.operation, .operation_id = queried.operation_id};
  ReportedError failure = found;
  failure.is_failure = true;
  if (auto* checkpoint = std::get_if<Checkpoint>(&event.body)) {
    if (checkpoint->error) Add(found, *std::move(checkpoint->error));
  } else if (auto* failed = std::get_if<Failed>(&event.body)) {
    Add(std::move(failure), {.message = std::move(failed->error)});
  } else if (auto* imported = std::get_if<Imported>(&event.body)) {
    for (ImportedError& error : imported->errors) {
      ReportedError old = found;
      old.time = error.time;
      Add(std::move(old), std::move(error.error));
    }
    failure.time = imported->ended_at;
    if (imported->status == OperationStatus::kFailed) {
      Add(std::move(failure), {.message = std::move(imported->failure)});
    }
  }
}

void ErrorQuery::Add(ReportedError error, FileError file) {
  const bool wanted = path_prefix_.empty() || (!error.is_failure && file.path.starts_with(path_prefix_));
  if (!wanted) return;
  error.error = std::move(file);
  ready_.push_back(std::move(error));
}

absl::StatusOr<ErrorReport> ReportErrors(const EventLog& log, const ErrorFilter& filter,
                                         const ErrorReportOptions& options) {
  ASSIGN_OR_RETURN(ErrorQuery query, ErrorQuery::Over(log, filter));
  ErrorGrouping kinds(options.groups_max, options.examples_max);
  ErrorGrouping directories(options.groups_max, 0);
  ErrorReport report;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<ReportedError> error, query.Next());
    if (!error) break;
    if (options.progress) options.progress(error->sequence);
    ++report.errors;
    report.failures += error->is_failure ? 1 : 0;
    report.first_time = std::min(report.first_time.value_or(error->time), error->time);
    report.last_time = std::max(report.last_time.value_or(error->time), error->time);
    kinds.Add(MessageKind(error->error.message, error->error.path), *error);
    if (!error->is_failure) directories.Add(DirectoryOf(error->error.path), *error);
  }
  report.by_kind = kinds.Take();
  report.by_directory = directories.Take();
  report.index_damage = query.index_damage();
  return report;
}

FailedPaths::FailedPaths(ErrorQuery errors) : errors_(std::move(errors)), seen_(std::make_unique<SeenTexts>()) {}
FailedPaths::FailedPaths(FailedPaths&&) noexcept = default;
FailedPaths& FailedPaths::operator=(FailedPaths&&) noexcept = default;
FailedPaths::~FailedPaths() = default;

absl::StatusOr<FailedPaths> FailedPaths::Over(const EventLog& log, const ErrorFilter& filter) {
  ASSIGN_OR_RETURN(ErrorQuery errors, ErrorQuery::Over(log, filter));
  return FailedPaths(std::move(errors));
}

absl::StatusOr<std::optional<std::string>> FailedPaths::Next() {
  while (true) {
    ASSIGN_OR_RETURN(std::optional<ReportedError> error, errors_.Next());
    if (!error) return std::optional<std::string>();
    std::string& path = error->error.path;
    if (path.empty() || seen_->Add(path) == SeenTexts::Found::kSeen) continue;
    return std::optional(std::move(path));
  }
}

}  // namespace foldlog
