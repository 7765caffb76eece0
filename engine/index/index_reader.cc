#include "engine/index/index_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace foldlog {
namespace {

// The first look takes few, for many a question needs no more; each further one takes twice as many.
constexpr std::size_t kRowsAtFirst = 3;
constexpr std::size_t kRowsAtATimeMax = 512;

// To look for a row in the tree costs as much as to read so many.
constexpr std::size_t kRowsASeek = 32;

constexpr const char* kAdvice = "; the events tell the same, and foldlog reindex makes the index anew";

}  // namespace

IndexRowReader::IndexRowReader(const EventLog& log, IndexTable table, Sequence from, IndexOrder order)
    : log_(&log), table_(table), order_(order), next_(from), rows_wanted_(kRowsAtFirst) {}

absl::StatusOr<std::optional<IndexRow>> IndexRowReader::Next() {
  if (at_ == rows_.size() && !ended_) {
    const bool first_time = rows_.empty();
    ASSIGN_OR_RETURN(std::vector<IndexRow> rows, log_->ReadIndex(table_, next_, order_, rows_wanted_));
    rows_wanted_ = std::min(2 * rows_wanted_, kRowsAtATimeMax);
    // ReadIndex() begins with the row that was read last, unless that is gone.
    at_ = first_time || rows.empty() || rows.front().key != next_ ? 0 : 1;
    ended_ = rows.size() <= at_;
    rows_ = std::move(rows);
    if (!rows_.empty()) next_ = rows_.back().key;
  }
  if (ended_) return std::optional<IndexRow>();
  return std::optional(std::move(rows_[at_++]));
}

// Whether reading on costs less than to look for `key`, by how far apart the rows at hand are.
bool IndexRowReader::IsNear(Sequence key) const {
  const Sequence last = rows_.back().key;
  return (key - last) / kRowsASeek <= (last - rows_.front().key) / rows_.size();
}

absl::StatusOr<bool> IndexRowReader::SkipTo(Sequence key) {
  const Sequence given = rows_[at_ - 1].key;
  if (key < rows_.back().key) {
    const auto next = rows_.begin() + static_cast<std::ptrdiff_t>(at_);
    const auto behind =
        std::upper_bound(next, rows_.end(), key, [](Sequence wanted, const IndexRow& row) { return wanted < row.key; });
    if (behind == next) return false;
    at_ = static_cast<std::size_t>(behind - rows_.begin()) - 1;
    return true;
  }
  rows_wanted_ = IsNear(key) ? rows_wanted_ : kRowsAtFirst;
  ASSIGN_OR_RETURN(std::vector<IndexRow> rows, log_->ReadIndex(table_, key, order_, rows_wanted_));
  rows_wanted_ = std::min(2 * rows_wanted_, kRowsAtATimeMax);
  // The row that was given last is one with such a key, if no later one is.
  if (rows.empty() || rows.front().key < given || rows.front().key > key) {
    return absl::DataLossError(absl::StrCat("a row is missing before that of event ", key, kAdvice));
  }
  rows_ = std::move(rows);
  next_ = rows_.back().key;
  at_ = rows_.front().key == given ? 1 : 0;
  return at_ == 0;
}

BatchWalk::BatchWalk(const EventLog& log, Sequence first, Sequence last, IndexOrder order)
    : log_(&log),
      rows_(log, IndexTable::kBatches, order == IndexOrder::kRising ? first : last, order),
      rising_(order == IndexOrder::kRising),
      first_(first),
      last_(last) {}

void BatchWalk::NoteDamage(const absl::Status& damage) {
  if (damage_.ok()) {
    damage_ = absl::DataLossError(absl::StrCat("the index of the log ", log_->name(), ": ", damage.message(), kAdvice));
  }
}

// Skips what is damaged: events whose summary is missing must be read, whatever the reason.
std::optional<BatchSummary> BatchWalk::NextSummary() {
  while (!ended_) {
    const auto row = rows_.Next();
    if (!row.ok()) NoteDamage(row.status());
    ended_ = !row.ok() || !row->has_value();
    if (ended_) break;
    std::optional<BatchSummary> summary = DecodeSummary(**row);
    if (summary) return summary;
    NoteDamage(absl::DataLossError(absl::StrCat("the row of batch ", (*row)->key, " is damaged")));
  }
  return std::nullopt;
}

std::optional<Stretch> BatchWalk::Next() {
  if (first_ > last_) return std::nullopt;
  const auto is_passed = [&](const BatchSummary& summary) {
    return rising_ ? summary.last < first_ : summary.first > last_;
  };
  while (!ahead_ || is_passed(*ahead_)) {
    ahead_ = NextSummary();
    if (!ahead_) break;
  }
  Stretch stretch{first_, last_, {}};
  if (ahead_ && ahead_->first <= last_ && ahead_->last >= first_) {
    // A gap before the batch is a stretch of its own, without a summary.
    const bool gap = rising_ ? ahead_->first > first_ : ahead_->last < last_;
    if (!gap) stretch = {std::max(first_, ahead_->first), std::min(last_, ahead_->last), ahead_};
    if (gap && rising_) stretch.last = ahead_->first - 1;
    if (gap && !rising_) stretch.first = ahead_->last + 1;
  }
  if (rising_) first_ = stretch.last + 1;
  if (!rising_) last_ = stretch.first - 1;
  return stretch;
}

namespace {

// Rows of batches that were pruned may be gone, or tell of less than what the log keeps.
std::optional<OperationsIndexed> IndexedAtBase(const EventLog& log, absl::Status& damage) {
  const auto ranges = log.ReadPruned();
  if (!ranges.ok() && damage.ok()) damage = ranges.status();
  if (!ranges.ok() || ranges->empty()) return std::nullopt;
  return OperationsIndexed{ranges->back().behind.sequence, ranges->back().operations};
}

}  // namespace

std::optional<OperationsIndexed> FindOperationsIndexed(const EventLog& log, Sequence at_most, absl::Status& damage) {
  const std::optional<OperationsIndexed> at_base = IndexedAtBase(log, damage);
  const Sequence base = at_base ? at_base->through : 0;
  BatchWalk walk(log, 1, at_most, IndexOrder::kFalling);
  while (at_most > base) {
    const std::optional<Stretch> stretch = walk.Next();
    if (damage.ok()) damage = walk.damage();
    if (!stretch || stretch->last <= base) break;
    const std::optional<BatchSummary>& summary = stretch->summary;
    if (summary && summary->operations && summary->last <= at_most) {
      return OperationsIndexed{summary->last, *summary->operations};
    }
  }
  return at_base;
}

absl::StatusOr<bool> OperationRows::SkipTo(Sequence key) {
  ASSIGN_OR_RETURN(const bool skipped, rows_.SkipTo(key));
  if (skipped) previous_.reset();
  return skipped;
}

absl::StatusOr<std::optional<OperationRow>> OperationRows::Next() {
  ASSIGN_OR_RETURN(const std::optional<IndexRow> row, rows_.Next());
  if (!row) return std::optional<OperationRow>();
  std::optional<OperationRow> operation = decoder_.Decode(*row);
  if (!operation) return absl::DataLossError(absl::StrCat("the row of operation ", row->key, " is damaged", kAdvice));
  if (previous_ && operation->ordinal != (rising_ ? *previous_ + 1 : *previous_ - 1)) {
    return absl::DataLossError(absl::StrCat("a row is missing beside that of operation ", row->key, kAdvice));
  }
  previous_ = operation->ordinal;
  return operation;
}

}  // namespace foldlog
