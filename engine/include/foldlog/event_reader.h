// EventReader: walks the events of a log in order and checks every frame on the way.
//
//   EventReader reader(log, /*from=*/1);
//   auto event = reader.Next();
//   for (; event.ok() && *event; event = reader.Next()) Use(**event);
//   if (!event.ok()) return event.status();
//
// For millions of events, ViewReader (event_view.h) gives them without copies.
//
// At the end of the log a later Next() continues with events appended meanwhile. A reader holds no lock and no
// transaction between calls, so a slow one keeps nothing pinned. The log must outlive it. Threads: one at a time.

#ifndef FOLDLOG_EVENT_READER_H_
#define FOLDLOG_EVENT_READER_H_

#include <optional>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/event_view.h"

namespace foldlog {

// Moves, but does not copy; a reader that was moved from may only be destroyed or assigned to. See the head of this
// file.
class EventReader {
 public:
  // Starts at sequence number `from`. Which frame comes before that is not checked.
  EventReader(const EventLog& log, Sequence from) : views_(log, from) {}

  // Continues a chain whose end is known, such as a snapshot's: the first frame must name `after.hash`.
  EventReader(const EventLog& log, const ChainEnd& after) : views_(log, after) {}

  // The next event, or nothing at the end of the log. DataLoss if a frame is damaged or breaks the chain; Unimplemented
  // if this version does not know the kind of the event: then the next call gives the same error. DataLoss, too, if the
  // frame is intact but holds no event: then position() is behind it, and the next call continues there.
  absl::StatusOr<std::optional<RecordedEvent>> Next();

  // The end of the chain behind the last event that was read.
  const ChainEnd& position() const { return views_.position(); }

 private:
  ViewReader views_;
};

}  // namespace foldlog

#endif  // FOLDLOG_EVENT_READER_H_
