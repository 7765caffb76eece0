// Replayer: the state of a log at any moment, and the events with the state that each led to.
//
//   ASSIGN_OR_RETURN(Replayer replayer, Replayer::From(*log, /*from=*/1));
//   auto event = replayer.Next();
//   for (; event.ok() && *event; event = replayer.Next()) Use(**event, replayer.state());
//
// Only reads. It works on a log opened for reading while its writer goes on, and on an engine's own log. The log must
// outlive it. Threads: one at a time.

#ifndef FOLDLOG_REPLAYER_H_
#define FOLDLOG_REPLAYER_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/event_view.h"
#include "foldlog/state.h"

namespace foldlog {

// The state right after event `at`, by default the latest, folded from the newest usable snapshot before it. OutOfRange
// if the log does not reach so far.
absl::StatusOr<State> StateAt(const EventLog& log, std::optional<Sequence> at = std::nullopt);

// The state as it was at `time`: after the last event that had happened by then. Reads the index, and of the events
// those that it says nothing of.
//
// Clocks may have been wrong. No event is taken to have happened later than those behind it in the log, nor later than
// `now`, by default the system's time. Where a clock was set, the new setting is believed for the time since the
// machine booted, if that agrees with this rule. A boot whose clock stood in the past and was never set cannot be
// corrected.
absl::StatusOr<State> StateAtTime(const EventLog& log, TimeNs time, std::optional<TimeNs> now = std::nullopt);

class LazyFold;

// Walks events in order, and keeps the state after each: checkpoints are only noted, until state() is asked for. Moves,
// but does not copy; a replayer that was moved from may only be destroyed or assigned to. It holds one State and a run
// of at most some frames, however long the log is.
class Replayer {
 public:
  Replayer(Replayer&&) noexcept;
  Replayer& operator=(Replayer&&) noexcept;
  ~Replayer();

  // The first Next() gives event `from`; the state before it is folded here. Errors as StateAt() has them.
  static absl::StatusOr<Replayer> From(const EventLog& log, Sequence from);

  // The next event, folded into state(), or nothing at the present end of the log. An event that does not follow from
  // those before it is given, too: state().misfit tells. Errors as EventReader::Next() has them.
  absl::StatusOr<std::optional<RecordedEvent>> Next();

  // Next() without copies, for millions of events: null at the present end of the log. The view is valid until the next
  // call (event_view.h).
  absl::StatusOr<const EventView*> NextView();

  // The state after the last event that was given; valid until the next call. After every event it costs twice what it
  // costs after every hundredth.
  const State& state() const;

  // The id of the operation that the last event belongs to: the one that it starts, even if it does not follow;
  // otherwise the one that it found on the row, even if it took that off. Empty if there was none.
  const std::string& operation_id() const { return operation_id_; }

 private:
  Replayer(ViewReader reader, LazyFold fold);
  absl::Status FoldIn(const EventView& view);

  ViewReader reader_;
  std::unique_ptr<LazyFold> fold_;
  std::string operation_id_;
  bool id_is_known_ = false;  // operation_id_ is that of the checkpoints that are only noted
};

}  // namespace foldlog

#endif  // FOLDLOG_REPLAYER_H_
