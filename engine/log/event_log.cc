// What a log without an index and without a file answers.

#include "foldlog/event_log.h"

#include "absl/strings/str_cat.h"

namespace foldlog {

absl::StatusOr<std::vector<IndexRow>> EventLog::ReadIndex(IndexTable, Sequence, IndexOrder, std::size_t) const {
  return std::vector<IndexRow>();
}

absl::Status EventLog::RebuildIndex(LogIndexer&) {
  return absl::FailedPreconditionError(absl::StrCat("the log ", name(), " has no index, or is open for reading only"));
}

absl::StatusOr<std::vector<PrunedRange>> EventLog::ReadPruned() const { return std::vector<PrunedRange>(); }

absl::Status EventLog::Prune(const PruneRequest&) {
  return absl::FailedPreconditionError(
      absl::StrCat("the log ", name(), " can't be pruned: it has no file, or is open for reading only"));
}

absl::Status EventLog::FreePruned() { return absl::OkStatus(); }

absl::StatusOr<std::vector<StoredBatch>> EventLog::ReadBatches(Sequence, std::size_t) const {
  return std::vector<StoredBatch>();
}

absl::StatusOr<LogSpace> EventLog::ReadSpace() const { return LogSpace(); }

absl::StatusOr<std::string> EventLog::ReadPolicy() const { return std::string(); }

absl::Status EventLog::StorePolicy(const std::string&) {
  return absl::FailedPreconditionError(
      absl::StrCat("the log ", name(), " keeps no policy: it has no file, or is open for reading only"));
}

}  // namespace foldlog
