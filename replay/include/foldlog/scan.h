// Scans: a fold of your own over the events of a log, on several threads if it adds up, in order on one if not.
//
//   struct Errors {
//     std::int64_t count = 0;
//     void Add(const EventView& event) { count += event.has_error ? 1 : 0; }
//     void Merge(Errors later) { count += later.count; }
//   };
//   ASSIGN_OR_RETURN(const Errors errors, SumEvents<Errors>(*log));
//
//   absl::Status status = ForEachEvent(*log, {.from = 100}, [&](const EventView& event) { return Print(event); });
//
// Each event is checked on the way, and so is the chain from one part of a scan to the next. A scan sees the log up to
// the end that it had at the beginning. Views are valid during the call that they are given to.
//
// Only reads. The log must stay open during the call. Threads: any; SumEvents() starts some of its own, and ends them
// before it returns. Each adds up into sums that no other thread sees meanwhile.
//
// Errors are those of EventReader, for the first event that has one. An event that cannot be read ends a scan.

#ifndef FOLDLOG_SCAN_H_
#define FOLDLOG_SCAN_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/event_view.h"

namespace foldlog {

struct ScanOptions {
  // The events to scan: by default all. OutOfRange if the log does not hold them.
  std::optional<Sequence> from = {};
  std::optional<Sequence> through = {};
  // Threads; 0: one for each processor that this process may use.
  int jobs = 0;
};

// Consecutive events of a log, a part of a scan.
class ScanPart {
 public:
  ScanPart(const EventLog& log, Sequence from, Sequence through);

  // The next event; null behind the last of the part.
  absl::StatusOr<const EventView*> Next();

  // The chain before the first event and behind the last one that was read.
  const ChainEnd& before() const { return before_; }
  const ChainEnd& after() const { return reader_.position(); }

 private:
  ViewReader reader_;
  const std::string* log_name_;
  Sequence through_;
  ChainEnd before_;
};

// Which parts a scan is made of.
struct ScanPlan {
  ChainEnd base = {};  // of the log
  Sequence from = 1;
  Sequence through = 0;
  Sequence part_events = 1;
  int jobs = 1;

  std::size_t parts() const;
};
absl::StatusOr<ScanPlan> PlanScan(const EventLog& log, const ScanOptions& options);

// Calls `use` with each part and its number, from as many threads as the plan says, in any order, and afterwards checks
// that the parts make one chain. `use` reads its part to the end, or returns an error.
absl::Status ScanParts(const EventLog& log, const ScanPlan& plan,
                       const std::function<absl::Status(std::size_t, ScanPart&)>& use);

// The sum of all events: one Sum for each part, which begins as `zero` and takes the events in order by Add(), then the
// sums in order by Merge(). A Sum holds what its fold needs and little more: there are some dozens of them.
template <typename Sum>
absl::StatusOr<Sum> SumEvents(const EventLog& log, const ScanOptions& options = {}, const Sum& zero = Sum()) {
  const absl::StatusOr<ScanPlan> plan = PlanScan(log, options);
  if (!plan.ok()) return plan.status();
  std::vector<Sum> sums(plan->parts(), zero);
  const absl::Status scanned = ScanParts(log, *plan, [&](std::size_t number, ScanPart& part) -> absl::Status {
    Sum sum = zero;  // the thread's own: sums beside each other would share lines of the cache
    absl::StatusOr<const EventView*> event = part.Next();
    for (; event.ok() && *event != nullptr; event = part.Next()) sum.Add(**event);
    sums[number] = std::move(sum);
    return event.status();
  });
  if (!scanned.ok()) return scanned;
  Sum total = zero;
  for (Sum& sum : sums) total.Merge(std::move(sum));
  return total;
}

// Calls `use` with each event in order, on the calling thread, until it returns an error, which is then returned.
template <typename Use>
absl::Status ForEachEvent(const EventLog& log, const ScanOptions& options, Use use) {
  absl::StatusOr<ScanPlan> plan = PlanScan(log, options);
  if (!plan.ok()) return plan.status();
  plan->jobs = 1;
  plan->part_events = plan->through - plan->from + 1;
  return ScanParts(log, *plan, [&](std::size_t, ScanPart& part) -> absl::Status {
    absl::StatusOr<const EventView*> event = part.Next();
    for (; event.ok() && *event != nullptr; event = part.Next()) {
      if (absl::Status used = use(**event); !used.ok()) return used;
    }
    return event.status();
  });
}

}  // namespace foldlog

#endif  // FOLDLOG_SCAN_H_
