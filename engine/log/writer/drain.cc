#include "engine/log/writer/drain.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/file_system.h"
#include "engine/base/status_macros.h"

namespace foldlog {
namespace {

// A backlog of 1 MiB is worth the two flushes of a transaction; in a small tail, a quarter of it.
constexpr std::size_t kBacklogWords = (std::size_t{1} << 20) / sizeof(std::uint64_t);
constexpr std::size_t kBacklogsInARing = 4;

// What one transaction takes, about: where events come fast, its flushes are then a small part of its time. The other
// thirds of the tail are left for appends during the transaction. With halves, the second one of a full ring would end
// just before the lap does, for the reserve is kept free, and a tiny third would cost two flushes as well.
constexpr std::size_t kTransactionWords = (std::size_t{8} << 20) / sizeof(std::uint64_t);
constexpr std::size_t kTransactionsInARing = 3;

// How soon the thread tries again after it found the disk full, unless a thread in DrainSome() asks before.
constexpr std::chrono::milliseconds kRetryInterval{200};

// Far more than become due within one transaction. A dropped snapshot makes a later opening slower, and nothing else.
constexpr std::size_t kSnapshotsMax = 64;

}  // namespace

TailDrain::TailDrain(Store& store, const WatchedFiles& watched, TailRing& ring, WriterProgress& progress)
    : store_(store),
      watched_(watched),
      ring_(ring),
      progress_(progress),
      backlog_words_(std::min(kBacklogWords, ring.size_words() / kBacklogsInARing)),
      transaction_words_(std::min(kTransactionWords, ring.size_words() / kTransactionsInARing)) {}

absl::Status TailDrain::Start() {
  return thread_.Start("foldlog-drain", [this] { Run(); });
}

// woken_ spares the appending thread this mutex until the drain has begun. The notification is under the mutex: the
// drain looks at the backlog under it, so it either sees the append or is already waiting.
void TailDrain::WakeUp() {
  woken_.store(true, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  wanted_.notify_one();
}

// Check() is under the mutex, as is the end of Run(): either the writer is seen to have stopped, or the drain still
// makes the attempt that is asked for here.
absl::Status TailDrain::DrainSome() {
  std::unique_lock lock(mutex_);
  RETURN_IF_ERROR(progress_.Check());
  const std::uint64_t seen = attempts_;
  attempts_wanted_ = std::max(attempts_wanted_, seen + 1);
  wanted_.notify_one();
  attempted_.wait(lock, [&] { return attempts_ > seen || stopping_; });
  return last_attempt_;
}

// One attempt moves one run, and an attempt without frames still stores the snapshots that are due.
absl::Status TailDrain::DrainAll() {
  const Sequence through = ring_.end_sequence();
  while (true) {
    RETURN_IF_ERROR(DrainSome());
    const std::lock_guard lock(mutex_);
    if (ring_.stored_sequence() >= through && snapshots_.empty()) return absl::OkStatus();
  }
}

// The run is the next one for LMDB only when the ring is empty. It stays empty meanwhile, for the caller is the thread
// that appends. A full disk or a run that is too long stores nothing, so neither stops the writer.
absl::Status TailDrain::StoreDirectly(const FrameSpan& run) {
  RETURN_IF_ERROR(DrainAll());
  const FileSizeSignalBlocked blocked;  // the caller's thread, unlike the drain's, may get SIGXFSZ
  const std::lock_guard lock(storing_);
  const absl::Status stored = Put({run, ring_.end().position, {}});
  if (!stored.ok())
    return absl::IsResourceExhausted(stored) || absl::IsInvalidArgument(stored) ? stored : progress_.Stop(stored);
  ring_.Replace(run.after);
  progress_.NoteDurable(run.after.sequence);
  return absl::OkStatus();
}

// The waiting thread owns the request; the drain's takes it, and says what became of it under the same mutex.
absl::Status TailDrain::Prune(const PruneRequest& request) {
  std::unique_lock lock(mutex_);
  RETURN_IF_ERROR(progress_.Check());
  prune_ = &request;
  prune_done_.reset();
  wanted_.notify_one();
  attempted_.wait(lock, [&] { return prune_done_ || stopping_; });
  prune_ = nullptr;
  return prune_done_.value_or(absl::FailedPreconditionError("the log was closed before it was pruned"));
}

// A page that a transaction frees belongs to the transaction before, too: so one more passes before space is given
// back.
absl::Status TailDrain::FreePruned() {
  const FileSizeSignalBlocked blocked;
  for (bool more = true; more;) {
    const std::lock_guard lock(storing_);
    RETURN_IF_ERROR(progress_.Check());
    more = store_.HasMoreToFree();
    const absl::Status freed = PruneOnly(nullptr);
    if (absl::IsResourceExhausted(freed)) return freed;
    if (!freed.ok()) return progress_.Stop(freed);
  }
  const std::lock_guard lock(storing_);
  RETURN_IF_ERROR(store_.free_damage());
  return store_.file().PunchUnusedPages();
}

absl::Status TailDrain::StorePolicy(const std::string& policy) {
  const FileSizeSignalBlocked blocked;
  const std::lock_guard lock(storing_);
  RETURN_IF_ERROR(progress_.Check());
  absl::Status stored = store_.StorePolicy(policy);
  return stored.ok() || absl::IsResourceExhausted(stored) ? stored : progress_.Stop(stored);
}

// A full disk, or damage found in the events, leaves what was stored as it was. After anything else it is unknown what
// was committed.
absl::Status TailDrain::RebuildIndex(LogIndexer& indexer) {
  RETURN_IF_ERROR(DrainAll());
  const FileSizeSignalBlocked blocked;
  const std::lock_guard lock(storing_);
  absl::Status rebuilt = store_.RebuildIndex(indexer);
  if (rebuilt.ok() || absl::IsResourceExhausted(rebuilt) || absl::IsDataLoss(rebuilt)) return rebuilt;
  return progress_.Stop(rebuilt);
}

void TailDrain::AddSnapshot(const Snapshot& snapshot) {
  const std::lock_guard lock(mutex_);
  if (snapshots_.size() >= kSnapshotsMax) return;
  // In order of their events. A snapshot may be of any event of the log, so it need not be the last.
  const auto behind = std::find_if(snapshots_.begin(), snapshots_.end(),
                                   [&](const Snapshot& other) { return other.at.sequence > snapshot.at.sequence; });
  snapshots_.insert(behind, snapshot);
}

std::optional<Snapshot> TailDrain::FindSnapshot(Sequence at_most) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(snapshots_.rbegin(), snapshots_.rend(),
                                  [&](const Snapshot& snapshot) { return snapshot.at.sequence <= at_most; });
  return found == snapshots_.rend() ? std::nullopt : std::optional(*found);
}

// attempted_ is notified, too: no attempt will come that a thread in DrainSome() could wait for.
void TailDrain::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wanted_.notify_all();
    attempted_.notify_all();
  }
  thread_.Join();
}

