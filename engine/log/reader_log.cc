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
#include "engine/base/fork_guard.h"
#include "engine/base/status_macros.h"
#include "engine/log/frame_run.h"
#include "engine/log/tail/walk.h"
#include "engine/log/tail/window.h"
#include "engine/log/wait_for_more.h"

namespace foldlog {
namespace {

// How often Close() wakes threads that wait and have not noticed it yet.
constexpr std::chrono::milliseconds kWakeInterval{1};

// How often LookForEnd() looks again before it reports damage: a commit in progress may look like a damaged meta page.
constexpr int kLooksMax = 4;
constexpr std::chrono::milliseconds kLookDelay{2};

// Takes no lock that the writer knows, so it can never stop the writer. The writer may overwrite the words that it
// reads at any moment: a frame is copied first, and believed only if the copy is intact and continues the chain. No
// frame is overwritten before LMDB has it, so an event found in neither place does not exist yet.
//
// Threads: any. Invariant: the chain leads to known_, which only moves forward.
class ReaderLog final : public EventLog {
 public:
  explicit ReaderLog(ReaderLogParts parts)
      : name_(std::move(parts.name)),
        file_(std::move(parts.file)),
        tail_(std::move(parts.tail)),
        shared_(std::move(parts.shared)),
        snapshots_(std::move(parts.snapshots)),
        claimed_when_opened_(parts.claimed),
        durable_when_opened_(parts.durable) {}

  absl::Status Append(const FrameRun&, Space) override { return RefuseWriting(); }
  absl::Status Sync(Sequence) override { return RefuseWriting(); }
  absl::Status PutSnapshot(const Snapshot&) override { return RefuseWriting(); }

  absl::StatusOr<LogExtent> Extent() const override {
    ASSIGN_OR_RETURN(const auto open, LockOpen());
    return LookForEnd();
  }

  // Events up to LastSeen() are in log.mdb. Newer ones are searched in the tail first.
  absl::Status ReadInto(Sequence from, std::size_t bytes_max, FrameRun& run) const override {
    ASSIGN_OR_RETURN(const auto open, LockOpen());
    if (from <= file_->LastSeen()) return file_->ReadInto(from, bytes_max, run);
    ASSIGN_OR_RETURN(CommitRecord commit, file_->ReadCommit());
    while (from > commit.end.sequence) {
      // The drain may move the frames on to log.mdb while this looks for them. Then the next commit record names them,
      // and the loop ends.
      TailPosition at = StartBefore(from, commit);
      RunCollector collector(from, bytes_max, std::exchange(run, {}));
      const auto collect = [&](std::span<const std::uint64_t> frame, const ChainEnd& end) -> absl::StatusOr<bool> {
        if (end.sequence < from) return true;
        return collector.Add(frame);
      };
      const absl::Status walked = Walk(at, collect);
      run = std::move(collector).Take();
      if (!run.empty()) return absl::OkStatus();
      RETURN_IF_ERROR(walked);
      ASSIGN_OR_RETURN(const LogExtent extent, LookForEnd());
      if (extent.end.sequence < from) {
        if (from <= extent.missing_through) {
          return tail_->CheckNothingIsMissing(extent.end.sequence, extent.missing_through);
        }
        return CheckReadable(from, extent, name_);
      }
      ASSIGN_OR_RETURN(commit,
                       file_->ReadCommit());  // the event has come, or has moved on into log.mdb
    }
    return file_->ReadInto(from, bytes_max, run);
  }

  absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence at_most) const override {
    ASSIGN_OR_RETURN(const auto open, LockOpen());
    // Both are caches: whichever is newer saves more folding.
    ASSIGN_OR_RETURN(std::optional<Snapshot> stored, file_->FindSnapshot(at_most));
    return Newer(snapshots_.Find(at_most), std::move(stored));
  }

  absl::StatusOr<std::vector<IndexRow>> ReadIndex(IndexTable table, Sequence from, IndexOrder order,
                                                  std::size_t rows_max) const override {
    ASSIGN_OR_RETURN(const auto open, LockOpen());
    return file_->ReadIndex(table, from, order, rows_max);
  }

  absl::StatusOr<std::vector<PrunedRange>> ReadPruned() const override {
    ASSIGN_OR_RETURN(const auto open, LockOpen());
    return file_->ReadPruned();
  }

  absl::StatusOr<std::vector<StoredBatch>> ReadBatches(Sequence from, std::size_t batches_max) const override {
    ASSIGN_OR_RETURN(const auto open, LockOpen());
    return file_->ReadBatches(from, batches_max);
  }

  absl::StatusOr<LogSpace> ReadSpace() const override {
    ASSIGN_OR_RETURN(const auto open, LockOpen());
    return ReadSpaceOf(*file_, name_);
  }

  absl::StatusOr<std::string> ReadPolicy() const override {
    ASSIGN_OR_RETURN(const auto open, LockOpen());
    return file_->ReadPolicy();
  }

  absl::StatusOr<bool> WaitForMore(Sequence behind, std::chrono::milliseconds timeout) const override {
    const auto end = [this]() -> absl::StatusOr<Sequence> {
      ASSIGN_OR_RETURN(const LogExtent extent, Extent());
      return extent.end.sequence;
    };
    ++waiting_;
    absl::StatusOr<bool> more = foldlog::WaitForMore(shared_, behind, timeout, end);
    --waiting_;
    return more;
  }

