// EventReader: walks the events of a log in order and checks every frame on the way.
//
//   EventReader reader(log, /*from=*/1);
//   auto event = reader.Next();
//   for (; event.ok() && *event; event = reader.Next()) Use(**event);
//   if (!event.ok()) return event.status();
//
// At the end it can be asked again later: events appended meanwhile follow. Holds no lock and no transaction between
// calls, so a slow consumer keeps nothing pinned. The log must outlive it; one thread at a time.

#ifndef FOLDLOG_EVENT_READER_H_
#define FOLDLOG_EVENT_READER_H_

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"

namespace foldlog {

class FrameReader;

class EventReader {
 public:
  // Starts at sequence number `from`, taking the first frame's link on trust.
  EventReader(const EventLog& log, Sequence from);

  // Continues a chain whose end is known, as a snapshot's: the first frame must name `after.hash`.
  EventReader(const EventLog& log, const ChainEnd& after);

  EventReader(EventReader&&) noexcept;
  EventReader& operator=(EventReader&&) noexcept;
  ~EventReader();

  // The next event, or nothing at the end of the log. DataLoss if a frame is damaged or breaks the chain; Unimplemented
  // if an event is of a kind that this version does not know. If the frame is as it was written, but holds no event
  // (DataLoss as well), position() is behind it afterwards, and the next call goes on there.
  absl::StatusOr<std::optional<RecordedEvent>> Next();

  // The end of the chain as far as it has been read.
  const ChainEnd& position() const;

 private:
  std::unique_ptr<FrameReader> frames_;
};

}  // namespace foldlog

#endif  // FOLDLOG_EVENT_READER_H_
