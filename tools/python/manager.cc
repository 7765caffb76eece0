#include "tools/python/manager.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/seconds.h"
#include "engine/status_macros.h"
#include "engine/text.h"
#include "foldlog/history.h"
#include "foldlog/replayer.h"
#include "foldlog/single_row.h"
#include "tools/python/convert.h"
#include "tools/python/dicts.h"
#include "tools/python/interpreter_lock.h"

namespace foldlog::python {
namespace {

[[noreturn]] void Refuse(std::string_view message) { Raise(absl::StatusCode::kFailedPrecondition, message); }

[[noreturn]] void RefuseId(const char* why, py::handle operation_id) {
  RaiseText(absl::StatusCode::kFailedPrecondition, py::str(why) + py::str(operation_id));
}

State StateOf(const std::shared_ptr<SharedEngine>& shared) {
  Check(shared->CheckProcess());
  return Unlocked([&] { return shared->engine().state(); });
}

std::optional<SingleRow> RowOf(const std::shared_ptr<SharedEngine>& shared, const State& state) {
  return ValueOf(Unlocked([&] { return ProjectSingleRow(shared->engine().log(), state); }));
}

Durability DurabilityOf(py::handle name) {
  const std::string text = BytesOf(name, "durability");
  if (text == "sync") return Durability::kSync;
  if (text == "interval") return Durability::kInterval;
  Raise(absl::StatusCode::kInvalidArgument,
        absl::StrCat("durability is \"", text, "\"; it must be \"sync\" or \"interval\""));
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
  if (absl::IsFailedPrecondition(status) && !StateOf(shared).operation) Refuse(if_idle);
  Check(status);
}

std::string AlreadyExists(const Operation& operation) {
  return absl::StrCat("Cannot start new operation: ", ToAbsl(Name(operation.status)), " operation ",
                      operation.operation_id, " already exists");
}

std::vector<std::string> RootsOf(py::handle roots) {
  if (PyUnicode_Check(roots.ptr()) || PyBytes_Check(roots.ptr())) {
    throw py::type_error("roots must be a list of paths, not one path");
  }
  std::vector<std::string> paths;
  for (const py::handle root : py::iter(roots)) paths.push_back(PathOf(root, "a root"));
  return paths;
}

Metadata MetadataOf(py::handle metadata) {
  Metadata pairs;
  if (metadata.is_none()) return pairs;
  for (const py::handle item : py::iter(metadata.attr("items")())) {
    const auto pair = py::cast<py::tuple>(item);
    pairs.emplace_back(BytesOf(pair[0], "a name in metadata"), BytesOf(pair[1], "a value in metadata"));
  }
  return pairs;
}

// As _plain_stats() gives them.
Stats StatsOf(py::handle stats) {
  Stats pairs;
  for (const py::handle item : py::iter(stats)) {
    const auto pair = py::cast<py::tuple>(item);
    const py::object value = pair[1];
    StatValue plain;
    if (PyBytes_Check(value.ptr())) {
      plain = CopyOf(value);
    } else if (PyFloat_Check(value.ptr())) {
      plain = PyFloat_AS_DOUBLE(value.ptr());
    } else {
      plain = CountOf(value, "a statistic");
    }
    pairs.emplace_back(CopyOf(pair[0]), std::move(plain));
  }
  return pairs;
}

// Sets `path` unless Python takes the value for false: None, or no text at all, leaves the path as it was.
void SetPath(py::handle value, const char* what, std::optional<std::string>& path) {
  if (value.is_none()) return;
  std::string bytes = PathOf(value, what);
  if (!bytes.empty()) path = std::move(bytes);
}

bool IsTrue(py::handle value) {
  const int truth = PyObject_IsTrue(value.ptr());
  if (truth < 0) throw py::error_already_set();
  return truth != 0;
}

FileError ErrorOf(py::handle error, TimeNs now) {
  const auto describe = py::module_::import("foldlog._types").attr("_describe_error");
  const auto parts = describe(error, SecondsOf(now)).cast<py::tuple>();
  return {.path = CopyOf(parts[0]), .message = CopyOf(parts[1]), .details = BytesOf(parts[2], "the error")};
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

Manager::Manager(py::handle path, py::handle durability, bool has_clock, bool has_new_id, py::handle mirror)
    : path_(PathOf(path, "the path of the log")),
      has_clock_(has_clock),
      has_new_id_(has_new_id),
      durability_(DurabilityOf(durability)) {
  std::optional<std::string> sqlite_file;
  if (!mirror.is_none()) sqlite_file = PathOf(mirror, "mirror");
  shared_ = ValueOf(Unlocked([&] { return OpenWithMirror(path_, sqlite_file); }));
}

Manager::~Manager() {
  if (!shared_) return;
  Unlocked([&] { return shared_->Release(); }).IgnoreError();  // close() is there for those who want to know
}

const Manager::Shared& Manager::Open() const {
  if (!shared_) Refuse(absl::StrCat("the manager of the log ", path_, " is closed; open another one"));
  return shared_;
}

std::optional<TimeNs> Manager::AskClock(py::handle self) const {
  if (!has_clock_) return std::nullopt;
  return TimeOfPython(self.attr("_clock")(), "the clock");
}

void Manager::CheckIsCurrent(py::handle operation_id) const {
  if (current_ && PyUnicode_Check(operation_id.ptr())) {
    Py_ssize_t size = 0;
    const char* utf8 = PyUnicode_AsUTF8AndSize(operation_id.ptr(), &size);
    if (utf8 == nullptr) PyErr_Clear();
    if (utf8 != nullptr && *current_ == std::string_view(utf8, static_cast<std::size_t>(size))) return;
  }
  RefuseId("Invalid operation ID: ", operation_id);
}

std::string Manager::Start(py::handle self, const std::string& type, py::handle total_files, py::handle roots,
                           py::handle metadata) {
  const Shared shared = Open();
  const State before = StateOf(shared);
  if (before.active()) Refuse(AlreadyExists(*before.operation));
  const StartRequest request{.type = *ParseOperationType(type),
                             .total_files = OptionalCountOf(total_files, "total_files"),
                             .roots = RootsOf(roots),
                             .metadata = MetadataOf(metadata)};
  const std::string id = has_new_id_ ? BytesOf(self.attr("_new_id")(), "the new operation id") : NewUuid();
  const std::optional<TimeNs> now = AskClock(self);
  const auto handle = Unlocked([&] {
    const Imposed imposed(now, &id);
    return shared->engine().Start(request);
  });
  if (absl::IsFailedPrecondition(handle.status())) {  // another thread was quicker
    const State state = StateOf(shared);
    if (state.active()) Refuse(AlreadyExists(*state.operation));
  }
  Check(handle.status());
  current_ = handle->operation_id;
  handle_ = std::make_shared<const OperationHandle>(*handle);
  return handle->operation_id;
}

Checkpoint Manager::CheckpointOf(py::handle self, py::handle files_processed, py::handle current_path,
                                 py::handle last_file, py::handle error, py::handle batch_num,
                                 std::optional<Moment>& now) const {
  Checkpoint checkpoint{.files_processed = CountOf(files_processed, "files_processed")};
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

void Manager::UpdateCheckpoint(py::handle self, py::handle operation_id, py::handle files_processed,
                               py::handle current_path, py::handle last_file, py::handle error, py::handle batch_num,
                               py::handle durability) {
  const Shared shared = Open();
  CheckIsCurrent(operation_id);
  const Durability wanted = durability.is_none() ? durability_ : DurabilityOf(durability);
  std::optional<Moment> now;
  const Checkpoint checkpoint = CheckpointOf(self, files_processed, current_path, last_file, error, batch_num, now);
  const std::shared_ptr<const OperationHandle> handle = handle_;
  absl::Status status = Unlocked([&] {
    const Imposed imposed(now);
    return shared->engine().Checkpoint(*handle, checkpoint, wanted);
  });
  if (absl::IsAborted(status)) {
    OperationHandle last;
    status = Unlocked([&] {
      const Imposed imposed(now);
      return WithHandle(shared->engine(), handle->operation_id, [&](const OperationHandle& fresh) {
        last = fresh;
        return shared->engine().Checkpoint(fresh, checkpoint, wanted);
      });
    });
    if (status.ok() && current_ == last.operation_id) handle_ = std::make_shared<const OperationHandle>(last);
  }
  if (!status.ok()) CheckCommand(status, shared, "No active operation found");
}

void Manager::Pause(py::handle self, py::handle operation_id, py::handle reason) {
  const Shared shared = Open();
  CheckIsCurrent(operation_id);
  if (StateOf(shared).status() != OperationStatus::kInProgress) Refuse("No active operation to pause");
  const std::string why = BytesOf(reason, "reason");
  const std::optional<TimeNs> now = AskClock(self);
  const std::string id = *current_;
  const absl::Status status = Unlocked([&] {
    const Imposed imposed(now);
    return WithHandle(shared->engine(), id,
                      [&](const OperationHandle& handle) { return shared->engine().Pause(handle, why); });
  });
  CheckCommand(status, shared, "No active operation to pause");
}

py::str Manager::TakeOver(py::handle self, const Shared& shared, const State& before,
                          const std::optional<std::string>& force_reason) {
  const std::string id = before.operation->operation_id;
  // Read first: an operation is taken over only if its checkpoint can be handed out.
  const std::optional<SingleRow> row = RowOf(shared, before);
  const std::optional<TimeNs> now = AskClock(self);
  const auto handle = Unlocked([&] {
    const Imposed imposed(now);
    return force_reason ? shared->engine().RecoverByForce(id, *force_reason) : shared->engine().Resume(id);
  });
  Check(handle.status());
  current_ = id;
  handle_ = std::make_shared<const OperationHandle>(*handle);
  return TextOf(row->checkpoint_data);
}

py::str Manager::Resume(py::handle self, py::handle operation_id, bool interrupted_too) {
  const Shared shared = Open();
  const State state = StateOf(shared);
  if (!state.operation) Refuse("No operation to resume");
  if (!TextOf(state.operation->operation_id).equal(operation_id)) {
    RefuseId("Operation ID mismatch: ", operation_id);
  }
  const bool interrupted = interrupted_too && state.status() == OperationStatus::kInProgress;
  if (state.status() != OperationStatus::kPaused && !interrupted) {
    Refuse(absl::StrCat("Cannot resume operation in ", ToAbsl(Name(state.status())), " state"));
  }
  return TakeOver(self, shared, state, std::nullopt);
}

py::str Manager::Recover(py::handle self, py::handle operation_id, py::handle reason) {
  const Shared shared = Open();
  const State state = StateOf(shared);
  if (!state.operation) Refuse("No operation to recover");
  if (!TextOf(state.operation->operation_id).equal(operation_id)) {
    RefuseId("Operation ID mismatch: ", operation_id);
  }
  if (state.status() != OperationStatus::kInProgress) {
    Refuse(absl::StrCat("Cannot recover operation in ", ToAbsl(Name(state.status())), " state"));
  }
  if (reason.is_none()) return TakeOver(self, shared, state, std::nullopt);
  return TakeOver(self, shared, state, BytesOf(reason, "reason"));
}

py::tuple Manager::Complete(py::handle self, py::handle operation_id, py::handle stats) {
  const Shared shared = Open();
  CheckIsCurrent(operation_id);
  if (!StateOf(shared).operation) Refuse("No active operation to complete");
  const Stats figures = StatsOf(stats);
  const std::optional<TimeNs> now = AskClock(self);
  const std::string id = *current_;
  const absl::Status status = Unlocked([&] {
    const Imposed imposed(now);
    return WithHandle(shared->engine(), id,
                      [&](const OperationHandle& handle) { return shared->engine().Complete(handle, figures); });
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
  if (!StateOf(shared).operation) Refuse("No active operation to fail");
  const std::string text = BytesOf(error, "the error");
  const std::optional<TimeNs> now = AskClock(self);
  const std::string id = *current_;
  const absl::Status status = Unlocked([&] {
    const Imposed imposed(now);
    return WithHandle(shared->engine(), id,
                      [&](const OperationHandle& handle) { return shared->engine().Fail(handle, text); });
  });
  CheckCommand(status, shared, "No active operation to fail");
  if (current_ == id) current_.reset();
}

void Manager::Clear(py::handle self) {
  const Shared shared = Open();
  const State state = StateOf(shared);
  if (!state.operation || state.active()) return;
  const std::optional<TimeNs> now = AskClock(self);
  const absl::Status status = Unlocked([&] {
    const Imposed imposed(now);
    return shared->engine().Clear();
  });
  if (absl::IsFailedPrecondition(status)) {  // another thread was quicker
    const State after = StateOf(shared);
    if (!after.operation || after.active()) return;
  }
  Check(status);
}

void Manager::Reset(py::handle self, py::handle reason) {
  const Shared shared = Open();
  Check(shared->CheckProcess());
  const std::string why = BytesOf(reason, "reason");
  const std::optional<TimeNs> now = AskClock(self);
  Check(Unlocked([&] {
    const Imposed imposed(now);
    return shared->engine().Reset(why);
  }));
  current_.reset();
}

py::object Manager::Row() const {
  const Shared shared = Open();
  const std::optional<SingleRow> row = RowOf(shared, StateOf(shared));
  return row ? py::object(DictOf(*row)) : py::none();
}

py::object Manager::ActiveRow() const {
  const Shared shared = Open();
  const State state = StateOf(shared);
  if (!state.active()) return py::none();
  return DictOf(*RowOf(shared, state));
}

py::dict Manager::Status() const {
  const Shared shared = Open();
  const State state = StateOf(shared);
  const auto [fate, durable, mirrors] = Unlocked([&] {
    return std::tuple(shared->engine().interruption(), shared->engine().durable_through(), shared->MirrorStatus());
  });
  py::dict dict = DictOf(state);
  dict["interruption"] = fate ? py::object(TextOf(Name(*fate))) : py::none();
  dict["durable_sequence"] = py::int_(durable);
  py::dict errors;
  for (const auto& [file, mirrored] : mirrors) {
    errors[TextOf(file)] = mirrored.ok() ? py::object(py::none()) : TextOf(std::string(mirrored.message()));
  }
  dict["mirrors"] = errors;
  return dict;
}

py::dict Manager::StateAt(py::handle sequence, py::handle time) const {
  const Shared shared = Open();
  Check(shared->CheckProcess());
  if (!sequence.is_none()) {
    const std::int64_t wanted = CountOf(sequence, "sequence");
    if (wanted < 0) Raise(absl::StatusCode::kInvalidArgument, "sequence must be 0 or more");
    return DictOf(
        ValueOf(Unlocked([&] { return foldlog::StateAt(shared->engine().log(), static_cast<Sequence>(wanted)); })));
  }
  const TimeNs moment = TimeOfPython(time, "time");
  return DictOf(ValueOf(Unlocked([&] { return StateAtTime(shared->engine().log(), moment); })));
}

py::list Manager::History() const {
  const Shared shared = Open();
  Check(shared->CheckProcess());
  const std::vector<HistoryEntry> history = ValueOf(Unlocked([&] { return ReadHistory(shared->engine().log()); }));
  py::list list;
  for (const HistoryEntry& entry : history) list.append(DictOf(entry));
  return list;
}

EventIterator Manager::Events(py::handle from, py::handle to) const {
  const Shared shared = Open();
  Check(shared->CheckProcess());
  const std::int64_t first = CountOf(from, "from_");
  const std::optional<std::int64_t> last = OptionalCountOf(to, "to");
  if (first < 0 || last.value_or(0) < 0) {
    Raise(absl::StatusCode::kInvalidArgument, "from_ and to are sequence numbers: 1, 2, 3 and so on");
  }
  const LogExtent extent = ValueOf(Unlocked([&] { return shared->engine().log().Extent(); }));
  const Sequence end = extent.end.sequence;
  return {shared, std::clamp(static_cast<Sequence>(first), extent.base.sequence + 1, end + 1),
          last ? std::min(static_cast<Sequence>(*last), end) : end};
}

Sequence Manager::DurableSequence() const {
  const Shared shared = Open();
  Check(shared->CheckProcess());
  return Unlocked([&] { return shared->engine().durable_through(); });
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
  if (!shared_) return;
  const Shared shared = std::exchange(shared_, nullptr);
  Check(Unlocked([&] { return shared->Release(); }));
}

}  // namespace foldlog::python
