// A cursor over the frames in the ring of a tail, and the geometry that goes with it: nothing else knows of laps and
// skip marks.
//
// A position counts words since the log was created and never wraps; the word lies at position % ring size. Frames are
// not split at the end of the ring: a skip mark stands where the rest of the lap is left out.

#ifndef FOLDLOG_LOG_TAIL_CURSOR_H_
#define FOLDLOG_LOG_TAIL_CURSOR_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "engine/codec/frame.h"
#include "foldlog/event_log.h"

namespace foldlog {

// A position between two frames, and the end of the chain that the next one continues.
struct TailPosition {
  std::uint64_t position = 0;
  ChainEnd chain = {};
  bool operator==(const TailPosition&) const = default;
};

// Never the first word of a frame, which begins with kFrameMagic and a payload size of at most 64 MiB.
inline constexpr std::uint64_t kSkipMark = 0xffffffff31534c46;  // "FLS1"

// The first position of the lap behind the one that `position` is in.
inline std::uint64_t NextLap(std::uint64_t position, std::uint64_t ring_words) {
  return position - position % ring_words + ring_words;
}

// Where the frame at `position` starts; `word` is the word found there. A skip mark sends the reader to the next lap.
inline std::uint64_t FrameStart(std::uint64_t word, std::uint64_t position, std::uint64_t ring_words) {
  return word == kSkipMark ? NextLap(position, ring_words) : position;
}

// Where the writer puts a run of `run_words` that continues at `position`: right there if the lap has room for it, else
// at the start of the next lap, behind a skip mark.
inline std::uint64_t PlaceOfRun(std::uint64_t position, std::size_t run_words, std::uint64_t ring_words) {
  const std::uint64_t lap = NextLap(position, ring_words);
  return position + run_words > lap ? lap : position;
}

// There is a mark about every so many words, so a read that begins at one steps over no more; in a small ring, a part
// of it.
inline std::size_t MarkDistance(std::size_t ring_words) {
  return std::min((std::size_t{64} << 10) / sizeof(std::uint64_t), ring_words / 64);
}

// Threads: one. A cursor reads the ring only when it is asked for words or a frame, so it may stand where the writer
// writes next.
class RingCursor {
 public:
  RingCursor(std::span<const std::uint64_t> ring, const TailPosition& at)
      : ring_(ring), at_(at), index_(at.position % ring.size()) {}

  const TailPosition& at() const { return at_; }
  Sequence sequence() const { return at_.chain.sequence; }

  // Where the next frame starts: here, or behind a skip mark.
  std::uint64_t start() const { return Skips() ? at_.position - index_ + ring_.size() : at_.position; }

  // The words from the start of the next frame to the end of its lap, whether they hold a frame or not.
  std::span<const std::uint64_t> Words() const { return Skips() ? ring_ : ring_.subspan(index_); }

  // The next frame if it is whole, intact, and continues the chain. For recovery, whose ring may hold any bytes.
  std::optional<FrameView> NextOfChain() const { return FrameBehind(at_.chain, Words()); }

  // The position behind `frame`, which must be the next one.
  TailPosition Behind(const FrameView& frame) const { return {start() + frame.size_words(), frame.end()}; }

  void StepOver(const FrameView& frame) {
    const TailPosition behind = Behind(frame);
    index_ = (Skips() ? 0 : index_) + frame.size_words();
    if (index_ == ring_.size()) index_ = 0;
    at_ = behind;
  }

 private:
  bool Skips() const { return ring_[index_] == kSkipMark; }

  std::span<const std::uint64_t> ring_;
  TailPosition at_;
  std::uint64_t index_;  // of at_ in the ring; kept, because a division a frame shows in what the drain takes
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_TAIL_CURSOR_H_
