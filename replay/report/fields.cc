// Every key that both the program and the Python module write.

#include "replay/report/fields.h"

#include <unordered_map>
#include <variant>
#include <vector>

#include "engine/seconds.h"

namespace foldlog::report {
namespace {

void PutValue(Sink& sink, const StatValue& value) {
  std::visit([&](const auto& held) { report::PutValue(sink, held); }, value);
}

template <typename Pairs>
void PutPairs(Sink& sink, const Pairs& pairs) {
  using Value = typename Pairs::value_type::second_type;
  std::unordered_map<std::string_view, std::vector<const Value*>> values;
  std::vector<std::string_view> names;  // in the order in which they come first
  for (const auto& [name, value] : pairs) {
    std::vector<const Value*>& of_name = values[name];
    if (of_name.empty()) names.push_back(name);
    of_name.push_back(&value);
  }
  sink.BeginObject();
  for (const std::string_view name : names) {
    const std::vector<const Value*>& of_name = values[name];
    sink.Key(name);
    if (of_name.size() > 1) sink.BeginList();
    for (const Value* value : of_name) PutValue(sink, *value);
    if (of_name.size() > 1) sink.EndList();
  }
  sink.EndObject();
}

bool IsIdle(const Operation& operation) { return operation.status == OperationStatus::kIdle; }

void PutInterruptions(Sink& sink, const Operation& operation) {
  sink.Key("interruptions_by");
  sink.BeginObject();
  for (std::size_t i = 0; i < kEvidenceKinds; ++i) {
    Put(sink, Name(static_cast<Evidence>(i)), operation.interruptions_by.at(i));
  }
  sink.EndObject();
}

// The fields of each kind of event.
struct BodyFields {
  Sink& sink;
  TimeNs time;

  void operator()(const Started& started) const {
    Put(sink, "operation_type", Name(started.type));
    Put(sink, "total_files", started.total_files);
    Put(sink, "roots", started.roots);
    Put(sink, "metadata", started.metadata);
    Put(sink, "owner", started.owner);
  }

  // Only what is present: that is what a checkpoint says.
  void operator()(const Checkpoint& checkpoint) const {
    Put(sink, "files_processed", checkpoint.files_processed);
    if (checkpoint.current_path) Put(sink, "current_path", *checkpoint.current_path);
    if (checkpoint.last_processed_file) Put(sink, "last_processed_file", *checkpoint.last_processed_file);
    if (checkpoint.batch_num) Put(sink, "batch_num", *checkpoint.batch_num);
    if (!checkpoint.error) return;
    sink.Key("error");
    sink.Error(*checkpoint.error, time);
  }

  void operator()(const Paused& paused) const { Put(sink, "reason", paused.reason); }

  void operator()(const Resumed& resumed) const {
    Put(sink, "reason", resumed.reason);
    Put(sink, "owner", resumed.owner);
  }

  void operator()(const Recovered& recovered) const {
    Put(sink, "evidence", Name(recovered.evidence));
    Put(sink, "reason", recovered.reason);
    Put(sink, "owner", recovered.owner);
  }

  void operator()(const Completed& completed) const { Put(sink, "stats", completed.stats); }
  void operator()(const Failed& failed) const { Put(sink, "failure", failed.error); }
  void operator()(const Cleared&) const {}
  void operator()(const Reset& reset) const { Put(sink, "reason", reset.reason); }