// The drain's own thread. It holds mutex_ except during an attempt, so that appends and snapshots do not wait for the
// disk. After a full disk a backlog alone does not make an attempt due before kRetryInterval: trying at once would only
// burn the processor.
void TailDrain::Run() {
  std::unique_lock lock(mutex_);
  const auto to_move = [this] { return attempts_ < attempts_wanted_ || ring_.backlog_words() >= backlog_words_; };
  const auto to_prune = [this] { return prune_ != nullptr && !prune_done_; };
  while (true) {
    if (absl::IsResourceExhausted(last_attempt_)) {
      wanted_.wait_for(lock, kRetryInterval, [&] { return stopping_ || attempts_ < attempts_wanted_ || to_prune(); });
    }
    wanted_.wait(lock, [&] { return stopping_ || to_move() || to_prune() || freeing_; });
    if (stopping_) return;
    const bool move = to_move();
    const PruneRequest* const prune = to_prune() ? prune_ : nullptr;
    woken_.store(false, std::memory_order_relaxed);
    lock.unlock();
    std::optional<absl::Status> pruned;
    absl::Status attempt = Attempt(move, prune, pruned);
    lock.lock();
    last_attempt_ = std::move(attempt);
    if (prune != nullptr) prune_done_ = pruned.value_or(last_attempt_);
    ++attempts_;
    const absl::Status stopped = progress_.Check();
    if (!stopped.ok() && to_prune()) prune_done_ = stopped;  // a request that came during this attempt, the last one
    attempted_.notify_all();
    if (!stopped.ok()) return;
  }
}

