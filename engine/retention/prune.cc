// Which operations go, and the pruning itself.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "engine/base/saturated.h"
#include "engine/base/status_macros.h"
#include "engine/codec/state_codec.h"
#include "engine/fold.h"
#include "engine/index/index_reader.h"
#include "foldlog/retention.h"

namespace foldlog {
namespace {

constexpr std::size_t kBatchesAtATime = 1024;

// Gives the bytes of batches, in the order of their events.
class BatchSizes {
 public:
  BatchSizes(const EventLog& log, const LogExtent& extent) : log_(&log), stored_(extent.stored_through) {}

  // The bytes of those batches that end at or before `through`, behind those of the call before.
  absl::StatusOr<std::uint64_t> UpTo(Sequence through) {
    std::uint64_t bytes = 0;
    while (true) {
      if (at_ + 1 >= batches_.size() && !ended_) RETURN_IF_ERROR(Load());
      if (at_ >= batches_.size()) return bytes;
      const Sequence last = at_ + 1 < batches_.size() ? batches_[at_ + 1].first - 1 : stored_;
      if (last > through) return bytes;
      bytes += batches_[at_++].bytes;
    }
  }

 private:
  // The last one that is at hand is read again, to know where it ends.
  absl::Status Load() {
    const Sequence from = at_ < batches_.size() ? batches_[at_].first : 0;
    ASSIGN_OR_RETURN(batches_, log_->ReadBatches(from, kBatchesAtATime));
    at_ = 0;
    ended_ = batches_.size() < kBatchesAtATime;
    return absl::OkStatus();
  }

  const EventLog* log_;
  const Sequence stored_;
  std::vector<StoredBatch> batches_ = {};
  std::size_t at_ = 0;
  bool ended_ = false;
};

TimeNs EndOf(const Operation& operation) { return operation.completed_at.value_or(operation.updated_at); }

// Makes plan.runs: the operations behind the base that have rows, and whose events are all stored.
class RunLister {
 public:
  RunLister(const EventLog& log, const LogExtent& extent, PrunePlan& plan)
      : log_(&log), extent_(&extent), plan_(&plan) {}

  // Whether the operation on the row is over: it is kept, and counts among those that are.
  bool has_ended_on_row() const { return has_ended_on_row_; }

  absl::Status List() {
    absl::Status damage;
    const std::optional<OperationsIndexed> indexed = FindOperationsIndexed(*log_, extent_->stored_through, damage);
    if (!indexed) return Lack("the log has no index of its operations; foldlog reindex makes it");
    ASSIGN_OR_RETURN(const Fold fold, FoldLog(*log_, extent_->stored_through));
    const State& state = fold.state;
    has_ended_on_row_ = state.operation && !state.active();
    OperationRows rows(*log_, extent_->base.sequence + 1, IndexOrder::kRising);
    while (true) {
      absl::StatusOr<std::optional<OperationRow>> row = rows.Next();
      if (absl::IsDataLoss(row.status())) return Lack("rows of the index are damaged; foldlog reindex makes it anew");
      RETURN_IF_ERROR(row.status());
      if (!*row || (*row)->ordinal > indexed->operations) break;
      Operation& operation = (*row)->operation;
      if (operation.first_sequence <= extent_->base.sequence) continue;
      if (!plan_->runs.empty()) plan_->runs.back().through = operation.first_sequence - 1;
      plan_->runs.push_back({.operation = std::move(operation)});
      plan_->runs.back().ended = EndOf(plan_->runs.back().operation);
    }
    if (plan_->runs.empty()) return absl::OkStatus();
    // Behind the last row there may be an operation that is on the row, and events that nothing is known of.
    const Sequence on_row = state.operation ? state.operation->first_sequence : extent_->stored_through + 1;
    const bool all_known = indexed->through == extent_->stored_through && !state.misfit;
    if (all_known) plan_->runs.back().through = on_row - 1;
    if (plan_->runs.back().through < plan_->runs.back().operation.last_sequence) plan_->runs.pop_back();
    return absl::OkStatus();
  }

 private:
  absl::Status Lack(std::string why) {
    plan_->runs.clear();
    plan_->lacking = std::move(why);
    return absl::OkStatus();
  }

