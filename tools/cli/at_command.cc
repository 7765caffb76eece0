// at: state and row as they were at an event, or at a time. Only reads.

#include <memory>
#include <optional>
#include <string>

#include "engine/base/status_macros.h"
#include "foldlog/log_directory.h"
#include "foldlog/single_row.h"
#include "tools/cli/arguments.h"
#include "tools/cli/command.h"
#include "tools/cli/past.h"
#include "tools/cli/render_json.h"
#include "tools/cli/render_text.h"

namespace foldlog::cli {
namespace {

struct AtOptions {
  std::string place;
  bool json = false;
};

absl::Status RunAt(const AtOptions& options, Context& context) {
  ASSIGN_OR_RETURN(const Place place, ParsePlace("SEQUENCE|TIME", options.place, context));
  ASSIGN_OR_RETURN(const std::unique_ptr<EventLog> log, OpenLogForReading(context.log));
  ASSIGN_OR_RETURN(const State state, StateAtPlace(*log, place));
  ASSIGN_OR_RETURN(const std::optional<SingleRow> row, ProjectSingleRow(*log, state));
  if (options.json) {
    context.out.Line(AtJson(state, row));
  } else {
    context.out.Show(AtText(state, row, context.look()));
  }
  return absl::OkStatus();
}

}  // namespace

void AddAtCommand(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<AtOptions>();
  CLI::App* at = AddCommand(app, "at", "State and row as they were at an event or a time");
  AddText(*at, "PLACE", options->place, "A sequence number, or a time: 2026-11-01, \"2026-11-01 14:30\", yesterday, 3h")
      ->type_name("")
      ->required();
  AddFlag(*at, "--json", options->json, "One JSON object");
  at->footer(
      "At a time means after the last event that had happened by then. Where the clock was set meanwhile, the later "
      "setting is believed for the whole time since the machine booted, unless that puts an event behind its "
      "followers.\n"
      "Examples:\n"
      "  foldlog at 1000\n"
      "  foldlog at \"2026-11-01 14:30\" --json");
  at->callback([options, &chosen] { chosen = [options](Context& context) { return RunAt(*options, context); }; });
}

}  // namespace foldlog::cli
