// Group commit: of the threads that wait at the same time for the tail to become durable, one, the leader, flushes it
// for all (DeWitt et al., Implementation Techniques for Main Memory Database Systems, SIGMOD 1984).
//
// Two flushes may run at once. While one waits for the disk, the threads that it does not cover gather for the next
// round, whose flush begins when the one before the last has ended. So the disk always has work, and the time that
// woken threads need does not delay the next flush.

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
// last has ended, so at most kFlushesAtOnce run; mutex_ is never held during a flush.
class GroupFlush {
 public:
  // Events that are in the ring at this point may be in the page cache only: the first round writes their pages again.
  GroupFlush(const TailFile& file, const WatchedFiles& watched, const TailRing& ring, WriterProgress& progress)
      : file_(file), watched_(watched), ring_(ring), progress_(progress) {}

  // Returns OK when all events up to `through` are durable, or why the writer has stopped. Blocks for a flush or two.
  absl::Status Sync(Sequence through);

 private:
  // A thread's part in a round. Rounds are numbered in the order in which they begin.
  struct Seat {
    std::uint64_t round;
    bool leads;
  };
  static constexpr std::size_t kFlushesAtOnce = TailFile::kFlushesAtOnce;
  static constexpr std::size_t kRoundsAtOnce = kFlushesAtOnce + 1;  // the flushing rounds, and one that gathers

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
  absl::Status found_written_;  // how writing the pages of recovered events again went

  std::mutex mutex_;
  std::uint64_t gathering_ = 0;  // the round that threads join now; it has not begun to flush
  bool has_leader_ = false;      // whether the gathering round has one
  std::atomic<int> gathered_ = 0;

  // ended_[r % kRoundsAtOnce] is the number of the last round in that slot that has ended, plus one. Other threads of a
  // round wait on it for their leader.
  std::array<std::atomic<std::uint64_t>, kRoundsAtOnce> ended_ = {};
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_WRITER_GROUP_FLUSH_H_
