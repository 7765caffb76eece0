#include "tools/python/manager.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/base/text.h"
#include "engine/seconds.h"
#include "foldlog/single_row.h"
#include "tools/python/arguments.h"
#include "tools/python/convert.h"
#include "tools/python/interpreter_lock.h"
#include "tools/python/queries.h"

namespace foldlog::python {
namespace {

[[noreturn]] void Refuse(std::string_view message, const char* advice = nullptr) {
  RaiseText(absl::StatusCode::kFailedPrecondition, TextOf(message), advice);
}

[[noreturn]] void RefuseId(const char* why, py::handle operation_id, const char* advice) {
  RaiseText(absl::StatusCode::kFailedPrecondition, py::str(why) + py::str(operation_id), advice);
}

// What to do where a message of the single-row manager leaves that open.
constexpr const char* kTakeUpFirst =
    "this manager may write about the operation that it started or resumed itself: get_active_operation() names the "
    "one "
    "there is, and resume_operation() takes it up";
constexpr const char* kOtherId = "get_active_operation() names the operation that there is";
constexpr const char* kNothingThere = "there is no operation: start_operation() begins one";
constexpr const char* kEndItFirst =
    "resume_operation() goes on with it (with resume_interrupted=True if its process is gone), complete_operation() or "
    "fail_operation() ends it";

const char* AdviceOnTakingUp(OperationStatus status) {
  switch (status) {
    case OperationStatus::kInProgress:
      return "if its process is gone, resume_operation(..., resume_interrupted=True) goes on with it; status() tells "
             "whether it is; recover_operation(..., reason=...) takes it over whatever is known";
    case OperationStatus::kPaused:
      return "it is paused: resume_operation() goes on with it";
    default:
      return "it has ended: start_operation() begins another one";
  }
}

// The handle of the operation as it is now. Of one that is not there any more: one that the engine refuses, and says
// why.
OperationHandle HandleIn(const State& state, const std::string& operation_id) {
  const bool known = state.operation && state.operation->operation_id == operation_id;
  return {operation_id, known ? state.operation->epoch : 0};
}

// Runs `command` with the handle of the operation. Managers of one process share the operation: what another one of
// them resumed meanwhile goes on here, too.
template <typename Command>
absl::Status WithHandle(Engine& engine, const std::string& operation_id, Command command) {
  OperationHandle handle = HandleIn(engine.state(), operation_id);
  while (true) {
    absl::Status status = command(handle);
    if (!absl::IsAborted(status)) return status;
    OperationHandle now = HandleIn(engine.state(), operation_id);
    if (now == handle) return status;
    handle = std::move(now);
  }
}

// A refusal that is due to an empty row has words of its own.
void CheckCommand(const absl::Status& status, const std::shared_ptr<SharedEngine>& shared, const char* if_idle) {
  if (absl::IsFailedPrecondition(status) && !StateOf(shared).operation) Refuse(if_idle, kNothingThere);
  Check(status);
}

std::string AlreadyExists(const Operation& operation) {
  return absl::StrCat("Cannot start new operation: ", ToAbsl(Name(operation.status)), " operation ",
                      operation.operation_id, " already exists");
}

// Programs written for the single row may set the count back, as they could there; that it is seldom meant they learn.
void WarnOfDecrease(const Operation& before, std::int64_t files) {
  const std::string text = absl::StrCat("Operation ", before.operation_id, " went back from ", before.files_processed,
                                        " to ", files, " files: advance() adds to what there is, from any thread");
  py::module_::import("foldlog._manager").attr("logger").attr("warning")("%s", TextOf(text));
}

absl::StatusOr<std::shared_ptr<SharedEngine>> OpenWithMirror(const std::string& path,
                                                             const std::optional<std::string>& sqlite_file) {
  ASSIGN_OR_RETURN(std::shared_ptr<SharedEngine> shared, SharedEngine::Acquire(path));
  if (!sqlite_file) return shared;
  const absl::Status mirrored = shared->Mirror(*sqlite_file);
  if (mirrored.ok()) return shared;
  shared->Release().IgnoreError();  // the mirror's is the error to tell
  return mirrored;
}

}  // namespace

Manager::Manager(py::handle path, py::handle durability, py::handle mirror, Options options)
    : path_(PathOf(path, "the path of the log")), options_(options), durability_(DurabilityOf(durability)) {
  if (options_.read_only) {
    if (!mirror.is_none()) throw py::type_error("a manager with readonly=True keeps no mirror");
    reader_ = ValueOf(Unlocked([&] { return ReadOnlyLog::Open(path_); }));
    return;
  }
  std::optional<std::string> sqlite_file;
  if (!mirror.is_none()) sqlite_file = PathOf(mirror, "mirror");
  shared_ = ValueOf(Unlocked([&] { return OpenWithMirror(path_, sqlite_file); }));
}

// close() is there for those who want to know how it went.
Manager::~Manager() {
  if (shared_) Unlocked([&] { return shared_->Release(); }).IgnoreError();
}

const Manager::Shared& Manager::Open() const {
  if (reader_) Refuse(absl::StrCat("the manager of the log ", path_, " only reads; open one without readonly=True"));
  if (!shared_) Refuse(absl::StrCat("the manager of the log ", path_, " is closed; open another one"));
  return shared_;
}

std::optional<Moment> Manager::AskClock(py::handle self) const {
  if (!options_.has_clock) return std::nullopt;
  return TimeOfPython(self.attr("_clock")(), "the clock");
}

void Manager::CheckIsCurrent(py::handle operation_id) const {
  if (current_ && PyUnicode_Check(operation_id.ptr())) {
    Py_ssize_t size = 0;
    const char* utf8 = PyUnicode_AsUTF8AndSize(operation_id.ptr(), &size);
    if (utf8 == nullptr) PyErr_Clear();
    if (utf8 != nullptr && *current_ == std::string_view(utf8, static_cast<std::size_t>(size))) return;
  }
  RefuseId("Invalid operation ID: ", operation_id, kTakeUpFirst);
}

std::string Manager::Start(py::handle self, const std::string& type, py::handle total_files, py::handle roots,
                           py::handle metadata) {
  const Shared shared = Open();
  const State before = StateOf(shared);
  if (before.active()) Refuse(AlreadyExists(*before.operation), kEndItFirst);
  const StartRequest request{.type = *ParseOperationType(type),
                             .total_files = OptionalCountOf(total_files, "total_files"),
                             .roots = RootsOf(roots),
                             .metadata = MetadataOf(metadata)};
  CommandContext context;
  if (options_.has_new_id) context.new_id = BytesOf(self.attr("_new_id")(), "the new operation id");
  context.now = AskClock(self);
  const auto handle = Unlocked([&] { return shared->engine().Start(request, context); });
  if (absl::IsFailedPrecondition(handle.status())) {  // another thread was quicker
    const State state = StateOf(shared);
    if (state.active()) Refuse(AlreadyExists(*state.operation), kEndItFirst);
  }
  Check(handle.status());
  current_ = handle->operation_id;
  handle_ = std::make_shared<const OperationHandle>(*handle);
  return handle->operation_id;
}

Checkpoint Manager::CheckpointOf(py::handle self, py::handle current_path, py::handle last_file, py::handle error,
                                 py::handle batch_num, std::optional<Moment>& now) const {
  Checkpoint checkpoint;
  SetPath(current_path, "current_path", checkpoint.current_path);
  SetPath(last_file, "last_file", checkpoint.last_processed_file);
  if (!batch_num.is_none()) checkpoint.batch_num = CountOf(batch_num, "batch_num");
  now = AskClock(self);
  if (!error.is_none() && IsTrue(error)) {
    if (!now) now = SystemNow();  // the error and the event have the same time
    checkpoint.error = ErrorOf(error, now->time);
  }
  return checkpoint;
}

// Runs `command` with the handle as this manager knows it, and once more if another manager has resumed the operation.
template <typename Command>
absl::Status Manager::Record(const Shared& shared, std::optional<Moment> now, const Command& command) {
  const std::shared_ptr<const OperationHandle> handle = handle_;
  const CommandContext context{.now = now};
  absl::Status status = Unlocked([&] { return command(shared->engine(), *handle, context); });
  if (!absl::IsAborted(status)) return status;
  OperationHandle last;
  status = Unlocked([&] {
    return WithHandle(shared->engine(), handle->operation_id, [&](const OperationHandle& fresh) {
      last = fresh;
      return command(shared->engine(), fresh, context);
    });
  });
  if (status.ok() && current_ == last.operation_id) handle_ = std::make_shared<const OperationHandle>(last);
  return status;
}

void Manager::UpdateCheckpoint(py::handle self, py::handle operation_id, py::handle files_processed,
                               py::handle current_path, py::handle last_file, py::handle error, py::handle batch_num,
                               py::handle durability) {
  const Shared shared = Open();
  CheckIsCurrent(operation_id);
  const Durability wanted = durability.is_none() ? durability_ : DurabilityOf(durability);
  const std::int64_t files = CountOf(files_processed, "files_processed");
  std::optional<Moment> now;
  Checkpoint checkpoint = CheckpointOf(self, current_path, last_file, error, batch_num, now);
  checkpoint.files_processed = files;
  const auto record = [&](Decrease decrease) {
    return Record(shared, now, [&](Engine& engine, const OperationHandle& handle, const CommandContext& context) {
      return engine.Checkpoint(handle, checkpoint, wanted, decrease, context);
    });
  };
  absl::Status status = record(options_.monotonic ? Decrease::kIgnored : Decrease::kRefused);
  if (absl::IsInvalidArgument(status) && !options_.monotonic) {
    const State before = StateOf(shared);
    status = record(Decrease::kAllowed);
    if (status.ok() && before.operation) WarnOfDecrease(*before.operation, files);
  }
  CheckCommand(status, shared, "No active operation found");
}

std::int64_t Manager::Advance(py::handle self, py::handle operation_id, py::handle files, py::handle current_path,
                              py::handle last_file, py::handle error, py::handle batch_num, py::handle durability) {
  const Shared shared = Open();
  CheckIsCurrent(operation_id);
  const Durability wanted = durability.is_none() ? durability_ : DurabilityOf(durability);
  const std::int64_t added = CountOf(files, "files");
  std::optional<Moment> now;
  Checkpoint checkpoint = CheckpointOf(self, current_path, last_file, error, batch_num, now);
  const Increment increment{.files_added = added,
                            .current_path = std::move(checkpoint.current_path),
                            .last_processed_file = std::move(checkpoint.last_processed_file),
                            .batch_num = checkpoint.batch_num,
                            .error = std::move(checkpoint.error)};
  std::int64_t total = 0;
  const absl::Status status =
      Record(shared, now, [&](Engine& engine, const OperationHandle& handle, const CommandContext& context) {
        const absl::StatusOr<std::int64_t> advanced = engine.Advance(handle, increment, wanted, context);
        total = advanced.value_or(0);
        return advanced.status();
      });
  CheckCommand(status, shared, "No active operation found");
  return total;
}

void Manager::Pause(py::handle self, py::handle operation_id, py::handle reason) {
  const Shared shared = Open();
  CheckIsCurrent(operation_id);
  if (StateOf(shared).status() != OperationStatus::kInProgress)
    Refuse("No active operation to pause", "status() tells how the operation stands, if there is one");
  const std::string why = TextThatEnds(reason, "reason");
  const absl::Status status =
      Record(shared, AskClock(self), [&](Engine& engine, const OperationHandle& handle, const CommandContext& context) {
        return engine.Pause(handle, why, context);
      });
  CheckCommand(status, shared, "No active operation to pause");
}

py::str Manager::TakeOver(py::handle self, const Shared& shared, const State& before,
                          const std::optional<std::string>& force_reason) {
  const std::string id = before.operation->operation_id;
  // Read first: an operation is taken over only if its checkpoint can be handed out.
  const std::optional<SingleRow> row = RowOf(shared, before);
  const CommandContext context{.now = AskClock(self)};
  const auto handle = Unlocked([&] {
    Engine& engine = shared->engine();
    return force_reason ? engine.RecoverByForce(id, *force_reason, context) : engine.Resume(id, "", context);
  });
  Check(handle.status());
  current_ = id;
  handle_ = std::make_shared<const OperationHandle>(*handle);
  return TextOf(row->checkpoint_data);
}

py::str Manager::Resume(py::handle self, py::handle operation_id, bool interrupted_too) {
  const Shared shared = Open();
  const State state = StateOf(shared);
  if (!state.operation) Refuse("No operation to resume", kNothingThere);
  if (!TextOf(state.operation->operation_id).equal(operation_id)) {
    RefuseId("Operation ID mismatch: ", operation_id, kOtherId);
  }
  const bool interrupted = interrupted_too && state.status() == OperationStatus::kInProgress;
  if (state.status() != OperationStatus::kPaused && !interrupted) {
    Refuse(absl::StrCat("Cannot resume operation in ", ToAbsl(Name(state.status())), " state"),
           AdviceOnTakingUp(state.status()));
  }
  return TakeOver(self, shared, state, std::nullopt);
}

py::str Manager::Recover(py::handle self, py::handle operation_id, py::handle reason) {
  const Shared shared = Open();
  const State state = StateOf(shared);
  if (!state.operation) Refuse("No operation to recover", kNothingThere);
  if (!TextOf(state.operation->operation_id).equal(operation_id)) {
    RefuseId("Operation ID mismatch: ", operation_id, kOtherId);
  }
  if (state.status() != OperationStatus::kInProgress) {
    Refuse(absl::StrCat("Cannot recover operation in ", ToAbsl(Name(state.status())), " state"),
           AdviceOnTakingUp(state.status()));
  }
  if (reason.is_none()) return TakeOver(self, shared, state, std::nullopt);
  return TakeOver(self, shared, state, BytesOf(reason, "reason"));
}

py::tuple Manager::Complete(py::handle self, py::handle operation_id, py::handle stats) {
  const Shared shared = Open();
  CheckIsCurrent(operation_id);
  if (!StateOf(shared).operation) Refuse("No active operation to complete", kNothingThere);
  const Stats figures = StatsOf(stats);
  const std::string id = *current_;
  const absl::Status status =
      Record(shared, AskClock(self), [&](Engine& engine, const OperationHandle& handle, const CommandContext& context) {
        return engine.Complete(handle, figures, context);
      });
  CheckCommand(status, shared, "No active operation to complete");
  if (current_ == id) current_.reset();
  const State after = StateOf(shared);
  if (!after.operation || after.operation->operation_id != id) return py::make_tuple(0, 0.0, 0.0);  // cleared since
  const Operation& ended = *after.operation;
  return py::make_tuple(ended.files_processed, SecondsOf(ended.last_progress_at) - SecondsOf(ended.started_at),
                        ended.rate);
}

void Manager::Fail(py::handle self, py::handle operation_id, py::handle error) {
  const Shared shared = Open();
  CheckIsCurrent(operation_id);
  if (!StateOf(shared).operation) Refuse("No active operation to fail", kNothingThere);
  const std::string text = TextThatEnds(error, "the error");
  const std::string id = *current_;
  const absl::Status status =
      Record(shared, AskClock(self), [&](Engine& engine, const OperationHandle& handle, const CommandContext& context) {
        return engine.Fail(handle, text, context);
      });
  CheckCommand(status, shared, "No active operation to fail");
  if (current_ == id) current_.reset();
}

void Manager::Clear(py::handle self) {
  const Shared shared = Open();
  const State state = StateOf(shared);
  if (!state.operation || state.active()) return;
  const CommandContext context{.now = AskClock(self)};
  const absl::Status status = Unlocked([&] { return shared->engine().Clear(context); });
  if (absl::IsFailedPrecondition(status)) {  // another thread was quicker
    const State after = StateOf(shared);
    if (!after.operation || after.active()) return;
  }
  Check(status);
}

void Manager::Reset(py::handle self, py::handle reason) {
  const Shared shared = Open();
  Check(shared->CheckProcess());
  const std::string why = TextThatEnds(reason, "reason");
  const CommandContext context{.now = AskClock(self)};
  Check(Unlocked([&] { return shared->engine().Reset(why, context); }));
  current_.reset();
}

std::shared_ptr<LogSource> Manager::Source() const {
  if (reader_) return reader_;
  return Open();
}

Sequence Manager::DurableSequence() const {
  const std::shared_ptr<LogSource> source = Source();
  Check(source->CheckProcess());
  return ValueOf(Unlocked([&] { return source->log().Extent(); })).durable_through;
}

py::str Manager::Log() const { return TextOf(path_); }

py::object Manager::current_operation_id() const { return current_ ? py::object(TextOf(*current_)) : py::none(); }

void Manager::set_current_operation_id(py::handle operation_id) {
  current_.reset();
  if (operation_id.is_none()) return;
  std::string id = BytesOf(operation_id, "the operation id");
  handle_ = std::make_shared<const OperationHandle>(OperationHandle{.operation_id = id, .epoch = 0});
  current_ = std::move(id);
}

void Manager::Flush() const {
  const Shared shared = Open();
  Check(Unlocked([&] { return shared->engine().Flush(); }));
}

void Manager::Close() {
  if (reader_) Check(Unlocked([&] { return std::exchange(reader_, nullptr)->Close(); }));
  if (!shared_) return;
  const Shared shared = std::exchange(shared_, nullptr);
  Check(Unlocked([&] { return shared->Release(); }));
}

}  // namespace foldlog::python
