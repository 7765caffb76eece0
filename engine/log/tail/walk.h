// Walking the ring of a tail: what the words in it mean, for whoever recovers, drains or reads them.
//
// A position counts words since the log was created and never wraps; the word lies at position % ring size. Frames are
// not split at the end of the ring: a skip mark stands where the rest of the lap is left out.

#ifndef FOLDLOG_LOG_TAIL_WALK_H_
#define FOLDLOG_LOG_TAIL_WALK_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/codec/frame.h"
#include "foldlog/event_log.h"

namespace foldlog {

// A place between two frames: where the next one goes, and the end of the chain that it continues.
struct TailPosition {
  std::uint64_t position = 0;
  ChainEnd chain = {};
  bool operator==(const TailPosition&) const = default;
};

// Never the first word of a frame, which begins with kFrameMagic and a payload size of at most 4 MiB.
inline constexpr std::uint64_t kSkipMark = 0xffffffff31534c46;  // "FLS1"

// The start of the lap behind the one that `position` is in.
inline std::uint64_t NextLap(std::uint64_t position, std::uint64_t ring_words) {
  return position - position % ring_words + ring_words;
}

// Where the frame behind `position` starts: right there, or behind a skip mark.
std::uint64_t FrameStart(std::span<const std::uint64_t> ring, std::uint64_t position);

// What is found in a tail when nobody writes to it.
struct TailContents {
  TailPosition end;  // behind the last frame that continues the chain
  std::vector<TailPosition> marks =
      {};                       // places on the way, a thousand frames apart: who wants the last ones begins there
  std::uint64_t discarded = 0;  // frames that do not, but are newer: what a power cut tore apart
};

// Follows the chain from `start` on as far as it goes. `search_rest`: whether to look for newer frames behind the end.
// After the death of a process there are none but one unfinished; looking through the whole ring takes a millisecond.
TailContents ScanTail(std::span<const std::uint64_t> ring, const TailPosition& start, bool search_rest);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_TAIL_WALK_H_
