// State and writer of a log, read so that they belong together.

#include "tools/cli/log_view.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/fold.h"
#include "foldlog/log_directory.h"

namespace foldlog::cli {
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
  LogView view;
  for (int look = 0; look < kMaxLooks; ++look) {
    ASSIGN_OR_RETURN(view, LookOnce(log, directory, self));
    // Behind the state that was read, the operation may have been ended before its writer went away.
    if (!view.interrupted || view.extent.end.sequence == view.state.sequence) return view;
  }
  view.interrupted = false;
  return view;
}

absl::Status CheckNoMisfit(const State& state, const EventLog& log) {
  if (!state.misfit) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("the log ", log.name(), ": ", state.misfit->why,
                                          "; it and the events behind it count for nothing (foldlog events --from ",
                                          state.misfit->sequence,
                                          " shows them). foldlog reset goes on from there, and every event stays"));
}

void TellOfIndexDamage(const absl::Status& damage, Output& messages) {
  if (!damage.ok()) messages.Line("foldlog: " + std::string(damage.message().data(), damage.message().size()));
}

std::int64_t FileErrors(const Operation& operation) {
  return operation.error_count - (operation.status == OperationStatus::kFailed ? 1 : 0);
}

std::string_view Explain(OwnerFate fate) {
  switch (fate) {
    case OwnerFate::kAlive:
      return "its process is at work";
    case OwnerFate::kProcessDied:
      return "its process died";
    case OwnerFate::kMachineRebooted:
      return "the machine was rebooted";
    case OwnerFate::kClosedWithoutEnd:
      return "its process closed the log without ending it";
    case OwnerFate::kCopied:
      return "it was copied from where its owner worked";
    case OwnerFate::kUnknown:
      return "its owner can't be seen from here";
  }
  return "";
}

}  // namespace foldlog::cli
