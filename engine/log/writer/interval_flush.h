// The thread that makes durable what no thread waits for: every event within a bound after it was appended.
//
// It works in ticks, kTicksInBound of them in the bound. Each tick makes durable what the ring held kTicksInBound - 1
// ticks ago, unless the drain or a thread in Sync() has done so meanwhile. So an event waits for at most the bound and
// one flush. Where events come fast, the drain has nearly all of that time to make them durable in LMDB, and the tail
// need not be flushed as well.

#ifndef FOLDLOG_LOG_WRITER_INTERVAL_FLUSH_H_
#define FOLDLOG_LOG_WRITER_INTERVAL_FLUSH_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "engine/base/background_thread.h"
#include "engine/log/tail/ring.h"
#include "engine/log/writer/group_flush.h"
#include "engine/log/writer/progress.h"

namespace foldlog {

// Threads: NoteAppended() is for the appending thread; Start() and Stop() for the log's owner. Invariant: while an
// event is not known to be durable, the thread ticks, or begins to within a tick.
class IntervalFlush {
 public:
  IntervalFlush(const TailRing& ring, GroupFlush& flush, WriterProgress& progress, std::chrono::milliseconds bound);

  // Starts the thread. To be called once, before anything else. ResourceExhausted if the system has no thread for it.
  absl::Status Start();

  // To be called after each append. It costs one load, unless the thread sleeps because nothing was appended for a
  // while.
  void NoteAppended() {
    if (!ticking_.load(std::memory_order_relaxed)) StartTicking();
  }

  // Ends the thread, without a last flush: Close() flushes first.
  void Stop();

 private:
  static constexpr int kTicksInBound = 5;

  void StartTicking();
  void Run();
  void TickUntilIdle(std::unique_lock<std::mutex>& lock);

  const TailRing& ring_;
  GroupFlush& flush_;
  WriterProgress& progress_;
  const std::chrono::nanoseconds tick_;

  std::atomic<bool> ticking_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;

  BackgroundThread thread_;  // last, so that it ends before what it uses
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_WRITER_INTERVAL_FLUSH_H_
