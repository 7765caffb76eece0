// A log seen with another index than its own: none, or a damaged one.

#ifndef FOLDLOG_TESTS_SUPPORT_OTHER_INDEX_H_
#define FOLDLOG_TESTS_SUPPORT_OTHER_INDEX_H_

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "foldlog/event_log.h"

namespace foldlog {

// `change` gets each row that is read, and may spoil it; a row that it refuses is left out. Without a function there
// are no rows. Reads of events are counted.
class OtherIndex final : public EventLog {
 public:
  using Change = std::function<bool(IndexTable, IndexRow&)>;
  explicit OtherIndex(const EventLog& log, Change change = nullptr) : log_(log), change_(std::move(change)) {}

  absl::StatusOr<std::vector<IndexRow>> ReadIndex(IndexTable table, Sequence from, IndexOrder order,
                                                  std::size_t rows_max) const override {
    if (!change_) return std::vector<IndexRow>();
    auto rows = log_.ReadIndex(table, from, order, rows_max);
    if (!rows.ok()) return rows;
    std::erase_if(*rows, [&](IndexRow& row) { return !change_(table, row); });
    return rows;
  }
  absl::Status ReadInto(Sequence from, std::size_t bytes_max, FrameRun& run) const override {
    ++reads;
    return log_.ReadInto(from, bytes_max, run);
  }
  absl::StatusOr<LogExtent> Extent() const override { return log_.Extent(); }
  absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence at_most) const override {
    return log_.FindSnapshot(at_most);
  }
  absl::Status Append(const FrameRun&, Space) override { return absl::OkStatus(); }
  absl::Status Sync(Sequence) override { return absl::OkStatus(); }
  absl::Status PutSnapshot(const Snapshot&) override { return absl::OkStatus(); }
  absl::StatusOr<bool> WaitForMore(Sequence, std::chrono::milliseconds) const override { return false; }
  absl::Status Close() override { return absl::OkStatus(); }
  const std::string& name() const override { return log_.name(); }

  mutable std::atomic<int> reads = 0;

 private:
  const EventLog& log_;
  const Change change_;
};

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_OTHER_INDEX_H_
