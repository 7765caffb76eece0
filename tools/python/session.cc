#include "tools/python/session.h"

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

// What to do where a message of the single-row manager leaves that open; _manager.py has the others.
constexpr const char* kTakeUpFirst =
    "this manager may write about the operation that it started or resumed itself: get_active_operation() names the "
    "one "
    "there is, and resume_operation() takes it up";
constexpr const char* kNothingThere = "there is no operation: start_operation() begins one";

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
void CheckRecorded(const absl::Status& status, const std::shared_ptr<SharedEngine>& shared) {
  if (absl::IsFailedPrecondition(status) && !StateOf(shared).operation) {
    Refuse("No active operation found", kNothingThere);
  }
  Check(status);
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

// As the clock of the caller gave it; nothing: the system's is asked.
std::optional<Moment> MomentOf(py::handle now) {
  if (now.is_none()) return std::nullopt;
  return TimeOfPython(now, "the clock");
}

}  // namespace

Session::Session(py::handle path, py::handle durability, py::handle mirror, Options options)
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
Session::~Session() {
  if (shared_) Unlocked([&] { return shared_->Release(); }).IgnoreError();
}

const Session::Shared& Session::Open() const {
  if (reader_) Refuse(absl::StrCat("the manager of the log ", path_, " only reads; open one without readonly=True"));
  if (!shared_) Refuse(absl::StrCat("the manager of the log ", path_, " is closed; open another one"));
  return shared_;
}

Session::Handle Session::HandleOf(py::handle operation_id) const {
  Open();
  if (current_ && PyUnicode_Check(operation_id.ptr())) {
    Py_ssize_t size = 0;
    const char* utf8 = PyUnicode_AsUTF8AndSize(operation_id.ptr(), &size);
    if (utf8 == nullptr) PyErr_Clear();
    if (utf8 != nullptr && *current_ == std::string_view(utf8, static_cast<std::size_t>(size))) return handle_;
  }
  RaiseText(absl::StatusCode::kFailedPrecondition, py::str("Invalid operation ID: ") + py::str(operation_id),
            kTakeUpFirst);
}

py::object Session::Standing() const {
  const State state = StateOf(Open());
  if (!state.operation) return py::none();
  return py::make_tuple(TextOf(state.operation->operation_id), TextOf(Name(state.status())));
}

std::string Session::Start(const std::string& type, py::handle total_files, py::handle roots, py::handle metadata,
                           py::handle now, py::handle new_id) {
  const Shared shared = Open();
  const StartRequest request{.type = *ParseOperationType(type),
                             .total_files = OptionalCountOf(total_files, "total_files"),
                             .roots = RootsOf(roots),
                             .metadata = MetadataOf(metadata)};
  CommandContext context{.now = MomentOf(now)};
  if (!new_id.is_none()) context.new_id = BytesOf(new_id, "the new operation id");
  return Take(ValueOf(Unlocked([&] { return shared->engine().Start(request, context); })));
}

std::string Session::Take(const OperationHandle& handle) {
  current_ = handle.operation_id;
  handle_ = std::make_shared<const OperationHandle>(handle);
  return handle.operation_id;
}

Checkpoint Session::CheckpointOf(py::handle self, py::handle current_path, py::handle last_file, py::handle error,
                                 py::handle batch_num, std::optional<Moment>& now) const {
  Checkpoint checkpoint;
  SetPath(current_path, "current_path", checkpoint.current_path);
  SetPath(last_file, "last_file", checkpoint.last_processed_file);
  if (!batch_num.is_none()) checkpoint.batch_num = CountOf(batch_num, "batch_num");
  now = options_.has_clock ? MomentOf(self.attr("_clock")()) : std::nullopt;
  if (!error.is_none() && IsTrue(error)) {
    if (!now) now = SystemNow();  // the error and the event have the same time
    checkpoint.error = ErrorOf(error, now->time);
  }
  return checkpoint;
}

