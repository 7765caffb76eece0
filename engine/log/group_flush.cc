#include "engine/log/group_flush.h"

#include <thread>

namespace foldlog {

using Clock = std::chrono::steady_clock;

// No thread is left waiting: who sees an event that is not durable and no leader becomes the leader, and every leader
// ends with a new round, which wakes those who wait for the one before it.
absl::Status GroupFlush::Sync(Sequence through) {
  if (durable() >= through) return absl::OkStatus();
  waiting_.fetch_add(1, std::memory_order_relaxed);
  absl::Status status;
  while (durable() < through && (status = health_.Check()).ok()) {
    const std::uint32_t round = rounds_.load(std::memory_order_acquire);
    if (!led_.exchange(true, std::memory_order_acquire)) {
      if (durable() < through) Lead();
      led_.store(false, std::memory_order_release);
      rounds_.fetch_add(1, std::memory_order_release);
      rounds_.notify_all();
    } else {
      rounds_.wait(round, std::memory_order_acquire);
    }
  }
  waiting_.fetch_sub(1, std::memory_order_relaxed);
  return status;
}

// What is in the tail before the flush is durable after it.
void GroupFlush::Lead() {
  WaitForCompany();
  company_ = waiting_.load(std::memory_order_relaxed);
  const Sequence through = ring_.end_sequence();
  const auto start = Clock::now();
  const absl::Status flushed = file_.Flush();
  flush_time_ = Clock::now() - start;
  if (flushed.ok()) {
    NoteDurable(through);
  } else {
    health_.Stop(flushed, durable()).IgnoreError();
  }
}

// The threads that the last flush was for are likely to come back at once with their next events. Waiting for them a
// little, at most half a flush, lets each flush serve all of them instead of every other one; a lone thread never
// waits.
void GroupFlush::WaitForCompany() const {
  if (company_ == 1) return;
  const auto deadline = Clock::now() + flush_time_ / 2;
  while (waiting_.load(std::memory_order_relaxed) < company_ && Clock::now() < deadline) std::this_thread::yield();
}

void GroupFlush::NoteDurable(Sequence through) {
  Sequence known = durable_.load(std::memory_order_relaxed);
  while (known < through && !durable_.compare_exchange_weak(known, through, std::memory_order_acq_rel)) {
  }
  if (known >= through) return;
  shared_.RaiseDurable(through);
  shared_.Wake();
}

}  // namespace foldlog
