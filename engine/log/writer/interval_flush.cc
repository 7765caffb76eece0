#include "engine/log/writer/interval_flush.h"

#include <algorithm>
#include <array>

namespace foldlog {

// The shortest tick. A shorter bound is not kept to: the thread would never rest.
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

// Under the mutex, so that the thread is either waiting, and woken, or has yet to look at ticking_.
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

// Readers are woken at each tick, too: a reader that follows the log may see events before they are durable. A wake-up
// at each append would cost a system call each.
//
// The mutex is released during the flush and the wake-up, so that neither Stop() nor an append waits for the disk.
void IntervalFlush::TickUntilIdle(std::unique_lock<std::mutex>& lock) {
  std::array<Sequence, kTicksInBound - 1> seen;  // the ring's end at the last ticks; the oldest is at `oldest`
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
  // The appending thread reads ticking_ without a memory fence, so it may miss this store once and not wake the thread.
  // Its event is visible here one tick later, when the end is looked at again. That look spares each append a fence.
  ticking_.store(false, std::memory_order_relaxed);
  const bool goes_on =
      changed_.wait_for(lock, tick_, [this] { return stopping_ || ticking_.load(std::memory_order_relaxed); });
  if (!progress_.Check().ok() || goes_on) return;
  if (progress_.durable() < ring_.end_sequence()) {
    ticking_.store(true, std::memory_order_relaxed);
    return;
  }
  lock.unlock();
  flush_.Claim();
  lock.lock();
}

}  // namespace foldlog
