// The fold. Pure: what an event does to the state depends on the two of them and nothing else.

#include "foldlog/state.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/saturated.h"
#include "engine/base/status_macros.h"
#include "engine/base/text.h"
#include "engine/checkpoint_view.h"
#include "engine/seconds.h"

namespace foldlog {
namespace {

// Each Fold() refuses before it changes anything.
class EventApplier {
 public:
  // `kind` is the event's place in EventBody.
  EventApplier(Sequence sequence, const Moment& at, Epoch epoch, std::size_t kind, State& state)
      : sequence_(sequence), at_(at), epoch_(epoch), kind_(kind), state_(state) {}

  absl::Status operator()(const Started& body) {
    if (state_.active()) return Refuse("an operation is active");
    if (epoch_ <= state_.epoch) return Refuse("its epoch is not a new one");
    Operation operation;
    operation.operation_id = body.operation_id;
    operation.type = body.type;
    operation.owner = body.owner;
    operation.roots = body.roots;
    operation.metadata = body.metadata;
    operation.total_files = body.total_files;
    operation.started_at = operation.last_progress_at = at_.time;
    operation.first_sequence = sequence_;
    operation.epoch = epoch_;
    state_.operation = std::move(operation);
    return Done();
  }

  absl::Status operator()(const Checkpoint& body) { return (*this)(ViewOf(at_, epoch_, body)); }

  absl::Status operator()(const CheckpointView& body) {
    RETURN_IF_ERROR(RequireActive());
    Operation& operation = *state_.operation;
    CountTime();
    operation.files_processed = body.files_processed;
    Set(body.current_path, operation.current_path);
    Set(body.last_processed_file, operation.last_processed_file);
    if (body.batch_num) operation.batch_num = *body.batch_num;
    if (body.has_error) NoteError();
    ++operation.checkpoints;
    Progress();
    return Done();
  }

  absl::Status operator()(const Paused& body) {
    RETURN_IF_ERROR(Require(OperationStatus::kInProgress));
    CountTime();
    state_.operation->status = OperationStatus::kPaused;
    state_.operation->pause_reason = body.reason;
    return Done();
  }

  absl::Status operator()(const Resumed& body) { return TakeOver(body.owner, OperationStatus::kPaused); }

  absl::Status operator()(const Recovered& body) {
    RETURN_IF_ERROR(TakeOver(body.owner, OperationStatus::kInProgress));
    ++state_.operation->interruptions_by.at(static_cast<std::size_t>(body.evidence));
    return absl::OkStatus();
  }

  absl::Status operator()(const Completed& body) {
    RETURN_IF_ERROR(RequireActive());
    CountTime();
    state_.operation->status = OperationStatus::kCompleted;
    state_.operation->completed_at = at_.time;
    state_.operation->stats = body.stats;
    Progress();
    return Done();
  }

  absl::Status operator()(const Failed& body) {
    RETURN_IF_ERROR(RequireActive());
    CountTime();
    state_.operation->status = OperationStatus::kFailed;
    state_.operation->failure = body.error;
    NoteError();
    return Done();
  }

  absl::Status operator()(const Cleared&) {
    if (!state_.operation || state_.active()) return Refuse("no ended operation to clear");
    RETURN_IF_ERROR(RequireEpoch());
    return Remove();
  }

  absl::Status operator()(const Reset&) {
    RETURN_IF_ERROR(RequireEpoch());
    return Remove();
  }

  absl::Status operator()(const Imported& body) {
    if (state_.operation) return Refuse("there is an operation on the row");
    if (epoch_ <= state_.epoch) return Refuse("its epoch is not a new one");
    if (body.status == OperationStatus::kIdle) return Refuse("its status is idle");
    const bool failed = body.status == OperationStatus::kFailed;
    Operation operation;
    operation.operation_id = body.operation_id;
    operation.type = body.type;
    operation.status = body.status;
    operation.owner = body.owner;
    operation.total_files = body.total_files;
    operation.files_processed = body.files_processed;
    operation.current_path = body.current_path;
    operation.last_processed_file = body.last_processed_file;
    operation.batch_num = body.batch_num;
    operation.rate = body.rate;
    operation.started_at = body.started_at;
    operation.last_progress_at = body.last_update;
    operation.active_ns = std::max<std::int64_t>(0, SaturatedMinus(body.last_update, body.started_at));
    operation.recent_from = operation.recent_next = {body.files_processed, operation.active_ns};
    if (body.status == OperationStatus::kCompleted) operation.completed_at = body.ended_at;
    if (failed) operation.failure = body.failure;
    operation.error_count = static_cast<std::int64_t>(body.errors.size()) + (failed ? 1 : 0);
    if (operation.error_count > 0) operation.first_error_sequence = operation.last_error_sequence = sequence_;
    operation.imported = true;
    operation.first_sequence = sequence_;
    operation.epoch = epoch_;
    state_.operation = std::move(operation);
    return Done(body.updated_at);
  }

  // What holds for every kind: a reset may always come, and behind a misfit nothing else may.
  absl::Status CheckMayCome(const EventBody& body) const {
    return std::holds_alternative<Reset>(body) ? absl::OkStatus() : CheckNoMisfit();
  }

  absl::Status CheckNoMisfit() const {
    if (!state_.misfit) return absl::OkStatus();
    return Refuse(absl::StrCat("event ", state_.misfit->sequence, " did not, and no reset came since"));
  }

