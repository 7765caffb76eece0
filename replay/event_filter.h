// Which events a filter of event_query.h lets pass. Pure.

#ifndef FOLDLOG_REPLAY_EVENT_FILTER_H_
#define FOLDLOG_REPLAY_EVENT_FILTER_H_

#include "absl/status/status.h"
#include "engine/checkpoint_view.h"
#include "engine/index/index_reader.h"
#include "foldlog/event_query.h"
#include "replay/event_source.h"

namespace foldlog {

// InvalidArgument if a range of the filter is upside down, or a kind is none.
absl::Status CheckFilter(const EventFilter& filter);

// Whether the event passes, whatever operation it is of.
bool Passes(const EventFilter& filter, const RecordedEvent& event);

// The same for a plain checkpoint, but for its sequence number.
bool Passes(const EventFilter& filter, const CheckpointView& checkpoint);

// The events of the stretch among which all are that may pass; none if its summary rules them out.
EventRange PartToRead(const EventFilter& filter, const Stretch& stretch);

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_EVENT_FILTER_H_
