// What a reader says of durable events that are missing behind the end of a log: what is there must not pass for all.

#ifndef FOLDLOG_MISSING_EVENTS_H_
#define FOLDLOG_MISSING_EVENTS_H_

#include "absl/status/status.h"
#include "foldlog/event_log.h"

namespace foldlog {

// The log's error about the first missing event; OK if none is known to be missing. `extent` is the log's.
inline absl::Status CheckNothingIsMissing(const EventLog& log, const LogExtent& extent) {
  const Sequence end = extent.end.sequence;
  return extent.missing_through > end ? log.Read(end + 1, 1).status() : absl::OkStatus();
}

}  // namespace foldlog

#endif  // FOLDLOG_MISSING_EVENTS_H_
