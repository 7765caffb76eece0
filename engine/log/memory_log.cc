#include "foldlog/memory_log.h"

#include <condition_variable>
#include <iterator>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/frame.h"
#include "engine/log/frame_run.h"
#include "engine/status_macros.h"
#include "foldlog/owner.h"

namespace foldlog {
namespace {

class MemoryLog final : public EventLog {
 public:
  MemoryLog() {
    const std::string id = NewUuid();
    base_.hash = GenesisHash({reinterpret_cast<const std::uint8_t*>(id.data()), id.size()});
    end_ = base_;
  }

  absl::Status Append(const FrameRun& run, Room) override {
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(CheckOpen());
    RETURN_IF_ERROR(CheckContinues(SpanOf(run), end_, name_));
    if (run.empty()) return absl::OkStatus();
    end_ = run.after;
    runs_.emplace(run.before.sequence + 1, run);
    appended_.notify_all();
    return absl::OkStatus();
  }

  absl::Status AppendWhole(const FrameRun& run) override { return Append(run, Room::kOrdinary); }

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

  absl::StatusOr<FrameRun> Read(Sequence from, std::size_t bytes_max) const override {
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(CheckOpen());
    RETURN_IF_ERROR(CheckReadable(from, AsExtent(), name_));
    RunCollector collector(from, bytes_max);
    if (from > end_.sequence) return std::move(collector).Take();
    for (auto run = std::prev(runs_.upper_bound(from)); run != runs_.end(); ++run) {
      ASSIGN_OR_RETURN(const bool more, collector.Add(run->second.words));
      if (!more) break;
    }
    return std::move(collector).Take();
  }

  absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence at_most) const override {
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(CheckOpen());
    const auto after = snapshots_.upper_bound(at_most);
    if (after == snapshots_.begin()) return std::optional<Snapshot>();
    return std::optional<Snapshot>(std::prev(after)->second);
  }

  absl::StatusOr<bool> WaitForMore(Sequence behind, std::chrono::milliseconds timeout) const override {
    std::unique_lock lock(mutex_);
    appended_.wait_for(lock, timeout, [&] { return closed_ || end_.sequence > behind; });
    RETURN_IF_ERROR(CheckOpen());
    return end_.sequence > behind;
  }

  absl::Status Close() override {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    appended_.notify_all();
    return absl::OkStatus();
  }

  const std::string& name() const override { return name_; }

 private:
  LogExtent AsExtent() const { return {base_, end_, end_.sequence, end_.sequence}; }

  absl::Status CheckOpen() const {
    return closed_ ? absl::FailedPreconditionError("the log (memory) is closed") : absl::OkStatus();
  }

  const std::string name_ = "(memory)";
  mutable std::mutex mutex_;
  mutable std::condition_variable appended_;
  bool closed_ = false;
  ChainEnd base_;
  ChainEnd end_;
  std::map<Sequence, FrameRun> runs_;  // by first sequence number
  std::map<Sequence, Snapshot> snapshots_;
};

}  // namespace

std::unique_ptr<EventLog> NewMemoryLog() { return std::make_unique<MemoryLog>(); }

}  // namespace foldlog
