#include "engine/log/interval_flush.h"

#include <algorithm>

namespace foldlog {

namespace {

// Half the bound, and not so little that the thread would never rest.
std::chrono::nanoseconds TickOf(std::chrono::milliseconds bound) {
  constexpr std::chrono::nanoseconds kTickMin = std::chrono::microseconds(500);
  return std::max(std::chrono::nanoseconds(bound) / 2, kTickMin);
}

}  // namespace

IntervalFlush::IntervalFlush(const TailRing& ring, GroupFlush& flush, TailShared& shared, WriterHealth& health,
                             std::chrono::milliseconds bound)
    : ring_(ring), flush_(flush), shared_(shared), health_(health), tick_(TickOf(bound)) {
  const absl::Status started = thread_.Start([this] { Run(); });
  if (!started.ok()) health_.Stop(started, flush_.durable()).IgnoreError();
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
  Sequence seen = ring_.end_sequence();
  Sequence told = 0;
  while (!stopping_ && health_.Check().ok()) {
    lock.unlock();
    if (const Sequence end = ring_.end_sequence(); end != told) {
      shared_.Wake();
      told = end;
    }
    lock.lock();
    if (changed_.wait_for(lock, tick_, [this] { return stopping_; })) return;
    lock.unlock();
    const absl::Status flushed = flush_.Sync(seen);
    lock.lock();
    const Sequence end = ring_.end_sequence();
    if (!flushed.ok() || flush_.durable() >= end) break;
    seen = end;
  }
  // From here on an append wakes this thread, but for one whose thread has not seen this yet. What that one appended is
  // surely seen here a tick later, which spares every append a memory fence.
  ticking_.store(false, std::memory_order_relaxed);
  changed_.wait_for(lock, tick_, [this] { return stopping_ || ticking_.load(std::memory_order_relaxed); });
  if (flush_.durable() < ring_.end_sequence() && health_.Check().ok()) ticking_.store(true, std::memory_order_relaxed);
}

}  // namespace foldlog
