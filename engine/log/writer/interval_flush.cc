#include "engine/log/writer/interval_flush.h"

#include <algorithm>
#include <array>

namespace foldlog {

// So short a bound that the thread would never rest is not kept to.
constexpr std::chrono::nanoseconds kTickMin = std::chrono::microseconds(500);

IntervalFlush::IntervalFlush(const TailRing& ring, GroupFlush& flush, WriterProgress& progress,
                             std::chrono::milliseconds bound)
    : ring_(ring),
      flush_(flush),
      progress_(progress),
      tick_(std::max(std::chrono::nanoseconds(bound) / kTicksInBound, kTickMin)) {}

absl::Status IntervalFlush::Start() {
  return thread_.Start("foldlog-flush", [this] { Run(); });
}

void IntervalFlush::StartTicking() {
  const std::lock_guard lock(mutex_);
  ticking_.store(true, std::memory_order_relaxed);
  changed_.notify_one();
}

void IntervalFlush::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  thread_.Join();
}

void IntervalFlush::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || ticking_.load(std::memory_order_relaxed); });
    if (stopping_) return;
    TickUntilIdle(lock);
  }
}

// Readers are woken at each tick, too: whoever follows the log sees events before they are durable.
void IntervalFlush::TickUntilIdle(std::unique_lock<std::mutex>& lock) {
  std::array<Sequence, kTicksInBound - 1> seen;  // the end at the last ticks, the oldest at `oldest`
  seen.fill(ring_.end_sequence());
  std::size_t oldest = 0;
  Sequence told = 0;
  while (!stopping_ && progress_.Check().ok()) {
    lock.unlock();
    if (const Sequence end = ring_.end_sequence(); end != told) {
      progress_.TellReaders();
      told = end;
    }
    lock.lock();
    if (changed_.wait_for(lock, tick_, [this] { return stopping_; })) return;
    lock.unlock();
    const absl::Status flushed = flush_.Sync(seen[oldest]);
    lock.lock();
    const Sequence end = ring_.end_sequence();
    if (!flushed.ok() || progress_.durable() >= end) break;
    seen[oldest] = end;
    oldest = (oldest + 1) % seen.size();
  }
  // From here on an append wakes this thread, but for one whose thread has not seen this yet. What that one appended is
  // surely seen here a tick later, which spares every append a memory fence.
  ticking_.store(false, std::memory_order_relaxed);
  changed_.wait_for(lock, tick_, [this] { return stopping_ || ticking_.load(std::memory_order_relaxed); });
  if (progress_.durable() < ring_.end_sequence() && progress_.Check().ok())
    ticking_.store(true, std::memory_order_relaxed);
}

}  // namespace foldlog
