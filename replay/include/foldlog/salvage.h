// Salvage: makes a new log of what can be found in the files of a damaged one, whatever is left of their structure.
//
//   ASSIGN_OR_RETURN(const SalvageReport report, Salvage("/var/lib/photos/index.foldlog",
//   "/var/lib/photos/new.foldlog")); for (const SalvagedStretch& stretch : report.beyond)
//   Print(stretch.before.sequence, stretch.after.sequence);
//
// log.mdb and the tail are searched for frames and packed batches by magic number, bounds and hash; nothing else in
// them is believed. The chain of hashes puts them in order: the new log holds the longest chain from where the log
// begins. Frames keep their numbers, links and hashes, so nothing is invented, and nothing of another log is taken for
// an event of this one. What lies behind a gap cannot be part of a log; it is told, and exported if that is wanted.
//
// Events are proven to have been committed up to the newest commit record or mark of the tail that is intact. Those
// behind it may have been on their way when a writer died, and are counted apart.
//
// The damaged log is only read. Threads: any.

#ifndef FOLDLOG_SALVAGE_H_
#define FOLDLOG_SALVAGE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/log_id.h"

namespace foldlog {

struct SalvageProgress {
  std::uint64_t bytes = 0;  // that were searched
  std::uint64_t bytes_total = 0;
  std::uint64_t events = 0;  // that were written to the new log
};

struct SalvageOptions {
  // The id of the log, for one whose files have lost it. Where they have it, it must be that.
  std::optional<LogId> log_id = {};
  // Leaves out what is not proven to have been committed.
  bool proven_only = false;
  // Is given the events beyond gaps as lines of JSON, as an export has them; an error ends the call.
  std::function<absl::Status(const std::string& line)> beyond_gaps = {};
  std::function<void(const SalvageProgress&)> progress = {};
};

// Events behind a gap, a chain from the first to the last. `before` is what the first of them names.
struct SalvagedStretch {
  ChainEnd before = {};
  ChainEnd after = {};
  std::uint64_t count() const { return after.sequence - before.sequence; }
};

struct SalvageReport {
  LogId log_id = {};
  ChainEnd base = {};  // the chain starts behind it
  ChainEnd end = {};   // of the new log
  // The last event of it that is proven to have been committed.
  Sequence proven_through = 0;
  // Behind that, events that were found and continue the chain: they are in the new log, unless only proven ones were
  // wanted.
  std::uint64_t unproven = 0;
  // The last event of which anything tells, found or not.
  Sequence last_known = 0;
  std::vector<SalvagedStretch> beyond = {};
  // Intact events that contradict those that were taken: of another history of the log, as a copy of several moments
  // has. The chain with the newest commit was preferred, and then the longest.
  std::uint64_t others = 0;
  Sequence first_other = 0;
  // Files that were not there, or not searched to their end because of what looks like frames and is none.
  std::vector<std::string> missing_files = {};
  std::vector<std::string> given_up = {};
  std::uint64_t bytes = 0;  // that were searched
  // What a pruned log kept of the events before its base and could not be found, in words.
  std::string lost_of_pruned = {};

  // What is missing, rising: before and between the stretches, and at the end.
  std::vector<Gap> gaps() const;
  // Everything of which anything tells is in the new log.
  bool complete() const {
    return beyond.empty() && last_known <= end.sequence && others == 0 && lost_of_pruned.empty();
  }
};

// Makes the log `to` of what is left of `from`; with an empty `to`, none, and only says what it would be. Where not
// even the first event is found there is no chain and no log; the report then ends with its base.
//
// Errors: NotFound, no file of a log is there; FailedPrecondition, there is something at `to`, or the id is another;
// InvalidArgument, no file tells the id: it must be given; those of making a log.
absl::StatusOr<SalvageReport> Salvage(const std::string& from, const std::string& to,
                                      const SalvageOptions& options = {});

}  // namespace foldlog

#endif  // FOLDLOG_SALVAGE_H_
