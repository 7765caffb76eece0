#include "tools/cli/story_text.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/saturated.h"
#include "engine/seconds.h"
#include "tools/cli/curve.h"
#include "tools/cli/phrases.h"
#include "tools/cli/printable.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

using Align = Table::Align;

// So many steps are listed, and so many pauses and interruptions.
constexpr std::size_t kStepsShown = 12;
constexpr std::size_t kTurnsShown = 20;
// Of each kind of error.
constexpr std::size_t kExamplesShown = 3;
// So much of an example: a message may be a megabyte long.
constexpr std::size_t kExampleColumns = 400;
constexpr std::string_view kExampleIndent = "       ";
// Of a time without its zone; it is not cut.
constexpr std::size_t kTimeColumns = 19;

void Append(Lines more, Lines& lines) {
  for (StyledLine& line : more) lines.push_back(std::move(line));
}

void AppendTable(const char* title, const Table& table, const Look& look, Lines& lines) {
  lines.emplace_back("");
  if (*title != '\0') lines.emplace_back(title);
  Append(table.Render(look.columns, true), lines);
}

// A column of times has their zone in its heading; one from the other half of the year says its own.
class TimeColumn {
 public:
  TimeColumn(TimeNs first, const Look& look) : look_(look), zone_(ZoneText(first, look.zone)) {}

  std::string Heading(std::string_view name) const { return std::string(name) + " (" + zone_ + ")"; }

  std::string Cell(TimeNs time) const {
    return ZoneText(time, look_.zone) == zone_ ? ColumnTime(time, look_.zone) : HumanTime(time, look_.zone);
  }

 private:
  const Look& look_;
  const std::string zone_;
};

// Some of the steps, evenly, with the first and the last.
std::vector<const StoryStep*> SomeOf(const std::vector<StoryStep>& steps) {
  std::vector<const StoryStep*> some;
  const std::size_t count = std::min(steps.size(), kStepsShown);
  for (std::size_t i = 0; i < count; ++i) {
    some.push_back(&steps[count == 1 ? 0 : i * (steps.size() - 1) / (count - 1)]);
  }
  return some;
}

std::string RateSince(const StoryStep& before, const StoryStep& step) {
  const std::int64_t took_ns = SaturatedMinus(step.active_ns, before.active_ns);
  const std::int64_t files = SaturatedMinus(step.files, before.files);
  return took_ns > 0 && files >= 0 ? OneDecimal(static_cast<double>(files) / SecondsOf(took_ns)) : "";
}

void AddProgress(const OperationStory& story, const Look& look, Lines& lines) {
  if (story.steps.size() < 2) return;
  const TimeColumn times(story.steps.front().time, look);
  Table table({{.heading = times.Heading("TIME"), .least = kTimeColumns},
               {.heading = "AT WORK", .align = Align::kRight},
               {.heading = "FILES", .align = Align::kRight},
               {.heading = "FILES/S", .align = Align::kRight, .left_out_if_empty = true},
               {.heading = "ERRORS", .align = Align::kRight, .left_out_if_empty = true},
               {.heading = "LAST FILE", .left_out_if_empty = true}});
  const StoryStep* before = nullptr;
  for (const StoryStep* step : SomeOf(story.steps)) {
    table.AddRow({times.Cell(step->time), HumanDuration(0, step->active_ns), Grouped(step->files),
                  before != nullptr ? RateSince(*before, *step) : "", step->errors != 0 ? Grouped(step->errors) : "",
                  step->last_processed_file.value_or("")});
    before = step;
  }
  AppendTable("Progress", table, look, lines);
}

void AddLeftOut(std::int64_t count, const char* what, Lines& lines) {
  if (count > 0) lines.emplace_back(absl::StrCat("… and ", Grouped(count), what));
}

void AddPauses(const OperationStory& story, const Look& look, Lines& lines) {
  if (story.pauses.empty()) return;
  const TimeColumn times(story.pauses.front().began, look);
  Table table({{.heading = times.Heading("PAUSED"), .least = kTimeColumns},
               {.heading = "FOR", .align = Align::kRight},
               {.heading = "REASON", .left_out_if_empty = true}});
  const std::size_t shown = std::min(story.pauses.size(), kTurnsShown);
  for (std::size_t i = 0; i < shown; ++i) {
    const StoryPause& pause = story.pauses[i];
    table.AddRow({times.Cell(pause.began), pause.ended_by ? HumanDuration(0, pause.duration_ns) : "", pause.reason});
  }
  AppendTable("", table, look, lines);
  const auto more = static_cast<std::int64_t>(story.pauses.size() - shown);
  AddLeftOut(more + story.pauses_left_out, " more pauses", lines);
}

