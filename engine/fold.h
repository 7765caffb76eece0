// Folding a stored log: the newest usable snapshot, then the events after it.

#ifndef FOLDLOG_FOLD_H_
#define FOLDLOG_FOLD_H_

#include <optional>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/state.h"

namespace foldlog {

struct Fold {
  State state = {};
  ChainEnd at = {};            // the event that `state` is as of
  Sequence snapshot_used = 0;  // 0: none, folded from the first event
};

// The state after event `at`, the latest by default. A snapshot that cannot be read, or is of another fold version, or
// of another history, is passed over: it is a cache. OutOfRange if the log does not reach `at`.
absl::StatusOr<Fold> FoldLog(const EventLog& log, std::optional<Sequence> at = std::nullopt);

}  // namespace foldlog

#endif  // FOLDLOG_FOLD_H_
