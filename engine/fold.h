// Folding a stored log: the newest usable snapshot, then the events after it. Threads: any.

#ifndef FOLDLOG_FOLD_H_
#define FOLDLOG_FOLD_H_

#include <optional>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/state.h"

namespace foldlog {

struct Fold {
  State state = {};
  ChainEnd at = {};            // the last event folded into `state`
  Sequence snapshot_used = 0;  // 0: none, folded from the first event
};

// The state after event `at`, the latest by default. Snapshots are a cache: one that cannot be read, is of another fold
// version, or of another history, is passed over. OutOfRange if the log does not reach `at`.
//
// Where the log has gaps: no state is carried over one. Up to where FoldBehindGap() begins anew, the state is an empty
// row with a misfit. DataLoss if `at` itself is in a gap.
absl::StatusOr<Fold> FoldLog(const EventLog& log, std::optional<Sequence> at = std::nullopt);

// The first state behind `gap`, one of the log's, that does not depend on it: that of a snapshot, that before an event
// that begins an operation, or that behind one that takes an operation off the row; whichever comes first. If there is
// none up to the end of the log, the state there has a misfit.
absl::StatusOr<Fold> FoldBehindGap(const EventLog& log, const Gap& gap);

}  // namespace foldlog

#endif  // FOLDLOG_FOLD_H_
