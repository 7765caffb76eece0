#include "foldlog/engine.h"

#include <unistd.h>

#include <chrono>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/fold.h"
#include "engine/frame.h"
#include "engine/projection/import.h"
#include "engine/same_process.h"
#include "engine/state_codec.h"
#include "engine/status_macros.h"
#include "engine/transition.h"

namespace foldlog {
namespace {

TimeNs SystemClock() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

// Everything below runs under `mutex`: commands decide on the state, append, and fold what was appended.
struct Engine::Impl {
  const pid_t pid = getpid();
  mutable std::mutex mutex;
  EngineOptions options;
  std::unique_ptr<EventLog> log;
  Owner self;
  WriterInfo previous;
  State state;
  ChainEnd end;
  Sequence snapshot_at = 0;
  Sequence durable_through = 0;
  bool closed = false;

  Owner NewOwner() const { return options.on_behalf_of.value_or(self); }

  Actor Now() const { return {options.clock(), NewOwner()}; }

  OwnerFate Fate() const {
    return state.operation ? AssessOwner(state.operation->owner, previous, self) : OwnerFate::kUnknown;
  }

  OperationHandle CurrentHandle() const { return {state.operation->operation_id, state.operation->epoch}; }

  // For commands.
  absl::StatusOr<std::unique_lock<std::mutex>> LockForCommand() {
    RETURN_IF_ERROR(CheckSameProcess(pid, log->name()));
    std::unique_lock lock(mutex);
    if (closed) return absl::FailedPreconditionError(absl::StrCat("the engine of the log ", log->name(), " is closed"));
    return lock;
  }

