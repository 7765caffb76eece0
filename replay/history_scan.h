// The operations of a log from its events alone: one pass that closes an operation when the next begins. Slow and
// plain: what finds operations in other ways has to find the same.

#ifndef FOLDLOG_REPLAY_HISTORY_SCAN_H_
#define FOLDLOG_REPLAY_HISTORY_SCAN_H_

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/fold.h"
#include "engine/lazy_fold.h"
#include "foldlog/event_log.h"
#include "foldlog/event_view.h"
#include "foldlog/history.h"
#include "replay/history_source.h"

namespace foldlog {

// Sees the log up to the end of `extent`; the log must outlive it. At a gap of the log it gives the operation on the
// row as it was before, and goes on where the fold begins anew. Oldest first it holds one operation, newest first all
// of them.
class HistoryScan final : public HistorySource {
 public:
  // `at_base` is the fold at the log's base.
  HistoryScan(const EventLog& log, Fold at_base, const LogExtent& extent, Order order);

  // Goes on from the end of `fold` to event `through`, oldest first. Begins with the operation that is on the row
  // there.
  HistoryScan(const EventLog& log, Fold fold, Sequence through);

  absl::StatusOr<std::optional<HistoryEntry>> Next() override;

 private:
  absl::StatusOr<std::optional<HistoryEntry>> NextForwards();
  absl::StatusOr<std::optional<HistoryEntry>> FoldIn(const EventView& event);
  absl::StatusOr<std::optional<HistoryEntry>> StepOverGap(const Gap& gap);

  const EventLog* log_;
  ViewReader reader_;
  LazyFold fold_;
  bool ended_ = false;  // what is on the row was given, too
  const Sequence through_;
  const Order order_;
  std::optional<std::vector<HistoryEntry>> read_;  // newest first: those to be given, from its end
};

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_HISTORY_SCAN_H_
