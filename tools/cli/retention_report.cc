#include "tools/cli/retention_report.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "replay/report/json_sink.h"
#include "tools/cli/phrases.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

using report::Instant;
using report::JsonSink;
using report::Put;

constexpr std::size_t kTimeColumns = 19;
constexpr std::size_t kIdColumns = 8;

std::string Size(std::uint64_t bytes) {
  std::array<char, 32> text = {};
  const bool small = bytes < 100'000;
  std::snprintf(text.data(), text.size(), small ? "%.0f kB" : "%.1f MB",
                static_cast<double>(bytes) / (small ? 1e3 : 1e6));
  return text.data();
}

std::string Events(std::uint64_t count) {
  return Grouped(static_cast<std::int64_t>(count)) + (count == 1 ? " event" : " events");
}

std::uint64_t Going(const PrunePlan& plan) {
  std::uint64_t going = 0;
  for (const PrunableRun& run : plan.runs) going += run.goes ? 1 : 0;
  return going;
}

std::uint64_t EventsOf(const PrunableRun& run) {
  return run.operation.last_sequence - run.operation.first_sequence + 1;
}

}  // namespace

Lines PrunableRunsText(const PrunePlan& plan, const Look& look) {
  Table table({{.heading = "OPERATION", .least = kIdColumns},
               {.heading = "ENDED", .least = kTimeColumns},
               {.heading = "EVENTS", .align = Table::Align::kRight},
               {.heading = "SPACE", .align = Table::Align::kRight},
               {.heading = "", .least = 5},
               {.heading = "WHY"}});
  for (const PrunableRun& run : plan.runs) {
    table.AddRow({run.operation.operation_id, ColumnTime(run.ended, look.zone),
                  Grouped(static_cast<std::int64_t>(EventsOf(run))), Size(run.bytes), run.goes ? "goes" : "stays",
                  run.why});
  }
  return plan.runs.empty() ? Lines() : table.Render(look.columns);
}

std::string PrunableRunJson(const PrunePlan&, const PrunableRun& run) {
  JsonSink json;
  json.BeginObject();
  Put(json, "kind", std::string_view("run"));
  Put(json, "operation_id", run.operation.operation_id);
  Put(json, "first_sequence", run.operation.first_sequence);
  Put(json, "last_sequence", run.operation.last_sequence);
  Put(json, "ended_at", Instant{run.ended});
  Put(json, "bytes", run.bytes);
  Put(json, "goes", run.goes);
  Put(json, "why", run.why);
  json.EndObject();
  return json.Take();
}

std::string PruneSummaryText(const PrunePlan& plan, bool done, const std::string& log) {
  const std::uint64_t going = Going(plan);
  std::string text = done ? "pruned " : "would prune ";
  if (going == 0) text = done ? "pruned nothing" : "would prune nothing";
  if (going > 0) {
    absl::StrAppend(&text, Grouped(static_cast<std::int64_t>(going)), going == 1 ? " operation, " : " operations, ",
                    Events(plan.events()), ", ", Size(plan.bytes));
  }
  absl::StrAppend(&text, ": ", log, done ? " begins" : " would begin", " with event ", plan.through + 1);
  if (!plan.lacking.empty()) absl::StrAppend(&text, "; not all could be looked at: ", plan.lacking);
  return text;
}

std::string PruneSummaryJson(const PrunePlan& plan, bool done) {
  JsonSink json;
  json.BeginObject();
  Put(json, "kind", std::string_view("summary"));
  Put(json, "done", done);
  Put(json, "operations", Going(plan));
  Put(json, "events", plan.events());
  Put(json, "bytes", plan.bytes);
  Put(json, "base_sequence", plan.through);
  Put(json, "policy", ToText(plan.policy));
  json.EndObject();
  return json.Take();
}

std::string PrunedText(const PrunedRange& range, const Look& look) {
  std::string text = absl::StrCat("events ", range.before.sequence + 1, " to ", range.behind.sequence, ", ",
                                  HumanTime(range.time, look.zone), " by ", range.by, ": ", range.policy);
  if (range.times > 1) absl::StrAppend(&text, " (the last of ", range.times, " prunings)");
  return text;
}

Lines RetentionText(const PrunePlan& plan, const std::vector<PrunedRange>& pruned, const Look& look) {
  const LogSpace& space = plan.space;
  Fields fields;
  fields.Add("Policy", plan.policy.keeps_all() ? "none: everything stays" : ToText(plan.policy));
  fields.Add("Space",
             absl::StrCat(Size(space.used_bytes + space.other_bytes), " used, ", Size(space.free_bytes),
                          " free for later events; ", Size(space.disk_bytes + space.other_bytes), " on the disk"));
  std::uint64_t bytes = 0;
  for (const PrunableRun& run : plan.runs) bytes += run.bytes;
  if (!plan.runs.empty()) {
    fields.Add("An operation", absl::StrCat("takes ", Size(bytes / plan.runs.size()), ", by the last ",
                                            plan.runs.size(), " that are over"));
  }
  if (Going(plan) > 0) {
    fields.Add("Due", absl::StrCat(Going(plan), " of them, ", Events(plan.events()), ", ", Size(plan.bytes)));
  }
  std::vector<std::string> ranges;
  constexpr std::size_t kRangesShown = 10;
  for (std::size_t i = pruned.size() - std::min(pruned.size(), kRangesShown); i < pruned.size(); ++i) {
    ranges.push_back(PrunedText(pruned[i], look));
  }
  if (!pruned.empty()) {
    fields.Add("Kept of those", absl::StrCat("history and totals of ", pruned.back().operations, " operations"));
  }
  fields.AddAll("Pruned", ranges);
  return fields.lines();
}

std::string RetentionJson(const PrunePlan& plan, const std::vector<PrunedRange>& pruned) {
  const LogSpace& space = plan.space;
  JsonSink json;
  json.BeginObject();
  json.Key("policy");
  plan.policy.keeps_all() ? json.Null() : json.Text(ToText(plan.policy));
  Put(json, "used_bytes", space.used_bytes + space.other_bytes);
  Put(json, "free_bytes", space.free_bytes);
  Put(json, "disk_bytes", space.disk_bytes + space.other_bytes);
  Put(json, "base_sequence", plan.base.sequence);
  json.Key("pruned");
  json.BeginList();
  for (const PrunedRange& range : pruned) {
    json.BeginObject();
    Put(json, "first_sequence", range.before.sequence + 1);
    Put(json, "last_sequence", range.behind.sequence);
    Put(json, "hash_before", report::HashText(range.before.hash));
    Put(json, "last_hash", report::HashText(range.behind.hash));
    Put(json, "time", Instant{range.time});
    Put(json, "times", range.times);
    Put(json, "operations", range.operations);
    Put(json, "policy", range.policy);
    Put(json, "by", range.by);
    json.EndObject();
  }
  json.EndList();
  json.EndObject();
  return json.Take();
}

}  // namespace foldlog::cli
