#include "replay/sql/session.h"

#include <cstdlib>
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/missing_events.h"
#include "foldlog/log_directory.h"

namespace foldlog::sql {

void Session::EndRead() {
  if (--reads_ > 0) return;
  // Opened anew for the next statement: the directory may be another log by then.
  moments_.clear();
  logs_.clear();
}

absl::StatusOr<LogMoment> Session::Find(const std::optional<std::string>& directory) {
  std::string path = directory.value_or(log_);
  const char* const named = std::getenv("FOLDLOG");
  if (path.empty() && named != nullptr) path = named;
  if (path.empty()) {
    return absl::NotFoundError("which log? Set the environment variable FOLDLOG, or say FROM runs('DIRECTORY')");
  }
  if (const auto seen = moments_.find(path); seen != moments_.end()) return seen->second;
  std::unique_ptr<EventLog>& log = logs_[path];
  if (!log) {
    ASSIGN_OR_RETURN(log, OpenLogForReading(path));
  }
  ASSIGN_OR_RETURN(const LogExtent extent, log->Extent());
  // Durable events are missing at the end: what there is would be taken for all.
  RETURN_IF_ERROR(CheckNothingIsMissing(*log, extent));
  return moments_[path] = {log.get(), extent.base.sequence + 1, extent.end.sequence};
}

}  // namespace foldlog::sql
