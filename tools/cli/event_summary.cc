// Reads those of an operation's events that are shown.

#include "tools/cli/event_summary.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "engine/base/status_macros.h"
#include "engine/shorten.h"
#include "foldlog/event_query.h"
#include "tools/cli/event_lister.h"

namespace foldlog::cli {
namespace {

std::set<std::size_t> TurnKinds() {
  std::set<std::size_t> kinds;
  for (std::size_t kind = 0; kind < KindNames().size(); ++kind) {
    if (kind != KindOf<Checkpoint>) kinds.insert(kind);
  }
  return kinds;
}

absl::Status CountKinds(const EventLog& log, const EventFilter& filter, EventSummary& summary) {
  ASSIGN_OR_RETURN(EventQuery query, EventQuery::Over(log, filter));
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<QueriedEvent> found, query.Next());
    if (!found) return absl::OkStatus();
    ++summary.counts[found->event.event.body.index()];
  }
}

// Messages may take megabytes each; what is kept of them tells them apart.
constexpr std::size_t kTextBytesMax = 16 * 1024;

void ShortenTexts(Event& event) {
  if (auto* checkpoint = std::get_if<Checkpoint>(&event.body); checkpoint != nullptr && checkpoint->error) {
    FileError& error = *checkpoint->error;
    error.message = ShortenText(std::move(error.message), kTextBytesMax);
    // JSON is worth nothing if cut. A text that is cleared, or assigned an empty one, keeps its memory.
    if (error.details.size() > kTextBytesMax) std::string().swap(error.details);
  } else {
    event = Shorten(std::move(event), kTextBytesMax);
  }
}

// The latest events that pass, oldest first.
absl::StatusOr<std::deque<ShownEvent>> Latest(const EventLog& log, const EventFilter& filter) {
  ASSIGN_OR_RETURN(EventQuery query, EventQuery::Over(log, filter, Order::kNewestFirst));
  EventLister lister(log, Order::kNewestFirst);
  lister.List(std::move(query));
  std::deque<ShownEvent> latest;
  while (latest.size() < kSummaryEventsMax) {
    ASSIGN_OR_RETURN(std::optional<ListedEvent> listed, lister.Next());
    if (!listed) break;
    ShortenTexts(listed->shown.event.event);
    latest.push_front(std::move(listed->shown));
  }
  return latest;
}

// The event at which the clock was last seen to have been set is a milestone, whatever it is.
absl::Status AddClockStep(const EventLog& log, const Operation& operation, EventSummary& summary) {
  std::deque<ShownEvent>& milestones = summary.milestones;
  const Sequence sequence = operation.clock_step_sequence;
  if (sequence == 0) return absl::OkStatus();
  const auto behind = std::find_if(milestones.begin(), milestones.end(),
                                   [&](const ShownEvent& shown) { return shown.event.sequence >= sequence; });
  if (behind != milestones.end() && behind->event.sequence == sequence) return absl::OkStatus();
  ASSIGN_OR_RETURN(std::deque<ShownEvent> step, Latest(log, {.from = sequence, .through = sequence}));
  if (!step.empty()) milestones.insert(behind, std::move(step.front()));
  if (milestones.size() > kSummaryEventsMax) milestones.pop_front();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EventSummary> ReadEventSummary(const EventLog& log, const HistoryEntry& entry) {
  const Operation& operation = entry.operation;
  EventSummary summary;
  summary.counts.resize(KindNames().size());
  EventFilter turns{.from = operation.first_sequence,
                    .through = entry.reset_by.value_or(operation.last_sequence),
                    .kinds = TurnKinds()};
  RETURN_IF_ERROR(CountKinds(log, turns, summary));
  summary.counts[KindOf<Checkpoint>] = static_cast<std::uint64_t>(operation.checkpoints);
  ASSIGN_OR_RETURN(summary.milestones, Latest(log, turns));
  RETURN_IF_ERROR(AddClockStep(log, operation, summary));
  turns.kinds = {KindOf<Checkpoint>};
  turns.with_error = true;
  ASSIGN_OR_RETURN(summary.errors, Latest(log, turns));
  return summary;
}

}  // namespace foldlog::cli
