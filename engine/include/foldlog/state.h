// The state of a log: a fold over its events.
//
//   State state;
//   for (const RecordedEvent& event : events) status.Update(Apply(event, state));
//
// Apply() is pure: no clock, no randomness, no I/O. The same events give the same state on every machine. So a state
// can be rebuilt for any moment of the past, and a snapshot plus the events after it equals the full fold.
//
// Values copy. All functions are pure and may be called from any thread; no two threads may change one State at once.
// Times are nanoseconds since 1970, durations are nanoseconds, counts are files unless their name says otherwise.

#ifndef FOLDLOG_STATE_H_
#define FOLDLOG_STATE_H_

#include <array>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "foldlog/event.h"

namespace foldlog {

// The progress that was made after so much time at work.
struct Pace {
  std::int64_t files = 0;
  std::int64_t active_ns = 0;
  bool operator==(const Pace&) const = default;
};

// One indexing run, from its start to its end or to the latest event about it.
struct Operation {
  // Identity: what was started, by whom, and under which handle.
  std::string operation_id = {};
  OperationType type = OperationType::kInitial;
  OperationStatus status = OperationStatus::kInProgress;
  Epoch epoch = 0;  // of its current handle
  Owner owner = {};
  std::vector<std::string> roots = {};
  Metadata metadata = {};
  // Progress, by the latest event that says so.
  std::optional<std::int64_t> total_files = {};
  std::int64_t files_processed = 0;
  std::optional<std::string> current_path = {};
  std::optional<std::string> last_processed_file = {};
  std::int64_t batch_num = 0;
  std::int64_t error_count = 0;  // file errors, and one for the failure; the errors themselves stay in the log
  double rate = 0.0;             // the single row's: files a second from the start on, pauses and all; see MeanRate()
  // Its time at work: neither pauses count, nor the time between its last sign of life and a recovery.
  std::int64_t active_ns = 0;
  std::int64_t paused_ns =
      0;                  // its pauses, as far as events show them: one that still lasts counts up to its last event
  Pace recent_from = {};  // where the stretch of RecentRate() begins …
  Pace recent_next = {};  // … and where the next one will begin
  // Times are those that the events have; nothing corrects them here.
  TimeNs started_at = 0;
  TimeNs updated_at = 0;
  TimeNs last_progress_at = 0;  // the time of the start, the last checkpoint or the completion
  std::optional<TimeNs> completed_at = {};
  Sequence first_error_sequence = 0;  // the errors are in the events from here …
  Sequence last_error_sequence = 0;   // … to here; 0: none
  bool imported = false;              // its first event is its import
  Sequence first_sequence = 0;
  Sequence last_sequence = 0;
  std::int64_t checkpoints = 0;
  // Recoveries: how often its owner vanished, by the evidence for it.
  std::array<std::int64_t, kEvidenceKinds> interruptions_by = {};
  std::int64_t clock_steps = 0;      // how often the wall clock was set meanwhile, as far as its events show
  Sequence clock_step_sequence = 0;  // the last of them was noticed at this event …
  std::int64_t clock_step_ns = 0;    // … and moved the clock by so much
  std::string pause_reason = {};     // while paused
  std::string failure = {};          // if failed
  Stats stats = {};                  // if completed

  std::int64_t interruptions() const {
    return std::accumulate(interruptions_by.begin(), interruptions_by.end(), std::int64_t{0});
  }
  bool operator==(const Operation&) const = default;
};

// An event of a log that does not follow from those before it.
struct Misfit {
  Sequence sequence = 0;
  std::string why = {};
  bool operator==(const Misfit&) const = default;
};

// What the events of a log amount to. Small, whatever the length of the log. Copies freely.
struct State {
  // The event that does not follow, and the reason, as a sentence for people.
  Sequence sequence = 0;                    // of the last event folded in
  Epoch epoch = 0;                          // the highest so far; survives clear and reset
  std::optional<Operation> operation = {};  // nothing: idle
  Moment seen = {};                         // the clocks at the last event folded in
  std::optional<Misfit> misfit = {};        // this event and those behind it count for nothing, up to a reset
  bool operator==(const State&) const = default;

  // The status of the operation, or kIdle.
  OperationStatus status() const { return operation ? operation->status : OperationStatus::kIdle; }

  // In progress or paused: then no other operation can start.
  bool active() const { return status() == OperationStatus::kInProgress || status() == OperationStatus::kPaused; }
};

// The time that passed between two events, even if the wall clock was set meanwhile. Within a boot it is exact to a
// millisecond. Between boots it is what the wall clock says, but not more than the later boot had lasted. Never
// negative.
std::int64_t ElapsedNs(const Moment& earlier, const Moment& later);

// By how many nanoseconds the wall clock was set between two events, forward if positive; 0 if it was not, or by less
// than 100 ms. Between boots only what is certain counts: that the clock was set back at least so far.
std::int64_t ClockStepNs(const Moment& earlier, const Moment& later);

// How long the operation has been at work until `now`. If it is in progress, the time since the last event counts, too;
// the caller must know whether the operation was interrupted since.
std::int64_t ActiveNs(const State& state, const Moment& now);

// Files a second of the time at work, from the start on. 0 if nothing was done, or in no time.
double MeanRate(const Operation& operation);
// The same lately, which says more about the rest of the work: over half a minute to a minute, or longer if fewer than
// 20 files were done in it. 0 if there is no telling.
double RecentRate(const Operation& operation);

// Folds one more event into `state`. DataLoss if the event cannot follow: a wrong sequence number, an epoch that is not
// the operation's, a kind that the status does not allow, or any event but a reset behind a misfit. `state` is then
// unchanged.
absl::Status Apply(const RecordedEvent& event, State& state);

// Apply() for an event that a log holds already, whichever program wrote it. One that cannot follow is noted as
// state.misfit and counts for nothing, as do those behind it, until a reset. So no event can make a log unreadable.
// DataLoss only if its number is not the next one.
absl::Status ApplyRecorded(const RecordedEvent& event, State& state);

// Notes event state.sequence + 1, which cannot be folded, as the misfit; an earlier misfit stays.
void NoteMisfit(std::string why, State& state);

}  // namespace foldlog

#endif  // FOLDLOG_STATE_H_
