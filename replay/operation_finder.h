// Which operation an event belongs to, found by the rows of the index without folding the events before it.
//
// Operations follow each other, so an event belongs to the last one that began before it, unless an event in between
// took that off the row. Only such events, behind the end of an operation, have to be looked at, and there are few.

#ifndef FOLDLOG_REPLAY_OPERATION_FINDER_H_
#define FOLDLOG_REPLAY_OPERATION_FINDER_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/index/index_reader.h"
#include "foldlog/event_log.h"
#include "foldlog/event_query.h"
#include "foldlog/event_reader.h"
#include "foldlog/history.h"

namespace foldlog {

// Sees the log up to the end of `extent`; the log must outlive it. Events in rising or falling order cost least. An
// index that does not tell of operations, or proves to be damaged, is replaced by one fold over all events. Threads:
// one at a time.
class OperationFinder {
 public:
  OperationFinder(const EventLog& log, const LogExtent& extent);

  // Sets the operation of queried.event. Errors are those of reading the log.
  absl::Status Attribute(QueriedEvent& queried);

  // What was wrong with the index, if anything.
  const absl::Status& damage() const { return damage_; }

 private:
  // What has to be known of an operation.
  struct Span {
    Sequence first = 0;  // 0: there is none
    Sequence last = 0;   // the last event that counted
    Sequence next = 0;   // the first event of the next operation
    Epoch epoch = 0;
    bool has_ended = false;
    std::string id = {};
    std::optional<Sequence> off = {};  // took it off the row, if known
    bool misfit = false;               // whether an event from `last` to `looked_through` does not follow
    Sequence looked_through = 0;
  };
  static constexpr Sequence kNever = std::numeric_limits<Sequence>::max();

  static Span SpanOf(const Operation& operation, std::optional<Sequence> reset_by);
  void LearnWhatIsIndexed();
  absl::Status Seek(Sequence sequence);
  absl::StatusOr<bool> SeekRow(Sequence sequence);
  absl::Status TakeRow(const OperationRow& row);
  absl::Status SeekBehindRows(Sequence sequence);
  absl::Status LoadBehindRows();
  absl::StatusOr<bool> IsOnRowBefore(Sequence sequence);
  absl::Status LookBehindEnd(Sequence through);

  const EventLog* log_;
  const LogExtent extent_;
  std::optional<OperationsIndexed> indexed_;  // nothing: not asked yet
  std::optional<OperationRows> rows_;         // behind `row_ahead_`
  std::optional<OperationRow> row_ahead_;     // the row behind the one of span_
  std::optional<std::vector<Span>> behind_;   // operations without rows
  std::optional<Span> span_;                  // found last
  std::optional<EventReader> reader_;         // behind span_->looked_through
  absl::Status damage_;
};

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_OPERATION_FINDER_H_
