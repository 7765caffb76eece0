#include "foldlog/history.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/saturated.h"
#include "engine/base/status_macros.h"
#include "engine/fold.h"
#include "engine/missing_events.h"
#include "replay/history_filter.h"
#include "replay/history_scan.h"
#include "replay/history_source.h"
#include "replay/indexed_history.h"

namespace foldlog {
namespace {

void Add(const HistoryEntry& entry, Totals& totals) {
  const Operation& operation = entry.operation;
  ++totals.operations;
  ++(entry.reset_by ? totals.reset : totals.by_status.at(static_cast<std::size_t>(operation.status)));
  totals.files = SaturatedPlus(totals.files, operation.files_processed);
  totals.errors = SaturatedPlus(totals.errors, operation.error_count);
  totals.active_ns = SaturatedPlus(totals.active_ns, operation.active_ns);
  totals.paused_ns = SaturatedPlus(totals.paused_ns, operation.paused_ns);
  totals.interruptions = SaturatedPlus(totals.interruptions, operation.interruptions());
  for (std::size_t i = 0; i < kEvidenceKinds; ++i) {
    totals.interruptions_by.at(i) = SaturatedPlus(totals.interruptions_by.at(i), operation.interruptions_by.at(i));
  }
}

bool IsBehind(Sequence cursor, Order order, Sequence first_sequence) {
  if (cursor == 0) return true;
  return order == Order::kOldestFirst ? first_sequence >= cursor : first_sequence <= cursor;
}

}  // namespace

absl::StatusOr<HistoryQuery> HistoryQuery::Over(const EventLog& log, const HistoryFilter& filter, Order order,
                                                Sequence cursor) {
  RETURN_IF_ERROR(CheckFilter(filter));
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  absl::Status damage;
  const std::optional<OperationsIndexed> indexed = FindOperationsIndexed(log, extent.end.sequence, damage);
  std::unique_ptr<HistorySource> source;
  if (indexed) source = std::make_unique<IndexedHistory>(log, extent, *indexed, order, cursor);
  if (!indexed) {
    ASSIGN_OR_RETURN(Fold at_base, FoldLog(log, extent.base.sequence));
    source = std::make_unique<HistoryScan>(log, std::move(at_base), extent, order);
  }
  source->NoteDamage(damage);
  HistoryQuery query(std::move(source), filter, order, cursor);
  query.at_end_ = CheckNothingIsMissing(log, extent);
  return query;
}

HistoryQuery::HistoryQuery(std::unique_ptr<HistorySource> source, HistoryFilter filter, Order order, Sequence cursor)
    : source_(std::move(source)), filter_(std::move(filter)), order_(order), cursor_(cursor) {}
HistoryQuery::HistoryQuery(HistoryQuery&&) noexcept = default;
HistoryQuery& HistoryQuery::operator=(HistoryQuery&&) noexcept = default;
HistoryQuery::~HistoryQuery() = default;

absl::StatusOr<std::optional<HistoryEntry>> HistoryQuery::Next() {
  while (true) {
    ASSIGN_OR_RETURN(std::optional<HistoryEntry> entry, source_->Next());
    if (!entry) break;
    const Sequence first = entry->operation.first_sequence;
    if (!IsBehind(cursor_, order_, first)) continue;
    cursor_ = order_ == Order::kOldestFirst ? first + 1 : first - 1;
    if (Passes(filter_, *entry)) return entry;
    if (cursor_ == 0) break;
  }
  cursor_ = 0;
  RETURN_IF_ERROR(source_->incomplete());
  RETURN_IF_ERROR(at_end_);
  return std::optional<HistoryEntry>();
}

absl::Status HistoryQuery::index_damage() const { return source_->damage(); }

absl::StatusOr<std::vector<HistoryEntry>> ReadHistory(const EventLog& log) {
  ASSIGN_OR_RETURN(HistoryQuery query, HistoryQuery::Over(log));
  std::vector<HistoryEntry> history;
  while (true) {
    ASSIGN_OR_RETURN(std::optional<HistoryEntry> entry, query.Next());
    if (!entry) return history;
    history.push_back(*std::move(entry));
  }
}

absl::StatusOr<HistoryEntry> FindOperation(const EventLog& log, const std::string& operation_id) {
  ASSIGN_OR_RETURN(HistoryQuery query, HistoryQuery::Over(log, {.id_prefix = operation_id}, Order::kNewestFirst));
  while (true) {
    ASSIGN_OR_RETURN(std::optional<HistoryEntry> entry, query.Next());
    if (!entry) break;
    if (entry->operation.operation_id == operation_id) return *std::move(entry);
  }
  return absl::NotFoundError(
      absl::StrCat("the log ", log.name(), " knows no operation ", operation_id, "; its history lists those it knows"));
}

absl::StatusOr<Totals> SumUp(const EventLog& log, const HistoryFilter& filter) {
  ASSIGN_OR_RETURN(HistoryQuery query, HistoryQuery::Over(log, filter));
  Totals totals;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<HistoryEntry> entry, query.Next());
    if (!entry) return totals;
    Add(*entry, totals);
  }
}

}  // namespace foldlog
