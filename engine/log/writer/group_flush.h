// Group commit: of the threads that wait at the same time for the tail to become durable, one, the leader, flushes it
// for all (DeWitt et al., Implementation Techniques for Main Memory Database Systems, SIGMOD 1984).
//
// While the disk is at work, the threads that come too late for that flush gather for the next one.

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
#include "engine/log/writer/tail_flush.h"
#include "engine/log/writer/watched_files.h"

namespace foldlog {

// Threads: any number, in Sync(). Invariants: a round has one leader; a round begins to flush when the one before has
// ended; mutex_ is never held during a flush.
class GroupFlush {
 public:
  GroupFlush(TailFile& file, const WatchedFiles& watched, const TailRing& ring, WriterProgress& progress)
      : watched_(watched), ring_(ring), progress_(progress), tail_(file, ring) {}

  // Returns OK when all events up to `through` are durable, or why the writer has stopped. Blocks for a flush or two.
  absl::Status Sync(Sequence through);

  // To be called when nothing has come for a while: makes the tail claim durably what is durable. Blocks for a flush,
  // if one is needed, and then for one that is at work.
  void Claim();

 private:
  // A thread's part in a round. Rounds are numbered in the order in which they begin.
  struct Seat {
    std::uint64_t round;
    bool leads;
  };
  static constexpr std::size_t kRoundsAtOnce = 2;  // one that flushes, and one that gathers

  Seat JoinRound();
  // What the leader of a round does when it is the round's turn.
  enum class Task { kFlush, kClaim };
  void Lead(std::uint64_t round, Task task);
  void Gather() const;
  void Flush();
  void WaitForEnd(std::uint64_t round) const;
  void NoteEnd(std::uint64_t round);

  const WatchedFiles& watched_;
  const TailRing& ring_;
  WriterProgress& progress_;
  TailFlush tail_;  // the leader's, whose round flushes

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
