// A row of the table `bases` in log.mdb: what was dropped before an earlier or the present base of the log, and for the
// present one the state there. schema/FORMAT.md has the layout.

#ifndef FOLDLOG_LOG_STORE_BASE_RECORD_H_
#define FOLDLOG_LOG_STORE_BASE_RECORD_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"

namespace foldlog {

struct BaseRecord {
  PrunedRange range = {};
  std::vector<std::uint64_t> state = {};  // at range.behind; only the newest row has one
};

// The row's value; its key is record.range.behind.sequence. Texts are cut to what a row may hold.
std::vector<std::uint64_t> EncodeBase(const BaseRecord& record);

// DataLoss if the row does not match its hash, or is of another layout.
absl::StatusOr<BaseRecord> DecodeBase(std::uint64_t key, std::span<const std::uint64_t> words);

// Two ranges that follow each other, as one.
PrunedRange Joined(const PrunedRange& earlier, const PrunedRange& later);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_BASE_RECORD_H_
