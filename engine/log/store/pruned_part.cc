#include "engine/log/store/pruned_part.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <span>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/base/word_hash.h"
#include "engine/log/store/base_record.h"

namespace foldlog {
namespace {

using lmdb_file::TreeCursor;
using lmdb_file::TreeKind;

TreeCursor CursorOf(const FileMoment& moment, const char* table, const lmdb_file::Tree& tree) {
  return {moment.file, moment.meta(), TreeKind::kTable, absl::StrCat("table ", table), tree};
}

// Calls `use` with the number of each transaction and the pages that it freed.
template <typename Use>
absl::Status WalkFreeList(const FileMoment& moment, const Use& use) {
  TreeCursor cursor(moment.file, moment.meta(), TreeKind::kFreeList, "the free list", moment.meta().free_list);
  std::vector<std::uint64_t> buffer;
  ASSIGN_OR_RETURN(bool more, cursor.First());
  while (more) {
    ASSIGN_OR_RETURN(const std::span<const std::uint64_t> words, cursor.Value(buffer));
    if (words.empty() || words[0] >= words.size()) return cursor.Damaged("a record of free pages is too short");
    use(cursor.key(), words.subspan(1, words[0]));
    ASSIGN_OR_RETURN(more, cursor.Next());
  }
  return absl::OkStatus();
}

// DataLoss unless the header of the run of pages that holds a value is what LMDB wrote.
absl::Status CheckRun(const FileMoment& moment, const lmdb_file::Node& node) {
  if (node.flags != lmdb_file::kBigData) return absl::OkStatus();
  const std::uint64_t page_bytes = moment.meta().page_bytes();
  const std::uint64_t page = lmdb_file::LoadU64(node.data);
  ASSIGN_OR_RETURN(const auto header, moment.file.ReadStruct<lmdb_file::PageHeader>(page * page_bytes));
  if (header.pgno == page && header.flags == lmdb_file::kOverflowPage &&
      header.overflow_pages() == lmdb_file::OverflowPagesFor(node.data_bytes, page_bytes)) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat(moment.file.path(), ": page ", page,
                                          ", the first of a batch that was pruned, is damaged; it stays"));
}

// The words of a policy: hash, bytes of the text, the text.
constexpr std::size_t kPolicyHeadWords = 2;

}  // namespace

absl::StatusOr<std::vector<PrunedRange>> ReadPrunedAt(const FileMoment& moment) {
  std::vector<PrunedRange> ranges;
  if (moment.commit.base.sequence == 0) return ranges;
  const absl::Status missing = moment.file.Damaged("the record of what was pruned is missing");
  if (!moment.bases) return missing;
  TreeCursor cursor = CursorOf(moment, kBasesTable, *moment.bases);
  std::vector<std::uint64_t> buffer;
  ASSIGN_OR_RETURN(bool more, cursor.First());
  while (more) {
    ASSIGN_OR_RETURN(const auto words, cursor.Value(buffer));
    absl::StatusOr<BaseRecord> record = DecodeBase(cursor.key(), words);
    if (!record.ok()) return moment.file.Damaged(record.status().message());
    ranges.push_back(std::move(record->range));
    ASSIGN_OR_RETURN(more, cursor.Next());
  }
  if (ranges.empty() || ranges.back().behind != moment.commit.base) return missing;
  return ranges;
}

absl::StatusOr<std::optional<Snapshot>> ReadBaseState(const FileMoment& moment) {
  const ChainEnd& base = moment.commit.base;
  if (base.sequence == 0) return std::optional<Snapshot>();
  const absl::Status missing =
      moment.file.Damaged("the state at the log's base, event ", base.sequence, ", is missing");
  if (!moment.bases) return missing;
  TreeCursor cursor = CursorOf(moment, kBasesTable, *moment.bases);
  ASSIGN_OR_RETURN(const bool found, cursor.SeekFloor(base.sequence));
  if (!found || cursor.key() != base.sequence) return missing;
  std::vector<std::uint64_t> buffer;
  ASSIGN_OR_RETURN(const auto words, cursor.Value(buffer));
  absl::StatusOr<BaseRecord> record = DecodeBase(cursor.key(), words);
  if (!record.ok()) return moment.file.Damaged(record.status().message());
  if (record->range.behind != base || record->state.empty()) return missing;
  return Snapshot{.at = base, .words = std::move(record->state)};
}