  void operator()(const Imported& imported) const {
    const bool failed = imported.status == OperationStatus::kFailed;
    const bool ended = failed || imported.status == OperationStatus::kCompleted;
    Put(sink, "operation_type", Name(imported.type));
    Put(sink, "status", Name(imported.status));
    Put(sink, "total_files", imported.total_files);
    Put(sink, "files_processed", imported.files_processed);
    Put(sink, "current_path", imported.current_path);
    Put(sink, "last_processed_file", imported.last_processed_file);
    Put(sink, "batch_num", imported.batch_num);
    Put(sink, "rate", imported.rate);
    Put(sink, "started_at", Instant{imported.started_at});
    Put(sink, "last_update", Instant{imported.last_update});
    Put(sink, "updated_at", Instant{imported.updated_at});
    Put(sink, "ended_at", If(ended, Instant{imported.ended_at}));
    Put(sink, "failure", If(failed, imported.failure));
    Put(sink, "errors", imported.errors);
    Put(sink, "source", imported.source);
    Put(sink, "owner", imported.owner);
    Put(sink, "row", imported.row);
  }
};

}  // namespace

void PutValue(Sink& sink, const Owner& owner) {
  sink.BeginObject();
  Put(sink, "program", owner.program);
  Put(sink, "host", owner.host);
  Put(sink, "pid", owner.pid);
  Put(sink, "holds_log", owner.holds_log);
  Put(sink, "instance", owner.instance);
  Put(sink, "machine_id", owner.machine_id);
  Put(sink, "boot_id", owner.boot_id);
  Put(sink, "pid_namespace", owner.pid_namespace);
  Put(sink, "start_ticks", owner.start_ticks);
  Put(sink, "kernel_boot_id", owner.kernel_boot_id);
  Put(sink, "file_system", owner.place.file_system);
  Put(sink, "device", owner.place.device);
  Put(sink, "directory", owner.place.directory);
  Put(sink, "lock_file", owner.place.lock_file);
  sink.EndObject();
}

void PutValue(Sink& sink, const ImportedError& error) {
  sink.BeginObject();
  Put(sink, "time", Instant{error.time});
  sink.Key("error");
  sink.Error(error.error, error.time);
  sink.EndObject();
}

void PutValue(Sink& sink, const SingleRow& row) {
  sink.BeginObject();
  Put(sink, "id", std::int64_t{1});
  Put(sink, "operation_type", row.operation_type);
  Put(sink, "status", row.status);
  Put(sink, "checkpoint_data", row.checkpoint_data);
  Put(sink, "started_at", row.started_at);
  Put(sink, "updated_at", row.updated_at);
  Put(sink, "completed_at", row.completed_at);
  sink.EndObject();
}

void PutValue(Sink& sink, const Misfit& misfit) {
  sink.BeginObject();
  Put(sink, "sequence", misfit.sequence);
  Put(sink, "why", misfit.why);
  sink.EndObject();
}

void PutValue(Sink& sink, const Metadata& pairs) { PutPairs(sink, pairs); }
void PutValue(Sink& sink, const Stats& pairs) { PutPairs(sink, pairs); }

void PutIdentity(Sink& sink, const Operation& operation) {
  Put(sink, "operation_id", If(!IsIdle(operation), operation.operation_id));
  Put(sink, "operation_type", If(!IsIdle(operation), Name(operation.type)));
  Put(sink, "status", Name(operation.status));
}

void PutProgress(Sink& sink, const Operation& operation) {
  Put(sink, "total_files", operation.total_files);
  Put(sink, "files_processed", operation.files_processed);
  Put(sink, "current_path", operation.current_path);
  Put(sink, "last_processed_file", operation.last_processed_file);
  Put(sink, "batch_num", operation.batch_num);
  Put(sink, "error_count", operation.error_count);
}

void PutPace(Sink& sink, const Operation& operation) {
  Put(sink, "rate", MeanRate(operation));
  Put(sink, "recent_rate", RecentRate(operation));
  Put(sink, "active_s", SecondsOf(operation.active_ns));
  Put(sink, "paused_s", SecondsOf(operation.paused_ns));
}

void PutTimes(Sink& sink, const Operation& operation) {
  Put(sink, "started_at", If(!IsIdle(operation), Instant{operation.started_at}));
  Put(sink, "updated_at", If(!IsIdle(operation), Instant{operation.updated_at}));
  Put(sink, "completed_at", If(operation.completed_at.has_value(), Instant{operation.completed_at.value_or(0)}));
  Put(sink, "clock_steps", operation.clock_steps);
}

void PutRecord(Sink& sink, const Operation& operation) {
  Put(sink, "epoch", operation.epoch);
  Put(sink, "checkpoints", operation.checkpoints);
  Put(sink, "interruptions", operation.interruptions());
  PutInterruptions(sink, operation);
  Put(sink, "first_sequence", operation.first_sequence);
  Put(sink, "last_sequence", operation.last_sequence);
  Put(sink, "stats", operation.stats);
}

void PutOrigin(Sink& sink, const Operation& operation) {
  Put(sink, "roots", operation.roots);
  Put(sink, "metadata", operation.metadata);
  Put(sink, "owner", If(!IsIdle(operation), operation.owner));
}

void PutOutcome(Sink& sink, const Operation& operation) {
  Put(sink, "pause_reason", If(operation.status == OperationStatus::kPaused, operation.pause_reason));
  Put(sink, "failure", If(operation.status == OperationStatus::kFailed, operation.failure));
}

void PutEventHead(Sink& sink, const RecordedEvent& event, const std::string& operation_id) {
  Put(sink, "sequence", event.sequence);
  Put(sink, "time", Instant{event.event.time});
  Put(sink, "epoch", event.event.epoch);
  Put(sink, "kind", KindName(event.event.body));
  Put(sink, "operation_id", If(!operation_id.empty(), operation_id));
}

void PutClocks(Sink& sink, const Event& event, std::int64_t clock_step_ns) {
  if (event.boot.id != 0) {
    Put(sink, "boot", std::uint64_t{event.boot.id});
    Put(sink, "booted_at", Instant{event.boot.at});
  }
  if (clock_step_ns != 0) Put(sink, "clock_step_s", SecondsOf(clock_step_ns));
}

void PutBody(Sink& sink, const Event& event) { std::visit(BodyFields{sink, event.time}, event.body); }

}  // namespace foldlog::report
