#include "foldlog/engine.h"

#include <chrono>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/brief_mutex.h"
#include "engine/base/fork_guard.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint_view.h"
#include "engine/codec/frame.h"
#include "engine/codec/state_codec.h"
#include "engine/fold.h"
#include "engine/lazy_fold.h"
#include "engine/shorten.h"
#include "engine/transition.h"
#include "foldlog/event_index.h"

namespace foldlog {
namespace {

// A copy only for checkpoints whose count has to change, which are few.
Checkpoint WithCount(Checkpoint checkpoint, std::int64_t files_processed) {
  checkpoint.files_processed = files_processed;
  return checkpoint;
}

// What the texts and statistics of an event may take so that it fits into a frame with what else there is in it.
constexpr std::size_t kWordsOfAnEndBytes = kMaxCommonPayloadBytes - 4096;

// So much more time passes between two looks at what may be pruned than a look takes. The log grows meanwhile: with 10,
// on a slow disk, by half of a small limit.
constexpr int kRetainPause = 3;

// The same where only the log's reserve is left, which has room for a few such events.
constexpr std::size_t kWordsOnAFullDiskBytes = 512;

}  // namespace

// Threads: a command decides on the state, appends and folds under `mutex`, as one step. It waits for the disk outside
// of the mutex, so that threads that wait at the same time share a flush, and others go on meanwhile. Invariant:
// `fold` is that of the log up to `end`.
struct Engine::Impl {
  const ForkGuard process;
  mutable BriefMutex mutex;
  EngineOptions options;
  std::unique_ptr<EventLog> log;
  Owner self;
  WriterInfo previous;
  RecoveryReport recovery;
  LazyFold fold{State{}, {}};
  ChainEnd end;
  Sequence snapshot_at = 0;
  Sequence durable_when_closed = 0;
  bool closed = false;

  // Kept from call to call, so that the next checkpoints find their memory allocated.
  FrameRun run;                        // of the checkpoints at hand
  std::string noted_path, noted_file;  // the texts that `fold` has noted

  const State& state() { return fold.Settled(); }

  // The place of the log is this engine's, even if another process answers for the operation.
  Owner NewOwner() const {
    Owner owner = options.on_behalf_of.value_or(self);
    owner.place = self.place;
    return owner;
  }

  // Called under the mutex, so that the clock is read in the order of the events.
  Moment Now(const CommandContext& context) const { return context.now ? *context.now : options.clock(); }
  Actor ActorOf(const CommandContext& context) const { return {Now(context), NewOwner()}; }

  // By the writer lock as it was before this engine took it: now it only tells of this process.
  OwnerFate Fate() const {
    const State& state = fold.Unsettled();
    return state.operation ? AssessOwner(state.operation->owner, previous, self) : OwnerFate::kUnknown;
  }

  OperationHandle CurrentHandle() const {
    const Operation& operation = *fold.Unsettled().operation;
    return {operation.operation_id, operation.epoch};
  }

  // The lock of a command. The process is checked first: in a child of fork() a thread that does not exist there may
  // hold the mutex.
  absl::StatusOr<std::unique_lock<BriefMutex>> LockForCommand() {
    RETURN_IF_ERROR(process.Check(log->name()));
    std::unique_lock lock(mutex);
    if (closed) return absl::FailedPreconditionError(absl::StrCat("the engine of the log ", log->name(), " is closed"));
    return lock;
  }

  // The two steps of a command that a decision was made for. What has a claim to the reserve is cut to what fits.
  absl::Status AppendEvent(const Event& event, Space space);
  absl::Status NamingTheLog(const absl::Status& refused) const;
  absl::Status Append(const absl::StatusOr<Event>& decision, Space space);
  absl::Status MakeDurable(std::unique_lock<BriefMutex> lock);

  // Both, for commands that return nothing.
  absl::Status AppendDurably(const absl::StatusOr<Event>& decision, Space space, std::unique_lock<BriefMutex> lock);
  absl::StatusOr<OperationHandle> TakeOperation(const absl::StatusOr<Event>& decision,
                                                std::unique_lock<BriefMutex> lock);

