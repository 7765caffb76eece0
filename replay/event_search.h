// The answer to an EventQuery by way of the index: batches whose summary rules them out are not read, and operations
// are found by their rows.

#ifndef FOLDLOG_REPLAY_EVENT_SEARCH_H_
#define FOLDLOG_REPLAY_EVENT_SEARCH_H_

#include <cstdint>
#include <deque>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/index/index_reader.h"
#include "foldlog/event_log.h"
#include "foldlog/event_query.h"
#include "replay/event_source.h"
#include "replay/operation_finder.h"
#include "replay/part_reader.h"
#include "replay/read_ahead.h"

namespace foldlog {

// `range` lies within `extent`, which is of the log; the log must outlive the search. Of `filter`, the operation is
// meant by its first event. It reads a batch forwards and holds what passes.
class EventSearch final : public EventSource {
 public:
  EventSearch(const EventLog& log, const LogExtent& extent, EventFilter filter, Order order, EventRange range);

  absl::StatusOr<std::optional<QueriedEvent>> Next() override;
  std::optional<Moment> moment_before() const override { return given_behind_; }
  Sequence cursor() const override { return cursor_; }
  std::uint64_t batches_unpacked() const override { return parts_read_; }
  absl::Status index_damage() const override;

 private:
  void PlanParts();
  std::optional<Part> NextPart();
  void CutAtGaps(Part part);
  bool TakePart();
  void ReadPart();
  bool ContinuesChain(const FoundPart& found) const;
  void Settle(FoundPart found);
  absl::StatusOr<std::optional<QueriedEvent>> Give();

  const EventLog* log_;
  const EventFilter filter_;
  const Order order_;
  OperationFinder operations_;
  std::deque<Part> pieces_;        // of a stretch that the log's gaps cut
  std::optional<BatchWalk> walk_;  // nothing: there is nothing to read
  PartReader reader_;              // of what is of no known batch
  ReadAhead ahead_;
  std::optional<Part> unsummarised_;  // behind what ahead_ has
  Part part_;                         // what is left of the part at hand
  FoundPart found_;                   // what was read of it, and is to be given; newest first, from its end
  // Oldest first: the end of what was read, and the clocks there.
  std::optional<ChainEnd> end_;
  std::optional<Moment> moment_;
  Sequence cursor_ = 0;
  std::uint64_t parts_read_ = 0;
  std::optional<Moment> given_behind_ = {};  // the clocks before the event that was given last
};

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_EVENT_SEARCH_H_
