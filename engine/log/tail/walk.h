// Recovery's walk along the chain: which frames the ring of a tail holds while no writer is at work.

#ifndef FOLDLOG_LOG_TAIL_WALK_H_
#define FOLDLOG_LOG_TAIL_WALK_H_

#include <cstdint>
#include <span>
#include <vector>

#include "engine/log/tail/cursor.h"

namespace foldlog {

// What ScanTail() found.
struct TailContents {
  TailPosition end;                      // behind the last frame that continues the chain
  std::vector<TailPosition> marks = {};  // places on the way, as TailRing keeps them
  std::uint64_t discarded = 0;           // newer frames that do not continue it: a power cut tore them apart
};

// Follows the chain from `start` as far as it goes. With `search_rest` it also counts newer frames anywhere in the
// ring, which takes a millisecond. A process that died without a power cut leaves at most one unfinished frame, which
// is counted anyway.
TailContents ScanTail(std::span<const std::uint64_t> ring, const TailPosition& start, bool search_rest);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_TAIL_WALK_H_
