// A row of the table `bases` in log.mdb: what was dropped before an earlier or the present base of the log, and for the
// present one the state there. schema/FORMAT.md has the layout.

#ifndef FOLDLOG_LOG_STORE_BASE_RECORD_H_
#define FOLDLOG_LOG_STORE_BASE_RECORD_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/log_index.h"

namespace foldlog {

struct BaseRecord {
  PrunedRange range = {};
  std::vector<std::uint64_t> state = {};  // at range.behind; only the newest row has one
};

// What a pruned log keeps of the events before its base.
struct PrunedPast {
  BaseRecord base = {};
  std::vector<IndexRow> operations = {};  // base.range.operations rows
};

// The row's value; its key is record.range.behind.sequence. Texts are cut to what a row may hold.
std::vector<std::uint64_t> EncodeBase(const BaseRecord& record);

// DataLoss if the row does not match its hash, or is of another layout.
absl::StatusOr<BaseRecord> DecodeBase(std::uint64_t key, std::span<const std::uint64_t> words);

// For who searches for rows: the words of the head, the place in it of the hash of the frame that the key names, and
// how many words the row has by its head, which may be anything; 0 if that is no head. More than the most is none,
// either.
inline constexpr std::uint64_t kBaseHeadWords = 9;
inline constexpr std::uint64_t kBaseHashWord = 3;
inline constexpr std::uint64_t kBaseWordsMax = std::uint64_t{1} << 24;
std::uint64_t BaseWords(std::span<const std::uint64_t> head);

// Two ranges that follow each other, as one.
PrunedRange Joined(const PrunedRange& earlier, const PrunedRange& later);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_BASE_RECORD_H_
