// The thread that moves frames from the tail into LMDB. It moves long runs, one transaction each, so that thousands of
// events share the two flushes of a transaction. Snapshots go along with the events that they are of.

#ifndef FOLDLOG_LOG_WRITER_DRAIN_H_
#define FOLDLOG_LOG_WRITER_DRAIN_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engine/base/background_thread.h"
#include "engine/log/store/store.h"
#include "engine/log/tail/ring.h"
#include "engine/log/writer/progress.h"
#include "engine/log/writer/watched_files.h"
#include "foldlog/event_log.h"

namespace foldlog {

// Threads: NoteAppended() and StoreDirectly() are for the appending thread, the rest for any. Invariants: the ring
// gives up only words that are stored; transactions hold the log's frames in order, without a gap; a transaction whose
// outcome is not known stops the writer; a full disk leaves everything as it was.
class TailDrain {
 public:
  TailDrain(Store& store, const WatchedFiles& watched, TailRing& ring, WriterProgress& progress);

  // Starts the thread. To be called once, before anything else. ResourceExhausted if the system has no thread for it.
  absl::Status Start();

  // To be called after each append. It costs two loads, unless the thread has to be woken.
  void NoteAppended() {
    if (ring_.backlog_words() >= backlog_words_ && !woken_.load(std::memory_order_relaxed)) WakeUp();
  }

  // Waits for one attempt to move frames. ResourceExhausted if the disk is full: the frames stay in the tail.
  absl::Status DrainSome();

  // Waits until LMDB has everything appended so far, and every snapshot.
  absl::Status DrainAll();

  // Puts `run`, which is too long for the tail, into LMDB behind everything else, and makes it durable. By the
  // appending thread, which waits for it.
  absl::Status StoreDirectly(const FrameSpan& run);

  // Makes the index of all that is stored anew, between two transactions.
  absl::Status RebuildIndex(LogIndexer& indexer);

  // As EventLog has them, by any thread. The base moves with the next transaction; what lies before it is removed with
  // those that store events, and where there are none, by transactions of its own.
  absl::Status Prune(const PruneRequest& request);
  absl::Status FreePruned();
  absl::Status StorePolicy(const std::string& policy);

  // Keeps the snapshot until its events are in LMDB. If kSnapshotsMax wait already, it is dropped.
  void AddSnapshot(const Snapshot& snapshot);

  // The newest waiting snapshot at or before `at_most`.
  std::optional<Snapshot> FindSnapshot(Sequence at_most) const;

  // Ends the thread after the attempt in progress. What is not moved yet stays in the tail.
  void Stop();

 private:
  void WakeUp();
  void Run();
  absl::Status Attempt(bool move, const PruneRequest* prune, std::optional<absl::Status>& pruned);
  absl::Status MoveRun(const PruneRequest* prune);
  absl::Status PruneOnly(const PruneRequest* prune);
  absl::Status Put(const Store::Addition& addition);
  std::vector<Snapshot> SnapshotsUpTo(Sequence sequence);

  Store& store_;
  const WatchedFiles& watched_;
  TailRing& ring_;
  WriterProgress& progress_;
  const std::size_t backlog_words_;  // a backlog of so much is worth a transaction
  const std::size_t transaction_words_;

  std::mutex storing_;  // held while a thread writes to the store

  std::atomic<bool> woken_ = false;
  mutable std::mutex mutex_;  // of all below
  std::condition_variable wanted_;
  std::condition_variable attempted_;
  std::uint64_t attempts_ = 0;
  std::uint64_t attempts_wanted_ = 0;  // the highest count that a thread in DrainSome() waits for
  absl::Status last_attempt_;
  bool stopping_ = false;
  bool freeing_ = false;                    // batches that were pruned are left
  const PruneRequest* prune_ = nullptr;     // of the thread that waits in Prune()
  std::optional<absl::Status> prune_done_;  // what became of it
  std::vector<Snapshot> snapshots_;         // in order of their events

  BackgroundThread thread_;  // last, so that it ends before what it uses
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_WRITER_DRAIN_H_