 private:
  absl::Status Refuse(std::string_view why) const {
    return absl::DataLossError(absl::StrCat("event ", sequence_, " (", ToAbsl(KindNames()[kind_]),
                                            ") does not follow from the events before it: ", ToAbsl(why)));
  }

  absl::Status RequireEpoch() const {
    return epoch_ == state_.epoch ? absl::OkStatus() : Refuse("its epoch is not the current one");
  }

  absl::Status RequireActive() const { return state_.active() ? RequireEpoch() : Refuse("no operation is active"); }

  absl::Status Require(OperationStatus status) const {
    if (state_.status() != status) return Refuse(std::string("the status is ").append(Name(state_.status())));
    return RequireEpoch();
  }

  absl::Status TakeOver(const Owner& owner, OperationStatus from) {
    if (state_.status() != from) return Refuse(std::string("the status is ").append(Name(state_.status())));
    if (epoch_ <= state_.epoch) return Refuse("its epoch is not a new one");
    if (from == OperationStatus::kPaused) CountTime();
    state_.operation->status = OperationStatus::kInProgress;
    state_.operation->owner = owner;
    state_.operation->epoch = epoch_;
    state_.operation->pause_reason.clear();
    return Done();
  }

  // In the memory that the text before took.
  static void Set(std::string_view from, std::optional<std::string>& to) {
    if (!IsPresent(from)) return;
    if (!to) to.emplace();
    to->assign(from);
  }

  void NoteError() {
    Operation& operation = *state_.operation;
    ++operation.error_count;
    if (operation.first_error_sequence == 0) operation.first_error_sequence = sequence_;
    operation.last_error_sequence = sequence_;
  }

  // The time since the event before, to what it was spent with.
  void CountTime() {
    Operation& operation = *state_.operation;
    std::int64_t& spent = operation.status == OperationStatus::kPaused ? operation.paused_ns : operation.active_ns;
    spent = SaturatedPlus(spent, ElapsedNs(state_.seen, at_));
  }

  // The stretch that the recent rate is about ends here; if the next one is long enough to say something, it takes
  // over.
  void KeepPace() {
    Operation& operation = *state_.operation;
    const Pace now{operation.files_processed, operation.active_ns};
    const Pace& next = operation.recent_next;
    if (now.files < next.files) {
      operation.recent_from = operation.recent_next = now;
    } else if (SaturatedMinus(now.active_ns, next.active_ns) >= kStretchMinNs &&
               SaturatedMinus(now.files, next.files) >= kStretchMinFiles) {
      operation.recent_from = std::exchange(operation.recent_next, now);
    }
  }

  void SeeClocks() {
    const std::int64_t step_ns = ClockStepNs(state_.seen, at_);
    state_.seen = at_;
    if (step_ns == 0 || state_.operation->first_sequence == sequence_) return;
    ++state_.operation->clock_steps;
    state_.operation->clock_step_sequence = sequence_;
    state_.operation->clock_step_ns = step_ns;
  }

  // The rate is computed from seconds in floating point, and not from nanoseconds, to be to the last bit the one in the
  // single row (single_row.h).
  void Progress() {
    Operation& operation = *state_.operation;
    operation.last_progress_at = at_.time;
    const double elapsed_s = SecondsOf(at_.time) - SecondsOf(operation.started_at);
    if (elapsed_s > 0) operation.rate = static_cast<double>(operation.files_processed) / elapsed_s;
    KeepPace();
  }

  absl::Status Done() { return Done(at_.time); }

  absl::Status Done(TimeNs updated_at) {
    state_.operation->updated_at = updated_at;
    state_.operation->last_sequence = sequence_;
    SeeClocks();
    state_.epoch = epoch_;
    state_.sequence = sequence_;
    return absl::OkStatus();
  }

  absl::Status Remove() {
    state_.operation.reset();
    state_.seen = at_;
    state_.misfit.reset();
    state_.sequence = sequence_;
    return absl::OkStatus();
  }

  const Sequence sequence_;
  const Moment at_;
  const Epoch epoch_;
  const std::size_t kind_;
  State& state_;
};

absl::Status CheckFollows(Sequence sequence, const State& state) {
  if (sequence == state.sequence + 1) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("event ", sequence, " cannot follow event ", state.sequence, ": events are missing"));
}

}  // namespace

absl::Status Apply(const RecordedEvent& event, State& state) {
  RETURN_IF_ERROR(CheckFollows(event.sequence, state));
  const EventBody& body = event.event.body;
  EventApplier applier(event.sequence, {event.event.time, event.event.boot}, event.event.epoch, body.index(), state);
  RETURN_IF_ERROR(applier.CheckMayCome(body));
  return std::visit(applier, body);
}

absl::Status ApplyRecorded(const RecordedEvent& event, State& state) {
  const absl::Status applied = Apply(event, state);
  if (applied.ok()) return applied;
  RETURN_IF_ERROR(CheckFollows(event.sequence, state));
  NoteMisfit(std::string(applied.message()), state);
  return absl::OkStatus();
}

void NoteMisfit(std::string why, State& state) {
  ++state.sequence;
  if (!state.misfit) state.misfit = Misfit{state.sequence, std::move(why)};
}

absl::Status ApplyCheckpoint(Sequence sequence, const CheckpointView& checkpoint, State& state) {
  static const std::size_t kind = EventBody(Checkpoint{}).index();
  RETURN_IF_ERROR(CheckFollows(sequence, state));
  EventApplier applier(sequence, checkpoint.at, checkpoint.epoch, kind, state);
  RETURN_IF_ERROR(applier.CheckNoMisfit());
  return applier(checkpoint);
}

}  // namespace foldlog
