// What makes checkpoints into views (event_view.h), and folds those.

#ifndef FOLDLOG_CHECKPOINT_VIEW_H_
#define FOLDLOG_CHECKPOINT_VIEW_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "foldlog/event.h"
#include "foldlog/event_view.h"
#include "foldlog/state.h"

namespace foldlog {

inline std::string_view ViewOf(const std::optional<std::string>& text) {
  return text ? std::string_view(*text) : std::string_view();
}

// The view of a caller's checkpoint, which must outlive it.
inline CheckpointView ViewOf(const Moment& at, Epoch epoch, const Checkpoint& checkpoint) {
  return {.at = at,
          .epoch = epoch,
          .files_processed = checkpoint.files_processed,
          .current_path = ViewOf(checkpoint.current_path),
          .last_processed_file = ViewOf(checkpoint.last_processed_file),
          .batch_num = checkpoint.batch_num,
          .has_error = checkpoint.error.has_value()};
}

// The recent rate is about a stretch of at least so much time and so many files.
inline constexpr std::int64_t kStretchMinNs = 30'000'000'000;
inline constexpr std::int64_t kStretchMinFiles = 20;

// Apply() (state.h) for a checkpoint.
absl::Status ApplyCheckpoint(Sequence sequence, const CheckpointView& checkpoint, State& state);

}  // namespace foldlog

#endif  // FOLDLOG_CHECKPOINT_VIEW_H_
