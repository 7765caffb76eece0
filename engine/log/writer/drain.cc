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

// A backlog of so much is worth a transaction's two flushes; of a small tail, a quarter.
constexpr std::size_t kBacklogWords = (std::size_t{1} << 20) / sizeof(std::uint64_t);
constexpr std::size_t kBacklogsInARing = 4;

// The most that one transaction takes: where events come fast, the flushes are then a small part of it. A half of the
// tail is left for what is appended meanwhile.
constexpr std::size_t kTransactionWords = (std::size_t{8} << 20) / sizeof(std::uint64_t);
constexpr std::size_t kTransactionsInARing = 2;

// How soon to try again after a disk was found full, if nobody asks for it before.
constexpr std::chrono::milliseconds kRetryInterval{200};

// Far more than are due in one transaction; a snapshot that is dropped costs some time later.
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

void TailDrain::WakeUp() {
  woken_.store(true, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  wanted_.notify_one();
}

absl::Status TailDrain::DrainSome() {
  std::unique_lock lock(mutex_);
  RETURN_IF_ERROR(progress_.Check());
  const std::uint64_t seen = attempts_;
  attempts_wanted_ = std::max(attempts_wanted_, seen + 1);
  wanted_.notify_one();
  attempted_.wait(lock, [&] { return attempts_ > seen || stopping_; });
  return last_attempt_;
}

absl::Status TailDrain::DrainAll() {
  const Sequence through = ring_.end_sequence();
  while (true) {
    RETURN_IF_ERROR(DrainSome());
    const std::lock_guard lock(mutex_);
    if (ring_.stored_sequence() >= through && snapshots_.empty()) return absl::OkStatus();
  }
}

absl::Status TailDrain::StoreDirectly(const FrameSpan& run) {
  RETURN_IF_ERROR(DrainAll());
  const FileSizeSignalBlocked blocked;  // this may be a thread of the program's own
  const std::lock_guard lock(storing_);
  const absl::Status stored = Put({run, ring_.end().position, {}});
  if (!stored.ok())
    return absl::IsResourceExhausted(stored) || absl::IsInvalidArgument(stored) ? stored : progress_.Stop(stored);
  ring_.Replace(run.after);
  progress_.NoteDurable(run.after.sequence);
  return absl::OkStatus();
}

void TailDrain::AddSnapshot(const Snapshot& snapshot) {
  const std::lock_guard lock(mutex_);
  if (snapshots_.size() >= kSnapshotsMax) return;
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

void TailDrain::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wanted_.notify_all();
    attempted_.notify_all();
  }
  thread_.Join();
}

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
  RETURN_IF_ERROR(Put({run.frames, run.end.position, snapshots}));
  ring_.Free(run.end);
  progress_.NoteDurable(run.end.chain.sequence);
  return absl::OkStatus();
}

// What is stored in a file that is no longer the log's is not stored.
absl::Status TailDrain::Put(const Store::Addition& addition) {
  RETURN_IF_ERROR(store_.Append(addition));
  return watched_.Check();
}

// Taken for good: if the transaction fails, they are lost, and nothing with them.
std::vector<Snapshot> TailDrain::SnapshotsUpTo(Sequence sequence) {
  const std::lock_guard lock(mutex_);
  const auto behind = std::find_if(snapshots_.begin(), snapshots_.end(),
                                   [&](const Snapshot& snapshot) { return snapshot.at.sequence > sequence; });
  std::vector<Snapshot> taken(std::make_move_iterator(snapshots_.begin()), std::make_move_iterator(behind));
  snapshots_.erase(snapshots_.begin(), behind);
  return taken;
}

}  // namespace foldlog