  // Wakes waiting threads again and again until each has seen that the log is closed. A reader may not store to the
  // shared word, so a thread that is just about to wait can miss a single wake-up.
  absl::Status Close() override {
    if (!process_.IsInside())
      return absl::OkStatus();  // in a child of fork() even the mutex belongs to the parent's threads
    {
      const std::unique_lock closing(closing_);
      file_.reset();
    }
    for (; waiting_ > 0; std::this_thread::sleep_for(kWakeInterval)) shared_.WakeWaiting();
    return absl::OkStatus();
  }

  const std::string& name() const override { return name_; }

 private:
  // The caller holds the result while it uses the files. Close() waits for that.
  absl::StatusOr<std::shared_lock<std::shared_mutex>> LockOpen() const {
    RETURN_IF_ERROR(process_.Check(name_));
    std::shared_lock open(closing_);
    if (!file_) return absl::FailedPreconditionError(absl::StrCat("the log ", name_, " is closed"));
    return open;
  }

  absl::Status RefuseWriting() const {
    RETURN_IF_ERROR(LockOpen().status());
    return absl::FailedPreconditionError(absl::StrCat("the log ", name_, " is open for reading only"));
  }

  // To be read before the end of the log is looked for: a bound that is read later could lie beyond that end, and look
  // like loss.
  Sequence KnownDurable() const {
    const Sequence shared = shared_.durable(*tail_);
    return shared != 0 ? shared : claimed_when_opened_;
  }

  // Beside a writer the ring has all that the copy has. As long as none has opened the log in this boot, a power cut
  // may have left of the ring less than of its copy.
  bool NeedsCopy() const { return shared_.durable(*tail_) == 0; }

  // log.mdb shows a commit a moment before it has reached the disk. Until another source says that it is durable, it
  // counts as neither durable nor stored.
  LogExtent ToExtent(const CommitRecord& commit, const ChainEnd& end, Sequence durable) const {
    LogExtent extent = foldlog::ToExtent(commit);
    extent.end = end;
    extent.durable_through = std::min(std::max(durable, durable_when_opened_), end.sequence);
    extent.stored_through = std::min(extent.stored_through, extent.durable_through);
    extent.missing_through = durable > end.sequence ? durable : 0;
    return extent;
  }

  // The last event in log.mdb and tail together. DataLoss if log.mdb tells of events behind it. The commit record is
  // read again after the walk, because a run that the drain moves meanwhile leaves the ring.
  absl::StatusOr<LogExtent> LookForEnd() const {
    ASSIGN_OR_RETURN(CommitRecord commit, file_->ReadCommit());
    for (int looks = 1;;) {
      const Sequence durable = KnownDurable();
      TailPosition at = StartBefore(std::numeric_limits<Sequence>::max(), commit);
      RETURN_IF_ERROR(Walk(at, [](auto, const auto&) { return true; }));
      ASSIGN_OR_RETURN(commit, file_->ReadCommit());
      if (commit.end.sequence > at.chain.sequence) continue;  // the drain has overtaken the walk
      const absl::Status whole = file_->CheckNothingIsMissing(at.chain);
      if (whole.ok()) return ToExtent(commit, at.chain, durable);
      if (looks++ == kLooksMax) return whole;
      std::this_thread::sleep_for(kLookDelay);
    }
  }

  // The nearest known place in the tail from which the chain leads to `sequence`. known_ is of use only while the ring
  // still holds the frames behind it.
  TailPosition StartBefore(Sequence sequence, const CommitRecord& commit) const {
    const std::lock_guard lock(mutex_);
    if (known_.chain.sequence > commit.end.sequence && known_.chain.sequence < sequence) return known_;
    return {commit.tail_position, commit.end};
  }

  // Calls `use` with each frame behind `at`, a copy that is valid during the call, and moves `at` behind it. Stops at
  // the end of the tail, or when `use` returns false, and remembers the place for the next call.
  template <typename Use>
  absl::Status Walk(TailPosition& at, const Use& use) const {
    TailWindow window(*tail_, NeedsCopy() ? TailWindow::Sources::kCopyAndRing : TailWindow::Sources::kRing);
    const std::uint64_t start = at.position;
    absl::StatusOr<std::optional<TailWindow::Step>> step = window.FrameBehind(at);
    for (; step.ok() && step->has_value(); step = window.FrameBehind(at)) {
      const auto& [frame, behind] = **step;
      // A walk longer than the ring follows words that the writer keeps replacing; its caller looks again from the
      // start.
      if (behind.position - start > tail_->ring_words()) break;
      const absl::StatusOr<bool> wanted = use(frame, behind.chain);
      RETURN_IF_ERROR(wanted.status());
      if (!*wanted) break;
      at = behind;
    }
    RETURN_IF_ERROR(step.status());
    const std::lock_guard lock(mutex_);
    if (at.chain.sequence > known_.chain.sequence) known_ = at;
    return absl::OkStatus();
  }

  const ForkGuard process_;
  const std::string name_;
  std::unique_ptr<LogFile> file_;  // null once closed
  const std::unique_ptr<TailFile> tail_;
  const TailShared shared_;
  const SnapshotCache snapshots_;
  const Sequence claimed_when_opened_;
  const Sequence durable_when_opened_;
  mutable std::atomic<int> waiting_ = 0;  // threads in WaitForMore()
  mutable std::shared_mutex closing_;     // shared: calls in progress; exclusive: Close()
  mutable std::mutex mutex_;              // guards known_
  mutable TailPosition known_;            // the furthest place that a walk has come to
};

}  // namespace

std::unique_ptr<EventLog> NewReaderLog(ReaderLogParts parts) { return std::make_unique<ReaderLog>(std::move(parts)); }

}  // namespace foldlog
