// How two operations differ, side by side.

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/saturated.h"
#include "tools/cli/curve.h"
#include "tools/cli/log_view.h"
#include "tools/cli/phrases.h"
#include "tools/cli/story_text.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

using Align = Table::Align;

// Of new and of gone errors, so many kinds are shown.
constexpr std::size_t kGroupsShown = 20;

std::string Signed(std::int64_t difference) { return (difference > 0 ? "+" : "") + Grouped(difference); }

void AddCounts(const char* label, std::int64_t first, std::int64_t second, Table& table) {
  const std::int64_t difference = SaturatedMinus(second, first);
  table.AddRow({label, Grouped(first), Grouped(second), difference == 0 ? "" : Signed(difference)});
}

void AddTimes(const char* label, std::int64_t first_ns, std::int64_t second_ns, Table& table) {
  const std::int64_t difference = SaturatedMinus(second_ns, first_ns);
  table.AddRow({label, HumanDuration(0, first_ns), HumanDuration(0, second_ns),
                difference == 0 ? "" : (difference > 0 ? "+" : "") + HumanDuration(0, difference)});
}

std::string OwnerText(const Owner& owner) { return owner.program + " on " + owner.host; }

std::string StatusText(const HistoryEntry& entry) {
  return entry.reset_by ? "reset" : Words(Name(entry.operation.status));
}

Table Summary(const OperationDiff& diff, const Look& look) {
  const Operation& a = diff.entries[0].operation;
  const Operation& b = diff.entries[1].operation;
  Table table({{.heading = ""},
               {.heading = "FIRST"},
               {.heading = "SECOND"},
               {.heading = "DIFFERENCE", .align = Align::kRight, .left_out_if_empty = true}});
  table.AddRow({"Operation", a.operation_id, b.operation_id, ""});
  table.AddRow({"Type", std::string(Name(a.type)), std::string(Name(b.type)), ""});
  table.AddRow(
      {"Status", {StatusText(diff.entries[0]), ToneOf(a.status)}, {StatusText(diff.entries[1]), ToneOf(b.status)}, ""});
  table.AddRow({"Started", HumanTime(a.started_at, look.zone), HumanTime(b.started_at, look.zone), ""});
  AddTimes("At work", a.active_ns, b.active_ns, table);
  AddTimes("Paused", a.paused_ns, b.paused_ns, table);
  AddCounts("Interruptions", a.interruptions(), b.interruptions(), table);
  AddCounts("Files", a.files_processed, b.files_processed, table);
  AddCounts("Errors", a.error_count, b.error_count, table);
  table.AddRow({"Files/s", OneDecimal(MeanRate(a)), OneDecimal(MeanRate(b)), ""});
  if (!diff.same_owner) table.AddRow({"Owner", OwnerText(a.owner), OwnerText(b.owner), ""});
  return table;
}

std::string RateAt(const std::vector<double>& rates, std::size_t at) {
  return at < rates.size() ? OneDecimal(rates[at]) : "";
}

void AddRates(const OperationDiff& diff, bool unicode, const Look& look, Lines& lines) {
  const std::size_t points = std::max(diff.rates[0].size(), diff.rates[1].size());
  if (points == 0) return;
  Table table({{.heading = "TIME AT WORK", .align = Align::kRight},
               {.heading = "FILES/S", .align = Align::kRight},
               {.heading = "FILES/S", .align = Align::kRight}});
  for (std::size_t i = 0; i < points; ++i) {
    table.AddRow(
        {absl::StrCat("to ", (i + 1) * 100 / points, " %"), RateAt(diff.rates[0], i), RateAt(diff.rates[1], i)});
  }
  if (!diff.rates[0].empty() && !diff.rates[1].empty()) {
    table.AddRow({"", Curve(diff.rates[0], unicode), Curve(diff.rates[1], unicode)});
  }
  lines.emplace_back("");
  for (StyledLine& line : table.Render(look.columns, true)) lines.push_back(std::move(line));
}

void AddOrigins(const OperationDiff& diff, Fields& fields) {
  fields.AddAll("Roots gone", diff.roots[0]);
  fields.AddAll("Roots new", diff.roots[1]);
  std::vector<std::string> metadata;
  for (const MetadataDifference& difference : diff.metadata) {
    const auto text = [](const std::vector<std::string>& values) {
      return values.empty() ? std::string("none") : absl::StrJoin(values, ", ");
    };
    metadata.push_back(difference.name + ": " + text(difference.values[0]) + " → " + text(difference.values[1]));
  }
  fields.AddAll("Metadata", metadata);
}

}  // namespace

Lines DiffText(const OperationDiff& diff, const Look& look, bool unicode) {
  Lines lines = Summary(diff, look).Render(look.columns, true);
  AddRates(diff, unicode, look, lines);
  Fields fields;
  fields.AddLine("");
  AddOrigins(diff, fields);
  fields.Add("Errors in both", Grouped(diff.errors_in_both));
  if (diff.errors_not_compared > 0) {
    fields.Add("Not compared", Grouped(diff.errors_not_compared) + " errors: they are too many", Tone::kWarning);
  }
  for (const StyledLine& line : fields.lines()) lines.push_back(line);
  for (const auto& [groups, heading] :
       {std::pair(&diff.new_errors, "NEW ERRORS"), {&diff.gone_errors, "ERRORS THAT ARE GONE"}}) {
    if (groups->groups.empty()) continue;
    for (StyledLine& line : ErrorGroupsText(*groups, heading, kGroupsShown, look)) lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace foldlog::cli
