// A damaged log, read as far as it can be: what is damaged is left out, and what is behind it is there.
//
//   ASSIGN_OR_RETURN(auto log, OpenBeyondDamage("/var/lib/photos/index.foldlog"));
//   for (const Gap& gap : log->gaps()) Print(gap.from, gap.through);   // what is missing
//   …                                                                 // any question, as to other logs
//
// A damaged frame, batch or page hides the events that are in it and no others. Nothing is invented and nothing carried
// over a gap: behind one, the fold begins anew with the next snapshot, with the next event that begins an operation, or
// behind the next that takes one off the row. Up to there the row is not known: it is empty, with a misfit. Operations
// that were over have rows in the index, which tell of them whole, whatever is missing of their events; others that a
// gap cuts are shown as they were before it.

#ifndef FOLDLOG_BEYOND_DAMAGE_H_
#define FOLDLOG_BEYOND_DAMAGE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"

namespace foldlog {

// The log as it is now; what is appended later it does not show. Goes through all of it once, for which 20 million
// events take some seconds. Its gaps are in order; where events are missing at the end, the last gap lies behind the
// log's extent. An event that does not name the one before as its predecessor counts as missing. Threads of the result:
// any.
//
// Errors are those of OpenLogForReading(): where meta pages, records or the tail are damaged, it takes Salvage().
absl::StatusOr<std::unique_ptr<EventLog>> OpenBeyondDamage(const std::string& directory);

}  // namespace foldlog

#endif  // FOLDLOG_BEYOND_DAMAGE_H_
