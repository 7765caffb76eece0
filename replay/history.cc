#include "foldlog/history.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "foldlog/event_reader.h"

namespace foldlog {
namespace {

// Whether such an event ends what the state knows of the operation before it.
bool TakesOffTheRow(const EventBody& body) {
  return std::holds_alternative<Started>(body) || std::holds_alternative<Cleared>(body) ||
         std::holds_alternative<Reset>(body);
}

}  // namespace

// The state is copied only before events that may take an operation off the row: a copy for each event would cost far
// more than the fold.
absl::StatusOr<std::vector<HistoryEntry>> ReadHistory(const EventLog& log) {
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  EventReader reader(log, extent.base);
  std::vector<HistoryEntry> history;
  State state{.sequence = extent.base.sequence};
  while (true) {
    const absl::StatusOr<std::optional<RecordedEvent>> next = reader.Next();
    if (!next.ok() && reader.position().sequence > state.sequence) {  // the frame is intact, but holds no event
      NoteMisfit(std::string(next.status().message()), state);
      continue;
    }
    RETURN_IF_ERROR(next.status());
    if (!next->has_value()) break;
    const RecordedEvent& event = **next;
    if (!TakesOffTheRow(event.event.body)) {
      RETURN_IF_ERROR(ApplyRecorded(event, state));
      continue;
    }
    State before = state;
    RETURN_IF_ERROR(ApplyRecorded(event, state));
    if (!before.operation || state.misfit) continue;
    const std::optional<Sequence> reset_by = before.active() ? std::optional(event.sequence) : std::nullopt;
    history.push_back({*std::move(before.operation), reset_by});
  }
  if (state.operation) history.push_back({*std::move(state.operation), std::nullopt});
  return history;
}

absl::StatusOr<HistoryEntry> FindOperation(const EventLog& log, const std::string& operation_id) {
  ASSIGN_OR_RETURN(std::vector<HistoryEntry> history, ReadHistory(log));
  // From the end: an id that was used again means its latest use.
  const auto found = std::find_if(history.rbegin(), history.rend(), [&](const HistoryEntry& entry) {
    return entry.operation.operation_id == operation_id;
  });
  if (found == history.rend()) {
    return absl::NotFoundError(absl::StrCat("the log ", log.name(), " knows no operation ", operation_id,
                                            "; its history lists those it knows"));
  }
  return std::move(*found);
}

}  // namespace foldlog
