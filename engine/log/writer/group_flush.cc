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
      Lead(seat.round, Task::kFlush);
    } else {
      WaitForEnd(seat.round);
    }
  }
  return absl::OkStatus();
}

// If others wait already, their leader flushes, and the claim is made another time.
void GroupFlush::Claim() {
  const Seat seat = JoinRound();
  if (seat.leads) Lead(seat.round, Task::kClaim);
}

GroupFlush::Seat GroupFlush::JoinRound() {
  const std::lock_guard lock(mutex_);
  gathered_.fetch_add(1, std::memory_order_relaxed);
  return {gathering_, !std::exchange(has_leader_, true)};
}

void GroupFlush::Lead(std::uint64_t round, Task task) {
  // Threads go on joining this round meanwhile, which is what makes rounds large under load.
  if (round > 0) WaitForEnd(round - 1);
  Gather();
  {
    const std::lock_guard lock(mutex_);
    ++gathering_;
    has_leader_ = false;
    gathered_.store(0, std::memory_order_relaxed);
  }
  if (task == Task::kClaim && ring_.end_sequence() <= progress_.durable() && progress_.Check().ok()) {
    if (const absl::Status claimed = tail_.Claim(); !claimed.ok()) progress_.Stop(claimed).IgnoreError();
  } else {
    Flush();
  }
  NoteEnd(round);
}

// The end is read after the round closed. The files are checked after the flush: frames that went to the disk in a file
// that is no longer the log's are not durable. A failed flush leaves it unknown what is on the disk: the writer stops.
void GroupFlush::Flush() {
  const TailPosition end = ring_.end();
  const Sequence durable = progress_.durable();
  if (end.chain.sequence <= durable || !progress_.Check().ok()) return;
  absl::Status flushed = tail_.Flush(end, durable);
  if (flushed.ok()) flushed = watched_.Check();
  if (flushed.ok()) {
    progress_.NoteDurable(end.chain.sequence);
  } else {
    progress_.Stop(flushed).IgnoreError();
  }
}

// Threads that the last flush has woken usually come back at once with their next events. Gather() yields the processor
// as long as each yield brings further threads, because a flush costs far more than the wait. A lone thread yields
// once.
void GroupFlush::Gather() const {
  int seen = 0;
  for (int now = gathered_.load(std::memory_order_relaxed); now != seen;
       now = gathered_.load(std::memory_order_relaxed)) {
    seen = now;
    sched_yield();
  }
}

// `<=`, not `==`: the slot may already belong to a later round by the time this thread looks.
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
