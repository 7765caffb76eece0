// The fold. Pure: what an event does to the state depends on the two of them and nothing else.

#include "foldlog/state.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/saturated.h"
#include "engine/base/status_macros.h"
#include "engine/base/text.h"
#include "engine/codec/checkpoint_view.h"
#include "engine/seconds.h"

namespace foldlog {
namespace {

constexpr std::array<std::string_view, 5> kStatusNames = {"idle", "in_progress", "paused", "completed", "failed"};

// Each Fold() refuses before it changes anything.
class Folder {
 public:
  // `kind` is the event's place in EventBody.
  Folder(Sequence sequence, const Moment& at, Epoch epoch, std::size_t kind, State& state)
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
    if (InImport()) {
      if (!body.has_error) return Refuse("a checkpoint that belongs to an import brings an error");
      NoteError();
      return Done();
    }
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
    ++state_.operation->interruptions;
    return absl::OkStatus();
  }

  absl::Status operator()(const Completed& body) {
    RETURN_IF_ERROR(RequireActive());
    CountTime();
    state_.operation->status = OperationStatus::kCompleted;
    state_.operation->completed_at = at_.time;
    state_.operation->stats = body.stats;
    if (!InImport()) Progress();
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
    Operation operation;
    operation.operation_id = body.operation_id;
    operation.type = body.type;
    operation.owner = body.owner;
    operation.total_files = body.total_files;
    operation.files_processed = body.files_processed;
    operation.current_path = body.current_path;
    operation.last_processed_file = body.last_processed_file;
    operation.batch_num = body.batch_num;
    operation.rate = body.rate;
    operation.started_at = at_.time;
    operation.updated_at = body.updated_at;
    operation.last_progress_at = body.last_update;
    operation.active_ns = std::max<std::int64_t>(0, SaturatedMinus(body.last_update, at_.time));
    operation.recent_from = operation.recent_next = {body.files_processed, operation.active_ns};
    operation.imported_through = sequence_ + body.followers;
    operation.imported_row = body.row.has_value();
    operation.first_sequence = sequence_;
    operation.epoch = epoch_;
    state_.operation = std::move(operation);
    state_.seen = {body.imported_at, at_.boot};
    return Done();
  }

  // What holds for every kind: a reset may always come. Behind a misfit nothing else may. An import is appended as a
  // whole: of the events that belong to it, none may be missing, and none be another.
  absl::Status CheckMayCome(const EventBody& body) const {
    if (std::holds_alternative<Reset>(body)) return absl::OkStatus();
    RETURN_IF_ERROR(CheckNoMisfit());
    const bool belongs = std::holds_alternative<Checkpoint>(body) || std::holds_alternative<Paused>(body) ||
                         std::holds_alternative<Completed>(body) || std::holds_alternative<Failed>(body);
    return belongs || !InImport() ? absl::OkStatus() : Refuse("the import before it is not complete");
  }

  absl::Status CheckNoMisfit() const {
    if (!state_.misfit) return absl::OkStatus();
    return Refuse(absl::StrCat("event ", state_.misfit->sequence, " did not, and no reset came since"));
  }

 private:
  bool InImport() const { return state_.operation && sequence_ <= state_.operation->imported_through; }

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
    state_.operation->status = OperationStatus::kInProgress;
    state_.operation->owner = owner;
    state_.operation->epoch = epoch_;
    state_.operation->pause_reason.clear();
    return Done();
  }

  // In the memory that the text before took.
  static void Set(const std::optional<std::string_view>& from, std::optional<std::string>& to) {
    if (!from) return;
    if (!to) to.emplace();
    to->assign(*from);
  }

  void NoteError() {
    Operation& operation = *state_.operation;
    ++operation.error_count;
    if (operation.first_error_sequence == 0) operation.first_error_sequence = sequence_;
    operation.last_error_sequence = sequence_;
  }

  // The time since the event before, if it was spent at work.
  void CountTime() {
    Operation& operation = *state_.operation;
    if (InImport() || operation.status != OperationStatus::kInProgress) return;
    operation.active_ns = SaturatedPlus(operation.active_ns, ElapsedNs(state_.seen, at_));
  }

  // The stretch that the recent rate is about ends here; if the next one is long enough to say something, it takes
  // over.
  void KeepPace() {
    constexpr std::int64_t kStretchMinNs = 30 * kNanosecondsPerSecond;
    constexpr std::int64_t kStretchMinFiles = 20;
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

  // The events that belong to an import have times of long ago.
  void SeeClocks() {
    if (InImport()) return;
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

  absl::Status Done() {
    if (!InImport()) state_.operation->updated_at = at_.time;
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

std::string_view Name(OperationStatus status) { return kStatusNames.at(static_cast<std::size_t>(status)); }

absl::Status Apply(const RecordedEvent& event, State& state) {
  RETURN_IF_ERROR(CheckFollows(event.sequence, state));
  const EventBody& body = event.event.body;
  Folder folder(event.sequence, {event.event.time, event.event.boot}, event.event.epoch, body.index(), state);
  RETURN_IF_ERROR(folder.CheckMayCome(body));
  return std::visit(folder, body);
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
  Folder folder(sequence, checkpoint.at, checkpoint.epoch, kind, state);
  RETURN_IF_ERROR(folder.CheckNoMisfit());
  return folder(checkpoint);
}

}  // namespace foldlog