// Only a full disk is known to have stored nothing. After any other failure the next transaction could store the same
// frames twice or leave a gap, so the writer stops.
absl::Status TailDrain::Attempt(bool move, const PruneRequest* prune, std::optional<absl::Status>& pruned) {
  const std::lock_guard lock(storing_);
  RETURN_IF_ERROR(progress_.Check());
  // A request that does not fit concerns only who made it.
  if (prune != nullptr) {
    const absl::Status fits = store_.CheckPrune(*prune);
    if (!fits.ok()) pruned = fits;
  }
  const PruneRequest* const fitting = pruned ? nullptr : prune;
  absl::Status done = move ? MoveRun(fitting) : PruneOnly(fitting);
  if (fitting != nullptr) pruned = done;
  // On a full disk what was pruned makes room for the frames.
  if (move && absl::IsResourceExhausted(done) && (fitting != nullptr || store_.HasMoreToFree())) {
    const absl::Status freed = PruneOnly(fitting);
    if (fitting != nullptr) pruned = freed;
    if (!freed.ok()) done = freed;
  }
  return done.ok() || absl::IsResourceExhausted(done) ? done : progress_.Stop(done);
}

absl::Status TailDrain::PruneOnly(const PruneRequest* prune) {
  const TailPosition stored = ring_.stored();
  Store::Addition addition{{{}, stored.chain, stored.chain}, stored.position, {}, prune};
  const absl::Status put = Put(addition);
  if (!absl::IsResourceExhausted(put)) return put;
  // The list of what becomes free takes several pages in a row, unless that is little.
  addition.freed_max = 1;
  return Put(addition);
}

absl::Status TailDrain::MoveRun(const PruneRequest* prune) {
  ASSIGN_OR_RETURN(const TailRing::Run run, ring_.NextRun(transaction_words_));
  std::vector<Snapshot> snapshots = SnapshotsUpTo(run.end.chain.sequence);
  if (run.frames.words.empty() && snapshots.empty() && prune == nullptr) return absl::OkStatus();
  const absl::Status put = Put({run.frames, run.end.position, snapshots, prune});
  // This process wrote or checked what is in the ring.
  if (absl::IsInvalidArgument(put)) return absl::DataLossError("the tail was changed by somebody else");
  RETURN_IF_ERROR(put);
  // In this order: a reader that misses frames in the ring must find them in LMDB.
  ring_.Free(run.end);
  progress_.NoteDurable(run.end.chain.sequence);
  return absl::OkStatus();
}

// If another file has taken the place of the log's, the transaction went into a file that nobody will read: it does not
// count as stored.
absl::Status TailDrain::Put(const Store::Addition& addition) {
  const absl::Status appended = store_.Append(addition);
  {
    const std::lock_guard lock(mutex_);
    freeing_ = store_.HasMoreToFree() && appended.ok();
  }
  RETURN_IF_ERROR(appended);
  return watched_.Check();
}

// Takes the snapshots out of the list for good. If the transaction fails they are lost: a later opening is slower, and
// no event is missing.
std::vector<Snapshot> TailDrain::SnapshotsUpTo(Sequence sequence) {
  const std::lock_guard lock(mutex_);
  const auto behind = std::find_if(snapshots_.begin(), snapshots_.end(),
                                   [&](const Snapshot& snapshot) { return snapshot.at.sequence > sequence; });
  std::vector<Snapshot> taken(std::make_move_iterator(snapshots_.begin()), std::make_move_iterator(behind));
  snapshots_.erase(snapshots_.begin(), behind);
  return taken;
}

}  // namespace foldlog
