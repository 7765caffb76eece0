// One operation's story: how it began, how it got on, what held it up, what went wrong, and how it ended.
//
//   ASSIGN_OR_RETURN(const HistoryEntry entry, ResolveOperation(*log, "last"));
//   ASSIGN_OR_RETURN(const OperationStory story, TellStory(*log, entry));
//   for (const StoryStep& step : story.steps) std::cout << step.files << " files, " << step.rate << " a second\n";
//
// Only reads, and no more than it has to: a story of ten million checkpoints costs little more than one of a hundred,
// where the log has an index. Its memory is bounded; what was left out is counted. Threads: any. Values copy.

#ifndef FOLDLOG_OPERATION_STORY_H_
#define FOLDLOG_OPERATION_STORY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/error_report.h"
#include "foldlog/event.h"
#include "foldlog/event_log.h"
#include "foldlog/history.h"

namespace foldlog {

// How far the operation was right after an event.
struct StoryStep {
  Sequence sequence = 0;
  TimeNs time = 0;  // as the event has it
  OperationStatus status = OperationStatus::kInProgress;
  std::int64_t files = 0;
  std::int64_t active_ns = 0;  // its time at work by then
  std::int64_t errors = 0;
  double rate = 0;  // files a second of the time at work since the step before; 0 for the first, and if none passed
  std::optional<std::string> last_processed_file = {};
  bool operator==(const StoryStep&) const = default;
};

struct StoryPause {
  Sequence sequence = 0;  // of the event that paused it
  TimeNs began = 0;
  std::string reason = {};
  // The event that ended the pause: its resumption, or the operation's own end. Nothing if it lasts, or if the
  // operation was reset.
  std::optional<Sequence> ended_by = {};
  std::optional<TimeNs> ended = {};
  std::int64_t duration_ns = 0;  // of a pause without an end: up to the operation's last event
  bool operator==(const StoryPause&) const = default;
};

struct StoryInterruption {
  Sequence sequence = 0;  // of the recovery
  TimeNs recovered = 0;
  TimeNs last_sign = 0;      // the time of the event before: its last sign of life
  std::int64_t lost_ns = 0;  // from there to the recovery
  Evidence evidence = Evidence::kProcessDied;
  std::string reason = {};
  bool operator==(const StoryInterruption&) const = default;
};

struct OperationStory {
  HistoryEntry entry = {};
  RecordedEvent start = {};  // a start or an import
  // The completion, the failure, or the reset that took it off the row; nothing if it may go on, or was imported as it
  // ended.
  std::optional<RecordedEvent> end = {};
  std::vector<StoryStep> steps = {};  // the first is the start, the last the operation's last event
  std::vector<StoryPause> pauses = {};
  std::int64_t pauses_left_out = 0;
  std::vector<StoryInterruption> interruptions = {};
  std::int64_t interruptions_left_out = 0;
  ErrorReport errors = {};
  bool pruned = false;             // its events are gone: only `entry` is told
  absl::Status index_damage = {};  // as EventQuery has it
};

struct StoryOptions {
  // Steps at most, two at least. Half of them are evenly spread over the events; each further one halves the step that
  // took most time.
  std::size_t points = 20;
  std::size_t pauses_max = 100;         // the first of them …
  std::size_t interruptions_max = 100;  // … each
  ErrorReportOptions errors = {};
};

// The story of an operation as the history has it; of one whose events were pruned, that they were. Of a log with gaps,
// what can be read: steps whose state is known, and no more of the start than its time if that is in a gap. OutOfRange
// if the log is not the one that the entry is of; else the errors of reading the log.
absl::StatusOr<OperationStory> TellStory(const EventLog& log, const HistoryEntry& entry,
                                         const StoryOptions& options = {});

// Only its steps.
absl::StatusOr<std::vector<StoryStep>> StoryStepsOf(const EventLog& log, const Operation& operation,
                                                    std::size_t points);

// Files a second in each of `points` equal parts of the time at work, as far as the steps tell; empty if there was no
// such time. A part in which files went down has 0.
std::vector<double> RateCurve(const std::vector<StoryStep>& steps, std::size_t points);

}  // namespace foldlog

#endif  // FOLDLOG_OPERATION_STORY_H_
