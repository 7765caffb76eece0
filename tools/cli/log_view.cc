#include "tools/cli/log_view.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/gaps.h"
#include "engine/index/index_reader.h"
#include "foldlog/history.h"

namespace foldlog::cli {

absl::Status CheckNoMisfit(const State& state, const EventLog& log) {
  // What is missing is told otherwise.
  if (!state.misfit || GapAt(log, state.misfit->sequence) != nullptr) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("the log ", log.name(), ": ", state.misfit->why,
                                          "; it and the events behind it count for nothing (foldlog events --from ",
                                          state.misfit->sequence,
                                          " shows them). foldlog reset goes on from there, and every event stays"));
}

absl::Status FindIndexDamage(const EventLog& log, const LogExtent& extent) {
  constexpr int kOperationsMax = 50;
  const Sequence first = extent.base.sequence + 1;
  if (first > extent.end.sequence) return absl::OkStatus();
  BatchWalk walk(log, first, extent.end.sequence, IndexOrder::kRising);
  while (walk.Next()) {
  }
  RETURN_IF_ERROR(walk.damage());
  absl::StatusOr<HistoryQuery> over = HistoryQuery::Over(log, {}, Order::kNewestFirst);
  if (!over.ok()) return absl::OkStatus();  // what is wrong with the log itself is told elsewhere
  HistoryQuery& history = *over;
  for (int i = 0; i < kOperationsMax; ++i) {
    const auto entry = history.Next();
    if (!entry.ok() || !entry->has_value()) break;
    RETURN_IF_ERROR(history.index_damage());
  }
  return history.index_damage();
}

void TellOfIndexDamage(const absl::Status& damage, Output& messages) {
  if (!damage.ok()) messages.Line("foldlog: " + std::string(damage.message().data(), damage.message().size()));
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
