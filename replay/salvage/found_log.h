// A chain of pieces as a log that can be read: for what copies events and what shows them.

#ifndef FOLDLOG_SALVAGE_FOUND_LOG_H_
#define FOLDLOG_SALVAGE_FOUND_LOG_H_

#include <string>
#include <vector>

#include "foldlog/event_log.h"
#include "replay/salvage/chains.h"
#include "replay/salvage/search.h"

namespace foldlog::salvage {

// What is pointed to must outlive it. Threads: one.
class FoundLog final : public EventLog {
 public:
  FoundLog(const Chains& chains, const Chain& chain, PieceReader& reader, std::string name)
      : chains_(&chains), chain_(&chain), reader_(&reader), name_(std::move(name)) {}

  absl::StatusOr<LogExtent> Extent() const override {
    return LogExtent{.base = chain_->before,
                     .end = chain_->after,
                     .durable_through = chain_->after.sequence,
                     .stored_through = chain_->after.sequence};
  }
  absl::Status ReadInto(Sequence from, std::size_t bytes_max, FrameRun& run) const override;
  absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence) const override { return std::optional<Snapshot>(); }
  const std::string& name() const override { return name_; }

  absl::Status Append(const FrameRun&, Space) override { return Refuse(); }
  absl::Status Sync(Sequence) override { return Refuse(); }
  absl::Status PutSnapshot(const Snapshot&) override { return Refuse(); }
  absl::StatusOr<bool> WaitForMore(Sequence, std::chrono::milliseconds) const override { return Refuse(); }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  static absl::Status Refuse() { return absl::FailedPreconditionError("a view of what was found"); }

  const Chains* chains_;
  const Chain* chain_;
  PieceReader* reader_;
  const std::string name_;
};

}  // namespace foldlog::salvage

#endif  // FOLDLOG_SALVAGE_FOUND_LOG_H_
