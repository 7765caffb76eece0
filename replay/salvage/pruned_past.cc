#include "replay/salvage/pruned_past.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/index/index_reader.h"
#include "engine/log/store/log_file.h"
#include "engine/log/store/stored_log.h"

namespace foldlog::salvage {
namespace {

constexpr std::uint64_t kWindowWords = std::uint64_t{1} << 20;
constexpr std::size_t kRowsAtATime = 1024;

// The row that begins at `word`, if its hash is right.
std::optional<BaseRecord> BaseAt(const SearchedFile& file, std::uint64_t word, Sequence key) {
  std::vector<std::uint64_t> words(std::min(kBaseHeadWords, file.words() - word));
  file.Read(word, words);
  const std::uint64_t size = BaseWords(words);
  if (size == 0 || size > std::min(file.words() - word, kBaseWordsMax)) return std::nullopt;
  words.resize(size);
  file.Read(word, words);
  absl::StatusOr<BaseRecord> record = DecodeBase(key, words);
  return record.ok() && !record->state.empty() ? std::optional(*std::move(record)) : std::nullopt;
}

}  // namespace

std::optional<BaseRecord> FindBase(const SearchedFile& file, const ChainEnd& base, const ChainEnd& genesis) {
  std::vector<std::uint64_t> window;
  for (std::uint64_t at = 0; at < file.words(); at += window.size()) {
    window.resize(std::min(kWindowWords, file.words() - at));
    file.Read(at, window);
    for (auto hash = window.begin(); (hash = std::find(hash, window.end(), base.hash)) != window.end(); ++hash) {
      const std::uint64_t word = at + static_cast<std::uint64_t>(hash - window.begin());
      if (word < kBaseHashWord) continue;
      std::optional<BaseRecord> record = BaseAt(file, word - kBaseHashWord, base.sequence);
      if (!record || record->range.behind != base) continue;
      if (record->range.before != genesis) record->range.times = std::max<std::uint64_t>(record->range.times, 2);
      record->range.before = genesis;
      return record;
    }
  }
  return std::nullopt;
}

bool FindOperations(const std::string& path, const std::string& log, PrunedPast& past) {
  const std::uint64_t wanted = std::exchange(past.base.range.operations, 0);
  const absl::StatusOr<std::unique_ptr<LogFile>> file = LogFile::Open(path, log);
  if (!file.ok()) return wanted == 0;
  const StoredLog stored(**file, log);
  OperationRows rows(stored, 0, EventLog::IndexOrder::kRising);
  std::vector<IndexRow> kept;
  for (std::uint64_t ordinal = 1; ordinal <= wanted; ++ordinal) {
    const absl::StatusOr<std::optional<OperationRow>> row = rows.Next();
    if (!row.ok() || !*row || (*row)->ordinal != ordinal) return false;
  }
  while (kept.size() < wanted) {
    auto some =
        (*file)->ReadIndex(IndexTable::kOperations, kept.empty() ? 0 : kept.back().key + 1,
                           EventLog::IndexOrder::kRising, std::min<std::size_t>(kRowsAtATime, wanted - kept.size()));
    if (!some.ok() || some->empty()) return false;
    std::move(some->begin(), some->end(), std::back_inserter(kept));
  }
  past.operations = std::move(kept);
  past.base.range.operations = wanted;
  return true;
}

}  // namespace foldlog::salvage
