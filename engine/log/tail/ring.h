// The ring of a tail as its writer uses it: frames go in at the front, runs of them leave at the back for LMDB.
//
// Threads: Append() is for the appending thread, NextRun() and Free() for the drain. Replace() is for the appending
// thread while the drain stands still. All else is for any thread. Appending takes no lock.
//
// Invariants: stored <= end, and they are less than a ring apart. Between them lie whole frames of one chain. Words
// behind the stored position are not written to before Free() has moved it.

#ifndef FOLDLOG_LOG_TAIL_RING_H_
#define FOLDLOG_LOG_TAIL_RING_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/log/frame_run.h"
#include "engine/log/tail/walk.h"

namespace foldlog {

// A sequence lock. Threads: one stores, any number load without stopping it. Invariant: Load() returns what one Store()
// stored, never a mixture of two.
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
  // Everything before `stored` is in LMDB; `found` is what recovery found behind that.
  TailRing(std::span<std::uint64_t> words, const TailPosition& stored, const TailContents& found);

  std::size_t size_words() const { return words_.size(); }

  // The largest run that Append() takes. A longer one could leave more than a quarter of a lap unused behind a skip
  // mark.
  std::size_t run_words_max() const { return words_.size() / 4; }

  // Whether a run of `run_words` fits and leaves `reserve_words` free.
  bool HasRoom(std::size_t run_words, std::size_t reserve_words) const;

  // Copies `run`, which must continue end() and fit, and then moves the end, which makes it visible and kill-safe.
  void Append(const FrameSpan& run);

  // The next frames that are not in LMDB and lie in one piece: about `words_about`, up to a mark or to the end of the
  // lap, which may be a quarter more. Empty if everything is stored. Valid until Free(). The frames are not looked at,
  // so it takes the same time however many they are.
  struct Run {
    FrameSpan frames;
    TailPosition end;
  };
  absl::StatusOr<Run> NextRun(std::size_t words_about) const;

  // Copies words of the ring from `index` on: those of frames that LMDB does not have and that lie before `end`. The
  // others of `into` stay as they are. Any thread.
  void CopyWords(std::uint64_t index, std::uint64_t end, std::span<std::uint64_t> into) const;

  // Gives up the words before `place`, whose frames are in LMDB. Waits for threads that read them.
  void Free(const TailPosition& place);

  // Moves both ends to `end` after a run was put into LMDB directly. Everything in the ring must be stored before.
  void Replace(const ChainEnd& end);

  // Frames from `from` on, which is an event of the log, as EventLog::ReadInto() gives them; false if its words were
  // given up, for then LMDB has it.
  absl::StatusOr<bool> Read(Sequence from, std::size_t bytes_max, FrameRun& run) const;

  TailPosition end() const { return end_.Load(); }
  std::uint64_t stored_position() const { return stored_.position(); }
  TailPosition stored() const { return stored_.Load(); }
  Sequence end_sequence() const { return end_.sequence(); }
  Sequence stored_sequence() const { return stored_.sequence(); }
  std::uint64_t backlog_words() const { return end_.position() - stored_.position(); }

 private:
  TailPosition StartBefore(Sequence sequence) const;

  // By the appending thread, which has made visible what lies before `place`.
  void Mark(const TailPosition& place);
  void MapInBehind(std::uint64_t position);
  void MarkWithin(const FrameSpan& run, std::uint64_t place);

  // The last mark behind one position and at most at the other, or else the first one beyond that.
  std::optional<TailPosition> FindMark(std::uint64_t behind, std::uint64_t at_most) const;

  // Takes pieces from mark to mark and to `end`, without a look at their frames, as long as they are wanted as a whole.
  void CopyPieces(const TailPosition& end, RingCursor& cursor, RunCollector& collector) const;

  std::span<std::uint64_t> words_;
  const std::size_t mark_words_;  // there is a mark about every so many
  SeqLockedPosition stored_;
  SeqLockedPosition end_;
  std::uint64_t marked_;        // position of the last mark; of the appending thread, as the next one
  std::uint64_t mapped_in_to_;  // an append from there on maps in further pages
  std::size_t mapped_in_words_ = 0;
  mutable std::shared_mutex freeing_;  // shared: reading words; exclusive: giving them up
  mutable std::mutex marking_;         // of what follows
  std::deque<TailPosition> marks_;     // between stored and end, in order; one at the end of each lap at the least
  mutable TailPosition read_to_;       // where the last Read() ended: the next one usually continues there
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_TAIL_RING_H_
