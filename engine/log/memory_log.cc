#include "foldlog/memory_log.h"

#include <atomic>
#include <iterator>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/futex.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"
#include "engine/log/frame_run.h"
#include "engine/log/wait_for_more.h"
#include "foldlog/owner.h"

namespace foldlog {
namespace {

// Threads: any, under one mutex. Runs are kept as they were appended: a copy of each, found by its first sequence
// number.
class MemoryLog final : public EventLog {
 public:
  MemoryLog() {
    // A random id, as a log on disk has: frames of one log cannot be appended to another.
    const std::string id = NewUuid();
    base_.hash = GenesisHash({reinterpret_cast<const std::uint8_t*>(id.data()), id.size()});
    end_ = base_;
  }

  // Memory has no reserve: Space makes no difference.
  absl::Status Append(const FrameRun& run, Space) override {
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(CheckOpen());
    RETURN_IF_ERROR(CheckContinues(SpanOf(run), end_, name_));
    if (run.empty()) return absl::OkStatus();
    end_ = run.after;
    runs_.emplace(run.before.sequence + 1, run);
    WakeWaiting();
    return absl::OkStatus();
  }

  absl::Status Sync(Sequence through) override {
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(CheckOpen());
    return CheckSyncable(through, AsExtent(), name_);
  }

  absl::Status PutSnapshot(const Snapshot& snapshot) override {
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(CheckOpen());
    RETURN_IF_ERROR(CheckSnapshotPlace(snapshot, AsExtent(), name_));
    snapshots_[snapshot.at.sequence] = snapshot;
    return absl::OkStatus();
  }

  absl::StatusOr<LogExtent> Extent() const override {
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(CheckOpen());
    return AsExtent();
  }

  absl::Status ReadInto(Sequence from, std::size_t bytes_max, FrameRun& run) const override {
    RunCollector collector(from, bytes_max, std::exchange(run, {}));
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(CheckOpen());
    RETURN_IF_ERROR(CheckReadable(from, AsExtent(), name_));
    const auto first = from > end_.sequence ? runs_.end() : std::prev(runs_.upper_bound(from));
    for (auto at = first; at != runs_.end(); ++at) {
      ASSIGN_OR_RETURN(const bool more, collector.Add(at->second.words));
      if (!more) break;
    }
    run = std::move(collector).Take();
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence at_most) const override {
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(CheckOpen());
    const auto after = snapshots_.upper_bound(at_most);
    if (after == snapshots_.begin()) return std::optional<Snapshot>();
    return std::optional<Snapshot>(std::prev(after)->second);
  }

  absl::StatusOr<bool> WaitForMore(Sequence behind, std::chrono::milliseconds timeout) const override {
    const auto end = [this]() -> absl::StatusOr<Sequence> {
      const std::lock_guard lock(mutex_);
      RETURN_IF_ERROR(CheckOpen());
      return end_.sequence;
    };
    // Counted before the wait reads the end, so an append behind that look sees a waiting thread and wakes it.
    ++waiting_;
    absl::StatusOr<bool> more = foldlog::WaitForMore(changed_, behind, timeout, end);
    --waiting_;
    return more;
  }

  absl::Status Close() override {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    WakeWaiting();
    return absl::OkStatus();
  }

  const std::string& name() const override { return name_; }

 private:
  // Every event is durable and stored at once, as far as memory is.
  LogExtent AsExtent() const { return {base_, end_, end_.sequence, end_.sequence}; }

  absl::Status CheckOpen() const {
    return closed_ ? absl::FailedPreconditionError("the log (memory) is closed") : absl::OkStatus();
  }

  // Called under the mutex, behind the change: a thread that begins to wait later sees the change itself. The system
  // call is made only if a thread waits.
  void WakeWaiting() {
    if (waiting_ > 0) changed_.Wake();
  }

  const std::string name_ = "(memory)";
  mutable std::atomic<int> waiting_ = 0;  // threads in WaitForMore()
  Futex changed_;
  mutable std::mutex mutex_;  // of all below
  bool closed_ = false;
  ChainEnd base_;
  ChainEnd end_;
  std::map<Sequence, FrameRun> runs_;  // by first sequence number
  std::map<Sequence, Snapshot> snapshots_;
};

}  // namespace

std::unique_ptr<EventLog> NewMemoryLog() { return std::make_unique<MemoryLog>(); }

}  // namespace foldlog
