// History: every operation that a log tells of, in the order they were started.

#ifndef FOLDLOG_HISTORY_H_
#define FOLDLOG_HISTORY_H_

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/state.h"

namespace foldlog {

struct HistoryEntry {
  Operation operation;               // as of its last event
  std::optional<Sequence> reset_by;  // the event that took it off the row before it had ended
  bool operator==(const HistoryEntry&) const = default;
};

// Reads the whole log once: cost grows with its length, memory with the number of operations. The last entry may still
// be active.
absl::StatusOr<std::vector<HistoryEntry>> ReadHistory(const EventLog& log);

// One operation; NotFound if the log never saw it. If an id was used more than once, its latest use.
absl::StatusOr<HistoryEntry> FindOperation(const EventLog& log, const std::string& operation_id);

}  // namespace foldlog

#endif  // FOLDLOG_HISTORY_H_
