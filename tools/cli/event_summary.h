// What happened to one operation, in short: counts by kind, the events of its life cycle and its latest file errors.

#ifndef FOLDLOG_CLI_EVENT_SUMMARY_H_
#define FOLDLOG_CLI_EVENT_SUMMARY_H_

#include <cstdint>
#include <deque>
#include <vector>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/state.h"

namespace foldlog::cli {

struct EventSummary {
  std::vector<std::uint64_t> counts;     // in the order of KindNames()
  std::deque<RecordedEvent> milestones;  // the latest events that are no checkpoints, oldest first
  std::deque<RecordedEvent> errors;      // the latest checkpoints with an error, oldest first
};

// Of milestones and of errors, only so many are kept and shown: the rest is for `foldlog events`.
inline constexpr std::size_t kSummaryEventsMax = 20;

// Adds one more event.
void Summarise(const RecordedEvent& event, EventSummary& summary);

// Reads the events of `operation` from the log.
absl::StatusOr<EventSummary> ReadEventSummary(const EventLog& log, const Operation& operation);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_EVENT_SUMMARY_H_
