// Reads the index of a log: which batches there are and what is in them, and which operations are over. What the index
// does not tell, because rows are missing or damaged, shows as a part of the log that must be read.

#ifndef FOLDLOG_INDEX_INDEX_READER_H_
#define FOLDLOG_INDEX_INDEX_READER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/index/batch_summary.h"
#include "engine/index/operation_row.h"
#include "foldlog/event_log.h"

namespace foldlog {

using IndexOrder = EventLog::IndexOrder;

// Rows of one table, some at a time. The log must outlive it. Threads: one at a time.
class IndexRowReader {
 public:
  IndexRowReader(const EventLog& log, IndexTable table, Sequence from, IndexOrder order);

  // The next row, not checked; nothing behind the last one. DataLoss as EventLog::ReadIndex() has it.
  absl::StatusOr<std::optional<IndexRow>> Next();

  // In the rising order, and after a first row: passes over rows, so that the last one with a key of at most `key`
  // comes next. False if no further row has such a key; then none is passed over.
  absl::StatusOr<bool> SkipTo(Sequence key);

 private:
  bool IsNear(Sequence key) const;

  const EventLog* log_;
  IndexTable table_;
  IndexOrder order_;
  Sequence next_;
  std::vector<IndexRow> rows_ = {};
  std::size_t at_ = 0;
  std::size_t rows_wanted_;
  bool ended_ = false;
};

// A part of a log. Without a summary nothing is known of it, and it may be of any length.
struct Stretch {
  Sequence first = 0;
  Sequence last = 0;
  std::optional<BatchSummary> summary = {};
};

// Walks all events from one to another, batch by batch. The log must outlive it. Threads: one at a time.
//
//   BatchWalk walk(log, first, last, IndexOrder::kRising);
//   for (auto stretch = walk.Next(); stretch; stretch = walk.Next()) …
class BatchWalk {
 public:
  // Both events are of the log. What they cut off a batch, they cut off its stretch; the summary is that of the whole.
  BatchWalk(const EventLog& log, Sequence first, Sequence last, IndexOrder order);

  // The next stretch; nothing behind the last one. Stretches join without a gap.
  std::optional<Stretch> Next();

  // What was wrong with the index so far. OK if rows were only missing, as those of the newest events are.
  const absl::Status& damage() const { return damage_; }

 private:
  std::optional<BatchSummary> NextSummary();
  void NoteDamage(const absl::Status& damage);

  const EventLog* log_;
  IndexRowReader rows_;
  bool rising_;
  Sequence first_;  // what is left to walk
  Sequence last_;
  std::optional<BatchSummary> ahead_ = {};
  bool ended_ = false;
  absl::Status damage_ = {};
};

// The operations that were over by event `through`, and that all of them have rows.
struct OperationsIndexed {
  Sequence through = 0;
  std::uint64_t operations = 0;
};

// How far the index tells of operations, looking at events up to `at_most` only; nothing if it does not, as in a log
// without one. Damage that it passes over on the way is noted in `damage`.
std::optional<OperationsIndexed> FindOperationsIndexed(const EventLog& log, Sequence at_most, absl::Status& damage);

// Rows of operations from that of event `from` on. The log must outlive it. Threads: one at a time.
class OperationRows {
 public:
  // In the falling order, the first row is the last one with a key of at most `from`.
  OperationRows(const EventLog& log, Sequence from, IndexOrder order)
      : rows_(log, IndexTable::kOperations, from, order), decoder_(log), rising_(order == IndexOrder::kRising) {}

  // DataLoss if a row is damaged, or does not follow the one before.
  absl::StatusOr<std::optional<OperationRow>> Next();

  // As IndexRowReader has it. What is passed over is not checked.
  absl::StatusOr<bool> SkipTo(Sequence key);

 private:
  IndexRowReader rows_;
  OperationRowDecoder decoder_;
  bool rising_;
  std::optional<std::uint64_t> previous_ = {};
};

}  // namespace foldlog

#endif  // FOLDLOG_INDEX_INDEX_READER_H_
