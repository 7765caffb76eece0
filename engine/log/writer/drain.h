// The thread that moves frames from the tail into LMDB: long runs, one transaction each, so that a flush of LMDB's
// is shared by thousands of events. Snapshots go along with the events that they are of.

#ifndef FOLDLOG_LOG_WRITER_DRAIN_H_
#define FOLDLOG_LOG_WRITER_DRAIN_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "engine/base/background_thread.h"
#include "engine/log/store/store.h"
#include "engine/log/tail/ring.h"
#include "engine/log/writer/progress.h"
#include "engine/log/writer/watched_files.h"
#include "foldlog/event_log.h"

namespace foldlog {

// Threads: NoteAppended() and StoreDirectly() are for the appending thread, the rest for any. Invariants: what the ring
// gives up is stored; transactions hold the log's frames in order, without a gap; a transaction whose outcome is not
// known stops the writer, and a full disk leaves everything as it was.
class TailDrain {
 public:
  TailDrain(Store& store, const WatchedFiles& watched, TailRing& ring, WriterProgress& progress);

  // To be called once, before anything else.
  absl::Status Start();

  // To be called when something was appended; cheap unless the thread has to be woken.
  void NoteAppended() {
    if (ring_.backlog_words() >= backlog_words_ && !woken_.load(std::memory_order_relaxed)) WakeUp();
  }

  // Waits for one transaction that moves frames. ResourceExhausted if the disk is full: the frames stay in the tail.
  absl::Status DrainSome();

  // Waits until everything appended so far, and every snapshot, is in LMDB.
  absl::Status DrainAll();

  // Puts `run`, which is too long for the tail, into LMDB behind everything else. By the appending thread.
  absl::Status StoreDirectly(const FrameSpan& run);

  // Keeps the snapshot until the events before it are moved. If too many wait, it is dropped.
  void AddSnapshot(const Snapshot& snapshot);

  // The newest snapshot at or before `at_most` that waits.
  std::optional<Snapshot> FindSnapshot(Sequence at_most) const;

  // Ends the thread, without draining.
  void Stop();

 private:
  void WakeUp();
  void Run();
  absl::Status Attempt();
  absl::Status MoveRun();
  absl::Status Put(const Store::Addition& addition);
  std::vector<Snapshot> SnapshotsUpTo(Sequence sequence);

  Store& store_;
  const WatchedFiles& watched_;
  TailRing& ring_;
  WriterProgress& progress_;
  const std::size_t backlog_words_;  // so much is worth a transaction
  const std::size_t transaction_words_;

  std::mutex storing_;  // held by whoever writes to the store

  std::atomic<bool> woken_ = false;
  mutable std::mutex mutex_;  // of all below
  std::condition_variable wanted_;
  std::condition_variable attempted_;
  std::uint64_t attempts_ = 0;
  std::uint64_t attempts_wanted_ = 0;  // by those who wait for one
  absl::Status last_attempt_;
  bool stopping_ = false;
  std::vector<Snapshot> snapshots_;  // in order of their events

  BackgroundThread thread_;  // last, so that it ends before what it uses
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_WRITER_DRAIN_H_
