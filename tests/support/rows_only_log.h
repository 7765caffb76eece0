// A log without events, and with any rows of an index: for what reads those.

#ifndef FOLDLOG_TESTS_SUPPORT_ROWS_ONLY_LOG_H_
#define FOLDLOG_TESTS_SUPPORT_ROWS_ONLY_LOG_H_

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "foldlog/event_log.h"

namespace foldlog {

// Its tables have the same rows.
class RowsOnlyLog final : public EventLog {
 public:
  std::vector<IndexRow> rows;
  absl::Status failure;

  absl::StatusOr<std::vector<IndexRow>> ReadIndex(IndexTable, Sequence from, IndexOrder order,
                                                  std::size_t rows_max) const override {
    if (!failure.ok()) return failure;
    auto end = std::upper_bound(rows.begin(), rows.end(), from,
                                [](Sequence key, const IndexRow& row) { return key < row.key; });
    if (order == IndexOrder::kFalling) {
      std::vector<IndexRow> falling(std::make_reverse_iterator(end), std::make_reverse_iterator(rows.begin()));
      falling.resize(std::min(falling.size(), rows_max));
      return falling;
    }
    const auto begin = end == rows.begin() ? end : end - 1;
    std::vector<IndexRow> rising(begin, rows.end());
    rising.resize(std::min(rising.size(), rows_max));
    return rising;
  }
  absl::StatusOr<LogExtent> Extent() const override { return LogExtent{.end = {1000, 1}, .stored_through = 1000}; }
  absl::Status Append(const FrameRun&, Space) override { return absl::OkStatus(); }
  absl::Status Sync(Sequence) override { return absl::OkStatus(); }
  absl::Status PutSnapshot(const Snapshot&) override { return absl::OkStatus(); }
  absl::Status ReadInto(Sequence, std::size_t, FrameRun&) const override { return absl::OkStatus(); }
  absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence) const override { return std::optional<Snapshot>(); }
  absl::StatusOr<bool> WaitForMore(Sequence, std::chrono::milliseconds) const override { return false; }
  absl::Status Close() override { return absl::OkStatus(); }
  const std::string& name() const override { return name_; }

 private:
  std::string name_ = "(rows)";
};

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_ROWS_ONLY_LOG_H_
