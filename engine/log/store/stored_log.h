// StoredLog: the events in log.mdb, as a log that ends with what was stored last. For the writer, which reads from it
// what an indexer has to know.

#ifndef FOLDLOG_LOG_STORE_STORED_LOG_H_
#define FOLDLOG_LOG_STORE_STORED_LOG_H_

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/base/status_macros.h"
#include "engine/log/store/log_file.h"
#include "foldlog/event_log.h"

namespace foldlog {

// A view: `file` must outlive it. Threads: any.
class StoredLog final : public EventLog {
 public:
  explicit StoredLog(const LogFile& file, std::string name) : file_(file), name_(std::move(name)) {}

  absl::StatusOr<LogExtent> Extent() const override {
    ASSIGN_OR_RETURN(const CommitRecord commit, file_.ReadCommit());
    return ToExtent(commit);
  }
  absl::Status ReadInto(Sequence from, std::size_t bytes_max, FrameRun& run) const override {
    return file_.ReadInto(from, bytes_max, run);
  }
  absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence at_most) const override {
    return file_.FindSnapshot(at_most);
  }
  absl::StatusOr<std::vector<IndexRow>> ReadIndex(IndexTable table, Sequence from, IndexOrder order,
                                                  std::size_t rows_max) const override {
    return file_.ReadIndex(table, from, order, rows_max);
  }
  absl::StatusOr<std::vector<PrunedRange>> ReadPruned() const override { return file_.ReadPruned(); }
  const std::string& name() const override { return name_; }

  absl::Status Append(const FrameRun&, Space) override { return Refuse(); }
  absl::Status Sync(Sequence) override { return Refuse(); }
  absl::Status PutSnapshot(const Snapshot&) override { return Refuse(); }
  absl::StatusOr<bool> WaitForMore(Sequence, std::chrono::milliseconds) const override { return Refuse(); }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  static absl::Status Refuse() { return absl::FailedPreconditionError("a view of what is stored"); }

  const LogFile& file_;
  const std::string name_;
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_STORED_LOG_H_
