#include "replay/history_scan.h"

#include <string>
#include <utility>
#include <variant>

#include "engine/base/status_macros.h"
#include "engine/gaps.h"

namespace foldlog {
namespace {

// Whether such an event ends what the state knows of the operation before it.
bool TakesOffTheRow(const EventBody& body) {
  return std::holds_alternative<Started>(body) || std::holds_alternative<Cleared>(body) ||
         std::holds_alternative<Reset>(body);
}

}  // namespace

HistoryScan::HistoryScan(const EventLog& log, Fold at_base, const LogExtent& extent, Order order)
    : log_(&log),
      reader_(log, at_base.at),
      fold_(std::move(at_base.state), log.name()),
      through_(extent.end.sequence),
      order_(order) {}

HistoryScan::HistoryScan(const EventLog& log, Fold fold, Sequence through)
    : log_(&log),
      reader_(log, fold.at),
      fold_(std::move(fold.state), log.name()),
      through_(through),
      order_(Order::kOldestFirst) {}

absl::StatusOr<std::optional<HistoryEntry>> HistoryScan::Next() {
  if (order_ == Order::kOldestFirst) return NextForwards();
  if (!read_) {
    std::vector<HistoryEntry> read;
    while (true) {
      ASSIGN_OR_RETURN(std::optional<HistoryEntry> entry, NextForwards());
      if (!entry) break;
      read.push_back(*std::move(entry));
    }
    read_ = std::move(read);
  }
  if (read_->empty()) return std::optional<HistoryEntry>();
  std::optional<HistoryEntry> last = std::move(read_->back());
  read_->pop_back();
  return last;
}

absl::StatusOr<std::optional<HistoryEntry>> HistoryScan::NextForwards() {
  while (fold_.sequence() < through_) {
    if (const Gap* const gap = GapAt(*log_, fold_.sequence() + 1)) {
      ASSIGN_OR_RETURN(std::optional<HistoryEntry> entry, StepOverGap(*gap));
      if (entry) return entry;
      continue;
    }
    if (reader_.IsRunDone()) fold_.Settle();
    const absl::StatusOr<const EventView*> next = reader_.Next();
    if (!next.ok() && reader_.position().sequence > fold_.sequence()) {  // the frame is intact, but holds no event
      fold_.AddMisfit(std::string(next.status().message()));
      continue;
    }
    RETURN_IF_ERROR(next.status());
    if (*next == nullptr) break;
    ASSIGN_OR_RETURN(std::optional<HistoryEntry> entry, FoldIn(**next));
    if (entry) return entry;
  }
  if (std::exchange(ended_, true) || !fold_.Settled().operation) return std::optional<HistoryEntry>();
  return std::optional(HistoryEntry{*fold_.Settled().operation, std::nullopt});
}

// A snapshot behind the gap may show that the same operation went on.
absl::StatusOr<std::optional<HistoryEntry>> HistoryScan::StepOverGap(const Gap& gap) {
  std::optional<Operation> before = fold_.Settled().operation;
  ASSIGN_OR_RETURN(Fold behind, FoldBehindGap(*log_, gap));
  const std::optional<Operation>& now = behind.state.operation;
  if (before && now && now->first_sequence == before->first_sequence) before.reset();
  reader_ = ViewReader(*log_, behind.at);
  fold_ = LazyFold(std::move(behind.state), log_->name());
  return before ? std::optional(HistoryEntry{*std::move(before), std::nullopt}) : std::nullopt;
}

// The state is copied only before events that may take an operation off the row: a copy for each event would cost far
// more than the fold.
absl::StatusOr<std::optional<HistoryEntry>> HistoryScan::FoldIn(const EventView& event) {
  if (event.decoded == nullptr || !TakesOffTheRow(event.decoded->body)) {
    RETURN_IF_ERROR(fold_.Add(event));
    return std::optional<HistoryEntry>();
  }
  State before = fold_.Settled();
  RETURN_IF_ERROR(fold_.Add(event));
  if (!before.operation || fold_.Settled().misfit) return std::optional<HistoryEntry>();
  const std::optional<Sequence> reset_by = before.active() ? std::optional(event.sequence) : std::nullopt;
  return std::optional(HistoryEntry{*std::move(before.operation), reset_by});
}

}  // namespace foldlog
