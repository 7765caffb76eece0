#include "foldlog/scan.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/missing_events.h"
#include "replay/processors.h"

namespace foldlog {
namespace {

// A part begins within a batch, which its neighbour unpacks as well: parts of many batches make that cheap. Several
// parts a thread let all threads end at about the same time, however busy their processors are.
constexpr Sequence kPartEventsMin = 32 * 1024;
constexpr Sequence kPartsPerJob = 16;

// Where a part begins and ends in the chain.
struct Ends {
  ChainEnd before;
  ChainEnd after;
};

// What the threads of one scan share.
class Scan {
 public:
  Scan(const EventLog& log, const ScanPlan& plan, const std::function<absl::Status(std::size_t, ScanPart&)>& use)
      : log_(&log), plan_(&plan), use_(&use), ends_(plan.parts()), failures_(plan.parts()) {}

  // Takes part after part until there are no more. A part behind one that failed need not be read.
  void Work() {
    for (std::size_t number = next_++; number < ends_.size() && number < failed_; number = next_++) {
      const Sequence from = plan_->from + number * plan_->part_events;
      ScanPart part(*log_, from, std::min(plan_->through, from + (plan_->part_events - 1)));
      absl::Status used = (*use_)(number, part);
      ends_[number] = {part.before(), part.after()};
      if (used.ok()) continue;
      failures_[number] = std::move(used);
      std::size_t first = failed_;
      while (number < first && !failed_.compare_exchange_weak(first, number)) {
      }
    }
  }

  // The error of the first part that does not continue the part before it, or has one of its own. Only after all
  // threads.
  absl::Status Result() const {
    std::optional<ChainEnd> end;
    if (plan_->from == plan_->base.sequence + 1) end = plan_->base;
    for (std::size_t number = 0; number < ends_.size(); ++number) {
      const auto& [before, after] = ends_[number];
      const bool begun = after.sequence > before.sequence;
      if (begun && end && before != *end) return Broken(before.sequence + 1);
      RETURN_IF_ERROR(failures_[number]);
      end = after;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Broken(Sequence sequence) const {
    return absl::DataLossError(absl::StrCat("event ", sequence, " of the log ", log_->name(),
                                            ": the chain is broken: it does not name the event before as its "
                                            "predecessor"));
  }

  const EventLog* log_;
  const ScanPlan* plan_;
  const std::function<absl::Status(std::size_t, ScanPart&)>* use_;
  std::vector<Ends> ends_;
  std::vector<absl::Status> failures_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<std::size_t> failed_ = static_cast<std::size_t>(-1);  // the first part that failed
};

}  // namespace

// A part may begin anywhere, so its first link is taken on trust, and compared when the parts are put together.
ScanPart::ScanPart(const EventLog& log, Sequence from, Sequence through)
    : reader_(log, from), log_name_(&log.name()), through_(through), before_{from - 1, 0} {}

absl::StatusOr<const EventView*> ScanPart::Next() {
  const Sequence read = reader_.position().sequence;
  if (read >= through_) return nullptr;
  ASSIGN_OR_RETURN(const EventView* const view, reader_.Next());
  if (view == nullptr) {
    return absl::DataLossError(absl::StrCat("the log ", *log_name_, " ends before event ", through_));
  }
  if (read == before_.sequence) before_.hash = view->previous_hash;
  return view;
}

std::size_t ScanPlan::parts() const {
  return through < from ? 0 : static_cast<std::size_t>((through - from) / part_events + 1);
}

absl::StatusOr<ScanPlan> PlanScan(const EventLog& log, const ScanOptions& options) {
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  // Durable events are missing at the end: a scan of all would be one of what is left.
  if (!options.through) RETURN_IF_ERROR(CheckNothingIsMissing(log, extent));
  ScanPlan plan{.base = extent.base,
                .from = options.from.value_or(extent.base.sequence + 1),
                .through = options.through.value_or(extent.end.sequence),
                .jobs = options.jobs > 0 ? options.jobs : ProcessorsAllowed()};
  if (plan.from > 0 && plan.from <= extent.base.sequence) return log.Read(plan.from, 1).status();
  if (plan.from <= extent.base.sequence || plan.from > extent.end.sequence + 1 || plan.through > extent.end.sequence) {
    return absl::OutOfRangeError(absl::StrCat("events ", plan.from, " to ", plan.through, " do not all exist: the log ",
                                              log.name(), " holds events ", extent.base.sequence + 1, " to ",
                                              extent.end.sequence));
  }
  if (plan.parts() == 0) return plan;
  const Sequence events = plan.through - plan.from + 1;
  plan.part_events = std::max(kPartEventsMin, events / (kPartsPerJob * static_cast<Sequence>(plan.jobs)) + 1);
  return plan;
}

absl::Status ScanParts(const EventLog& log, const ScanPlan& plan,
                       const std::function<absl::Status(std::size_t, ScanPart&)>& use) {
  Scan scan(log, plan, use);
  std::vector<std::thread> threads;
  const std::size_t jobs = std::min(static_cast<std::size_t>(plan.jobs), plan.parts());
  while (threads.size() + 1 < jobs) threads.emplace_back([&scan] { scan.Work(); });
  scan.Work();
  for (std::thread& thread : threads) thread.join();
  return scan.Result();
}

}  // namespace foldlog
