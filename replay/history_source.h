// Where a HistoryQuery gets its operations from: the seam between the ways of finding them.

#ifndef FOLDLOG_REPLAY_HISTORY_SOURCE_H_
#define FOLDLOG_REPLAY_HISTORY_SOURCE_H_

#include <optional>
#include <utility>

#include "absl/status/status.h"
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

  // What was wrong with the index, if anything: then the events have answered.
  const absl::Status& damage() const { return damage_; }

  // Not OK if operations are missing that nothing else tells of: those whose events were pruned.
  const absl::Status& incomplete() const { return incomplete_; }
  void NoteIncomplete(absl::Status why) { incomplete_ = std::move(why); }

  void NoteDamage(const absl::Status& damage) {
    if (damage_.ok()) damage_ = damage;
  }

 private:
  absl::Status damage_;
  absl::Status incomplete_;
};

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_HISTORY_SOURCE_H_
