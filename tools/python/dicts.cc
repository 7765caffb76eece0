#include "tools/python/dicts.h"

#include <optional>
#include <string_view>
#include <variant>

#include "engine/seconds.h"
#include "tools/python/convert.h"

namespace foldlog::python {
namespace {

py::object Of(std::string_view bytes) { return TextOf(bytes); }
py::object Of(const std::string& bytes) { return TextOf(bytes); }
py::object Of(std::int64_t value) { return py::int_(value); }
py::object Of(std::uint64_t value) { return py::int_(value); }
py::object Of(double value) { return py::float_(value); }

py::object Of(const StatValue& value) {
  return std::visit([](const auto& held) { return Of(held); }, value);
}

py::object Seconds(TimeNs time) { return py::float_(SecondsOf(time)); }

template <typename Value>
py::object OrNone(const std::optional<Value>& value) {
  return value ? Of(*value) : py::none();
}

py::list ListOf(const std::vector<std::string>& values) {
  py::list list;
  for (const std::string& value : values) list.append(Of(value));
  return list;
}

// Names and values as a dict. A name that was given several times has all its values in a list.
template <typename Pairs>
py::dict DictOfPairs(const Pairs& pairs) {
  py::dict dict;
  py::dict repeated;
  for (const auto& [name, value] : pairs) {
    const py::object key = Of(name);
    if (!dict.contains(key)) {
      dict[key] = Of(value);
      continue;
    }
    if (!repeated.contains(key)) {
      py::list values;
      values.append(dict[key]);
      repeated[key] = values;
      dict[key] = values;
    }
    repeated[key].attr("append")(Of(value));
  }
  return dict;
}

py::dict DictOf(const Owner& owner) {
  py::dict dict;
  dict["program"] = Of(owner.program);
  dict["host"] = Of(owner.host);
  dict["pid"] = Of(owner.pid);
  dict["holds_log"] = py::bool_(owner.holds_log);
  dict["instance"] = Of(owner.instance);
  dict["machine_id"] = Of(owner.machine_id);
  dict["boot_id"] = Of(owner.boot_id);
  dict["pid_namespace"] = Of(owner.pid_namespace);
  dict["start_ticks"] = Of(owner.start_ticks);
  return dict;
}

py::dict DictOf(const Operation& operation) {
  const auto only_if = [&](OperationStatus status, const std::string& text) {
    return operation.status == status ? Of(text) : py::none();
  };
  py::dict dict;
  dict["operation_id"] = Of(operation.operation_id);
  dict["operation_type"] = Of(Name(operation.type));
  dict["status"] = Of(Name(operation.status));
  dict["total_files"] = OrNone(operation.total_files);
  dict["files_processed"] = Of(operation.files_processed);
  dict["current_path"] = OrNone(operation.current_path);
  dict["last_processed_file"] = OrNone(operation.last_processed_file);
  dict["batch_num"] = Of(operation.batch_num);
  dict["error_count"] = Of(operation.error_count);
  dict["rate"] = Of(MeanRate(operation));
  dict["recent_rate"] = Of(RecentRate(operation));
  dict["active_s"] = Of(SecondsOf(operation.active_ns));
  dict["clock_steps"] = Of(operation.clock_steps);
  dict["started_at"] = Seconds(operation.started_at);
  dict["updated_at"] = Seconds(operation.updated_at);
  dict["last_progress_at"] = Seconds(operation.last_progress_at);
  dict["completed_at"] = operation.completed_at ? Seconds(*operation.completed_at) : py::none();
  dict["epoch"] = Of(operation.epoch);
  dict["checkpoints"] = Of(operation.checkpoints);
  dict["interruptions"] = Of(operation.interruptions);
  dict["first_sequence"] = Of(operation.first_sequence);
  dict["last_sequence"] = Of(operation.last_sequence);
  dict["stats"] = DictOfPairs(operation.stats);
  dict["roots"] = ListOf(operation.roots);
  dict["metadata"] = DictOfPairs(operation.metadata);
  dict["owner"] = DictOf(operation.owner);
  dict["pause_reason"] = only_if(OperationStatus::kPaused, operation.pause_reason);
  dict["failure"] = only_if(OperationStatus::kFailed, operation.failure);
  return dict;
}

// The JSON text as Python's values; nothing if it is none, or nested too deeply for Python.
std::optional<py::object> Loaded(const std::string& json) {
  try {
    return py::module_::import("json").attr("loads")(TextOf(json));
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_ValueError) && !error.matches(PyExc_RecursionError)) throw;
    return std::nullopt;
  }
}