  absl::Status Append(const std::vector<Event>& events, Durability durability);
  absl::Status AppendOne(absl::StatusOr<Event> decision);
  void SnapshotIfDue();
};

absl::Status Engine::Impl::Append(const std::vector<Event>& events, Durability durability) {
  FrameRun run{.words = {}, .before = end, .after = end};
  State next = state;
  for (const Event& event : events) {
    RETURN_IF_ERROR(AppendFrame(event, run));
    // Folded before it is stored, so that nothing is ever stored that cannot be folded.
    RETURN_IF_ERROR(Apply({run.after.sequence, run.after.hash, event}, next));
  }
  RETURN_IF_ERROR(log->Append(run, durability));
  end = run.after;
  state = std::move(next);
  if (durability == Durability::kSync) durable_through = end.sequence;
  SnapshotIfDue();
  return absl::OkStatus();
}

absl::Status Engine::Impl::AppendOne(absl::StatusOr<Event> decision) {
  RETURN_IF_ERROR(decision.status());
  return Append({*std::move(decision)}, Durability::kSync);
}

// A snapshot that can't be stored costs the next opening some time and nothing else; the next one is due as if it had
// been. What is wrong with the log, if anything is, the next append reports.
void Engine::Impl::SnapshotIfDue() {
  if (state.sequence - snapshot_at < options.snapshot_interval_events) return;
  Snapshot snapshot{.at = end, .words = {}};
  snapshot_at = state.sequence;
  if (EncodeState(state, snapshot.words).ok()) log->PutSnapshot(snapshot).IgnoreError();
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Engine::~Engine() { Close().IgnoreError(); }

absl::StatusOr<std::unique_ptr<Engine>> Engine::Open(const std::string& directory, EngineOptions options) {
  ASSIGN_OR_RETURN(WritableLog log, OpenLogForWriting(directory, options.directory));
  return Open(std::move(log), std::move(options));
}

absl::StatusOr<std::unique_ptr<Engine>> Engine::Open(WritableLog log, EngineOptions options) {
  ASSIGN_OR_RETURN(Fold fold, FoldLog(*log.log));
  ASSIGN_OR_RETURN(const LogExtent extent, log.log->Extent());
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  if (!impl->options.clock) impl->options.clock = SystemClock;
  if (!impl->options.new_id) impl->options.new_id = NewUuid;
  impl->log = std::move(log.log);
  impl->self = std::move(log.self);
  impl->previous = std::move(log.previous);
  impl->state = std::move(fold.state);
  impl->end = fold.at;
  impl->snapshot_at = fold.snapshot_used;
  impl->durable_through = extent.durable_through;
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

absl::StatusOr<OperationHandle> Engine::Start(const StartRequest& request) {
  ASSIGN_OR_RETURN(const auto lock, impl_->LockForCommand());
  Impl& impl = *impl_;
  RETURN_IF_ERROR(impl.AppendOne(DecideStart(impl.state, request, impl.options.new_id(), impl.Fate(), impl.Now())));
  return impl.CurrentHandle();
}

absl::Status Engine::Checkpoint(const OperationHandle& handle, const foldlog::Checkpoint& checkpoint) {
  return Checkpoint(handle, std::span(&checkpoint, 1));
}

absl::Status Engine::Checkpoint(const OperationHandle& handle, std::span<const foldlog::Checkpoint> checkpoints) {
  ASSIGN_OR_RETURN(const auto lock, impl_->LockForCommand());
  const TimeNs now = impl_->options.clock();
  if (checkpoints.empty()) return DecideCheckpoint(impl_->state, handle, {}, now).status();
  std::vector<Event> events;
  events.reserve(checkpoints.size());
  for (const foldlog::Checkpoint& checkpoint : checkpoints) {
    // A checkpoint changes nothing that the decision on the next one depends on.
    ASSIGN_OR_RETURN(Event event, DecideCheckpoint(impl_->state, handle, checkpoint, now));
    events.push_back(std::move(event));
  }
  return impl_->Append(events, Durability::kSync);
}

absl::Status Engine::Pause(const OperationHandle& handle, const std::string& reason) {
  ASSIGN_OR_RETURN(const auto lock, impl_->LockForCommand());
  return impl_->AppendOne(DecidePause(impl_->state, handle, reason, impl_->options.clock()));
}

absl::StatusOr<OperationHandle> Engine::Resume(const std::string& operation_id, const std::string& reason) {
  ASSIGN_OR_RETURN(const auto lock, impl_->LockForCommand());
  Impl& impl = *impl_;
  RETURN_IF_ERROR(impl.AppendOne(DecideResume(impl.state, operation_id, reason, impl.Fate(), impl.Now())));
  return impl.CurrentHandle();
}

absl::StatusOr<OperationHandle> Engine::RecoverByForce(const std::string& operation_id, const std::string& reason) {
  ASSIGN_OR_RETURN(const auto lock, impl_->LockForCommand());
  Impl& impl = *impl_;
  RETURN_IF_ERROR(impl.AppendOne(DecideRecoverByForce(impl.state, operation_id, reason, impl.Now())));
  return impl.CurrentHandle();
}

absl::Status Engine::Complete(const OperationHandle& handle, const Stats& stats) {
  ASSIGN_OR_RETURN(const auto lock, impl_->LockForCommand());
  return impl_->AppendOne(DecideComplete(impl_->state, handle, stats, impl_->options.clock()));
}

absl::Status Engine::Fail(const OperationHandle& handle, const std::string& error) {
  ASSIGN_OR_RETURN(const auto lock, impl_->LockForCommand());
  return impl_->AppendOne(DecideFail(impl_->state, handle, error, impl_->options.clock()));
}

absl::Status Engine::Clear() {
  ASSIGN_OR_RETURN(const auto lock, impl_->LockForCommand());
  return impl_->AppendOne(DecideClear(impl_->state, impl_->options.clock()));
}

absl::Status Engine::Reset(const std::string& reason) {
  ASSIGN_OR_RETURN(const auto lock, impl_->LockForCommand());
  return impl_->AppendOne(DecideReset(impl_->state, reason, impl_->options.clock()));
}

absl::StatusOr<OperationHandle> Engine::Import(const SingleRow& row, const std::string& source) {
  ASSIGN_OR_RETURN(const auto lock, impl_->LockForCommand());
  Impl& impl = *impl_;
  RETURN_IF_ERROR(CheckImport(impl.state));
  const ImportContext context{.source = source,
                              .new_id = impl.options.new_id(),
                              .now = impl.options.clock(),
                              .owner = impl.NewOwner(),
                              .epoch = impl.state.epoch + 1};
  ASSIGN_OR_RETURN(const std::vector<Event> events, EventsOfRow(row, context));
  RETURN_IF_ERROR(impl.Append(events, Durability::kSync));
  return impl.CurrentHandle();
}

State Engine::state() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->state;
}

std::optional<OperationHandle> Engine::current_handle() const {
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->state.active()) return std::nullopt;
  return impl_->CurrentHandle();
}

std::optional<OwnerFate> Engine::interruption() const {
  const std::lock_guard lock(impl_->mutex);
  const State& state = impl_->state;
  if (state.status() != OperationStatus::kInProgress || state.operation->owner == impl_->NewOwner()) {
    return std::nullopt;
  }
  return impl_->Fate();
}

Sequence Engine::durable_through() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->durable_through;
}

absl::Status Engine::Flush() {
  ASSIGN_OR_RETURN(const auto lock, impl_->LockForCommand());
  RETURN_IF_ERROR(impl_->log->Sync(impl_->end.sequence));
  impl_->durable_through = impl_->end.sequence;
  return absl::OkStatus();
}

const EventLog& Engine::log() const { return *impl_->log; }

absl::Status Engine::Close() {
  if (getpid() != impl_->pid) return absl::OkStatus();  // not the child's to close
  const std::lock_guard lock(impl_->mutex);
  if (impl_->closed) return absl::OkStatus();
  impl_->closed = true;
  return impl_->log->Close();
}

}  // namespace foldlog
