// State and writer of a log, read so that they belong together.

#include "replay/report/log_view.h"

#include "engine/base/status_macros.h"
#include "engine/fold.h"
#include "foldlog/log_directory.h"

namespace foldlog::report {
namespace {

// A writer that keeps appending is alive, and then the first look is as good as the last.
constexpr int kMaxLooks = 8;

absl::StatusOr<LogView> LookOnce(const EventLog& log, const std::string& directory, const Owner& self) {
  LogView view;
  ASSIGN_OR_RETURN(view.extent, log.Extent());
  ASSIGN_OR_RETURN(Fold fold, FoldLog(log, view.extent.end.sequence));
  view.state = std::move(fold.state);
  view.hash = fold.at.hash;
  ASSIGN_OR_RETURN(view.writer, InspectWriter(directory));
  ASSIGN_OR_RETURN(view.extent, log.Extent());
  if (view.state.status() == OperationStatus::kInProgress) {
    const Owner& owner = view.state.operation->owner;
    view.fate = AssessOwner(owner, view.writer, self);
    view.interrupted = IsGone(*view.fate);
  }
  return view;
}

}  // namespace

absl::StatusOr<LogView> ReadLogView(const EventLog& log, const std::string& directory) {
  const Owner self = DescribeThisProcess(NewUuid());
  const auto restoration = ReadRestoration(directory);
  if (!absl::IsDataLoss(restoration.status())) RETURN_IF_ERROR(restoration.status());
  LogView view;
  for (int look = 0; look < kMaxLooks; ++look) {
    ASSIGN_OR_RETURN(view, LookOnce(log, directory, self));
    view.restoration_damaged = !restoration.ok();
    if (restoration.ok()) view.restoration = *restoration;
    // Behind the state that was read, the operation may have been ended before its writer went away.
    if (!view.interrupted || view.extent.end.sequence == view.state.sequence) return view;
  }
  view.interrupted = false;
  return view;
}

std::int64_t FileErrors(const Operation& operation) {
  return operation.error_count - (operation.status == OperationStatus::kFailed ? 1 : 0);
}

}  // namespace foldlog::report
