// The second page of the file `tail`: how far its writer knows the tail to be durable. Written into the mapped page
// before and after each flush, it goes to the disk together with the next frames, at no flush of its own. So after a
// power cut it tells what must be there from what the power cut may have torn: damage to the former is a loss.
// schema/FORMAT.md has the layout.

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
  Sequence durable = 0;   // events up to this one had been flushed, or were so found by an earlier writer
  Sequence flushing = 0;  // and a flush of those up to this one had begun
  bool operator==(const TailClaim&) const = default;
};

inline constexpr std::size_t kTailMarkBytes = 4096;

// What the page says; nothing is claimed where neither of its two places is intact.
TailClaim ReadTailClaim(std::span<const std::byte, kTailMarkBytes> page);

// The page as its writer has it. Any thread.
class TailMark {
 public:
  explicit TailMark(std::span<std::byte, kTailMarkBytes> page);

  void NoteFlushing(Sequence through);
  void NoteFlushed(Sequence through);

  // From now on no more is claimed than that.
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
