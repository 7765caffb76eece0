// Checks and helpers for runs of frames that all adapters share, so that each refuses the same calls with the same
// words.

#ifndef FOLDLOG_LOG_FRAME_RUN_H_
#define FOLDLOG_LOG_FRAME_RUN_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/codec/frame.h"
#include "foldlog/event_log.h"

namespace foldlog {

// Consecutive frames in memory that another object owns.
struct FrameSpan {
  std::span<const std::uint64_t> words;
  ChainEnd before;
  ChainEnd after;

  std::uint64_t count() const { return after.sequence - before.sequence; }
};

inline FrameSpan SpanOf(const FrameRun& run) { return {run.words, run.before, run.after}; }

// Calls `use` with each frame of `run`. InvalidArgument if the run is not the chain that it claims to be.
template <typename Use>
absl::Status WalkChain(const FrameSpan& run, const Use& use) {
  ChainEnd at = run.before;
  for (std::span<const std::uint64_t> rest = run.words; !rest.empty();) {
    const std::optional<FrameView> frame = FrameAtStartOf(rest);
    if (!frame || frame->header.sequence != at.sequence + 1 || frame->header.previous_hash != at.hash) {
      return absl::InvalidArgumentError("the frames to append are no chain");
    }
    use(*frame);
    at = frame->end();
    rest = rest.subspan(frame->size_words());
  }
  return at == run.after ? absl::OkStatus()
                         : absl::InvalidArgumentError("the frames to append do not end where they claim to");
}

absl::Status NotAtTheEnd(const FrameSpan& run, const ChainEnd& end, const std::string& name);

// Aborted unless `run` starts where the log ends (optimistic concurrency): another writer of the state came first.
inline absl::Status CheckStartsAt(const FrameSpan& run, const ChainEnd& end, const std::string& name) {
  return run.before == end ? absl::OkStatus() : NotAtTheEnd(run, end, name);
}

// CheckStartsAt(), and InvalidArgument unless the run is a chain.
absl::Status CheckContinues(const FrameSpan& run, const ChainEnd& end, const std::string& name);

// OutOfRange unless `from` is an event of the log or one past its end.
absl::Status CheckReadable(Sequence from, const LogExtent& extent, const std::string& name);

// OutOfRange: the event was pruned. `ranges` say when and why, as far as that is known.
absl::Status WasPruned(Sequence sequence, const LogExtent& extent, const std::vector<PrunedRange>& ranges,
                       const std::string& name);

// OutOfRange if `through` is behind the end of the log.
absl::Status CheckSyncable(Sequence through, const LogExtent& extent, const std::string& name);

// InvalidArgument unless the snapshot is of an event of the log, or of its base.
absl::Status CheckSnapshotPlace(const Snapshot& snapshot, const LogExtent& extent, const std::string& name);

// Makes `run` the empty one before event `from`, in the memory that it has. Gives OK, to be returned at once.
absl::Status ClearRun(Sequence from, FrameRun& run);

// Walks over the frames of `run` and makes run.after its end. If something else than a frame follows some, the run ends
// before it; DataLoss if it is the first.
absl::Status FindEnd(FrameRun& run);

// Collects stored frames from sequence number `from` on, up to `bytes_max`, but at least one. Threads: one.
class RunCollector {
 public:
  // `recycled` is a run that is done with: its memory is used again.
  RunCollector(Sequence from, std::size_t bytes_max, FrameRun recycled = {});

  // Copies those frames of `words` that are wanted, and skips those before `from`. False once no more are wanted.
  // DataLoss if there is no frame where one should be.
  absl::StatusOr<bool> Add(std::span<const std::uint64_t> words);

  // Whether `bytes` more can be taken as a whole; always if nothing was taken yet.
  bool HasRoom(std::size_t bytes) const {
    return size_words_ == 0 || size_words_ + bytes / sizeof(std::uint64_t) <= words_max_;
  }

  // Add() in two steps, without a copy: the caller fills the room with frames, all of which are wanted, and then says
  // so. They are not looked at, except for the link of the first.
  bool WantsAll(Sequence first, std::size_t bytes) const {
    return first >= from_ && size_words_ + bytes / sizeof(std::uint64_t) <= words_max_;
  }
  std::span<std::uint64_t> Room(std::size_t words);
  void AddRoom(std::size_t words);

  // What was collected. The run's end is unknown.
  FrameRun Take() &&;

 private:
  Sequence from_;
  std::size_t words_max_;
  FrameRun run_;                // its words only grow here: clearing those that are used again would cost time
  std::size_t size_words_ = 0;  // of what was collected
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_FRAME_RUN_H_
