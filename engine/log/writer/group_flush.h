// Group commit: of the threads that wait for the tail to become durable at the same time one, the leader, flushes it
// for all (DeWitt et al., Implementation Techniques for Main Memory Database Systems, SIGMOD 1984).
//
// Two flushes can be at work at once: while one waits for the disk, the threads that it does not cover gather for the
// next, which starts when the one before the last has ended. So the disk always has something to do, and waking those
// whose events are durable costs nobody time.

#ifndef FOLDLOG_LOG_WRITER_GROUP_FLUSH_H_
#define FOLDLOG_LOG_WRITER_GROUP_FLUSH_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "absl/status/status.h"
#include "engine/log/tail/file.h"
#include "engine/log/tail/ring.h"
#include "engine/log/writer/progress.h"
#include "engine/log/writer/watched_files.h"

namespace foldlog {

// Threads: any number, in Sync(). Invariants: a round has one leader; a round begins to flush when the one before the
// last has ended, so at most kFlushesAtOnce are at work; mutex_ is never held during a flush.
class GroupFlush {
 public:
  // Events that are in the ring already, and not known to be durable, may be in the page cache only.
  GroupFlush(const TailFile& file, const WatchedFiles& watched, const TailRing& ring, WriterProgress& progress)
      : file_(file), watched_(watched), ring_(ring), progress_(progress) {}

  // Returns when all events up to `through` are durable, or the writer has stopped.
  absl::Status Sync(Sequence through);

 private:
  // Rounds are numbered in the order in which they begin.
  struct Seat {
    std::uint64_t round;
    bool leads;
  };
  static constexpr std::size_t kFlushesAtOnce = TailFile::kFlushesAtOnce;
  static constexpr std::size_t kRoundsAtOnce = kFlushesAtOnce + 1;  // one gathers

  Seat JoinRound();
  void Lead(std::uint64_t round);
  void Gather() const;
  void Flush(std::size_t which, Sequence through);
  void WaitForEnd(std::uint64_t round) const;
  void NoteEnd(std::uint64_t round);

  const TailFile& file_;
  const WatchedFiles& watched_;
  const TailRing& ring_;
  WriterProgress& progress_;
  std::once_flag found_once_;
  absl::Status found_written_;  // again, what was in the ring at the beginning

  std::mutex mutex_;
  std::uint64_t gathering_ = 0;  // the round that takes threads in: the last that has not begun to flush
  bool has_leader_ = false;      // that round
  std::atomic<int> gathered_ = 0;

  // For each round at work the number of the last one in its place that has ended, plus one: what followers wait on.
  std::array<std::atomic<std::uint64_t>, kRoundsAtOnce> ended_ = {};
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_WRITER_GROUP_FLUSH_H_