  const EventLog* log_;
  const LogExtent* extent_;
  PrunePlan* plan_;
  bool has_ended_on_row_ = false;
};

// Decides run by run, the oldest first.
class Judge {
 public:
  Judge(const RetentionPolicy& policy, TimeNs now, std::uint64_t taken_bytes)
      : policy_(policy), now_(now), taken_bytes_(taken_bytes) {}

  // `later` operations ended after it.
  void Decide(std::uint64_t later, PrunableRun& run) {
    const bool too_big = policy_.max_bytes && taken_bytes_ > *policy_.max_bytes;
    const bool among_last = policy_.keep_runs && later < *policy_.keep_runs;
    const bool recent = policy_.keep_since_ns && run.ended >= SaturatedMinus(now_, *policy_.keep_since_ns);
    const bool has_rule = policy_.keep_runs || policy_.keep_since_ns;
    if (run.ended > SaturatedMinus(now_, policy_.min_age_ns)) {
      run.why = "younger than min-age";
    } else if (has_rule && !among_last && !recent) {
      run.goes = true;
      run.why = policy_.keep_runs ? "more than keep-runs" : "before keep-since";
    } else if (too_big) {
      run.goes = true;
      run.why = "more than max-bytes";
    } else {
      run.why = among_last ? "one of keep-runs" : recent ? "within keep-since" : "within max-bytes";
    }
    if (run.goes) taken_bytes_ -= std::min(taken_bytes_, run.bytes);
  }

 private:
  const RetentionPolicy& policy_;
  const TimeNs now_;
  std::uint64_t taken_bytes_;
};

}  // namespace

absl::StatusOr<PrunePlan> PlanPrune(const EventLog& log, const RetentionPolicy& policy, TimeNs now) {
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  PrunePlan plan{.policy = policy, .now = now, .base = extent.base, .through = extent.base.sequence};
  ASSIGN_OR_RETURN(plan.space, log.ReadSpace());
  ASSIGN_OR_RETURN(const std::vector<PrunedRange> pruned, log.ReadPruned());
  if (!pruned.empty()) plan.operations = pruned.back().operations;
  RunLister lister(log, extent, plan);
  RETURN_IF_ERROR(lister.List());
  const std::size_t over = plan.runs.size() + (lister.has_ended_on_row() ? 1 : 0);
  BatchSizes sizes(log, extent);
  // What was pruned and is not free yet is as good as gone.
  ASSIGN_OR_RETURN(plan.going, sizes.UpTo(extent.base.sequence));
  Judge judge(policy, now,
              plan.space.used_bytes + plan.space.other_bytes - std::min(plan.space.used_bytes, plan.going));
  bool all_go = true;
  for (std::size_t i = 0; i < plan.runs.size(); ++i) {
    PrunableRun& run = plan.runs[i];
    ASSIGN_OR_RETURN(run.bytes, sizes.UpTo(run.through));
    if (!all_go) {
      run.why = "behind one that stays";
      continue;
    }
    judge.Decide(over - 1 - i, run);
    all_go = run.goes;
    if (!run.goes) continue;
    plan.through = run.through;
    plan.bytes += run.bytes;
    ++plan.operations;
  }
  return plan;
}

bool PrunePlan::gives_back() const {
  constexpr std::uint64_t kFreeBytesMax = std::uint64_t{32} << 20;
  const std::uint64_t held = space.disk_bytes - std::min(space.disk_bytes, space.used_bytes);
  return going == 0 && held > std::max(kFreeBytesMax, space.used_bytes / 2);
}

absl::Status Prune(EventLog& log, const PrunePlan& plan, const std::string& by) {
  if (plan.through == plan.base.sequence) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Fold fold, FoldLog(log, plan.through));
  PruneRequest request{.range = {.before = plan.base,
                                 .behind = fold.at,
                                 .time = plan.now,
                                 .operations = plan.operations,
                                 .policy = ToText(plan.policy),
                                 .by = by},
                       .state = {}};
  RETURN_IF_ERROR(EncodeState(fold.state, request.state));
  return log.Prune(request);
}

}  // namespace foldlog
