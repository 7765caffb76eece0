// status, history and show: they only read, and work while a writer goes on.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "foldlog/history.h"
#include "foldlog/log_directory.h"
#include "foldlog/system_clock.h"
#include "tools/cli/app.h"
#include "tools/cli/arguments.h"
#include "tools/cli/command.h"
#include "tools/cli/event_summary.h"
#include "tools/cli/history_table.h"
#include "tools/cli/log_view.h"
#include "tools/cli/pulse.h"
#include "tools/cli/render_json.h"
#include "tools/cli/render_text.h"
#include "tools/cli/script_step.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

// Where the log stops making sense, for standard error and the exit code.
absl::Status CheckNoMisfit(const State& state, const EventLog& log) {
  if (!state.misfit) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("the log ", log.name(), ": ", state.misfit->why,
                                          "; it and the events behind it count for nothing (foldlog events --from ",
                                          state.misfit->sequence,
                                          " shows them). foldlog reset goes on from there, and every event stays"));
}

struct StatusOptions {
  bool json = false;
  std::optional<std::int64_t> stalled_after_ns;
};

absl::Status RunStatus(const StatusOptions& options, Context& context) {
  ASSIGN_OR_RETURN(const std::unique_ptr<EventLog> log, OpenLogForReading(context.log));
  ASSIGN_OR_RETURN(const LogView view, ReadLogView(*log, context.log));
  const Moment now = SystemClock()();
  const std::optional<std::int64_t> stalled_after = options.stalled_after_ns;
  if (options.json) {
    context.out.Line(StatusJson(view, now, stalled_after));
  } else {
    context.out.Show(StatusText(view, {now, context.look()}, stalled_after));
  }
  RETURN_IF_ERROR(CheckNoMisfit(view.state, *log));
  // What is there was shown; what is not there is an error all the same.
  const Sequence end = view.extent.end.sequence;
  if (view.extent.missing_through > end) RETURN_IF_ERROR(log->Read(end + 1, 1).status());
  if (stalled_after && IsStalled(view, now, *stalled_after)) context.exit_status = kStalled;
  return absl::OkStatus();
}

// The view was read after the history, so what it says of the operation on the row is newer.
void BringUpToDate(const LogView& view, HistoryEntry& entry) {
  if (view.IsAbout(entry.operation)) entry.operation = *view.state.operation;
}

absl::Status RunHistory(bool json, bool heading, Context& context) {
  ASSIGN_OR_RETURN(const std::unique_ptr<EventLog> log, OpenLogForReading(context.log));
  ASSIGN_OR_RETURN(std::vector<HistoryEntry> entries, ReadHistory(*log));
  ASSIGN_OR_RETURN(const LogView view, ReadLogView(*log, context.log));
  if (!entries.empty()) BringUpToDate(view, entries.back());
  context.Page();
  if (json) {
    for (const HistoryEntry& entry : entries) context.out.Line(HistoryJson(entry, view));
  } else {
    Look look = context.look();
    look.heading = heading;
    context.out.Show(HistoryText(entries, view, Now(), look));
  }
  return CheckNoMisfit(view.state, *log);
}

struct ShowOptions {
  bool json = false;
  std::optional<std::string> operation_id;
};

absl::Status RunShow(const ShowOptions& options, Context& context) {
  ASSIGN_OR_RETURN(const std::unique_ptr<EventLog> log, OpenLogForReading(context.log));
  ASSIGN_OR_RETURN(const LogView view, ReadLogView(*log, context.log));
  if (!options.operation_id && !view.state.operation) {
    return absl::NotFoundError("there is no operation at present; name one that \"foldlog history\" lists");
  }
  const std::string present = view.state.operation ? view.state.operation->operation_id : "";
  const std::string named = options.operation_id.value_or(present);
  const std::string id = named == present ? named : WithoutEpoch(named);
  ASSIGN_OR_RETURN(const HistoryEntry entry, FindOperation(*log, id));
  ASSIGN_OR_RETURN(const EventSummary summary, ReadEventSummary(*log, entry.operation));
  context.Page();
  if (options.json) {
    context.out.Line(ShowJson(entry, view, summary));
  } else {
    context.out.Show(ShowText(entry, view, summary, {SystemClock()(), context.look()}));
  }
  return absl::OkStatus();
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
  const auto json = std::make_shared<bool>(false);
  CLI::App* history = AddCommand(app, "history", "All operations, the newest last");
  AddFlag(*history, "--json", *json, "One JSON object a line");
  const auto no_header = std::make_shared<bool>(false);
  AddFlag(*history, "--no-header", *no_header, "Only the operations, without the line above them");
  history->footer(
      "Example:\n"
      "  foldlog history --log /var/lib/photos/log --no-header");
  history->callback([json, no_header, &chosen] {
    chosen = [json, no_header](Context& context) { return RunHistory(*json, !*no_header, context); };
  });

  const auto options = std::make_shared<ShowOptions>();
  CLI::App* show = AddCommand(app, "show", "Everything about one operation");
  AddFlag(*show, "--json", options->json, "One JSON object");
  AddText(*show, "OPERATION", options->operation_id, "Its id or token; the operation at hand unless given")
      ->type_name("");
  show->footer(
      "Example:\n"
      "  foldlog show --log /var/lib/photos/log 0b8f3c5e-6c1a-4f5e-9d53-0d2a6e6c2f11");
  show->callback([options, &chosen] { chosen = [options](Context& context) { return RunShow(*options, context); }; });
}

}  // namespace foldlog::cli
