// Reads an operation's events once.

#include "tools/cli/event_summary.h"

#include <optional>
#include <utility>
#include <variant>

#include "engine/base/status_macros.h"

namespace foldlog::cli {
namespace {

void Keep(const ShownEvent& event, std::deque<ShownEvent>& latest) {
  latest.push_back(event);
  if (latest.size() > kSummaryEventsMax) latest.pop_front();
}

}  // namespace

void Summarise(const ShownEvent& shown, EventSummary& summary) {
  const EventBody& body = shown.event.event.body;
  summary.counts.resize(KindNames().size());
  ++summary.counts[body.index()];
  const auto* checkpoint = std::get_if<Checkpoint>(&body);
  if (checkpoint == nullptr || shown.notes.clock_step_ns != 0) Keep(shown, summary.milestones);
  if (checkpoint != nullptr && checkpoint->error) Keep(shown, summary.errors);
}

absl::StatusOr<std::optional<ShownEvent>> NextShown(Replayer& replayer) {
  const Moment before = replayer.state().seen;
  ASSIGN_OR_RETURN(std::optional<RecordedEvent> event, replayer.Next());
  if (!event) return std::optional<ShownEvent>();
  ShownEvent shown{.event = *std::move(event)};
  if (before != Moment()) shown.notes.clock_step_ns = ClockStepNs(before, replayer.state().seen);
  return std::optional(std::move(shown));
}

absl::StatusOr<EventSummary> ReadEventSummary(const EventLog& log, const Operation& operation) {
  EventSummary summary;
  summary.counts.resize(KindNames().size());
  ASSIGN_OR_RETURN(Replayer replayer, Replayer::From(log, operation.first_sequence));
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<ShownEvent> shown, NextShown(replayer));
    if (!shown || shown->event.sequence > operation.last_sequence) return summary;
    Summarise(*shown, summary);
  }
}

}  // namespace foldlog::cli
