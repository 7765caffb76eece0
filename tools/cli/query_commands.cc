// status and show: they only read, and work while a writer goes on.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/status_macros.h"
#include "engine/missing_events.h"
#include "foldlog/history.h"
#include "foldlog/log_directory.h"
#include "foldlog/operation_story.h"
#include "foldlog/system_clock.h"
#include "replay/report/pulse.h"
#include "tools/cli/app.h"
#include "tools/cli/arguments.h"
#include "tools/cli/beyond_damage.h"
#include "tools/cli/command.h"
#include "tools/cli/curve.h"
#include "tools/cli/event_summary.h"
#include "tools/cli/log_view.h"
#include "tools/cli/named_operation.h"
#include "tools/cli/render_json.h"
#include "tools/cli/render_text.h"
#include "tools/cli/retention_report.h"
#include "tools/cli/story_text.h"

namespace foldlog::cli {
namespace {

struct StatusOptions {
  bool json = false;
  std::optional<std::int64_t> stalled_after_ns;
};

// When and why events were pruned that are not in the log any more.
Lines PrunedLine(const EventLog& log, const Look& look) {
  Fields fields;
  const auto ranges = log.ReadPruned();
  const std::string why(ranges.status().message());
  fields.Add("Pruned", ranges.ok() && !ranges->empty() ? PrunedText(ranges->back(), look) : why);
  return fields.lines();
}

absl::Status RunStatus(const StatusOptions& options, Context& context) {
  ASSIGN_OR_RETURN(const std::unique_ptr<EventLog> log, OpenLogForReading(context.log));
  ASSIGN_OR_RETURN(const LogView view, ReadLogView(*log, context.log));
  const Moment now = SystemClock()();
  const std::optional<std::int64_t> stalled_after = options.stalled_after_ns;
  if (options.json) {
    context.out.Line(StatusJson(view, now, stalled_after));
  } else {
    context.out.Show(StatusText(view, {now, context.look()}, stalled_after));
    if (view.extent.base.sequence > 0) context.out.Show(PrunedLine(*log, context.look()));
  }
  if (view.restoration_damaged) {
    context.messages.Line("the record of where the log was restored from is damaged: foldlog verify tells where");
  }
  TellOfIndexDamage(FindIndexDamage(*log, view.extent), context.messages);
  RETURN_IF_ERROR(CheckNoMisfit(view.state, *log));
  RETURN_IF_ERROR(CheckNothingIsMissing(*log, view.extent));
  if (stalled_after && report::IsStalled(view, now, *stalled_after)) context.exit_status = kStalled;
  return absl::OkStatus();
}

struct ShowOptions {
  bool json = false;
  bool beyond_damage = false;
  std::optional<std::string> operation;
};

absl::Status RunShow(const ShowOptions& options, Context& context) {
  ASSIGN_OR_RETURN(const std::unique_ptr<EventLog> log, OpenToRead(context, options.beyond_damage));
  ASSIGN_OR_RETURN(const LogView view, ReadLogView(*log, context.log));
  if (!options.operation && !view.state.operation) {
    return absl::NotFoundError(
        "there is no operation at present; name one that \"foldlog history\" lists, or \"last\"");
  }
  const std::string named = options.operation ? *options.operation : view.state.operation->operation_id;
  ASSIGN_OR_RETURN(const HistoryEntry entry, FindNamedOperation(*log, named));
  ASSIGN_OR_RETURN(const OperationStory story, TellStory(*log, entry, {.points = kCurvePoints}));
  EventSummary summary{.counts = std::vector<std::uint64_t>(KindNames().size()), .milestones = {}, .errors = {}};
  if (!story.pruned) {
    ASSIGN_OR_RETURN(summary, ReadEventSummary(*log, entry));
  }
  const Look look = context.look();
  context.Page();
  if (options.json) {
    context.out.Line(ShowJson(story, view, summary));
  } else {
    context.out.Show(ShowText(story, view, summary, {SystemClock()(), look}, IsUnicodeLocale()));
  }
  const Operation& operation = entry.operation;
  const bool active = operation.status == OperationStatus::kInProgress || operation.status == OperationStatus::kPaused;
  // What is missing right behind it may be its own end.
  const Sequence last = entry.reset_by.value_or(operation.last_sequence + (active ? 1 : 0));
  TellOfGaps(*log, options.json, context, operation.first_sequence, last);
  return CheckNothingIsMissing(*log, view.extent);
}

void AddStatus(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<StatusOptions>();
  CLI::App* status = AddCommand(app, "status", "What the operation at hand is doing, and what may be done next");
  AddFlag(*status, "--json", options->json, "One JSON object");
  AddSpan(*status, "--stalled-after", options->stalled_after_ns,
          "Exit status 6 if it is in progress, but has made none for so long: 90s, 5m, 3h, 7d or 2w");
  status->footer(
      "The recent rate is that of the last half minute to minute, or of the last 20 files. Progress is a checkpoint, "
      "whatever it says.\n"
      "Example:\n"
      "  foldlog status --stalled-after 5m > /dev/null || mail -s \"indexer?\" me");
  status->callback(
      [options, &chosen] { chosen = [options](Context& context) { return RunStatus(*options, context); }; });
}

}  // namespace

void AddQueryCommands(CLI::App& app, Command& chosen) {
  AddStatus(app, chosen);
  const auto options = std::make_shared<ShowOptions>();
  CLI::App* show = AddCommand(app, "show", "One operation's story");
  AddFlag(*show, "--json", options->json, "One JSON object");
  AddBeyondDamage(*show, options->beyond_damage);
  AddText(*show, "OPERATION", options->operation,
          std::string("Its ") + kOperationHelp + "; the one at hand unless given")
      ->type_name("");
  show->footer(
      "Progress is shown at some of its events, most where most time was spent. errors and events tell more.\n"
      "Examples:\n"
      "  foldlog show last\n"
      "  foldlog show 0b8f3c5e");
  show->callback([options, &chosen] { chosen = [options](Context& context) { return RunShow(*options, context); }; });
}

}  // namespace foldlog::cli
