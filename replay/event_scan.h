// The answer to an EventQuery from the events alone: every event in the range is read, and folded to learn which
// operation it is of. Slow and plain: what finds events in other ways has to find the same.

#ifndef FOLDLOG_REPLAY_EVENT_SCAN_H_
#define FOLDLOG_REPLAY_EVENT_SCAN_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "foldlog/event_query.h"
#include "foldlog/replayer.h"
#include "replay/event_source.h"

namespace foldlog {

// `range` lies within the log, which must outlive the scan; of `filter`, the operation is meant by its first event.
// Newest first it goes backwards in steps, folds each from the nearest snapshot, and holds what passes of one step.
class EventScan final : public EventSource {
 public:
  EventScan(const EventLog& log, EventFilter filter, Order order, EventRange range);

  absl::StatusOr<std::optional<QueriedEvent>> Next() override;
  Sequence cursor() const override { return cursor_; }
  std::uint64_t batches_unpacked() const override { return steps_; }

 private:
  using Item = absl::StatusOr<QueriedEvent>;  // an event, or the error that stands in its place

  absl::StatusOr<std::optional<QueriedEvent>> NextForwards();
  absl::Status CollectStep();
  absl::StatusOr<std::optional<QueriedEvent>> End();

  const EventLog* log_;
  EventFilter filter_;
  Order order_;
  EventRange left_;  // what was not read yet
  std::optional<Replayer> replayer_;
  std::vector<Item> step_;  // newest first: the rest of the step that was read last, to be given from its end
  Sequence cursor_ = 0;
  std::uint64_t steps_ = 0;
};

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_EVENT_SCAN_H_
