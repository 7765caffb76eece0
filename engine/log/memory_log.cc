#include "foldlog/memory_log.h"

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

  absl::Status Append(const FrameRun& run, Durability) override {
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(CheckOpen());
    RETURN_IF_ERROR(CheckContinues(run, end_, name_));
    if (run.empty()) return absl::OkStatus();
    end_ = run.after;
    runs_.emplace(run.before.sequence + 1, run);
    return absl::OkStatus();
  }

  absl::Status Sync(Sequence through) override {
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(CheckOpen());
    return CheckSyncable(through, {base_, end_, end_.sequence}, name_);
  }

  absl::Status PutSnapshot(const Snapshot& snapshot) override {
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(CheckOpen());
    RETURN_IF_ERROR(CheckSnapshotPlace(snapshot, {base_, end_, end_.sequence}, name_));
    snapshots_[snapshot.at.sequence] = snapshot;
    return absl::OkStatus();
  }

  absl::StatusOr<LogExtent> Extent() const override {
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(CheckOpen());
    return LogExtent{base_, end_, end_.sequence};
  }

  absl::StatusOr<FrameRun> Read(Sequence from, std::size_t bytes_max) const override {
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(CheckOpen());
    RETURN_IF_ERROR(CheckReadable(from, {base_, end_, end_.sequence}, name_));
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

  absl::Status Close() override {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    return absl::OkStatus();
  }

  const std::string& name() const override { return name_; }

 private:
  absl::Status CheckOpen() const {
    return closed_ ? absl::FailedPreconditionError("the log (memory) is closed") : absl::OkStatus();
  }

  const std::string name_ = "(memory)";
  mutable std::mutex mutex_;
  bool closed_ = false;
  ChainEnd base_;
  ChainEnd end_;
  std::map<Sequence, FrameRun> runs_;  // by first sequence number
  std::map<Sequence, Snapshot> snapshots_;
};

}  // namespace

std::unique_ptr<EventLog> NewMemoryLog() { return std::make_unique<MemoryLog>(); }

}  // namespace foldlog
