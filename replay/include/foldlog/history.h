// History: every operation that a log tells of, in the order they were started.
//
//   ASSIGN_OR_RETURN(auto log, OpenLogForReading("/var/lib/photos/index.foldlog"));
//   ASSIGN_OR_RETURN(const std::vector<HistoryEntry> history, ReadHistory(*log));
//   for (const HistoryEntry& entry : history) Use(entry.operation);
//
// Only reads. Threads: any; the log must stay open during the call.

#ifndef FOLDLOG_HISTORY_H_
#define FOLDLOG_HISTORY_H_

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/state.h"

namespace foldlog {

// One operation, from its start to its end, to its reset, or to the latest event about it.
struct HistoryEntry {
  // As of its last event. Its errors, and its row if it was imported, are in the log.
  Operation operation;
  // The event that took the operation off the row while it was active; nothing if it ended, or still is there.
  std::optional<Sequence> reset_by;
  bool operator==(const HistoryEntry&) const = default;
};

// Reads the whole log once: its time grows with the length of the log, its memory with the number of operations. The
// last entry may still be active. Errors are those of reading the log; an event that does not follow counts for
// nothing.
absl::StatusOr<std::vector<HistoryEntry>> ReadHistory(const EventLog& log);

// The operation of that id, or its latest use if an id was used more than once. NotFound if the log never saw it. Reads
// the whole log.
absl::StatusOr<HistoryEntry> FindOperation(const EventLog& log, const std::string& operation_id);

}  // namespace foldlog

#endif  // FOLDLOG_HISTORY_H_
