// Where a HistoryQuery gets its operations from: the seam between the ways of finding them.

#ifndef FOLDLOG_REPLAY_HISTORY_SOURCE_H_
#define FOLDLOG_REPLAY_HISTORY_SOURCE_H_

#include <optional>

#include "absl/status/statusor.h"
#include "foldlog/history.h"

namespace foldlog {

// Gives every operation of a log in its order. Threads: one at a time.
class HistorySource {
 public:
  HistorySource() = default;
  HistorySource(const HistorySource&) = delete;
  HistorySource& operator=(const HistorySource&) = delete;
  virtual ~HistorySource() = default;

  // The next operation, or nothing at the end.
  virtual absl::StatusOr<std::optional<HistoryEntry>> Next() = 0;
};

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_HISTORY_SOURCE_H_
