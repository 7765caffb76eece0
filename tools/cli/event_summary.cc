// Reads an operation's events once.

#include "tools/cli/event_summary.h"

#include <optional>
#include <variant>

#include "engine/status_macros.h"
#include "foldlog/event_reader.h"

namespace foldlog::cli {
namespace {

void Keep(const RecordedEvent& event, std::deque<RecordedEvent>& latest) {
  latest.push_back(event);
  if (latest.size() > kSummaryEventsMax) latest.pop_front();
}

}  // namespace

void Summarise(const RecordedEvent& event, EventSummary& summary) {
  summary.counts.resize(KindNames().size());
  ++summary.counts[event.event.body.index()];
  const auto* checkpoint = std::get_if<Checkpoint>(&event.event.body);
  if (checkpoint == nullptr) {
    Keep(event, summary.milestones);
  } else if (checkpoint->error) {
    Keep(event, summary.errors);
  }
}

absl::StatusOr<EventSummary> ReadEventSummary(const EventLog& log, const Operation& operation) {
  EventSummary summary;
  summary.counts.resize(KindNames().size());
  EventReader reader(log, operation.first_sequence);
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<RecordedEvent> event, reader.Next());
    if (!event || event->sequence > operation.last_sequence) return summary;
    Summarise(*event, summary);
  }
}

}  // namespace foldlog::cli
