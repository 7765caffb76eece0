// EventQuery: those events of a log that a filter lets pass, oldest or newest first.
//
//   EventFilter filter{.since = yesterday, .kinds = {KindOf<Failed>, KindOf<Recovered>}};
//   ASSIGN_OR_RETURN(EventQuery query, EventQuery::Over(*log, filter, Order::kNewestFirst));
//   for (int i = 0; i < 50; ++i) {
//     ASSIGN_OR_RETURN(const std::optional<QueriedEvent> found, query.Next());
//     if (!found) break;
//     Use(found->event, found->operation_id);
//   }
//   // The next page: EventQuery::Over(*log, filter, Order::kNewestFirst, query.cursor()), unless the cursor is 0.
//
// Only reads. A query sees the log as it is when Over() is called; what is appended later belongs to later queries. Its
// memory does not grow with the log: newest first it holds the events of one batch. The log must outlive it. Threads:
// one at a time; a query that reads many batches starts some of its own, which read ahead, and ends them with itself.
// Values copy; a query moves, but does not copy.
//
// Hash and chain of every event that it reads are checked. What is inside is looked at only where the filter asks for
// it: an event that cannot be decoded is reported unless its kind is not wanted.

#ifndef FOLDLOG_EVENT_QUERY_H_
#define FOLDLOG_EVENT_QUERY_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event.h"
#include "foldlog/event_log.h"
#include "foldlog/order.h"

namespace foldlog {

// The place of a kind of event in EventBody and in KindNames(): KindOf<Failed>.
template <typename Body>
inline constexpr std::size_t KindOf = []<std::size_t... kinds>(std::index_sequence<kinds...>) {
  return ((std::is_same_v<std::variant_alternative_t<kinds, EventBody>, Body> ? kinds : 0) + ...);
}
(std::make_index_sequence<std::variant_size_v<EventBody>>());

// Which events are wanted: those for which everything that is set holds. By default, all.
struct EventFilter {
  // Sequence numbers, both inclusive. What lies outside of the log is passed over.
  Sequence from = 0;
  Sequence through = std::numeric_limits<Sequence>::max();
  // Times as the events have them, corrected by nothing: since <= time < until.
  std::optional<TimeNs> since = {};
  std::optional<TimeNs> until = {};
  // The kinds wanted, by KindOf<>; empty: every kind.
  std::set<std::size_t> kinds = {};
  // Events of this operation, up to the one that took it off the row: by the number of its first event, or by its id,
  // which means its latest use. An event that would have started an operation, but does not follow, is of none.
  Sequence operation = 0;
  std::optional<std::string> operation_id = {};
  // Events that name a file under this prefix: as current path, as last file, or as the path of an error. Bytes.
  std::string path_prefix = {};
  // Only errors: of files, failures, and imports that bring errors or have failed.
  bool with_error = false;
};

// An event with the operation that it belongs to.
struct QueriedEvent {
  RecordedEvent event = {};
  // The id of the operation that the event starts, even if it does not follow; otherwise of the one that it found on
  // the row, even if it took that off. Empty if there was none. (The same as Replayer::operation_id().)
  std::string operation_id = {};
  // The first event of that operation; 0 if there is none, or if it does not follow.
  Sequence operation = 0;
  bool operator==(const QueriedEvent&) const = default;
};

class EventSource;

// See the head of this file.
class EventQuery {
 public:
  // `cursor`: where an earlier query of the same filter and order stopped; 0: at the beginning. InvalidArgument if a
  // range is upside down, NotFound if the log knows no such operation; else the errors of reading the log.
  static absl::StatusOr<EventQuery> Over(const EventLog& log, const EventFilter& filter,
                                         Order order = Order::kOldestFirst, Sequence cursor = 0);

  EventQuery(EventQuery&&) noexcept;
  EventQuery& operator=(EventQuery&&) noexcept;
  ~EventQuery();

  // The next event that is wanted, or nothing at the end. DataLoss for an event that is damaged: the call may be
  // repeated, and goes on behind it if its frame is intact, or gives the same error again. Unimplemented if this
  // version does not know the kind of an event. Events in parts of the log that cannot hold an answer are not read, so
  // their damage is not reported.
  absl::StatusOr<std::optional<QueriedEvent>> Next();

  // The clocks at the event before the one that Next() gave last, if that event was looked at on the way.
  std::optional<Moment> moment_before() const;

  // Where a later page goes on: the sequence number behind (newest first: before) the last event that Next() gave, or
  // all that were looked at if there are no more. 0: there is no further page.
  Sequence cursor() const;

  // What was wrong with the log's index so far: then events were read in its place, and nothing is missing. OK if
  // nothing was, and in logs without an index.
  absl::Status index_damage() const;

  // How many times a part of the log, a batch of events or a part of its tail, was read so far. For tests and figures.
  std::uint64_t batches_unpacked() const;

 private:
  explicit EventQuery(std::unique_ptr<EventSource> source);

  std::unique_ptr<EventSource> source_;
  absl::Status at_end_;  // an error if durable events are missing behind the end of the log
};

// Whether the event tells of an error: of a file, of a failure, or of an import that brings some.
bool TellsOfAnError(const EventBody& body);

}  // namespace foldlog

#endif  // FOLDLOG_EVENT_QUERY_H_
