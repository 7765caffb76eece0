// A checkpoint as the fold sees it, in place: in an event, in a caller's struct, or in the bytes of a frame. For code
// that handles millions a second; its texts are views of memory that another object owns.

#ifndef FOLDLOG_CHECKPOINT_VIEW_H_
#define FOLDLOG_CHECKPOINT_VIEW_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "foldlog/event.h"
#include "foldlog/state.h"

namespace foldlog {

// A text that is absent, and so unchanged, has no address; an empty one has. (An optional of a view would go through
// memory at each step.)
struct CheckpointView {
  Moment at = {};
  Epoch epoch = 0;
  std::int64_t files_processed = 0;
  std::string_view current_path = {};
  std::string_view last_processed_file = {};
  std::optional<std::int64_t> batch_num = {};
  bool has_error = false;
};

inline bool IsPresent(std::string_view text) { return text.data() != nullptr; }

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
