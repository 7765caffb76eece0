// A checkpoint as the fold sees it, in place: in an event, in a caller's struct, or in the bytes of a frame. For code
// that handles millions a second; its texts are views of memory that another object owns.

#ifndef FOLDLOG_CHECKPOINT_VIEW_H_
#define FOLDLOG_CHECKPOINT_VIEW_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "foldlog/event.h"
#include "foldlog/state.h"

namespace foldlog {

struct CheckpointView {
  Moment at = {};
  Epoch epoch = 0;
  std::int64_t files_processed = 0;
  std::optional<std::string_view> current_path = {};
  std::optional<std::string_view> last_processed_file = {};
  std::optional<std::int64_t> batch_num = {};
  bool has_error = false;
};

// The view of a caller's checkpoint, which must outlive it.
inline CheckpointView ViewOf(const Moment& at, Epoch epoch, const Checkpoint& checkpoint) {
  return {.at = at,
          .epoch = epoch,
          .files_processed = checkpoint.files_processed,
          .current_path = checkpoint.current_path,
          .last_processed_file = checkpoint.last_processed_file,
          .batch_num = checkpoint.batch_num,
          .has_error = checkpoint.error.has_value()};
}

// Apply() (state.h) for a checkpoint.
absl::Status ApplyCheckpoint(Sequence sequence, const CheckpointView& checkpoint, State& state);

}  // namespace foldlog

#endif  // FOLDLOG_CHECKPOINT_VIEW_H_
