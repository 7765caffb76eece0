#include "replay/verify/derived_check.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/base/word_hash.h"
#include "engine/codec/frame.h"
#include "engine/codec/state_codec.h"
#include "engine/index/row_hash.h"
#include "engine/log/store/stored_log.h"

namespace foldlog::verify {
namespace {

using Words = std::span<const std::uint64_t>;

// So many rows are compared at a time.
constexpr std::size_t kRowsAtATime = 256;

// Hash and event hash stand before the state.
constexpr std::size_t kSnapshotHeaderWords = 2;

bool IsSoundSnapshot(Words words) {
  return words.size() > kSnapshotHeaderWords && words[0] == HashBehindFirstWord(words);
}

std::string NextForSnapshot(const StoreSource& source, const SnapshotPlace& place) {
  if (place.cached) return absl::StrCat("remove ", place.file, " while nobody writes to the log: it is a cache");
  return absl::StrCat("foldlog export --log ", source.log,
                      " --jsonl FILE and foldlog import --log NEW --jsonl FILE make "
                      "the same log without its snapshots");
}

VerifyFinding SnapshotFinding(const StoreSource& source, const SnapshotPlace& place, std::string problem) {
  return {.part = VerifyPart::kSnapshot,
          .file = place.file,
          .page = place.cached ? std::nullopt : std::optional(place.offset / source.survey->page_bytes),
          .offset = place.offset,
          .message = absl::StrCat("the snapshot of event ", place.at, " ", problem),
          .next = NextForSnapshot(source, place)};
}

}  // namespace

void CompareSnapshot(const StoreSource& source, BatchChecker& reader, const SnapshotPlace& place, const ChainEnd& at,
                     const State& state, Findings& findings) {
  Words words;
  ChainEnd taken_at = {place.at, 0};
  if (place.cached) {
    words = place.cached->words;
    taken_at.hash = place.cached->at.hash;
  } else {
    const auto is_that = [&](Words found) { return IsSoundSnapshot(found) && found[1] == at.hash; };
    const absl::StatusOr<Words> stored = reader.ReadValue(kSnapshotsTable, place.entry, is_that);
    if (!stored.ok() || !IsSoundSnapshot(*stored)) {
      const std::string why = stored.ok() ? "its bytes do not match its hash" : Sentence(stored.status(), place.file);
      return findings.Add(SnapshotFinding(source, place, "is damaged, and is passed over: " + why));
    }
    words = stored->subspan(kSnapshotHeaderWords);
    taken_at.hash = (*stored)[1];
  }
  const absl::StatusOr<State> taken = DecodeState(words);
  VerifyFinding finding = SnapshotFinding(source, place, "");
  if (taken_at != at) {
    finding.message += "is of another event than the log's, and is passed over";
  } else if (!taken.ok()) {
    finding.message += "is of another version of the fold, and is passed over";
    finding.next.clear();
  } else if (*taken != state) {
    finding.message += "is not the state that the events give";
    return findings.Add(std::move(finding));
  } else {
    return;
  }
  finding.is_note = true;
  findings.Add(std::move(finding));
}

Derivation::Derivation(const StoreSource& source, EventIndexer::Progress start,
                       std::span<const SnapshotPlace> snapshots)
    : source_(&source), snapshots_(snapshots), reader_(source) {
  indexer_.Begin(std::move(start));
}

absl::Status Derivation::Add(Words frames, bool compare_row) {
  while (const std::optional<FrameView> frame = FrameAtStartOf(frames)) {
    indexer_.Add(frames.first(frame->size_words()));
    frames = frames.subspan(frame->size_words());
    while (!snapshots_.empty() && snapshots_.front().at <= frame->header.sequence) {
      const SnapshotPlace& place = snapshots_.front();
      if (place.at == frame->header.sequence) {
        CompareSnapshot(*source_, reader_, place, frame->end(), indexer_.Settled(), result_.findings);
      }
      snapshots_ = snapshots_.subspan(1);
    }
  }
  const std::size_t operations = rows_.operations.size();
  indexer_.EndBatch(rows_);
  if (!compare_row && !rows_.batches.empty()) rows_.batches.pop_back();
  for (std::size_t i = operations; i < rows_.operations.size(); ++i) {
    result_.operation_rows.push_back(rows_.operations[i].key);
  }
  const bool many = rows_.batches.size() >= kRowsAtATime || rows_.operations.size() >= kRowsAtATime;
  return many ? CompareRows() : absl::OkStatus();
}

absl::Status Derivation::Finish() { return CompareRows(); }

absl::Status Derivation::CompareRows() {
  for (const IndexRow& row : rows_.batches) result_.batch_rows.push_back(row.key);
  RETURN_IF_ERROR(CompareTable(IndexTable::kBatches, rows_.batches));
  RETURN_IF_ERROR(CompareTable(IndexTable::kOperations, rows_.operations));
  rows_ = {};
  return absl::OkStatus();
}

absl::Status Derivation::CompareTable(IndexTable table, const std::vector<IndexRow>& expected) {
  if (expected.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto stored, ReadRows(table, expected));
  for (const IndexRow& row : expected) {
    const auto found = stored.find(row.key);
    if (found != stored.end() && found->second != row) CompareRow(table, found->second, row);
  }
  return absl::OkStatus();
}

// Those of the rows that are there, by key. Where some page can't be read, each is looked for by itself.
absl::StatusOr<std::map<std::uint64_t, IndexRow>> Derivation::ReadRows(IndexTable table,
                                                                       const std::vector<IndexRow>& expected) {
  std::map<std::uint64_t, IndexRow> found;
  const Sequence last = expected.back().key;
  absl::Status read;
  for (Sequence next = expected.front().key; read.ok();) {
    auto rows = source_->file->ReadIndex(table, next, EventLog::IndexOrder::kRising, kRowsAtATime);
    read = rows.status();
    if (!rows.ok() || rows->empty()) break;
    const Sequence reached = rows->back().key;
    for (IndexRow& row : *rows) found.emplace(row.key, std::move(row));
    if (reached >= last || reached <= next) break;
    next = reached;
  }
  if (read.ok()) return found;
  if (!absl::IsDataLoss(read)) return read;
  for (const IndexRow& wanted : expected) {
    auto rows = source_->file->ReadIndex(table, wanted.key, EventLog::IndexOrder::kRising, 1);
    if (rows.ok() && !rows->empty()) found.emplace(rows->front().key, std::move(rows->front()));
  }
  return found;
}

// Other bytes may say the same: packed by another LZ4, without a dictionary, or by a writer that did not know how many
// operations there were.
void Derivation::CompareRow(IndexTable table, const IndexRow& stored, const IndexRow& expected) {
  std::string problem = "says other than its events";
  bool same = false;
  if (!IsSealed(stored)) {
    problem = "is damaged: its bytes do not match its hash";
  } else if (table == IndexTable::kBatches) {
    std::optional<BatchSummary> theirs = DecodeSummary(stored);
    const std::optional<BatchSummary> ours = DecodeSummary(expected);
    if (theirs && ours && !theirs->operations && ours->operations) {
      ++result_.uncounted;
      theirs->operations = ours->operations;
    }
    same = theirs && theirs == ours;
  } else {
    const StoredLog log(*source_->file, source_->log);
    OperationRowDecoder decoder(log);
    const std::optional<OperationRow> theirs = decoder.Decode(stored);
    same = theirs && theirs == decoder.Decode(expected);
    if (!theirs)
      problem = "can't be read: it is of another version of the fold, or the first row of its group is damaged";
  }
  if (same) return;
  const char* const name = table == IndexTable::kBatches ? "batch" : "operation";
  result_.findings.Add({.part = VerifyPart::kIndex,
                        .file = source_->path,
                        .message = absl::StrCat("the row of ", name, " ", stored.key, " ", problem),
                        .next = MakeIndexAnew(source_->log)});
}

}  // namespace foldlog::verify
