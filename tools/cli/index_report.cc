// What became of an indexing run.

#include "tools/cli/index_report.h"

#include <string_view>
#include <vector>

#include "replay/report/json_sink.h"
#include "tools/cli/layout.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

using foldlog::report::JsonSink;

std::string Outcome(const indexer::IndexReport& report) {
  std::string text = report.paused ? "paused" : "completed";
  if (report.started_over) return text + "; started over, because the catalog lacked what the log claims";
  if (report.resumed) text += "; went on with what was begun earlier";
  return text;
}

void AddErrors(const indexer::IndexReport& report, Fields& fields) {
  if (report.first_errors.empty()) return;
  std::vector<std::string> lines;
  for (const FileError& error : report.first_errors) {
    lines.push_back(error.path.empty() ? error.message : error.path + ": " + error.message);
  }
  fields.AddAll(report.first_errors.size() == 1 ? "Error" : "First errors", lines);
  fields.Add("All errors", "foldlog events --errors --operation " + report.operation_id);
}

}  // namespace

Lines IndexReportText(const indexer::IndexReport& report) {
  Fields fields;
  fields.Add("Operation", report.operation_id + " (" + std::string(Name(report.type)) + ")");
  fields.Add("Status", Outcome(report));
  fields.Add("Took", HumanDuration(0, static_cast<TimeNs>(report.duration_s * 1e9)));
  for (const indexer::NamedCounter& counter : indexer::kRunCounters) {
    const std::int64_t count = report.counters.*counter.value;
    if (count == 0 && counter.value != &indexer::RunCounters::files) continue;
    std::string label = counter.name;
    label[0] = static_cast<char>(label[0] - 'a' + 'A');
    if (label == "Bytes_hashed") label = "Bytes";
    fields.Add(label, Grouped(count));
  }
  AddErrors(report, fields);
  fields.AddAll("Left out", report.left_out);
  fields.Add("Catalog", report.catalog_path);
  if (report.damaged_catalog) fields.Add("Damaged one", *report.damaged_catalog);
  return fields.lines();
}

std::string IndexReportJson(const indexer::IndexReport& report) {
  JsonSink json;
  json.BeginObject();
  Put(json, "operation_id", report.operation_id);
  Put(json, "operation_type", Name(report.type));
  Put(json, "status", std::string_view(report.paused ? "paused" : "completed"));
  Put(json, "resumed", report.resumed);
  Put(json, "started_over", report.started_over);
  Put(json, "duration_s", report.duration_s);
  for (const indexer::NamedCounter& counter : indexer::kRunCounters) {
    Put(json, counter.name, report.counters.*counter.value);
  }
  json.Key("first_errors");
  json.BeginList();
  for (const FileError& error : report.first_errors) {
    json.BeginObject();
    Put(json, "path", error.path);
    Put(json, "message", error.message);
    json.EndObject();
  }
  json.EndList();
  Put(json, "left_out", report.left_out);
  Put(json, "catalog", report.catalog_path);
  Put(json, "damaged_catalog", report.damaged_catalog);
  json.EndObject();
  return json.Take();
}

}  // namespace foldlog::cli
