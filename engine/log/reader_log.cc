#include "engine/log/reader_log.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/log/frame_run.h"
#include "engine/log/tail_walk.h"
#include "engine/same_process.h"
#include "engine/status_macros.h"

namespace foldlog {
namespace {

// How often Close() wakes who has not noticed.
constexpr std::chrono::milliseconds kWakeInterval{1};

// Sees the tail without any lock, so that it can never stop the writer. The writer may overwrite what it reads at any
// moment: a frame is copied first, and believed only if the copy is intact and the next one of the chain. As no frame
// is overwritten before it is in LMDB, one that is found neither in the tail nor in LMDB does not exist yet.
class ReaderLog final : public EventLog {
 public:
  ReaderLog(std::string name, std::unique_ptr<LmdbStore> store, std::unique_ptr<TailFile> tail, TailShared shared,
            SnapshotCache snapshots)
      : name_(std::move(name)),
        store_(std::move(store)),
        tail_(std::move(tail)),
        shared_(std::move(shared)),
        snapshots_(std::move(snapshots)) {}

  absl::Status Append(const FrameRun&, Room) override { return RefuseWriting(); }
  absl::Status AppendWhole(const FrameRun&) override { return RefuseWriting(); }
  absl::Status Sync(Sequence) override { return RefuseWriting(); }
  absl::Status PutSnapshot(const Snapshot&) override { return RefuseWriting(); }

  absl::StatusOr<LogExtent> Extent() const override {
    ASSIGN_OR_RETURN(const auto open, LockOpen());
    return LookForEnd();
  }

  absl::StatusOr<FrameRun> Read(Sequence from, std::size_t bytes_max) const override {
    ASSIGN_OR_RETURN(const auto open, LockOpen());
    ASSIGN_OR_RETURN(CommitRecord commit, store_->ReadCommit());
    while (from > commit.last_sequence) {
      TailPlace at = StartBefore(from, commit);
      RunCollector collector(from, bytes_max);
      RETURN_IF_ERROR(Walk(at, [&](std::span<const std::uint64_t> frame, const ChainEnd& end) -> absl::StatusOr<bool> {
        if (end.sequence < from) return true;
        return collector.Add(frame);
      }));
      FrameRun run = std::move(collector).Take();
      if (!run.empty()) return run;
      ASSIGN_OR_RETURN(const CommitRecord now, store_->ReadCommit());
      if (now == commit) {
        RETURN_IF_ERROR(CheckReadable(from, ToExtent(commit, at.end), name_));
        return run;
      }
      commit = now;  // what was looked for in the tail may have moved on meanwhile
    }
    return store_->Read(from, bytes_max);
  }

  absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence at_most) const override {
    ASSIGN_OR_RETURN(const auto open, LockOpen());
    ASSIGN_OR_RETURN(std::optional<Snapshot> stored, store_->FindSnapshot(at_most));
    return Newer(snapshots_.Find(at_most), std::move(stored));
  }

  absl::StatusOr<bool> WaitForMore(Sequence behind, std::chrono::milliseconds timeout) const override {
    const auto end = [this]() -> absl::StatusOr<Sequence> {
      ASSIGN_OR_RETURN(const LogExtent extent, Extent());
      return extent.end.sequence;
    };
    ++waiting_;
    absl::StatusOr<bool> more = WaitForSequence(shared_, behind, timeout, end);
    --waiting_;
    return more;
  }

  // Who waits for more is woken until it has seen that the log is closed: only the writer can wake so that nobody
  // misses it who is about to wait.
  absl::Status Close() override {
    if (!process_.IsHere()) return absl::OkStatus();  // nothing here is the child's to close, not even the mutex
    {
      const std::unique_lock closing(closing_);
      store_.reset();
    }
    for (; waiting_ > 0; std::this_thread::sleep_for(kWakeInterval)) shared_.WakeWaiting();
    return absl::OkStatus();
  }

  const std::string& name() const override { return name_; }

 private:
  // What must not be closed under holds the result.
  absl::StatusOr<std::shared_lock<std::shared_mutex>> LockOpen() const {
    RETURN_IF_ERROR(process_.Check(name_));
    std::shared_lock open(closing_);
    if (!store_) return absl::FailedPreconditionError(absl::StrCat("the log ", name_, " is closed"));
    return open;
  }

  absl::Status RefuseWriting() const {
    RETURN_IF_ERROR(LockOpen().status());
    return absl::FailedPreconditionError(absl::StrCat("the log ", name_, " is open for reading only"));
  }

  LogExtent ToExtent(const CommitRecord& commit, const ChainEnd& end) const {
    LogExtent extent = foldlog::ToExtent(commit);
    extent.end = end;
    extent.durable_through = std::clamp(shared_.durable(*tail_), extent.stored_through, extent.end.sequence);
    return extent;
  }

  absl::StatusOr<LogExtent> LookForEnd() const {
    ASSIGN_OR_RETURN(CommitRecord commit, store_->ReadCommit());
    while (true) {
      const Sequence durable = shared_.durable(*tail_);
      TailPlace at = StartBefore(std::numeric_limits<Sequence>::max(), commit);
      RETURN_IF_ERROR(Walk(at, [](auto, const auto&) { return true; }));
      ASSIGN_OR_RETURN(const CommitRecord now, store_->ReadCommit());
      if (now.last_sequence <= at.end.sequence) {
        RETURN_IF_ERROR(tail_->CheckNothingIsMissing(at.end.sequence, durable));
        return ToExtent(now, at.end);
      }
      commit = now;
    }
  }

  // The nearest known place in the tail from which the chain leads to `sequence`.
  TailPlace StartBefore(Sequence sequence, const CommitRecord& commit) const {
    const std::lock_guard lock(mutex_);
    if (known_.end.sequence > commit.last_sequence && known_.end.sequence < sequence) return known_;
    return {commit.tail_position, {commit.last_sequence, commit.last_hash}};
  }

  // Gives every frame behind `at` to `use`, a copy valid during the call, and moves `at` behind it, until there are no
  // more or `use` wants none; then the place is remembered.
  template <typename Use>
  absl::Status Walk(TailPlace& at, const Use& use) const {
    std::vector<std::uint64_t> copy;
    const std::uint64_t start = at.position;
    while (const auto next = CopyFrameBehind(tail_->ring(), at, copy)) {
      if (next->position - start > tail_->ring().size()) break;
      absl::StatusOr<bool> wanted = use(std::span<const std::uint64_t>(copy), next->end);
      RETURN_IF_ERROR(wanted.status());
      if (!*wanted) break;
      at = *next;
    }
    const std::lock_guard lock(mutex_);
    if (at.end.sequence > known_.end.sequence) known_ = at;
    return absl::OkStatus();
  }

  const ProcessMark process_;
  const std::string name_;
  std::unique_ptr<LmdbStore> store_;  // nothing once closed
  const std::unique_ptr<TailFile> tail_;
  const TailShared shared_;
  const SnapshotCache snapshots_;
  mutable std::atomic<int> waiting_ = 0;  // threads in WaitForMore()
  mutable std::shared_mutex closing_;     // held shared by what must not be closed under
  mutable std::mutex mutex_;              // of known_
  mutable TailPlace known_;               // a place that the chain is known to lead to
};

}  // namespace

std::unique_ptr<EventLog> NewReaderLog(std::string name, std::unique_ptr<LmdbStore> store,
                                       std::unique_ptr<TailFile> tail, TailShared shared, SnapshotCache snapshots) {
  return std::make_unique<ReaderLog>(std::move(name), std::move(store), std::move(tail), std::move(shared),
                                     std::move(snapshots));
}

}  // namespace foldlog
