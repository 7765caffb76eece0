#include "engine/log/writer/writer_log.h"

#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/fork_guard.h"
#include "engine/base/status_macros.h"
#include "engine/log/frame_run.h"
#include "engine/log/tail/ring.h"
#include "engine/log/wait_for_more.h"
#include "engine/log/writer/drain.h"
#include "engine/log/writer/group_flush.h"
#include "engine/log/writer/interval_flush.h"
#include "engine/log/writer/progress.h"

namespace foldlog {
namespace {

// The part of the ring that only Space::kReserve may use. It holds hundreds of events that end or interrupt an
// operation, and an eighth of the smallest tail at most.
constexpr std::size_t kReserveWords = (std::size_t{64} << 10) / sizeof(std::uint64_t);
constexpr std::size_t kReserveShare = 8;

// Threads: see EventLog, and engine/log/README.md for the order of the locks. Invariant: end_ is the end of the chain
// that the next append must continue; only the appending thread moves it.
class WriterLog final : public EventLog {
 public:
  explicit WriterLog(WriterLogParts parts)
      : name_(std::move(parts.name)),
        lock_(std::move(parts.lock)),
        store_(std::move(parts.store)),
        tail_(std::move(parts.tail)),
        watched_(std::move(parts.watched)),
        shared_(std::move(parts.shared)),
        snapshots_(std::move(parts.snapshots)),
        base_(TailPosition{0, parts.base}),
        end_(parts.found.end.chain),
        reserve_words_(std::min(kReserveWords, tail_->ring().size() / kReserveShare)),
        progress_(name_, shared_, parts.durable),
        ring_(tail_->ring(), parts.stored, parts.found),
        flush_(*tail_, watched_, ring_, progress_),
        drain_(std::make_unique<TailDrain>(*store_, watched_, ring_, progress_)),
        interval_(std::make_unique<IntervalFlush>(ring_, flush_, progress_, parts.flush_interval)) {}

  // To be called once, before anything else. After a failure the log is closed, and its files are as they were.
  absl::Status Start() {
    absl::Status status = drain_->Start();
    if (status.ok()) status = interval_->Start();
    if (!status.ok()) {
      closed_ = true;
      return LetGo(std::move(status));
    }
    // Recovered events may be in the page cache only: the interval flush makes them durable within its bound.
    if (ring_.backlog_words() > 0) interval_->NoteAppended();
    return absl::OkStatus();
  }

  // A child made by fork() has copies of the threads' objects, but not the threads. Destroying those would wait for
  // threads that do not exist, so the child leaks them.
  ~WriterLog() override {
    Close().IgnoreError();
    if (process_.IsInside()) return;
    static_cast<void>(drain_.release());
    static_cast<void>(interval_.release());
  }

  absl::Status Append(const FrameRun& run, Space space) override {
    RETURN_IF_ERROR(CheckWritable());
    const FrameSpan frames = SpanOf(run);
    RETURN_IF_ERROR(CheckContinues(frames, end_, name_));
    if (frames.words.empty()) return absl::OkStatus();
    // A run too long for the ring goes into LMDB in a transaction of its own.
    if (frames.words.size() > ring_.run_words_max()) return StoreDirectly(frames);
    RETURN_IF_ERROR(MakeRoom(frames.words.size(), space));
    ring_.Append(frames);
    drain_->NoteAppended();
    interval_->NoteAppended();
    end_ = frames.after;
    return absl::OkStatus();
  }

  // Holds closing_ shared during the flush: Close() must not give up the files under it.
  absl::Status Sync(Sequence through) override {
    RETURN_IF_ERROR(CheckProcess());
    const std::shared_lock open(closing_);
    RETURN_IF_ERROR(CheckOpen());
    RETURN_IF_ERROR(CheckSyncable(through, CurrentExtent(), name_));
    return flush_.Sync(through);
  }

  // To the cache for the next opening, and to the drain for good.
  absl::Status PutSnapshot(const Snapshot& snapshot) override {
    RETURN_IF_ERROR(CheckWritable());
    RETURN_IF_ERROR(CheckSnapshotPlace(snapshot, CurrentExtent(), name_));
    snapshots_.Put(snapshot);
    drain_->AddSnapshot(snapshot);
    return absl::OkStatus();
  }

  absl::StatusOr<LogExtent> Extent() const override {
    RETURN_IF_ERROR(CheckProcess());
    const std::shared_lock open(closing_);
    RETURN_IF_ERROR(CheckOpen());
    return CurrentExtent();
  }

