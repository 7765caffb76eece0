// Where an EventQuery gets its events from: the seam between the ways of finding them.

#ifndef FOLDLOG_REPLAY_EVENT_SOURCE_H_
#define FOLDLOG_REPLAY_EVENT_SOURCE_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event_query.h"

namespace foldlog {

// Events of a log, both inclusive; none if `from` is behind `through`.
struct EventRange {
  Sequence from = 0;
  Sequence through = 0;
  bool empty() const { return from > through; }
};

// Gives the events that pass, as EventQuery says of its own functions. Threads: one at a time.
class EventSource {
 public:
  EventSource() = default;
  EventSource(const EventSource&) = delete;
  EventSource& operator=(const EventSource&) = delete;
  virtual ~EventSource() = default;

  virtual absl::StatusOr<std::optional<QueriedEvent>> Next() = 0;
  virtual std::optional<Moment> moment_before() const = 0;
  virtual Sequence cursor() const = 0;
  virtual std::uint64_t batches_unpacked() const = 0;
  virtual absl::Status index_damage() const { return absl::OkStatus(); }
};

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_EVENT_SOURCE_H_
