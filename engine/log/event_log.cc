// What a log without an index answers.

#include "foldlog/event_log.h"

#include "absl/strings/str_cat.h"

namespace foldlog {

absl::StatusOr<std::vector<IndexRow>> EventLog::ReadIndex(IndexTable, Sequence, IndexOrder, std::size_t) const {
  return std::vector<IndexRow>();
}

absl::Status EventLog::RebuildIndex(LogIndexer&) {
  return absl::FailedPreconditionError(absl::StrCat("the log ", name(), " has no index, or is open for reading only"));
}

}  // namespace foldlog