  absl::Status AppendCheckpoints(const OperationHandle& handle, std::span<const foldlog::Checkpoint> checkpoints,
                                 Decrease decrease, const CommandContext& context);
  absl::Status FoldCheckpoint(const Moment& at, const foldlog::Checkpoint& checkpoint, std::int64_t files_processed);
  absl::Status FoldUnusual(const Moment& at, const foldlog::Checkpoint& checkpoint, std::int64_t files_processed);
  void SnapshotIfDue();

  // Prunes by the policy. Called without the mutex, for it reads the log.
  std::mutex retaining;  // one thread at a time
  RetentionPolicy retention;
  std::chrono::steady_clock::time_point retain_not_before = {};
  void Retain();
  absl::Status EndDurably(const absl::StatusOr<Event>& decision, std::unique_lock<BriefMutex> lock);
};

// Folded before it is stored, so that nothing is ever stored that cannot be folded.
absl::Status Engine::Impl::AppendEvent(const Event& event, Space space) {
  FrameRun frame{.words = {}, .before = end, .after = end};
  RETURN_IF_ERROR(AppendFrame(event, frame));
  State next = state();
  RETURN_IF_ERROR(Apply({frame.after.sequence, frame.after.hash, event}, next));
  RETURN_IF_ERROR(log->Append(frame, space));
  end = frame.after;
  fold = LazyFold(std::move(next), log->name());
  SnapshotIfDue();
  return absl::OkStatus();
}

// A decision knows the state, but not its log. A user who reads of damage has to know which log is damaged.
absl::Status Engine::Impl::NamingTheLog(const absl::Status& refused) const {
  if (!absl::IsDataLoss(refused)) return refused;
  return absl::DataLossError(absl::StrCat("the log ", log->name(), ": ", refused.message()));
}

absl::Status Engine::Impl::Append(const absl::StatusOr<Event>& decision, Space space) {
  RETURN_IF_ERROR(NamingTheLog(decision.status()));
  if (space == Space::kUnreserved) return AppendEvent(*decision, space);
  absl::Status appended = AppendEvent(Shorten(*decision, kWordsOfAnEndBytes), space);
  if (absl::IsResourceExhausted(appended)) appended = AppendEvent(Shorten(*decision, kWordsOnAFullDiskBytes), space);
  return appended;
}

absl::Status Engine::Impl::MakeDurable(std::unique_lock<BriefMutex> lock) {
  // Taken under the lock: events that others append meanwhile are not this command's to wait for.
  const Sequence through = end.sequence;
  lock.unlock();
  return log->Sync(through);
}

absl::Status Engine::Impl::AppendDurably(const absl::StatusOr<Event>& decision, Space space,
                                         std::unique_lock<BriefMutex> lock) {
  RETURN_IF_ERROR(Append(decision, space));
  return MakeDurable(std::move(lock));
}

// That the operation has ended counts, whatever becomes of older ones.
absl::Status Engine::Impl::EndDurably(const absl::StatusOr<Event>& decision, std::unique_lock<BriefMutex> lock) {
  RETURN_IF_ERROR(AppendDurably(decision, Space::kReserve, std::move(lock)));
  Retain();
  return absl::OkStatus();
}

// Where operations end many times a second, most of the time goes to them. A log that can't be pruned now is pruned
// when the next operation ends; if it has failed, the next append reports it.
void Engine::Impl::Retain() {
  if (retention.keeps_all()) return;
  const std::unique_lock one(retaining, std::try_to_lock);
  const auto begin = std::chrono::steady_clock::now();
  if (!one || begin < retain_not_before) return;
  TimeNs now = 0;
  {
    const std::lock_guard lock(mutex);
    now = options.clock().time;
  }
  const absl::StatusOr<PrunePlan> plan = PlanPrune(*log, retention, now);
  if (plan.ok()) Prune(*log, *plan, Describe(self)).IgnoreError();
  if (plan.ok() && plan->gives_back()) log->FreePruned().IgnoreError();
  const auto done = std::chrono::steady_clock::now();
  retain_not_before = done + kRetainPause * (done - begin);
}

// The handle is taken before the lock is released, while the operation is surely this command's.
absl::StatusOr<OperationHandle> Engine::Impl::TakeOperation(const absl::StatusOr<Event>& decision,
                                                            std::unique_lock<BriefMutex> lock) {
  RETURN_IF_ERROR(Append(decision, Space::kUnreserved));
  OperationHandle handle = CurrentHandle();
  RETURN_IF_ERROR(MakeDurable(std::move(lock)));
  return handle;
}

// This path is taken millions of times, so it copies no state. A checkpoint changes nothing that the
// decision on the next one depends on, except for the count, which `files` follows. A checkpoint that passes the
// decision can be folded, because the fold asks for no more than an active operation of the same epoch. So it is folded
// after it was stored, or noted for when the state is asked for.
absl::Status Engine::Impl::AppendCheckpoints(const OperationHandle& handle,
                                             std::span<const foldlog::Checkpoint> checkpoints, Decrease decrease,
                                             const CommandContext& context) {
  const Moment now = Now(context);
  const State& before = fold.Unsettled();
  std::int64_t files = before.operation ? fold.files_processed() : 0;
  run.words.clear();
  run.before = run.after = end;
  for (const foldlog::Checkpoint& checkpoint : checkpoints) {
    if (absl::Status sound = CheckCheckpoint(before, handle, checkpoint); !sound.ok()) return NamingTheLog(sound);
    ASSIGN_OR_RETURN(files, DecideCount(checkpoint.files_processed, files, decrease));
    if (files == checkpoint.files_processed) {
      RETURN_IF_ERROR(AppendCheckpointFrame(now, before.epoch, checkpoint, run));
    } else {
      RETURN_IF_ERROR(AppendCheckpointFrame(now, before.epoch, WithCount(checkpoint, files), run));
    }
  }
  // Up to here nothing has changed: a refusal or a full disk leaves log and state as they were.
  RETURN_IF_ERROR(log->Append(run, Space::kUnreserved));
  end = run.after;
  files = fold.files_processed();
  for (const foldlog::Checkpoint& checkpoint : checkpoints) {
    ASSIGN_OR_RETURN(files, DecideCount(checkpoint.files_processed, files, decrease));
    RETURN_IF_ERROR(FoldCheckpoint(now, checkpoint, files));
  }
  SnapshotIfDue();
  return absl::OkStatus();
}

// The texts are the caller's, and what is noted is folded later: so they are copied. No address of the view leaves this
// function, so that it stays in registers.
absl::Status Engine::Impl::FoldCheckpoint(const Moment& at, const foldlog::Checkpoint& checkpoint,
                                          std::int64_t files_processed) {
  const Sequence sequence = fold.sequence() + 1;
  CheckpointView view = ViewOf(at, fold.Unsettled().epoch, checkpoint);
  view.files_processed = files_processed;
  if (view.has_error || !fold.CanNote(sequence, view)) return FoldUnusual(at, checkpoint, files_processed);
  if (IsPresent(view.current_path)) view.current_path = noted_path.assign(view.current_path);
  if (IsPresent(view.last_processed_file)) view.last_processed_file = noted_file.assign(view.last_processed_file);
  fold.Note(sequence, view);
  return absl::OkStatus();
}

absl::Status Engine::Impl::FoldUnusual(const Moment& at, const foldlog::Checkpoint& checkpoint,
                                       std::int64_t files_processed) {
  CheckpointView view = ViewOf(at, fold.Unsettled().epoch, checkpoint);
  view.files_processed = files_processed;
  return fold.AddUnusual(view);
}

// A snapshot that can't be stored makes the next opening slower and nothing else, so its error is ignored, and the next
// one is due after the usual interval. If the log itself has failed, the next append reports it.
void Engine::Impl::SnapshotIfDue() {
  if (fold.sequence() - snapshot_at < options.snapshot_interval_events) return;
  Snapshot snapshot{.at = end, .words = {}};
  snapshot_at = fold.sequence();
  if (EncodeState(state(), snapshot.words).ok()) log->PutSnapshot(snapshot).IgnoreError();
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Engine::~Engine() { Close().IgnoreError(); }

absl::StatusOr<std::unique_ptr<Engine>> Engine::Open(const std::string& directory, EngineOptions options) {
  if (!options.directory.indexer) options.directory.indexer = NewEventIndexer();
  ASSIGN_OR_RETURN(WritableLog log, OpenLogForWriting(directory, options.directory));
  return Open(std::move(log), std::move(options));
}

absl::StatusOr<std::unique_ptr<Engine>> Engine::Open(WritableLog log, EngineOptions options) {
  ASSIGN_OR_RETURN(Fold fold, FoldLog(*log.log));
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  if (!impl->options.clock) impl->options.clock = SystemClock();
  if (!impl->options.new_id) impl->options.new_id = NewUuid;
  impl->log = std::move(log.log);
  impl->self = std::move(log.self);
  impl->previous = std::move(log.previous);
  impl->fold = LazyFold(std::move(fold.state), impl->log->name());
  impl->end = fold.at;
  // Counted from the snapshot that the fold began with: the events folded since then count towards the next one.
  impl->snapshot_at = fold.snapshot_used;
  impl->recovery = log.recovery;
  // A policy that can't be read prunes nothing.
  impl->retention =
      impl->options.retention ? *impl->options.retention : ReadRetention(*impl->log).value_or(RetentionPolicy());
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

absl::StatusOr<OperationHandle> Engine::Start(const StartRequest& request, const CommandContext& context) {
  ASSIGN_OR_RETURN(auto lock, impl_->LockForCommand());
  Impl& impl = *impl_;
  // Id, fate and time are made before the decision: it is pure, and gets them as arguments.
  return impl.TakeOperation(DecideStart(impl.state(), request, context.new_id ? *context.new_id : impl.options.new_id(),
                                        impl.Fate(), impl.ActorOf(context)),
                            std::move(lock));
}

absl::Status Engine::Checkpoint(const OperationHandle& handle, const foldlog::Checkpoint& checkpoint,
                                Durability durability, Decrease decrease, const CommandContext& context) {
  return Checkpoint(handle, std::span(&checkpoint, 1), durability, decrease, context);
}

absl::Status Engine::Checkpoint(const OperationHandle& handle, std::span<const foldlog::Checkpoint> checkpoints,
                                Durability durability, Decrease decrease, const CommandContext& context) {
  ASSIGN_OR_RETURN(auto lock, impl_->LockForCommand());
  // A stale handle is refused even with nothing to record.
  if (checkpoints.empty()) RETURN_IF_ERROR(CheckCheckpoint(impl_->fold.Unsettled(), handle, {}));
  RETURN_IF_ERROR(impl_->AppendCheckpoints(handle, checkpoints, decrease, context));
  return durability == Durability::kSync ? impl_->MakeDurable(std::move(lock)) : absl::OkStatus();
}

absl::StatusOr<std::int64_t> Engine::Advance(const OperationHandle& handle, const Increment& increment,
                                             Durability durability, const CommandContext& context) {
  ASSIGN_OR_RETURN(auto lock, impl_->LockForCommand());
  ASSIGN_OR_RETURN(const foldlog::Checkpoint checkpoint, DecideAdvance(impl_->state(), handle, increment));
  // The total was computed under the same lock, so it is never a decrease.
  RETURN_IF_ERROR(impl_->AppendCheckpoints(handle, std::span(&checkpoint, 1), Decrease::kRefused, context));
  if (durability == Durability::kSync) RETURN_IF_ERROR(impl_->MakeDurable(std::move(lock)));
  return checkpoint.files_processed;
}

absl::Status Engine::Pause(const OperationHandle& handle, const std::string& reason, const CommandContext& context) {
  ASSIGN_OR_RETURN(auto lock, impl_->LockForCommand());
  return impl_->AppendDurably(DecidePause(impl_->state(), handle, reason, impl_->Now(context)), Space::kReserve,
                              std::move(lock));
}

absl::StatusOr<OperationHandle> Engine::Resume(const std::string& operation_id, const std::string& reason,
                                               const CommandContext& context) {
  ASSIGN_OR_RETURN(auto lock, impl_->LockForCommand());
  Impl& impl = *impl_;
  return impl.TakeOperation(DecideResume(impl.state(), operation_id, reason, impl.Fate(), impl.ActorOf(context)),
                            std::move(lock));
}

absl::StatusOr<OperationHandle> Engine::RecoverByForce(const std::string& operation_id, const std::string& reason,
                                                       const CommandContext& context) {
  ASSIGN_OR_RETURN(auto lock, impl_->LockForCommand());
  Impl& impl = *impl_;
  return impl.TakeOperation(
      DecideRecoverByForce(impl.state(), operation_id, reason, impl.Fate(), impl.ActorOf(context)), std::move(lock));
}

absl::Status Engine::Complete(const OperationHandle& handle, const Stats& stats, const CommandContext& context) {
  ASSIGN_OR_RETURN(auto lock, impl_->LockForCommand());
  return impl_->EndDurably(DecideComplete(impl_->state(), handle, stats, impl_->Now(context)), std::move(lock));
}

absl::Status Engine::Fail(const OperationHandle& handle, const std::string& error, const CommandContext& context) {
  ASSIGN_OR_RETURN(auto lock, impl_->LockForCommand());
  return impl_->EndDurably(DecideFail(impl_->state(), handle, error, impl_->Now(context)), std::move(lock));
}

absl::Status Engine::Clear(const CommandContext& context) {
  ASSIGN_OR_RETURN(auto lock, impl_->LockForCommand());
  return impl_->AppendDurably(DecideClear(impl_->state(), impl_->Now(context)), Space::kReserve, std::move(lock));
}

absl::Status Engine::Reset(const std::string& reason, const CommandContext& context) {
  ASSIGN_OR_RETURN(auto lock, impl_->LockForCommand());
  return impl_->EndDurably(DecideReset(impl_->state(), reason, impl_->Now(context)), std::move(lock));
}

absl::StatusOr<OperationHandle> Engine::Import(Imported operation, const CommandContext& context) {
  ASSIGN_OR_RETURN(auto lock, impl_->LockForCommand());
  Impl& impl = *impl_;
  std::string id = context.new_id ? *context.new_id : impl.options.new_id();
  return impl.TakeOperation(DecideImport(impl.state(), std::move(operation), std::move(id), impl.ActorOf(context)),
                            std::move(lock));
}

State Engine::state() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->state();
}

std::optional<OperationHandle> Engine::current_handle() const {
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->state().active()) return std::nullopt;
  return impl_->CurrentHandle();
}

std::optional<OwnerFate> Engine::interruption() const {
  const std::lock_guard lock(impl_->mutex);
  const State& state = impl_->state();
  // An operation that this engine owns is not interrupted; AssessOwner() would look through /proc for nothing.
  if (state.status() != OperationStatus::kInProgress || state.operation->owner == impl_->NewOwner()) {
    return std::nullopt;
  }
  return impl_->Fate();
}

std::int64_t Engine::active_ns() const {
  const std::lock_guard lock(impl_->mutex);
  return ActiveNs(impl_->state(), impl_->options.clock());
}

Sequence Engine::durable_through() const {
  // Without the mutex, for a command may hold it; the log has its own locks. After Close() the log no longer answers.
  const absl::StatusOr<LogExtent> extent = impl_->log->Extent();
  if (extent.ok()) return extent->durable_through;
  const std::lock_guard lock(impl_->mutex);
  return impl_->durable_when_closed;
}

const RecoveryReport& Engine::recovery() const { return impl_->recovery; }

absl::Status Engine::Flush() {
  ASSIGN_OR_RETURN(auto lock, impl_->LockForCommand());
  return impl_->MakeDurable(std::move(lock));
}

const EventLog& Engine::log() const { return *impl_->log; }

absl::Status Engine::Close() {
  if (!impl_->process.IsInside()) return absl::OkStatus();  // in a child of fork(): the parent's to close
  const std::lock_guard lock(impl_->mutex);
  if (impl_->closed) return absl::OkStatus();
  impl_->closed = true;
  absl::Status status = impl_->log->Close();
  if (status.ok()) impl_->durable_when_closed = impl_->end.sequence;
  return status;
}

}  // namespace foldlog
