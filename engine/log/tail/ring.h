// The ring of a tail as its writer uses it: frames go in at the front, runs of them leave at the back for LMDB.
//
// Threads: Append() is for the one appending thread, NextRun() and Free() for the one draining thread, Replace()
// for the two of them standing still; the rest for any thread. Appending takes no lock.
//
// Invariants: stored <= end, and they are less than a ring apart; between them lie whole frames of one chain; words
// behind the stored position are not written to before Free() has moved it.

#ifndef FOLDLOG_LOG_TAIL_RING_H_
#define FOLDLOG_LOG_TAIL_RING_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/log/frame_run.h"
#include "engine/log/tail/walk.h"

namespace foldlog {

// A place that one thread moves while others look at it without stopping it: a sequence lock.
class SeqLockedPosition {
 public:
  explicit SeqLockedPosition(const TailPosition& place) { Store(place); }
  void Store(const TailPosition& place);
  TailPosition Load() const;
  std::uint64_t position() const { return position_.load(std::memory_order_acquire); }
  Sequence sequence() const { return sequence_.load(std::memory_order_acquire); }

 private:
  std::atomic<std::uint64_t> version_ = 0;  // odd while the others change
  std::atomic<std::uint64_t> position_ = 0;
  std::atomic<std::uint64_t> sequence_ = 0;
  std::atomic<std::uint64_t> hash_ = 0;
};

class TailRing {
 public:
  // `stored`: everything before it is in LMDB; `found`: what is behind that.
  TailRing(std::span<std::uint64_t> words, const TailPosition& stored, const TailContents& found);

  std::size_t size_words() const { return words_.size(); }

  // The largest run that Append() takes. Longer ones would leave too much of a lap unused.
  std::size_t run_words_max() const { return words_.size() / 4; }

  // Whether `run_words` fit while `reserve_words` stay free.
  bool HasRoom(std::size_t run_words, std::size_t reserve_words) const;

  // Copies `run`, which continues end() and fits, and makes it visible: kill-safe from then on.
  void Append(const FrameSpan& run);

  // The next frames that are not in LMDB and lie in one piece, up to `words_max` unless the first is larger. Empty if
  // there are none. Valid until Free().
  struct Run {
    FrameSpan frames;
    TailPosition end;
  };
  absl::StatusOr<Run> NextRun(std::size_t words_max) const;

  // Gives `use` the place in the ring of one word in each page that holds what was there when this was made, and is not
  // in LMDB yet; nobody writes to those pages meanwhile. Ends with the first error. Any thread.
  template <typename Use>
  absl::Status VisitPagesFound(const Use& use) const {
    constexpr std::uint64_t kPageWords = 4096 / sizeof(std::uint64_t);
    const std::shared_lock lock(freeing_);
    absl::Status status;
    for (std::uint64_t at = stored_.position(); at < found_end_ && status.ok(); at += kPageWords - at % kPageWords) {
      status = use(at % words_.size());
    }
    return status;
  }

  // Everything before `place` is in LMDB: its words may be used again. Waits for those who read them.
  void Free(const TailPosition& place);

  // Events were put into LMDB without coming by here, all of the ring having been freed before.
  void Replace(const ChainEnd& end);

  // Frames from `from` on, which is an event of the log. Nothing if it has been freed: it is in LMDB then.
  absl::StatusOr<std::optional<FrameRun>> Read(Sequence from, std::size_t bytes_max) const;

  TailPosition end() const { return end_.Load(); }
  Sequence end_sequence() const { return end_.sequence(); }
  Sequence stored_sequence() const { return stored_.sequence(); }
  std::uint64_t backlog_words() const { return end_.position() - stored_.position(); }

 private:
  TailPosition StartBefore(Sequence sequence) const;

  std::span<std::uint64_t> words_;
  const std::uint64_t found_end_;
  SeqLockedPosition stored_;
  SeqLockedPosition end_;
  const std::vector<TailPosition> marks_;  // in what was found, in order
  mutable std::mutex reading_;             // of read_to_
  mutable TailPosition read_to_;           // where the last Read() ended: the next one is likely to go on there
  mutable std::shared_mutex freeing_;      // held shared by readers of the words, so that freeing waits for them
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_TAIL_RING_H_