absl::StatusOr<std::vector<StoredBatch>> ReadBatchesAt(const FileMoment& moment, Sequence from,
                                                       std::size_t batches_max) {
  const std::uint64_t page_bytes = moment.meta().page_bytes();
  TreeCursor cursor = CursorOf(moment, kEventsTable, moment.events);
  std::vector<StoredBatch> batches;
  ASSIGN_OR_RETURN(bool more, cursor.SeekFloor(from));
  if (!more) {
    ASSIGN_OR_RETURN(more, cursor.First());
  }
  while (more && batches.size() < batches_max) {
    const lmdb_file::Node node = cursor.node();
    const bool in_run = node.flags == lmdb_file::kBigData;
    batches.push_back({cursor.key(), in_run ? lmdb_file::OverflowPagesFor(node.data_bytes, page_bytes) * page_bytes
                                            : node.data_bytes});
    ASSIGN_OR_RETURN(more, cursor.Next());
  }
  return batches;
}

absl::StatusOr<DeadBatches> FindDeadBatches(const FileMoment& moment, Sequence base, std::size_t batches_max) {
  TreeCursor cursor = CursorOf(moment, kEventsTable, moment.events);
  DeadBatches dead;
  ASSIGN_OR_RETURN(bool more, cursor.First());
  while (more && cursor.key() <= base) {
    const Sequence key = cursor.key();
    const absl::Status sound = CheckRun(moment, cursor.node());
    ASSIGN_OR_RETURN(more, cursor.Next());
    const Sequence last = more ? cursor.key() - 1 : moment.commit.end.sequence;
    if (last > base) break;
    dead.more = dead.keys.size() == batches_max;
    if (dead.more) break;
    dead.damage = sound;
    if (!sound.ok()) break;
    dead.keys.push_back(key);
  }
  return dead;
}

std::vector<std::uint64_t> EncodePolicy(const std::string& policy) {
  std::vector<std::uint64_t> words(kPolicyHeadWords +
                                   (policy.size() + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t));
  words[1] = policy.size();
  std::memcpy(words.data() + kPolicyHeadWords, policy.data(), policy.size());
  words[0] = HashBehindFirstWord(words);
  return words;
}

absl::StatusOr<std::string> ReadPolicyAt(const FileMoment& moment) {
  TreeCursor cursor = CursorOf(moment, kMetaTable, moment.records);
  ASSIGN_OR_RETURN(const bool found, cursor.SeekFloor(kPolicyKey));
  if (!found || cursor.key() != kPolicyKey) return std::string();
  std::vector<std::uint64_t> buffer;
  ASSIGN_OR_RETURN(const auto words, cursor.Value(buffer));
  const bool sound = words.size() >= kPolicyHeadWords && words[0] == HashBehindFirstWord(words) &&
                     words[1] <= (words.size() - kPolicyHeadWords) * sizeof(std::uint64_t);
  if (!sound) return moment.file.Damaged("the record of the log's policy is damaged");
  return std::string(reinterpret_cast<const char*>(words.data() + kPolicyHeadWords), words[1]);
}

absl::StatusOr<LogSpace> ReadSpaceAt(const FileMoment& moment) {
  const std::uint64_t page_bytes = moment.meta().page_bytes();
  std::uint64_t free_pages = 0;
  RETURN_IF_ERROR(
      WalkFreeList(moment, [&](std::uint64_t, std::span<const std::uint64_t> pages) { free_pages += pages.size(); }));
  const std::uint64_t pages = moment.meta().last_page + 1;
  free_pages = std::min(free_pages, pages);
  LogSpace space;
  space.free_bytes = free_pages * page_bytes;
  space.used_bytes = (pages - free_pages) * page_bytes;
  return space;
}

absl::StatusOr<std::vector<PageRun>> FindUnusedPages(const FileMoment& moment) {
  const std::uint64_t newest = moment.meta().txn_id;
  std::vector<std::uint64_t> pages;
  RETURN_IF_ERROR(WalkFreeList(moment, [&](std::uint64_t txn_id, std::span<const std::uint64_t> freed) {
    if (txn_id < newest) pages.insert(pages.end(), freed.begin(), freed.end());
  }));
  std::sort(pages.begin(), pages.end());
  std::vector<PageRun> runs;
  for (const std::uint64_t page : pages) {
    if (page < lmdb_file::kMetaSlots || page > moment.meta().last_page)
      return moment.file.Damaged("the free list lists page ", page);
    if (runs.empty() || runs.back().first + runs.back().count != page) runs.push_back({page, 0});
    ++runs.back().count;
  }
  return runs;
}

}  // namespace foldlog
