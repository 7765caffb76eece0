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
absl::StatusOr<Fold> FoldLog(const EventLog& log, std::optional<Sequence> at = std::nullopt);

}  // namespace foldlog

#endif  // FOLDLOG_FOLD_H_
