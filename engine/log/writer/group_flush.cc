#include "engine/log/writer/group_flush.h"

#include <sched.h>

#include <utility>

#include "engine/base/status_macros.h"

namespace foldlog {

// A thread appends before it joins a round. The round reads the ring's end after it closes, so its flush covers every
// thread in it.
absl::Status GroupFlush::Sync(Sequence through) {
  while (progress_.durable() < through) {
    RETURN_IF_ERROR(progress_.Check());
    const Seat seat = JoinRound();
    if (seat.leads) {
      Lead(seat.round);
    } else {
      WaitForEnd(seat.round);
    }
  }
  return absl::OkStatus();
}

GroupFlush::Seat GroupFlush::JoinRound() {
  const std::lock_guard lock(mutex_);
  gathered_.fetch_add(1, std::memory_order_relaxed);
  return {gathering_, !std::exchange(has_leader_, true)};
}

void GroupFlush::Lead(std::uint64_t round) {
  if (round >= kFlushesAtOnce) WaitForEnd(round - kFlushesAtOnce);
  Gather();
  {
    const std::lock_guard lock(mutex_);
    ++gathering_;
    has_leader_ = false;
    gathered_.store(0, std::memory_order_relaxed);
  }
  std::call_once(found_once_, [this] {
    found_written_ = ring_.VisitPagesFound([this](std::size_t index) { return file_.WriteAgain(index); });
  });
  const Sequence through = ring_.end_sequence();
  if (through > progress_.durable() && progress_.Check().ok()) Flush(round % kFlushesAtOnce, through);
  NoteEnd(round);
}

void GroupFlush::Flush(std::size_t which, Sequence through) {
  absl::Status flushed = found_written_.ok() ? file_.Flush(which, through) : found_written_;
  if (flushed.ok()) flushed = watched_.Check();
  if (flushed.ok()) {
    progress_.NoteDurable(through);
  } else {
    progress_.Stop(flushed).IgnoreError();
  }
}

// Threads that the last flush has woken are likely to come back at once with their next events. As long as they do,
// each time that the processor is offered to them, they are waited for: a flush costs far more. A lone thread passes.
void GroupFlush::Gather() const {
  int seen = 0;
  for (int now = gathered_.load(std::memory_order_relaxed); now != seen;
       now = gathered_.load(std::memory_order_relaxed)) {
    seen = now;
    sched_yield();
  }
}

void GroupFlush::WaitForEnd(std::uint64_t round) const {
  const std::atomic<std::uint64_t>& ended = ended_[round % kRoundsAtOnce];
  for (std::uint64_t last = ended.load(std::memory_order_acquire); last <= round;
       last = ended.load(std::memory_order_acquire)) {
    ended.wait(last, std::memory_order_acquire);
  }
}

void GroupFlush::NoteEnd(std::uint64_t round) {
  std::atomic<std::uint64_t>& ended = ended_[round % kRoundsAtOnce];
  ended.store(round + 1, std::memory_order_release);
  ended.notify_all();
}

}  // namespace foldlog
