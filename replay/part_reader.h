// Reads a part of a log and finds the events in it that a filter lets pass, whatever operation they are of.

#ifndef FOLDLOG_REPLAY_PART_READER_H_
#define FOLDLOG_REPLAY_PART_READER_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/codec/frame_reader.h"
#include "foldlog/event_log.h"
#include "foldlog/event_query.h"
#include "foldlog/order.h"
#include "replay/event_source.h"

namespace foldlog {

// Events to look at.
struct Part {
  EventRange range = {1, 0};
  // The first event of the batch in the log's store that they are all of; 0 if it is not known. Then the part may be of
  // any length.
  Sequence batch = 0;
};

// What stands in the place of an event: it, without its operation, or the error of one that is intact but cannot be
// decoded.
struct FoundEvent {
  absl::StatusOr<QueriedEvent> event;
  Sequence sequence = 0;
  std::size_t bytes = 0;  // of its frame
  std::optional<Moment> before = {};
};

// What a part holds, in rising order. Parts that are long or hold much are read in pieces: `read` is the first of them,
// or in the order kNewestFirst the last.
struct FoundPart {
  EventRange read = {1, 0};
  std::deque<FoundEvent> events = {};
  std::size_t bytes = 0;      // of the frames of those events
  absl::Status failure = {};  // of reading on behind `read`; what was found before it is true
  // The chain before the first event and behind the last, and the clocks at the last.
  ChainEnd before = {};
  ChainEnd after = {};
  std::optional<Moment> moment = {};
};

// The log and the filter must outlive it. Threads: one at a time.
class PartReader {
 public:
  PartReader(const EventLog& log, const EventFilter& filter, Order order);

  // Goes on behind the part that was read last where this one joins it, and otherwise takes the chain on trust.
  // `after`: the end of the chain before the part, where it is known.
  FoundPart Read(const Part& part, const std::optional<ChainEnd>& after = {});

 private:
  void Start(const Part& part, Sequence from, const std::optional<ChainEnd>& after);
  void StepOverPlain(Sequence through);
  absl::Status Look(const FrameView& frame, FoundPart& found);
  void Keep(absl::StatusOr<QueriedEvent> event, const FrameView& frame, FoundPart& found);
  void ForgetFirst(FoundPart& found) const;

  const EventLog* log_;
  const EventFilter* filter_;
  const Order order_;
  const bool wants_plain_;  // whether a checkpoint without an error may pass
  std::optional<FrameReader> reader_;
  std::optional<Moment> moment_;  // at the frame that was looked at last
};

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_PART_READER_H_
