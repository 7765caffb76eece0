// What is found in a tail when nobody writes to it: recovery's walk along the chain.

#ifndef FOLDLOG_LOG_TAIL_WALK_H_
#define FOLDLOG_LOG_TAIL_WALK_H_

#include <cstdint>
#include <span>
#include <vector>

#include "engine/log/tail/cursor.h"

namespace foldlog {

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
