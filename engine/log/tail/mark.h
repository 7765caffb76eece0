// The second page of the file `tail`: how far its writer knows the tail to be durable. TailMark writes it into the
// mapped page before and after each flush, so it goes to the disk together with the next frames and needs no flush of
// its own. After a power cut the mark separates the events that must be there, whose damage is a loss, from those that
// the power cut may have torn. schema/FORMAT.md has the layout.

#ifndef FOLDLOG_LOG_TAIL_MARK_H_
#define FOLDLOG_LOG_TAIL_MARK_H_

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>

#include "foldlog/event.h"

namespace foldlog {

// What a mark says.
struct TailClaim {
  Sequence durable = 0;   // events up to this one were flushed by this writer or an earlier one
  Sequence flushing = 0;  // a flush of events up to this one had begun
  bool operator==(const TailClaim&) const = default;
};

inline constexpr std::size_t kTailMarkBytes = 4096;

// What the newer intact slot of the page says, with durable <= flushing; zeros if neither slot is intact.
TailClaim ReadTailClaim(std::span<const std::byte, kTailMarkBytes> page);

// How many slots were written and do not match their hash. A power cut may leave one.
std::size_t CountTornSlots(std::span<const std::byte, kTailMarkBytes> page);

// The page, as the writer changes it. Threads: any. Invariant: within one writer's life both numbers only grow, but for
// Reset().
class TailMark {
 public:
  explicit TailMark(std::span<std::byte, kTailMarkBytes> page);

  void NoteFlushing(Sequence through);
  void NoteFlushed(Sequence through);

  // Claims `durable` and no more from now on.
  void Reset(Sequence durable);

 private:
  void Put();

  const std::span<std::byte, kTailMarkBytes> page_;
  std::mutex mutex_;
  std::uint64_t version_;
  TailClaim claim_;
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_TAIL_MARK_H_