void AddInterruptions(const OperationStory& story, const Look& look, Lines& lines) {
  if (story.interruptions.empty()) return;
  const TimeColumn times(story.interruptions.front().last_sign, look);
  Table table({{.heading = times.Heading("INTERRUPTED"), .least = kTimeColumns},
               {.heading = "LOST", .align = Align::kRight},
               {.heading = "EVIDENCE"},
               {.heading = "REASON", .left_out_if_empty = true}});
  const std::size_t shown = std::min(story.interruptions.size(), kTurnsShown);
  for (std::size_t i = 0; i < shown; ++i) {
    const StoryInterruption& interruption = story.interruptions[i];
    table.AddRow({times.Cell(interruption.last_sign),
                  HumanDuration(0, interruption.lost_ns),
                  {Words(Name(interruption.evidence)), Tone::kWarning},
                  interruption.reason});
  }
  AppendTable("", table, look, lines);
  const auto more = static_cast<std::int64_t>(story.interruptions.size() - shown);
  AddLeftOut(more + story.interruptions_left_out, " more interruptions", lines);
}

std::string CutTo(const std::string& text, std::size_t columns) {
  return Width(text) <= columns ? text : std::string(TruncateToWidth(text, columns - 1)) + "…";
}

// Where path and message do not fit, the path is cut as well: at least half of the line is the message's.
std::string ExampleText(const ReportedError& error, std::size_t columns) {
  const std::string message = Printable(error.error.message.empty() ? error.error.details : error.error.message);
  if (error.error.path.empty()) return CutTo(message, columns);
  const std::size_t for_message = std::min(Width(message), columns / 2);
  return CutTo(CutTo(Printable(error.error.path), columns - for_message - 2) + ": " + message, columns);
}

std::size_t ExampleColumns(const Look& look) {
  constexpr std::size_t kLeast = 20;
  if (!look.columns) return kExampleColumns;
  return std::clamp(*look.columns - std::min(*look.columns, kExampleIndent.size()), kLeast, kExampleColumns);
}

}  // namespace

Lines StoryText(const OperationStory& story, const Look& look, bool unicode) {
  Lines lines;
  if (const std::vector<double> rates = RateCurve(story.steps, kCurvePoints); !rates.empty()) {
    Fields fields;
    fields.Add("Rate curve", Curve(rates, unicode) + "  up to " +
                                 OneDecimal(*std::max_element(rates.begin(), rates.end())) + " files/s");
    Append(fields.lines(), lines);
  }
  AddProgress(story, look, lines);
  AddPauses(story, look, lines);
  AddInterruptions(story, look, lines);
  if (story.errors.errors > 0) Append(ErrorGroupsText(story.errors.by_kind, "KIND OF ERROR", kStepsShown, look), lines);
  return lines;
}

Lines ErrorGroupsText(const ErrorGroups& groups, std::string_view heading, std::size_t groups_max, const Look& look) {
  const std::size_t shown = std::min(groups.groups.size(), groups_max);
  std::int64_t left_out = groups.left_out;
  const TimeColumn times(groups.groups.empty() ? 0 : groups.groups.front().first_time, look);
  Table table({{.heading = "COUNT", .align = Align::kRight},
               {.heading = times.Heading("FIRST"), .least = kTimeColumns},
               {.heading = times.Heading("LAST"), .least = kTimeColumns},
               {.heading = std::string(heading)}});
  for (std::size_t i = 0; i < groups.groups.size(); ++i) {
    const ErrorGroup& group = groups.groups[i];
    if (i >= shown) {
      left_out += group.count;
      continue;
    }
    table.AddRow({Grouped(group.count), times.Cell(group.first_time), times.Cell(group.last_time),
                  group.key.empty() ? "(no message)" : group.key});
  }
  Lines lines;
  Lines rows = table.Render(look.columns, true);
  lines.emplace_back("");
  if (shown > 0) lines.push_back(std::move(rows.front()));
  for (std::size_t i = 0; i < shown; ++i) {
    lines.push_back(std::move(rows[i + 1]));
    const std::vector<ReportedError>& examples = groups.groups[i].examples;
    for (std::size_t at = 0; at < std::min(examples.size(), kExamplesShown); ++at) {
      lines.emplace_back(std::string(kExampleIndent) + ExampleText(examples[at], ExampleColumns(look)));
    }
  }
  AddLeftOut(left_out, " more errors, of other groups", lines);
  return lines;
}

Lines ErrorReportText(const ErrorReport& report, std::size_t groups_max, const Look& look) {
  Fields fields;
  std::string errors = Grouped(report.errors);
  if (report.failures > 0) errors += ", " + Grouped(report.failures) + " of them failures";
  fields.Add("Errors", errors);
  if (report.first_time) fields.Add("First", HumanTime(*report.first_time, look.zone));
  if (report.last_time) fields.Add("Last", HumanTime(*report.last_time, look.zone));
  Lines lines = fields.lines();
  if (report.errors == 0) return lines;
  Append(ErrorGroupsText(report.by_kind, "KIND", groups_max, look), lines);
  if (!report.by_directory.groups.empty()) {
    Append(ErrorGroupsText(report.by_directory, "DIRECTORY", groups_max, look), lines);
  }
  return lines;
}

}  // namespace foldlog::cli
