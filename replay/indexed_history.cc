#include "replay/indexed_history.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/fold.h"
#include "engine/gaps.h"
#include "replay/history_scan.h"

namespace foldlog {
namespace {

Sequence FirstRow(Order order, Sequence cursor) {
  if (order == Order::kNewestFirst && cursor == 0) return std::numeric_limits<Sequence>::max();
  return cursor;
}

IndexOrder ToIndexOrder(Order order) {
  return order == Order::kOldestFirst ? IndexOrder::kRising : IndexOrder::kFalling;
}

// The state at event `through`, or where a fold can begin behind the gap before it.
absl::StatusOr<Fold> FoldAtOrBehind(const EventLog& log, Sequence through) {
  const Gap* const gap = GapUpTo(log, through);
  if (gap == nullptr) return FoldLog(log, through);
  ASSIGN_OR_RETURN(Fold behind, FoldBehindGap(log, *gap));
  if (behind.at.sequence >= through) return behind;
  return FoldLog(log, through);
}

}  // namespace

absl::StatusOr<std::vector<HistoryEntry>> OperationsBehind(const EventLog& log, Sequence through,
                                                           const LogExtent& extent) {
  ASSIGN_OR_RETURN(Fold fold, FoldAtOrBehind(log, through));
  // One that has ended has a row, though it is still on the log's own row.
  const State& state = fold.state;
  const bool over = state.operation && !state.active() && state.operation->last_sequence <= through;
  const Sequence has_row = over ? state.operation->first_sequence : 0;
  HistoryScan scan(log, std::move(fold), extent.end.sequence);
  std::vector<HistoryEntry> entries;
  while (true) {
    ASSIGN_OR_RETURN(std::optional<HistoryEntry> entry, scan.Next());
    if (!entry) return entries;
    if (entry->operation.first_sequence != has_row) entries.push_back(*std::move(entry));
  }
}

IndexedHistory::IndexedHistory(const EventLog& log, const LogExtent& extent, const OperationsIndexed& indexed,
                               Order order, Sequence cursor)
    : log_(&log),
      extent_(extent),
      indexed_(indexed),
      order_(order),
      cursor_(cursor),
      rows_(log, FirstRow(order, cursor), ToIndexOrder(order)) {}

absl::StatusOr<std::optional<HistoryEntry>> IndexedHistory::Next() {
  if (scan_) return scan_->Next();
  if (order_ == Order::kNewestFirst && !behind_) {
    // A page that goes on before a row needs nothing that has none.
    const absl::StatusOr<bool> among_rows = HasRowBehindCursor();
    if (absl::IsDataLoss(among_rows.status())) return Scan(among_rows.status());
    RETURN_IF_ERROR(among_rows.status());
    if (*among_rows) behind_.emplace();
  }
  if (order_ == Order::kNewestFirst) {
    ASSIGN_OR_RETURN(std::optional<HistoryEntry> entry, NextBehindRows());
    if (entry) return entry;
  }
  absl::StatusOr<std::optional<HistoryEntry>> entry = NextRow();
  if (absl::IsDataLoss(entry.status())) return Scan(entry.status());
  if (!entry.ok() || entry->has_value() || order_ == Order::kNewestFirst) return entry;
  return NextBehindRows();
}

absl::StatusOr<std::optional<HistoryEntry>> IndexedHistory::Scan(const absl::Status& damage) {
  NoteDamage(damage);
  if (extent_.base.sequence > 0) {
    NoteIncomplete(absl::DataLossError(absl::StrCat(
        "the log ", log_->name(), " was pruned up to event ", extent_.base.sequence,
        ", and what its index keeps of the operations before can't all be read; the operations since are complete: ",
        damage.message())));
  }
  ASSIGN_OR_RETURN(Fold at_base, FoldLog(*log_, extent_.base.sequence));
  scan_ = std::make_unique<HistoryScan>(*log_, std::move(at_base), extent_, order_);
  return scan_->Next();
}

absl::StatusOr<bool> IndexedHistory::HasRowBehindCursor() const {
  if (cursor_ == 0 || indexed_.operations == 0) return false;
  OperationRows rows(*log_, cursor_, IndexOrder::kRising);
  while (true) {  // the first row may lie before the cursor
    ASSIGN_OR_RETURN(const std::optional<OperationRow> row, rows.Next());
    if (!row || row->ordinal > indexed_.operations) return false;
    if (row->operation.first_sequence > cursor_) return true;
  }
}

absl::StatusOr<std::optional<HistoryEntry>> IndexedHistory::NextRow() {
  while (!rows_ended_) {
    ASSIGN_OR_RETURN(std::optional<OperationRow> row, rows_.Next());
    if (ordinal_ == 0) RETURN_IF_ERROR(CheckFirst(row));
    if (!row) {
      rows_ended_ = true;
      RETURN_IF_ERROR(CheckEnd());
      break;
    }
    ordinal_ = row->ordinal;
    // Rows may have been added meanwhile.
    if (ordinal_ > indexed_.operations) {
      rows_ended_ = order_ == Order::kOldestFirst;
      continue;
    }
    return std::optional(HistoryEntry{std::move(row->operation), row->reset_by});
  }
  return std::optional<HistoryEntry>();
}

absl::StatusOr<std::optional<HistoryEntry>> IndexedHistory::NextBehindRows() {
  if (!behind_) {
    ASSIGN_OR_RETURN(behind_, OperationsBehind(*log_, indexed_.through, extent_));
    if (order_ == Order::kOldestFirst) std::reverse(behind_->begin(), behind_->end());
  }
  if (behind_->empty()) return std::optional<HistoryEntry>();
  std::optional<HistoryEntry> entry = std::move(behind_->back());
  behind_->pop_back();
  return entry;
}

absl::Status IndexedHistory::Incomplete() const {
  return absl::DataLossError(absl::StrCat("the index of the log ", log_->name(),
                                          " lacks rows of operations; the events "
                                          "tell the same, and foldlog reindex makes the index anew"));
}

// Rows follow each other without gaps; so what has to be checked is that they begin and end where they should.
absl::Status IndexedHistory::CheckFirst(const std::optional<OperationRow>& row) const {
  if (!row) return CheckCursor();
  if (order_ == Order::kNewestFirst) {
    if (cursor_ != 0) return CheckCursor();
    return row->ordinal >= indexed_.operations ? absl::OkStatus() : Incomplete();
  }
  const bool is_the_oldest = row->operation.first_sequence > cursor_;
  return !is_the_oldest || row->ordinal == 1 ? absl::OkStatus() : Incomplete();
}

// Whether no row is missing between those before the cursor and those behind it.
absl::Status IndexedHistory::CheckCursor() const {
  if (indexed_.operations == 0) return absl::OkStatus();
  OperationRows rows(*log_, FirstRow(order_, cursor_), IndexOrder::kRising);
  ASSIGN_OR_RETURN(const std::optional<OperationRow> row, rows.Next());
  if (!row) return Incomplete();
  if (row->operation.first_sequence > FirstRow(order_, cursor_))
    return row->ordinal == 1 ? absl::OkStatus() : Incomplete();
  ASSIGN_OR_RETURN(const std::optional<OperationRow> behind, rows.Next());
  return behind || row->ordinal >= indexed_.operations ? absl::OkStatus() : Incomplete();
}

absl::Status IndexedHistory::CheckEnd() const {
  if (ordinal_ == 0) return absl::OkStatus();
  const bool complete = order_ == Order::kOldestFirst ? ordinal_ >= indexed_.operations : ordinal_ == 1;
  return complete ? absl::OkStatus() : Incomplete();
}

}  // namespace foldlog