// As it was given to the checkpoint, with its timestamp.
py::object ErrorOf(const FileError& error, TimeNs time) {
  std::optional<py::object> details;
  if (!error.details.empty()) details = Loaded(error.details);
  if (details) return *std::move(details);
  py::dict dict;
  dict["path"] = Of(error.path);
  dict["error"] = Of(error.message);
  dict["timestamp"] = Seconds(time);
  if (!error.details.empty()) dict["details"] = Of(error.details);
  return dict;
}

// The fields of each kind of event.
struct PutBody {
  const Event& event;
  py::dict& dict;

  void operator()(const Started& started) const {
    dict["operation_type"] = Of(Name(started.type));
    dict["total_files"] = OrNone(started.total_files);
    dict["roots"] = ListOf(started.roots);
    dict["metadata"] = DictOfPairs(started.metadata);
    dict["owner"] = DictOf(started.owner);
  }

  // Only what is present: that is what a checkpoint says.
  void operator()(const Checkpoint& checkpoint) const {
    dict["files_processed"] = Of(checkpoint.files_processed);
    if (checkpoint.current_path) dict["current_path"] = Of(*checkpoint.current_path);
    if (checkpoint.last_processed_file) dict["last_processed_file"] = Of(*checkpoint.last_processed_file);
    if (checkpoint.batch_num) dict["batch_num"] = Of(*checkpoint.batch_num);
    if (checkpoint.error) dict["error"] = ErrorOf(*checkpoint.error, event.time);
  }

  void operator()(const Paused& paused) const { dict["reason"] = Of(paused.reason); }

  void operator()(const Resumed& resumed) const {
    dict["reason"] = Of(resumed.reason);
    dict["owner"] = DictOf(resumed.owner);
  }

  void operator()(const Recovered& recovered) const {
    dict["evidence"] = Of(Name(recovered.evidence));
    dict["reason"] = Of(recovered.reason);
    dict["owner"] = DictOf(recovered.owner);
  }

  void operator()(const Completed& completed) const { dict["stats"] = DictOfPairs(completed.stats); }
  void operator()(const Failed& failed) const { dict["failure"] = Of(failed.error); }
  void operator()(const Cleared&) const {}
  void operator()(const Reset& reset) const { dict["reason"] = Of(reset.reason); }

  void operator()(const Imported& imported) const {
    dict["operation_type"] = Of(Name(imported.type));
    dict["total_files"] = OrNone(imported.total_files);
    dict["files_processed"] = Of(imported.files_processed);
    dict["current_path"] = OrNone(imported.current_path);
    dict["last_processed_file"] = OrNone(imported.last_processed_file);
    dict["batch_num"] = Of(imported.batch_num);
    dict["rate"] = Of(imported.rate);
    dict["last_update"] = Seconds(imported.last_update);
    dict["updated_at"] = Seconds(imported.updated_at);
    dict["imported_at"] = Seconds(imported.imported_at);
    dict["source"] = Of(imported.source);
    dict["followers"] = Of(imported.followers);
    dict["owner"] = DictOf(imported.owner);
    dict["row"] = imported.row ? py::object(python::DictOf(*imported.row)) : py::none();
  }
};

}  // namespace

py::dict DictOf(const SingleRow& row) {
  py::dict dict;
  dict["id"] = py::int_(1);
  dict["operation_type"] = Of(row.operation_type);
  dict["status"] = Of(row.status);
  dict["checkpoint_data"] = Of(row.checkpoint_data);
  dict["started_at"] = Of(row.started_at);
  dict["updated_at"] = Of(row.updated_at);
  dict["completed_at"] = OrNone(row.completed_at);
  return dict;
}

py::dict DictOf(const State& state) {
  py::dict dict;
  dict["sequence"] = Of(state.sequence);
  dict["epoch"] = Of(state.epoch);
  dict["status"] = Of(Name(state.status()));
  dict["operation"] = state.operation ? py::object(DictOf(*state.operation)) : py::none();
  if (state.misfit) {
    py::dict misfit;
    misfit["sequence"] = Of(state.misfit->sequence);
    misfit["why"] = Of(state.misfit->why);
    dict["misfit"] = misfit;
  }
  return dict;
}

py::dict DictOf(const HistoryEntry& entry) {
  py::dict dict = DictOf(entry.operation);
  dict["reset"] = OrNone(entry.reset_by);
  return dict;
}

py::dict DictOf(const RecordedEvent& event, const std::string& operation_id) {
  py::dict dict;
  dict["sequence"] = Of(event.sequence);
  dict["time"] = Seconds(event.event.time);
  dict["epoch"] = Of(event.event.epoch);
  dict["kind"] = Of(KindName(event.event.body));
  dict["operation_id"] = operation_id.empty() ? py::object(py::none()) : Of(operation_id);
  std::visit(PutBody{event.event, dict}, event.event.body);
  return dict;
}

}  // namespace foldlog::python
