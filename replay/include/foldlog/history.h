// History: the operations that a log tells of, and what they amount to.
//
//   ASSIGN_OR_RETURN(auto log, OpenLogForReading("/var/lib/photos/index.foldlog"));
//   HistoryFilter filter{.statuses = {OperationStatus::kFailed}, .since = last_week};
//   ASSIGN_OR_RETURN(HistoryQuery query, HistoryQuery::Over(*log, filter, Order::kNewestFirst));
//   for (auto entry = query.Next(); entry.ok() && *entry; entry = query.Next()) Use((*entry)->operation);
//
// Only reads. Every question sees the log as it is when it is asked. Threads: any for the functions, one at a time for
// a query; the log must outlive both.

#ifndef FOLDLOG_HISTORY_H_
#define FOLDLOG_HISTORY_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/order.h"
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

// Which operations are wanted: those for which everything that is set holds. By default, all.
struct HistoryFilter {
  std::optional<OperationType> type = {};
  // Those with one of these statuses that were not reset, and with `reset` those that were: an operation that was taken
  // off the row while it was active keeps the status that it had, and is none of that status any more. Empty and false:
  // all.
  std::set<OperationStatus> statuses = {};
  bool reset = false;
  // Operations that were under way at some time t with since <= t < until, from their start to their last event, by
  // the times that those have.
  std::optional<TimeNs> since = {};
  std::optional<TimeNs> until = {};
  // At least so many errors; a failure counts as one.
  std::int64_t min_errors = 0;
  // Only those that were recovered: their owner had vanished.
  bool interrupted_only = false;
  // Bytes that occur in the id, in a root, or in a value of the metadata.
  std::string name = {};
  // Pairs that occur in the metadata, each as it is.
  Metadata metadata = {};
  // How the id begins.
  std::string id_prefix = {};
};

class HistorySource;

// Those operations of a log that a filter lets pass. Moves, but does not copy. See the head of this file.
class HistoryQuery {
 public:
  // `cursor`: where an earlier query of the same filter and order stopped; 0: at the beginning. InvalidArgument if the
  // time range is upside down; else the errors of reading the log.
  static absl::StatusOr<HistoryQuery> Over(const EventLog& log, const HistoryFilter& filter = {},
                                           Order order = Order::kOldestFirst, Sequence cursor = 0);

  HistoryQuery(HistoryQuery&&) noexcept;
  HistoryQuery& operator=(HistoryQuery&&) noexcept;
  ~HistoryQuery();

  // The next operation that is wanted, or nothing at the end. The newest may still be active. Errors are those of
  // reading the log; an event that does not follow counts for nothing.
  absl::StatusOr<std::optional<HistoryEntry>> Next();

  // Where a later page goes on: a sequence number behind (newest first: before) the first event of the last operation
  // that Next() gave. 0: there is no further page.
  Sequence cursor() const { return cursor_; }

  // What was wrong with the log's index so far: then events were read in its place, and nothing is missing. OK if
  // nothing was, and in logs without an index.
  absl::Status index_damage() const;

 private:
  HistoryQuery(std::unique_ptr<HistorySource> source, HistoryFilter filter, Order order, Sequence cursor);

  std::unique_ptr<HistorySource> source_;
  HistoryFilter filter_;
  Order order_;
  Sequence cursor_;
  absl::Status at_end_;  // an error if durable events are missing behind the end of the log
};

// Every operation, the oldest first. Its memory grows with their number.
absl::StatusOr<std::vector<HistoryEntry>> ReadHistory(const EventLog& log);

// The operation of that id, or its latest use if an id was used more than once. NotFound if the log never saw it.
absl::StatusOr<HistoryEntry> FindOperation(const EventLog& log, const std::string& operation_id);

// The operation that a person means by `text`: "active", the one that is in progress or paused; "last", the latest;
// "last~2", the second before that; else an id, or the beginning of one that no other id has. InvalidArgument, with
// the ids to choose from, if several begin so; NotFound, with the next step, if there is none.
absl::StatusOr<HistoryEntry> ResolveOperation(const EventLog& log, const std::string& text);

// What a number of operations amount to.
struct Totals {
  std::int64_t operations = 0;
  std::array<std::int64_t, 5> by_status = {};  // by OperationStatus, of those that were not reset
  std::int64_t reset = 0;                      // the others
  std::int64_t files = 0;
  std::int64_t errors = 0;  // of files, and failures
  std::int64_t active_ns = 0;
  std::int64_t paused_ns = 0;
  std::int64_t interruptions = 0;
  std::array<std::int64_t, kEvidenceKinds> interruptions_by = {};  // by Evidence
  bool operator==(const Totals&) const = default;

  // Errors for each file processed; 0 if there were no files.
  double error_rate() const { return files > 0 ? static_cast<double>(errors) / static_cast<double>(files) : 0; }
};

// The totals of the operations that the filter lets pass. Errors as HistoryQuery has them. Sums that would not fit stay
// at the largest number that does.
absl::StatusOr<Totals> SumUp(const EventLog& log, const HistoryFilter& filter = {});

}  // namespace foldlog

#endif  // FOLDLOG_HISTORY_H_
