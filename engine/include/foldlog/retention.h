// Retention: which operations of a log are to be kept, and the pruning of those before them.
//
//   ASSIGN_OR_RETURN(const PrunePlan plan, PlanPrune(*log, {.keep_runs = 100, .min_age_ns = kDay}, now));
//   RETURN_IF_ERROR(Prune(*log, plan, "cron job 7"));
//   RETURN_IF_ERROR(log->FreePruned());
//
// The plan alone is a dry run. Without FreePruned(), the space becomes free with later events.
//
// Operations follow each other in a log, so pruning drops the oldest: their events can't be read any more, while the
// history keeps what the operations amounted to, and the log a record of what was dropped. Never dropped is an
// operation that is active, or was on the row when the last event was stored, nor anything behind it.
//
// A policy that is stored with the log (StoreRetention()) or given to Engine::Open() is applied by the writer itself
// after an operation ends.

#ifndef FOLDLOG_RETENTION_H_
#define FOLDLOG_RETENTION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event.h"
#include "foldlog/event_log.h"
#include "foldlog/state.h"

namespace foldlog {

// The oldest operations go that keep_runs and keep_since_ns, as far as they are given, both let go; and further ones
// for as long as the log takes more than max_bytes. No operation goes that ended less than min_age_ns ago.
struct RetentionPolicy {
  std::optional<std::uint64_t> keep_runs = {};     // so many operations that are over, the latest
  std::optional<std::int64_t> keep_since_ns = {};  // those that ended within this time
  std::optional<std::uint64_t> max_bytes = {};     // of the log's files, without space that is free in them
  std::int64_t min_age_ns = 0;

  // Nothing goes by it.
  bool keeps_all() const { return !keep_runs && !keep_since_ns && !max_bytes; }
  bool operator==(const RetentionPolicy&) const = default;
};

// "keep-runs 100, max-bytes 200000000, min-age 86400 s", and back. InvalidArgument for other texts.
std::string ToText(const RetentionPolicy& policy);
absl::StatusOr<RetentionPolicy> ParseRetention(const std::string& text);

// An operation that is over and has its events in the log.
struct PrunableRun {
  Operation operation = {};
  Sequence through = 0;     // the last event before the next operation
  TimeNs ended = 0;         // when its last event happened
  std::uint64_t bytes = 0;  // that its pruning frees, if those before it are pruned
  bool goes = false;
  std::string why = {};  // it goes or stays, in a few words
};

struct PrunePlan {
  RetentionPolicy policy = {};
  TimeNs now = 0;
  ChainEnd base = {};            // of the log now
  Sequence through = 0;          // what goes are the events behind the base up to this one; that of the base if none go
  std::uint64_t operations = 0;  // that are over by then, since the log was created
  std::uint64_t bytes = 0;       // that this frees
  std::vector<PrunableRun> runs = {};  // the oldest first; all of those in the log's store
  LogSpace space = {};
  std::string lacking = {};  // why operations are missing from `runs`; empty if none are

  std::uint64_t going = 0;  // bytes that were pruned before and are not free yet

  // Whether so much is free in the log's file that the file system should have it back. What later events soon need
  // stays: to give it back and take it again would cost more than it helps.
  bool gives_back() const;

  std::uint64_t events() const { return through - base.sequence; }
};

// What would go now. Only reads. Errors are those of reading the log.
absl::StatusOr<PrunePlan> PlanPrune(const EventLog& log, const RetentionPolicy& policy, TimeNs now);

// Does it; `by` is recorded as who did. Does nothing if nothing is to go. Aborted if the log was pruned since the plan
// was made; else errors as EventLog::Prune() has them.
absl::Status Prune(EventLog& log, const PrunePlan& plan, const std::string& by);

// The policy stored with the log; one that keeps all takes it away.
absl::StatusOr<RetentionPolicy> ReadRetention(const EventLog& log);
absl::Status StoreRetention(EventLog& log, const RetentionPolicy& policy);

}  // namespace foldlog

#endif  // FOLDLOG_RETENTION_H_
