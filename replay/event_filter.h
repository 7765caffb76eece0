// Which events a filter of event_query.h lets pass. Pure.

#ifndef FOLDLOG_REPLAY_EVENT_FILTER_H_
#define FOLDLOG_REPLAY_EVENT_FILTER_H_

#include "absl/status/status.h"
#include "foldlog/event_query.h"

namespace foldlog {

// InvalidArgument if a range of the filter is upside down, or a kind is none.
absl::Status CheckFilter(const EventFilter& filter);

// Whether the event passes, whatever operation it is of.
bool Passes(const EventFilter& filter, const RecordedEvent& event);

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_EVENT_FILTER_H_