// Runs `command` with the handle as this manager knows it, and once more if another manager has resumed the operation.
template <typename Command>
absl::Status Session::Record(const Shared& shared, const Handle& handle, std::optional<Moment> now,
                             const Command& command) {
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

void Session::UpdateCheckpoint(py::handle self, py::handle operation_id, py::handle files_processed,
                               py::handle current_path, py::handle last_file, py::handle error, py::handle batch_num,
                               py::handle durability) {
  const Shared shared = Open();
  const Handle held = HandleOf(operation_id);
  const Durability wanted = durability.is_none() ? durability_ : DurabilityOf(durability);
  const std::int64_t files = CountOf(files_processed, "files_processed");
  std::optional<Moment> now;
  Checkpoint checkpoint = CheckpointOf(self, current_path, last_file, error, batch_num, now);
  checkpoint.files_processed = files;
  const auto record = [&](Decrease decrease) {
    return Record(shared, held, now, [&](Engine& engine, const OperationHandle& handle, const CommandContext& context) {
      return engine.Checkpoint(handle, checkpoint, wanted, decrease, context);
    });
  };
  absl::Status status = record(options_.monotonic ? Decrease::kIgnored : Decrease::kRefused);
  if (absl::IsInvalidArgument(status) && !options_.monotonic) {
    const State before = StateOf(shared);
    status = record(Decrease::kAllowed);
    if (status.ok() && before.operation) WarnOfDecrease(*before.operation, files);
  }
  CheckRecorded(status, shared);
}

std::int64_t Session::Advance(py::handle self, py::handle operation_id, py::handle files, py::handle current_path,
                              py::handle last_file, py::handle error, py::handle batch_num, py::handle durability) {
  const Shared shared = Open();
  const Handle held = HandleOf(operation_id);
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
      Record(shared, held, now, [&](Engine& engine, const OperationHandle& handle, const CommandContext& context) {
        const absl::StatusOr<std::int64_t> advanced = engine.Advance(handle, increment, wanted, context);
        total = advanced.value_or(0);
        return advanced.status();
      });
  CheckRecorded(status, shared);
  return total;
}

void Session::Pause(py::handle operation_id, py::handle reason, py::handle now) {
  const Shared shared = Open();
  const Handle held = HandleOf(operation_id);
  const std::string why = TextThatEnds(reason, "reason");
  Check(Record(shared, held, MomentOf(now),
               [&](Engine& engine, const OperationHandle& handle, const CommandContext& context) {
                 return engine.Pause(handle, why, context);
               }));
}

py::str Session::TakeOver(const std::string& operation_id, py::handle force_reason, py::handle now) {
  const Shared shared = Open();
  std::optional<std::string> reason;
  if (!force_reason.is_none()) reason = BytesOf(force_reason, "reason");
  // Read first: an operation is taken over only if its checkpoint can be handed out.
  const std::optional<SingleRow> row = RowOf(shared, StateOf(shared));
  const CommandContext context{.now = MomentOf(now)};
  Take(ValueOf(Unlocked([&] {
    Engine& engine = shared->engine();
    return reason ? engine.RecoverByForce(operation_id, *reason, context) : engine.Resume(operation_id, "", context);
  })));
  return TextOf(row.value_or(SingleRow()).checkpoint_data);
}

py::tuple Session::Complete(py::handle operation_id, py::handle stats, py::handle now) {
  const Shared shared = Open();
  const Handle held = HandleOf(operation_id);
  const Stats figures = StatsOf(stats);
  Check(Record(shared, held, MomentOf(now),
               [&](Engine& engine, const OperationHandle& handle, const CommandContext& context) {
                 return engine.Complete(handle, figures, context);
               }));
  if (current_ == held->operation_id) current_.reset();
  const State after = StateOf(shared);
  if (!after.operation || after.operation->operation_id != held->operation_id)
    return py::make_tuple(0, 0.0, 0.0);  // cleared since
  const Operation& ended = *after.operation;
  return py::make_tuple(ended.files_processed, SecondsOf(ended.last_progress_at) - SecondsOf(ended.started_at),
                        ended.rate);
}

void Session::Fail(py::handle operation_id, py::handle error, py::handle now) {
  const Shared shared = Open();
  const Handle held = HandleOf(operation_id);
  const std::string text = TextThatEnds(error, "the error");
  Check(Record(shared, held, MomentOf(now),
               [&](Engine& engine, const OperationHandle& handle, const CommandContext& context) {
                 return engine.Fail(handle, text, context);
               }));
  if (current_ == held->operation_id) current_.reset();
}

void Session::Clear(py::handle now) {
  const Shared shared = Open();
  const CommandContext context{.now = MomentOf(now)};
  Check(Unlocked([&] { return shared->engine().Clear(context); }));
}

void Session::Reset(py::handle reason, py::handle now) {
  const Shared shared = Open();
  Check(shared->CheckProcess());
  const std::string why = TextThatEnds(reason, "reason");
  const CommandContext context{.now = MomentOf(now)};
  Check(Unlocked([&] { return shared->engine().Reset(why, context); }));
  current_.reset();
}

std::shared_ptr<LogSource> Session::Source() const {
  if (reader_) return reader_;
  return Open();
}

Sequence Session::DurableSequence() const {
  const std::shared_ptr<LogSource> source = Source();
  Check(source->CheckProcess());
  return ValueOf(Unlocked([&] { return source->log().Extent(); })).durable_through;
}

py::str Session::Log() const { return TextOf(path_); }

py::object Session::current_operation_id() const { return current_ ? py::object(TextOf(*current_)) : py::none(); }

void Session::set_current_operation_id(py::handle operation_id) {
  current_.reset();
  if (operation_id.is_none()) return;
  std::string id = BytesOf(operation_id, "the operation id");
  handle_ = std::make_shared<const OperationHandle>(OperationHandle{.operation_id = id, .epoch = 0});
  current_ = std::move(id);
}

void Session::Flush() const {
  const Shared shared = Open();
  Check(Unlocked([&] { return shared->engine().Flush(); }));
}

void Session::Close() {
  if (reader_) Check(Unlocked([&] { return std::exchange(reader_, nullptr)->Close(); }));
  if (!shared_) return;
  const Shared shared = std::exchange(shared_, nullptr);
  Check(Unlocked([&] { return shared->Release(); }));
}

}  // namespace foldlog::python
