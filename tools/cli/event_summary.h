// What happened to one operation, in short: counts by kind, the events of its life cycle and its latest file errors.

#ifndef FOLDLOG_CLI_EVENT_SUMMARY_H_
#define FOLDLOG_CLI_EVENT_SUMMARY_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/history.h"
#include "foldlog/state.h"

namespace foldlog::cli {

// What is shown with an event that it does not say itself.
struct EventNotes {
  std::int64_t clock_step_ns = 0;  // by how much the wall clock was set since the event before
  bool with_hash = false;          // the hash of its frame is wanted
};

struct ShownEvent {
  RecordedEvent event = {};
  EventNotes notes = {};
};

struct EventSummary {
  std::vector<std::uint64_t> counts;  // in the order of KindNames()
  // The latest events that are no checkpoints, and that at which the clock was last seen to have been set; oldest
  // first.
  std::deque<ShownEvent> milestones;
  std::deque<ShownEvent> errors;  // the latest checkpoints with an error, oldest first
};

// Of milestones and of errors, only so many are kept and shown: the rest is for `foldlog events`.
inline constexpr std::size_t kSummaryEventsMax = 20;

// Reads what is shown of the events of an operation, the one that took it off while it was active among them, and by
// the index no more.
absl::StatusOr<EventSummary> ReadEventSummary(const EventLog& log, const HistoryEntry& entry);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_EVENT_SUMMARY_H_
