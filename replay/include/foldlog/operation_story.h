// OperationStory: what happened in one operation, told in one short pass however many checkpoints it has.
//
//   ASSIGN_OR_RETURN(const HistoryEntry entry, ResolveOperation(*log, "last"));
//   ASSIGN_OR_RETURN(const OperationStory story, TellStory(*log, entry));
//   for (const ProgressPoint& point : story.progress) Use(point.active_ns, point.files, point.rate);
//
// Only reads: the events at the points, and by the index those that are no plain progress. Memory is bounded by the
// limits. Threads: any; the log must stay open during the call. Values copy.

#ifndef FOLDLOG_OPERATION_STORY_H_
#define FOLDLOG_OPERATION_STORY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "foldlog/error_groups.h"
#include "foldlog/event_log.h"
#include "foldlog/history.h"

namespace foldlog {

// How far the operation was after an event.
struct ProgressPoint {
  Sequence sequence = 0;
  TimeNs time = 0;
  std::int64_t files = 0;
  // The time at work since the start: neither pauses count, nor the time between a last sign of life and a recovery.
  std::int64_t active_ns = 0;
  double rate = 0.0;  // files a second of the time at work, since the point before; 0 if there is no telling
  bool operator==(const ProgressPoint&) const = default;
};

struct PauseSpan {
  Sequence paused_by = 0;
  TimeNs since = 0;
  std::optional<Sequence> ended_by = {};  // nothing: it lasts
  std::int64_t lasted_ns = 0;             // up to the operation's last event, if it lasts
  std::string reason = {};
  bool operator==(const PauseSpan&) const = default;
};

struct Interruption {
  Sequence recovered_by = 0;
  TimeNs recovered_at = 0;
  TimeNs last_sign_of_life = 0;  // the time of the event before
  Evidence evidence = Evidence::kProcessDied;
  std::string reason = {};
  bool operator==(const Interruption&) const = default;
};

struct OperationStory {
  HistoryEntry entry = {};  // how it started, and how it ended
  std::vector<ProgressPoint> progress = {};
  ErrorGroups errors = {};
  std::vector<PauseSpan> pauses = {};
  std::vector<Interruption> interruptions = {};
  // Pauses and interruptions behind those, if there are too many to be told.
  std::uint64_t turns_left_out = 0;
};

struct StoryLimits {
  std::size_t steps = 40;          // between points of progress, at least 1; they are as many events long
  std::size_t turns_max = 10'000;  // pauses, resumptions and recoveries
  ErrorGroupLimits errors = {};
};

// The story of an operation of `log`, as a HistoryQuery gave it. Errors are those of reading the log.
absl::StatusOr<OperationStory> TellStory(const EventLog& log, const HistoryEntry& entry,
                                         const StoryLimits& limits = {});

// How two operations differ. What is not listed is equal, or of both.
struct OperationDiff {
  std::int64_t active_ns = 0;  // of the later one minus that of the earlier one, like the next three
  std::int64_t paused_ns = 0;
  std::int64_t files = 0;
  std::int64_t errors = 0;
  std::vector<std::pair<double, double>> rates = {};  // at each point of progress that both have
  std::vector<ErrorGroup> new_errors = {};            // kinds of message that only the later one has …
  std::vector<ErrorGroup> vanished_errors = {};       // … or only the earlier one
  std::vector<std::string> new_roots = {};
  std::vector<std::string> vanished_roots = {};
  Metadata new_metadata = {};       // pairs that only the later one has, changed values included …
  Metadata vanished_metadata = {};  // … or only the earlier one
};

// Pure. Both stories should have been told with the same limits.
OperationDiff DiffOf(const OperationStory& earlier, const OperationStory& later);

}  // namespace foldlog

#endif  // FOLDLOG_OPERATION_STORY_H_
