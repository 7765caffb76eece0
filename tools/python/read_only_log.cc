#include "tools/python/read_only_log.h"

#include "engine/base/status_macros.h"
#include "foldlog/log_directory.h"

namespace foldlog::python {

absl::StatusOr<std::shared_ptr<ReadOnlyLog>> ReadOnlyLog::Open(const std::string& directory) {
  ASSIGN_OR_RETURN(std::unique_ptr<EventLog> log, OpenLogForReading(directory));
  return std::shared_ptr<ReadOnlyLog>(new ReadOnlyLog(directory, std::move(log)));
}

absl::StatusOr<State> ReadOnlyLog::state() {
  RETURN_IF_ERROR(CheckProcess());
  const std::lock_guard lock(mutex_);
  absl::StatusOr<State> state = FoldOn();
  if (!state.ok()) replayer_.reset();
  return state;
}

absl::StatusOr<State> ReadOnlyLog::FoldOn() {
  if (!replayer_) {
    ASSIGN_OR_RETURN(const LogExtent extent, log_->Extent());
    ASSIGN_OR_RETURN(Replayer replayer, Replayer::From(*log_, extent.end.sequence + 1));
    replayer_.emplace(std::move(replayer));
  }
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<RecordedEvent> event, replayer_->Next());
    if (!event) return replayer_->state();
  }
}

absl::Status ReadOnlyLog::Close() {
  if (!process_.IsInside()) return absl::OkStatus();  // not the child's to close
  closed_ = true;
  return log_->Close();
}

}  // namespace foldlog::python
