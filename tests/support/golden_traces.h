// Recorded runs of the Python manager whose row foldlog projects (tests/data/single_row_traces.jsonl), and an engine
// that follows them: the same calls, under the same clock.
//
// Calls that the manager refused left its row alone and are passed over: its refusals are not the engine's. What a call
// does not mean by an empty path or an empty error, the manager's stand-in has to know, and so does this.

#ifndef FOLDLOG_TESTS_SUPPORT_GOLDEN_TRACES_H_
#define FOLDLOG_TESTS_SUPPORT_GOLDEN_TRACES_H_

#include <algorithm>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/json/reader.h"
#include "engine/json/writer.h"
#include "engine/seconds.h"
#include "foldlog/single_row.h"
#include "tests/support/test_support.h"

namespace foldlog {

// A JSON object by its keys; an absent member is null.
class Object {
 public:
  explicit Object(const JsonSlice& slice) : members_(JsonMembers(slice)) {}

  JsonSlice operator[](std::string_view key) const {
    for (const auto& [name, value] : members_) {
      if (JsonBytes(name) == key) return value;
    }
    return {JsonSlice::Kind::kNull, "null"};
  }
  bool Has(std::string_view key) const {
    return std::any_of(members_.begin(), members_.end(), [&](const auto& m) { return JsonBytes(m.first) == key; });
  }
  std::string Text(std::string_view key) const { return JsonBytes((*this)[key]).value(); }
  std::optional<std::int64_t> Count(std::string_view key) const { return JsonInteger((*this)[key]); }
  std::optional<std::string> Path(std::string_view key) const {
    if ((*this)[key].kind == JsonSlice::Kind::kNull || Text(key).empty()) return std::nullopt;
    return Text(key);
  }
  const std::vector<std::pair<JsonSlice, JsonSlice>>& members() const { return members_; }

 private:
  std::vector<std::pair<JsonSlice, JsonSlice>> members_;
};

// {**error, "timestamp": now}
inline std::string WithTimestamp(const Object& error, double now) {
  std::string time;
  AppendPythonFloat(now, time);
  std::string json = "{";
  for (const auto& [key, value] : error.members()) {
    const std::string_view text = JsonBytes(key) == "timestamp" ? std::string_view(time) : value.text;
    json.append(key.text).append(": ").append(text).append(", ");
  }
  if (!error.Has("timestamp")) json.append("\"timestamp\": ").append(time).append(", ");
  return json.replace(json.size() - 2, 2, "}");
}

class Replay {
 public:
  explicit Replay(TimeNs now = 0, std::string id = "") : now_(SecondsOf(now)), id_(std::move(id)) {
    EngineOptions options;
    options.clock = [this] { return Moment(*TimeOf(now_)); };
    options.new_id = [this] { return id_; };
    engine_ = *Engine::Open(NewWritableMemoryLog(), std::move(options));
    projector_.emplace(engine_->log());
  }

  absl::Status Step(const Object& step) {
    now_ = JsonNumber(step["now"]);
    if (step.Has("id")) id_ = step.Text("id");
    if (step.Has("error")) return absl::OkStatus();
    return Call(step.Text("call"), Object(step["args"]));
  }

  Engine& engine() { return *engine_; }

  // By both ways: one asks each time, the other reads everything anew.
  std::optional<SingleRow> Row() {
    const auto row = projector_->Project(engine_->state());
    EXPECT_OK(row);
    EXPECT_EQ(*row, *ProjectSingleRow(engine_->log(), engine_->state()));
    return *row;
  }

 private:
  absl::Status Call(const std::string& call, const Object& args) {
    const OperationHandle handle = engine_->current_handle().value_or(OperationHandle());
    if (call == "start_operation") {
      return engine_->Start({*ParseOperationType(args.Text("operation_type")), args.Count("total_files")}).status();
    }
    if (call == "update_checkpoint")
      return engine_->Checkpoint(handle, CheckpointFrom(args), Durability::kInterval, Decrease::kAllowed);
    if (call == "pause_operation") return engine_->Pause(handle);
    if (call == "resume_operation") return engine_->Resume(args.Text("operation_id")).status();
    if (call == "complete_operation") return engine_->Complete(handle);
    if (call == "fail_operation") return engine_->Fail(handle, args.Text("error"));
    if (call == "clear_completed_operation") {
      return engine_->state().operation && !engine_->state().active() ? engine_->Clear() : absl::OkStatus();
    }
    if (call == "get_active_operation" || call == "restart") return absl::OkStatus();
    return absl::InternalError("unknown call " + call);
  }

  Checkpoint CheckpointFrom(const Object& args) const {
    Checkpoint checkpoint{.files_processed = args.Count("files_processed").value(),
                          .current_path = args.Path("current_path"),
                          .last_processed_file = args.Path("last_file"),
                          .batch_num = args.Count("batch_num")};
    if (args["error"].kind == JsonSlice::Kind::kObject && !Object(args["error"]).members().empty()) {
      checkpoint.error = FileError{.details = WithTimestamp(Object(args["error"]), now_)};
    }
    return checkpoint;
  }

  double now_ = 0;
  std::string id_;
  std::unique_ptr<Engine> engine_;
  std::optional<SingleRowProjector> projector_;
};

inline std::optional<SingleRow> RowFrom(const JsonSlice& slice) {
  if (slice.kind == JsonSlice::Kind::kNull) return std::nullopt;
  const Object row(slice);
  return SingleRow{row.Text("operation_type"),      row.Text("status"),
                   row.Text("checkpoint_data"),     row.Count("started_at").value(),
                   row.Count("updated_at").value(), row.Count("completed_at")};
}

inline std::string Shown(const std::optional<SingleRow>& row) {
  if (!row) return "no row";
  return absl::StrCat(row->operation_type, " ", row->status, " ", row->started_at, " ", row->updated_at, " ",
                      row->completed_at.value_or(-1), "\n", row->checkpoint_data);
}

struct TraceStep {
  std::string text;                    // the whole step
  std::optional<SingleRow> row_after;  // recorded
};

// All steps of every trace.
inline std::vector<std::vector<TraceStep>> ReadGoldenTraces() {
  std::ifstream lines(FOLDLOG_SOURCE_DIR "/tests/data/single_row_traces.jsonl");
  std::vector<std::vector<TraceStep>> traces;
  for (std::string line; std::getline(lines, line);) {
    std::optional<SingleRow> row;
    std::vector<TraceStep>& steps = traces.emplace_back();
    for (const JsonSlice& slice : JsonElements(Object(ParseJson(line).value())["steps"])) {
      const Object step(slice);
      if (step.Has("row")) row = RowFrom(step["row"]);
      steps.push_back({std::string(slice.text), row});
    }
  }
  EXPECT_EQ(traces.size(), 150u);
  return traces;
}

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_GOLDEN_TRACES_H_
