// The operations of a log by the index: those that are over have rows there, and only the events behind the last row
// are folded. A row that is damaged or missing is noticed, and then the events are asked.

#ifndef FOLDLOG_REPLAY_INDEXED_HISTORY_H_
#define FOLDLOG_REPLAY_INDEXED_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/index/index_reader.h"
#include "foldlog/event_log.h"
#include "foldlog/history.h"
#include "replay/history_source.h"

namespace foldlog {

// The operations that have no row if the index tells of those that were over by event `through`: begun later, or still
// active then. Oldest first, up to the end of `extent`.
absl::StatusOr<std::vector<HistoryEntry>> OperationsBehind(const EventLog& log, Sequence through,
                                                           const LogExtent& extent);

// Sees the log up to the end of `extent`, which holds the events that `indexed` tells of; the log must outlive it. May
// give operations on the wrong side of `cursor`; and all of them once more, if it comes upon damage.
class IndexedHistory final : public HistorySource {
 public:
  IndexedHistory(const EventLog& log, const LogExtent& extent, const OperationsIndexed& indexed, Order order,
                 Sequence cursor);

  absl::StatusOr<std::optional<HistoryEntry>> Next() override;

 private:
  absl::StatusOr<std::optional<HistoryEntry>> NextRow();
  absl::StatusOr<std::optional<HistoryEntry>> NextBehindRows();
  absl::StatusOr<std::optional<HistoryEntry>> Scan(const absl::Status& damage);
  absl::StatusOr<bool> HasRowBehindCursor() const;
  absl::Status CheckFirst(const std::optional<OperationRow>& row) const;
  absl::Status CheckCursor() const;
  absl::Status CheckEnd() const;
  absl::Status Incomplete() const;

  const EventLog* log_;
  const LogExtent extent_;
  const OperationsIndexed indexed_;
  const Order order_;
  const Sequence cursor_;
  OperationRows rows_;
  std::uint64_t ordinal_ = 0;  // of the row that was read last; 0: none was
  bool rows_ended_ = false;
  std::optional<std::vector<HistoryEntry>> behind_;  // what has no row and is left, to be given from its end
  std::unique_ptr<HistorySource> scan_;              // once the index proved to be damaged
};

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_INDEXED_HISTORY_H_