  absl::Status ReadInto(Sequence from, std::size_t bytes_max, FrameRun& run) const override {
    RETURN_IF_ERROR(CheckProcess());
    const std::shared_lock open(closing_);
    RETURN_IF_ERROR(CheckOpen());
    const LogExtent extent = CurrentExtent();
    RETURN_IF_ERROR(CheckReadable(from, extent, name_));
    // The ring first: while Read() looks, the drain may move the frames on into LMDB, but never back.
    if (from > extent.end.sequence) return ClearRun(from, run);
    ASSIGN_OR_RETURN(const bool read, ring_.Read(from, bytes_max, run));
    return read ? absl::OkStatus() : store_->file().ReadInto(from, bytes_max, run);
  }

  absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence at_most) const override {
    RETURN_IF_ERROR(CheckProcess());
    const std::shared_lock open(closing_);
    RETURN_IF_ERROR(CheckOpen());
    // The waiting ones first: a snapshot that is stored meanwhile is then found in one place or the other.
    std::optional<Snapshot> waiting = drain_->FindSnapshot(at_most);
    ASSIGN_OR_RETURN(std::optional<Snapshot> stored, store_->file().FindSnapshot(at_most));
    return Newer(Newer(std::move(waiting), std::move(stored)), snapshots_.Find(at_most));
  }

  absl::StatusOr<std::vector<IndexRow>> ReadIndex(IndexTable table, Sequence from, IndexOrder order,
                                                  std::size_t rows_max) const override {
    RETURN_IF_ERROR(CheckProcess());
    const std::shared_lock open(closing_);
    RETURN_IF_ERROR(CheckOpen());
    return store_->file().ReadIndex(table, from, order, rows_max);
  }

  absl::Status RebuildIndex(LogIndexer& indexer) override {
    RETURN_IF_ERROR(CheckWritable());
    return drain_->RebuildIndex(indexer);
  }

  absl::StatusOr<std::vector<PrunedRange>> ReadPruned() const override {
    ASSIGN_OR_RETURN(const auto open, LockOpen());
    return store_->file().ReadPruned();
  }

  absl::Status Prune(const PruneRequest& request) override {
    ASSIGN_OR_RETURN(const auto open, LockOpen());
    const std::lock_guard pruning(pruning_);
    RETURN_IF_ERROR(store_->EnsureWritable());
    RETURN_IF_ERROR(EvenOnAFullDisk([&] { return drain_->Prune(request); }));
    base_.Store({0, request.range.behind});
    return absl::OkStatus();
  }

  absl::Status FreePruned() override {
    ASSIGN_OR_RETURN(const auto open, LockOpen());
    const std::lock_guard pruning(pruning_);
    RETURN_IF_ERROR(store_->EnsureWritable());
    return EvenOnAFullDisk([&] { return drain_->FreePruned(); });
  }

  absl::StatusOr<std::vector<StoredBatch>> ReadBatches(Sequence from, std::size_t batches_max) const override {
    ASSIGN_OR_RETURN(const auto open, LockOpen());
    return store_->file().ReadBatches(from, batches_max);
  }

  absl::StatusOr<LogSpace> ReadSpace() const override {
    ASSIGN_OR_RETURN(const auto open, LockOpen());
    return ReadSpaceOf(store_->file(), name_);
  }

  absl::StatusOr<std::string> ReadPolicy() const override {
    ASSIGN_OR_RETURN(const auto open, LockOpen());
    return store_->file().ReadPolicy();
  }

  absl::Status StorePolicy(const std::string& policy) override {
    ASSIGN_OR_RETURN(const auto open, LockOpen());
    RETURN_IF_ERROR(store_->EnsureWritable());
    return drain_->StorePolicy(policy);
  }

  absl::StatusOr<bool> WaitForMore(Sequence behind, std::chrono::milliseconds timeout) const override {
    const auto end = [this]() -> absl::StatusOr<Sequence> {
      RETURN_IF_ERROR(CheckProcess());
      const std::shared_lock open(closing_);
      RETURN_IF_ERROR(CheckOpen());
      return ring_.end_sequence();
    };
    return foldlog::WaitForMore(shared_, behind, timeout, end);
  }

  absl::Status Close() override {
    if (!CheckProcess().ok())
      return absl::OkStatus();  // in a child of fork() even the mutex belongs to the parent's threads
    const std::unique_lock closing(closing_);
    if (closed_) return absl::OkStatus();
    closed_ = true;
    return LetGo(Settle());
  }

  const std::string& name() const override { return name_; }

 private:
  absl::Status CheckProcess() const { return process_.Check(name_); }

  absl::Status CheckOpen() const {
    return closed_ ? absl::FailedPreconditionError(absl::StrCat("the log ", name_, " is closed")) : absl::OkStatus();
  }

