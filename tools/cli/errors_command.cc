// errors and diff: what went wrong, in groups, as paths, and between two operations. They only read.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/missing_events.h"
#include "foldlog/error_report.h"
#include "foldlog/log_directory.h"
#include "foldlog/operation_diff.h"
#include "tools/cli/arguments.h"
#include "tools/cli/beyond_damage.h"
#include "tools/cli/command.h"
#include "tools/cli/curve.h"
#include "tools/cli/log_view.h"
#include "tools/cli/named_operation.h"
#include "tools/cli/search_progress.h"
#include "tools/cli/story_json.h"
#include "tools/cli/story_text.h"
#include "tools/cli/time_range.h"

namespace foldlog::cli {
namespace {

constexpr std::size_t kGroupsShown = 20;

struct ErrorsOptions {
  std::optional<std::string> operation;
  TimeRangeText times;
  std::string path;
  std::string asked;  // the operation and the filters that were given, in words
  std::optional<std::int64_t> limit;
  bool paths = false;
  bool null = false;
  bool json = false;
  bool csv = false;
  bool beyond_damage = false;
};

absl::StatusOr<ErrorFilter> FilterOf(const ErrorsOptions& options, const EventLog& log, const Context& context) {
  ErrorFilter filter{.path_prefix = options.path};
  ASSIGN_OR_RETURN(const TimeRange range, ParseTimeRange(options.times, context));
  filter.since = range.since;
  filter.until = range.until;
  if (!options.operation) return filter;
  ASSIGN_OR_RETURN(const HistoryEntry entry, FindNamedOperation(log, *options.operation));
  filter.from = entry.operation.first_sequence;
  filter.through = entry.operation.last_sequence;
  return filter;
}

// Bytes as they are, unless a terminal would see them. A path with a line break would read as two.
absl::Status ListPaths(const ErrorsOptions& options, const EventLog& log, const ErrorFilter& filter, Output& out) {
  ASSIGN_OR_RETURN(FailedPaths paths, FailedPaths::Over(log, filter));
  std::int64_t broken = 0;
  for (std::int64_t shown = 0; shown < options.limit.value_or(shown + 1) && !out.closed(); ++shown) {
    ASSIGN_OR_RETURN(const std::optional<std::string> path, paths.Next());
    if (!path) break;
    if (options.json) {
      report::JsonSink json;
      json.BeginObject();
      Put(json, "path", *path);
      json.EndObject();
      out.Line(json.Take());
    } else if (out.is_terminal()) {
      out.Line(*path);
    } else if (!options.null && path->find('\n') != std::string::npos) {
      ++broken;
    } else {
      out.Raw(absl::StrCat(*path, std::string(1, options.null ? '\0' : '\n')));
    }
  }
  if (broken == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("left out are paths with line breaks, ", broken, " of them; --null or --json gives them"));
}

// Those behind the first `groups_max` are left out.
void Limit(std::size_t groups_max, ErrorGroups& groups) {
  for (; groups.groups.size() > groups_max; groups.groups.pop_back()) groups.left_out += groups.groups.back().count;
}

absl::Status RunErrors(const ErrorsOptions& options, Context& context) {
  ASSIGN_OR_RETURN(const std::unique_ptr<EventLog> log, OpenToRead(context, options.beyond_damage));
  ASSIGN_OR_RETURN(ErrorFilter filter, FilterOf(options, *log, context));
  if (options.paths) {
    RETURN_IF_ERROR(ListPaths(options, *log, filter, context.out));
    TellOfGaps(*log, options.json, context, filter.from, filter.through);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const LogExtent extent, log->Extent());
  const bool to_the_end = filter.through > extent.end.sequence;
  filter.through = std::min(filter.through, extent.end.sequence);
  SearchProgress progress(extent.end.sequence, context.messages);
  ASSIGN_OR_RETURN(ErrorReport report,
                   ReportErrors(*log, filter, {.progress = [&](Sequence sequence) { progress.At(sequence); }}));
  progress.Clear();
  if (options.limit) {
    Limit(static_cast<std::size_t>(*options.limit), report.by_kind);
    Limit(static_cast<std::size_t>(*options.limit), report.by_directory);
  }
  const Look look = context.look();
  context.Page();
  if (options.json) {
    for (const std::string& line : ErrorGroupLines(report.by_kind, "message")) context.out.Line(line);
    for (const std::string& line : ErrorGroupLines(report.by_directory, "directory")) context.out.Line(line);
  } else if (options.csv) {
    context.out.Csv(ErrorGroupColumns());
    for (const auto& cells : ErrorGroupCells(report.by_kind, "message")) context.out.Csv(cells);
    for (const auto& cells : ErrorGroupCells(report.by_directory, "directory")) context.out.Csv(cells);
  } else if (report.errors == 0 && !options.asked.empty()) {
    context.out.Line("No error with " + options.asked + "; \"foldlog errors\" counts all.");
  } else {
    const auto groups_max = options.limit ? static_cast<std::size_t>(*options.limit) : kGroupsShown;
    context.out.Show(ErrorReportText(report, groups_max, look));
  }
  TellOfGaps(*log, options.json, context, filter.from, filter.through);
  return to_the_end ? CheckNothingIsMissing(*log, extent) : absl::OkStatus();
}

struct DiffCommandOptions {
  std::string first;
  std::string second;
  bool json = false;
};

absl::Status RunDiff(const DiffCommandOptions& options, Context& context) {
  ASSIGN_OR_RETURN(const std::unique_ptr<EventLog> log, OpenLogForReading(context.log));
  ASSIGN_OR_RETURN(const HistoryEntry first, FindNamedOperation(*log, options.first));
  ASSIGN_OR_RETURN(const HistoryEntry second, FindNamedOperation(*log, options.second));
  ASSIGN_OR_RETURN(const OperationDiff diff, Compare(*log, first, second));
  const Look look = context.look();
  context.Page();
  if (options.json) {
    context.out.Line(DiffJson(diff));
  } else {
    context.out.Show(DiffText(diff, look, IsUnicodeLocale()));
  }
  ASSIGN_OR_RETURN(const LogExtent extent, log->Extent());
  return CheckNothingIsMissing(*log, extent);
}

}  // namespace

void AddErrorsCommand(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<ErrorsOptions>();
  CLI::App* errors = AddCommand(app, "errors", "What went wrong, by kind and by directory");
  AddText(*errors, "OPERATION", options->operation,
          std::string("Only of this one: ") + kOperationHelp + "; of all unless given")
      ->type_name("");
  AddTimeRange(*errors, options->times);
  AddText(*errors, "--path", options->path, "Only of files whose path begins so")->type_name("PREFIX");
  AddLimit(*errors, options->limit, "Only so many groups or paths");
  CLI::Option* paths = AddFlag(*errors, "--paths", options->paths, "Only the files, each once, for another try");
  CLI::Option* json = AddFlag(*errors, "--json", options->json, "One JSON object a line");
  AddFlag(*errors, "--csv", options->csv, "Comma-separated values (RFC 4180)")->excludes(json)->excludes(paths);
  AddFlag(*errors, "-0,--null", options->null, "Behind each path a zero byte, for xargs -0")
      ->needs(paths)
      ->excludes(json);
  AddBeyondDamage(*errors, options->beyond_damage);
  errors->footer(
      "Numbers, names and paths do not count: \"cannot open /a: error 13\" is of the kind \"cannot open <path>: error "
      "<n>\".\n"
      "Examples:\n"
      "  foldlog errors last\n"
      "  foldlog errors --since 7d --path /photos/ --csv > errors.csv\n"
      "  foldlog errors last --paths -0 | xargs -0 ls -ld");
  errors->callback([options, errors, &chosen] {
    options->asked = GivenFilters(*errors);
    chosen = [options](Context& context) { return RunErrors(*options, context); };
  });
}

void AddDiffCommand(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<DiffCommandOptions>();
  CLI::App* diff = AddCommand(app, "diff", "How two operations differ");
  AddText(*diff, "FIRST", options->first, std::string("Its ") + kOperationHelp)->type_name("")->required();
  AddText(*diff, "SECOND", options->second, "The other one, likewise")->type_name("")->required();
  AddFlag(*diff, "--json", options->json, "One JSON object");
  diff->footer(
      "Rates are of equal parts of each one's time at work. Errors are the same if their paths and kinds are (see "
      "errors).\n"
      "Example:\n"
      "  foldlog diff last~1 last");
  diff->callback([options, &chosen] { chosen = [options](Context& context) { return RunDiff(*options, context); }; });
}

}  // namespace foldlog::cli
