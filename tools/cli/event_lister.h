// The events that a query finds, each with what the clocks of the event before it in the log tell. Only reads.

#ifndef FOLDLOG_CLI_EVENT_LISTER_H_
#define FOLDLOG_CLI_EVENT_LISTER_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/event_query.h"
#include "tools/cli/event_summary.h"

namespace foldlog::cli {

struct ListedEvent {
  ShownEvent shown;
  std::string operation_id;
};

// The log must outlive it. Threads: one at a time.
class EventLister {
 public:
  EventLister(const EventLog& log, Order order) : log_(&log), order_(order) {}

  // Gives the events of this query next. Queries oldest first may follow each other.
  void List(EventQuery query) { query_.emplace(std::move(query)); }

  // The next one; nothing at the end of the query. Errors as EventQuery::Next() has them.
  absl::StatusOr<std::optional<ListedEvent>> Next();

 private:
  struct Place {
    Sequence sequence = 0;
    Moment at = {};
  };
  absl::StatusOr<std::optional<QueriedEvent>> NextQueried();
  absl::StatusOr<std::optional<QueriedEvent>> Take();
  std::optional<Moment> MomentBefore(Sequence sequence) const;

  const EventLog* log_;
  Order order_;
  std::optional<EventQuery> query_;
  std::optional<Place> last_;  // oldest first: of the event that was given last
  // Newest first: read ahead, for its clocks are those before the event that is given.
  std::optional<QueriedEvent> ahead_;
  std::optional<Moment> before_ = {};        // the event given, as the query saw it on the way …
  std::optional<Moment> before_ahead_ = {};  // … and the one read ahead
  absl::Status at_end_;                      // of reading ahead
};

// Whether a path or a message of the event has `text` in it. Bytes.
bool Mentions(const EventBody& body, const std::string& text);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_EVENT_LISTER_H_
