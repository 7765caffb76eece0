// Sums over operations.

#include "tools/cli/totals.h"

#include <cstddef>
#include <string_view>

#include "engine/seconds.h"
#include "replay/report/json_sink.h"
#include "tools/cli/layout.h"
#include "tools/cli/phrases.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

using report::JsonSink;

// "12: 10 completed, 2 failed".
template <typename Key, std::size_t size>
std::string CountText(std::int64_t all, const std::array<std::int64_t, size>& counts, std::int64_t reset = 0) {
  std::string parts;
  for (std::size_t i = 0; i < size; ++i) {
    if (counts[i] != 0) AppendPart(Grouped(counts[i]) + ' ' + Words(Name(static_cast<Key>(i))), parts);
  }
  if (reset != 0) AppendPart(Grouped(reset) + " reset", parts);
  return parts.empty() ? Grouped(all) : Grouped(all) + ": " + parts;
}

template <typename Key, std::size_t size>
void PutCounts(JsonSink& json, const std::array<std::int64_t, size>& counts, std::size_t first) {
  for (std::size_t i = first; i < size; ++i) Put(json, Name(static_cast<Key>(i)), counts[i]);
}

}  // namespace

Lines TotalsText(const Totals& totals) {
  Fields fields;
  fields.Add("Operations", CountText<OperationStatus>(totals.operations, totals.by_status, totals.reset));
  fields.Add("Files", Grouped(totals.files));
  std::string errors = Grouped(totals.errors);
  if (totals.files > 0) errors += " (" + OneDecimal(100 * totals.error_rate()) + " % of files)";
  fields.Add("Errors", errors);
  fields.Add("At work", HumanDuration(0, totals.active_ns));
  fields.Add("Paused", HumanDuration(0, totals.paused_ns));
  fields.Add("Interruptions", CountText<Evidence>(totals.interruptions, totals.interruptions_by));
  return fields.lines();
}

std::string TotalsJson(const Totals& totals) {
  JsonSink json;
  json.BeginObject();
  Put(json, "operations", totals.operations);
  json.Key("by_status");
  json.BeginObject();
  PutCounts<OperationStatus>(json, totals.by_status, 1);  // none of the history is idle
  Put(json, "reset", totals.reset);
  json.EndObject();
  Put(json, "files", totals.files);
  Put(json, "errors", totals.errors);
  Put(json, "error_rate", totals.error_rate());
  Put(json, "active_s", SecondsOf(totals.active_ns));
  Put(json, "paused_s", SecondsOf(totals.paused_ns));
  Put(json, "interruptions", totals.interruptions);
  json.Key("interruptions_by");
  json.BeginObject();
  PutCounts<Evidence>(json, totals.interruptions_by, 0);
  json.EndObject();
  json.EndObject();
  return json.Take();
}

}  // namespace foldlog::cli
