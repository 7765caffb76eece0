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
  // Round r uses the descriptor of round r - kFlushesAtOnce, so that one must have ended. Threads go on joining this
  // round meanwhile, which is what makes rounds large under load.
  if (round >= kFlushesAtOnce) WaitForEnd(round - kFlushesAtOnce);
  Gather();
  {
    const std::lock_guard lock(mutex_);
    ++gathering_;
    has_leader_ = false;
    gathered_.store(0, std::memory_order_relaxed);
  }
  // Before the first flush of this writer, so that no event counts as durable whose page an earlier writer's flush
  // failed to write.
  std::call_once(found_once_, [this] {
    found_written_ = ring_.VisitPagesFound([this](std::size_t index) { return file_.WriteAgain(index); });
  });
  // The end is read after the round closed. A flush that covers it already may have ended meanwhile; then this round
  // needs none.
  const Sequence through = ring_.end_sequence();
  if (through > progress_.durable() && progress_.Check().ok()) Flush(round % kFlushesAtOnce, through);
  NoteEnd(round);
}

// The files are checked after the flush: frames that went to the disk in a file that is no longer the log's are not
// durable. After a failed flush the kernel marks the pages clean, so a second flush would prove nothing: the writer
// stops.
void GroupFlush::Flush(std::size_t which, Sequence through) {
  absl::Status flushed = found_written_.ok() ? file_.Flush(which, through) : found_written_;
  if (flushed.ok()) flushed = watched_.Check();
  if (flushed.ok()) {
    progress_.NoteDurable(through);
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