  // The caller holds the result while it uses the files. Close() waits for that.
  absl::StatusOr<std::shared_lock<std::shared_mutex>> LockOpen() const {
    RETURN_IF_ERROR(CheckProcess());
    std::shared_lock open(closing_);
    RETURN_IF_ERROR(CheckOpen());
    return open;
  }

  // A transaction that frees pages needs a few first. LMDB's free list has them as a rule; or else the cache of
  // snapshots gives up the reserve, and what it holds, which a later opening has to fold for.
  template <typename Step>
  absl::Status EvenOnAFullDisk(const Step& step) {
    const absl::Status done = step();
    if (!absl::IsResourceExhausted(done)) return done;
    snapshots_.GiveUp();
    absl::Status done_now = step();
    if (done_now.ok()) snapshots_.TakeReserve();
    return done_now;
  }

  // The first call checks all of log.mdb. Opening a log need not wait for that, but an append must: the writer would
  // promise events that LMDB cannot take from a damaged file.
  absl::Status CheckWritable() {
    RETURN_IF_ERROR(CheckProcess());
    RETURN_IF_ERROR(CheckOpen());
    RETURN_IF_ERROR(progress_.Check());
    if (store_is_sound_) return absl::OkStatus();
    const absl::Status sound = store_->EnsureWritable();
    if (absl::IsUnavailable(sound)) return progress_.Stop(sound);
    store_is_sound_ = sound.ok();
    return sound;
  }

  // Stored, durable and end are read in this order because each only grows: so none of them is seen beyond the next.
  LogExtent CurrentExtent() const {
    const Sequence stored = ring_.stored_sequence();
    const Sequence durable = std::max(progress_.durable(), stored);
    return {.base = base_.Load().chain, .end = ring_.end().chain, .durable_through = durable, .stored_through = stored};
  }

  // Readers are told here, because the interval flush sees nothing new in the ring.
  absl::Status StoreDirectly(const FrameSpan& frames) {
    RETURN_IF_ERROR(drain_->StoreDirectly(frames));
    end_ = frames.after;
    progress_.TellReaders();
    return absl::OkStatus();
  }

  // Waits for the drain while the ring is full. A run of at most run_words_max() always fits into an empty ring.
  absl::Status MakeRoom(std::size_t words, Space space) {
    const std::size_t reserve = space == Space::kUnreserved ? reserve_words_ : 0;
    while (!ring_.HasRoom(words, reserve)) RETURN_IF_ERROR(drain_->DrainSome());
    return absl::OkStatus();
  }

  // Flushes before it drains, because a flush of the tail needs no room on the disk. What a full disk keeps from being
  // drained is durable in the tail, and so a close in good order.
  absl::Status Settle() {
    RETURN_IF_ERROR(progress_.Check());
    RETURN_IF_ERROR(flush_.Sync(ring_.end_sequence()));
    if (const absl::Status there = watched_.Check(); !there.ok()) return progress_.Stop(there);
    const absl::Status stored = drain_->DrainAll();
    return absl::IsResourceExhausted(stored) ? absl::OkStatus() : stored;
  }

  // Gives up threads, files and lock; `status` says how the log ended. The threads end first, for they use the rest.
  absl::Status LetGo(absl::Status status) {
    interval_->Stop();
    drain_->Stop();
    store_.reset();  // before the lock: the next writer must be alone with LMDB's file
    progress_.TellReaders();
    if (status.ok()) status = lock_->MarkCleanClose();  // otherwise the next writer takes this one for dead
    lock_.reset();
    return status;
  }

  const ForkGuard process_;
  const std::string name_;
  std::unique_ptr<WriterLock> lock_;
  std::unique_ptr<Store> store_;
  const std::unique_ptr<TailFile> tail_;
  const WatchedFiles watched_;
  TailShared shared_;
  SnapshotCache snapshots_;
  SeqLockedPosition base_;  // only its chain is used; the pruning thread moves it
  ChainEnd end_;            // the appending thread's
  const std::size_t reserve_words_;
  WriterProgress progress_;
  TailRing ring_;
  GroupFlush flush_;
  bool store_is_sound_ = false;  // the appending thread's
  bool closed_ = false;
  std::mutex pruning_;                 // one thread at a time prunes
  mutable std::shared_mutex closing_;  // shared: calls in progress; exclusive: Close()

  // Last, because their threads use all members above.
  std::unique_ptr<TailDrain> drain_;
  std::unique_ptr<IntervalFlush> interval_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<EventLog>> NewWriterLog(WriterLogParts parts) {
  auto log = std::make_unique<WriterLog>(std::move(parts));
  RETURN_IF_ERROR(log->Start());
  return log;
}

}  // namespace foldlog
