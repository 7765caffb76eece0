// The answer to an EventQuery by way of the index: batches whose summary rules them out are not read, and operations
// are found by their rows.

#ifndef FOLDLOG_REPLAY_EVENT_SEARCH_H_
#define FOLDLOG_REPLAY_EVENT_SEARCH_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/codec/frame_reader.h"
#include "engine/index/index_reader.h"
#include "foldlog/event_log.h"
#include "foldlog/event_query.h"
#include "replay/event_source.h"
#include "replay/operation_finder.h"

namespace foldlog {

// `range` lies within `extent`, which is of the log; the log must outlive the search. Of `filter`, the operation is
// meant by its first event. Newest first it reads a batch forwards and holds what passes.
class EventSearch final : public EventSource {
 public:
  EventSearch(const EventLog& log, const LogExtent& extent, EventFilter filter, Order order, EventRange range);

  absl::StatusOr<std::optional<QueriedEvent>> Next() override;
  std::optional<Moment> moment_before() const override { return given_behind_; }
  Sequence cursor() const override { return cursor_; }
  std::uint64_t batches_unpacked() const override { return parts_read_; }
  absl::Status index_damage() const override;

 private:
  // What stands in the place of an event: it, or its error.
  struct Item {
    absl::StatusOr<QueriedEvent> event;
    Sequence sequence = 0;
    std::size_t bytes = 0;
    std::optional<Moment> before = {};
  };

  absl::StatusOr<std::optional<QueriedEvent>> NextForwards();
  absl::StatusOr<std::optional<QueriedEvent>> NextBackwards();
  bool TakePart();
  absl::StatusOr<std::optional<Item>> NextItem(FrameReader& reader, Sequence through);
  absl::StatusOr<std::optional<QueriedEvent>> Match(const FrameView& frame);
  absl::Status CollectPart();

  const EventLog* log_;
  EventFilter filter_;
  Order order_;
  OperationFinder operations_;
  std::optional<BatchWalk> walk_;      // nothing: there is nothing to read
  EventRange part_ = {1, 0};           // what is left of the stretch at hand
  bool part_is_batch_ = false;         // so it is no larger than a batch
  std::optional<FrameReader> reader_;  // oldest first
  std::deque<Item> held_;              // newest first: to be given from its end
  Sequence cursor_ = 0;
  std::uint64_t parts_read_ = 0;
  // The clocks at the last frame that was looked at, which is of event `looked_at_`; and before the event given last.
  std::optional<Moment> moment_ = {};
  Sequence looked_at_ = 0;
  std::optional<Moment> given_behind_ = {};
};

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_EVENT_SEARCH_H_
