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

// The most that one transaction takes: where events come fast, its flushes are then a small part of its time. The other
// half of the tail is left for appends during the transaction.
constexpr std::size_t kTransactionWords = (std::size_t{8} << 20) / sizeof(std::uint64_t);
constexpr std::size_t kTransactionsInARing = 2;

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
  const auto due = [this] {
    return stopping_ || attempts_ < attempts_wanted_ || ring_.backlog_words() >= backlog_words_;
  };
  while (true) {
    if (absl::IsResourceExhausted(last_attempt_)) {
      wanted_.wait_for(lock, kRetryInterval, [this] { return stopping_ || attempts_ < attempts_wanted_; });
    }
    wanted_.wait(lock, due);
    if (stopping_) return;
    woken_.store(false, std::memory_order_relaxed);
    lock.unlock();
    absl::Status attempt = Attempt();
    lock.lock();
    last_attempt_ = std::move(attempt);
    ++attempts_;
    attempted_.notify_all();
    if (!progress_.Check().ok()) return;
  }
}

// Only a full disk is known to have stored nothing. After any other failure the next transaction could store the same
// frames twice or leave a gap, so the writer stops.
absl::Status TailDrain::Attempt() {
  const std::lock_guard lock(storing_);
  RETURN_IF_ERROR(progress_.Check());
  const absl::Status moved = MoveRun();
  return moved.ok() || absl::IsResourceExhausted(moved) ? moved : progress_.Stop(moved);
}

absl::Status TailDrain::MoveRun() {
  ASSIGN_OR_RETURN(const TailRing::Run run, ring_.NextRun(transaction_words_));
  std::vector<Snapshot> snapshots = SnapshotsUpTo(run.end.chain.sequence);
  if (run.frames.words.empty() && snapshots.empty()) return absl::OkStatus();
  const absl::Status put = Put({run.frames, run.end.position, snapshots});
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
  RETURN_IF_ERROR(store_.Append(addition));
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
