// project: the single row that older programs read, once or kept in an SQLite file. Only reads the log.

#include <poll.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "engine/base/status_macros.h"
#include "engine/projection/mirror_follower.h"
#include "engine/projection/sqlite_mirror.h"
#include "foldlog/log_directory.h"
#include "foldlog/replayer.h"
#include "foldlog/single_row.h"
#include "tools/cli/arguments.h"
#include "tools/cli/command.h"
#include "tools/cli/past.h"
#include "tools/cli/render_json.h"
#include "tools/cli/signals.h"

namespace foldlog::cli {
namespace {

struct ProjectOptions {
  std::optional<std::string> at;
  std::optional<std::string> sqlite;
  bool json = false;
  bool follow = false;
  bool check = false;
  bool heal = false;
};

absl::Status PrintRow(const std::optional<Place>& place, const EventLog& log, Output& out) {
  ASSIGN_OR_RETURN(const State state, place ? StateAtPlace(log, *place) : StateAt(log));
  ASSIGN_OR_RETURN(const std::optional<SingleRow> row, ProjectSingleRow(log, state));
  out.Line(RowJson(row));
  return absl::OkStatus();
}

// So long a signal may be overlooked that came just before the wait, and so late is told what there is to tell.
constexpr int kLookIntervalMs = 200;

void TellNews(MirrorFollower& follower, Output& messages) {
  for (const std::string& sentence : follower.TakeNews()) messages.Line("foldlog: " + sentence);
  messages.Flush().IgnoreError();
}

absl::Status Follow(const std::string& file, const EventLog& log, Output& messages) {
  const std::atomic<int>& stop = StopFlagOnSignals();
  ASSIGN_OR_RETURN(const std::unique_ptr<MirrorFollower> follower, MirrorFollower::Start(file, log));
  while (stop == 0 && !follower->ended()) {
    TellNews(*follower, messages);
    poll(nullptr, 0, kLookIntervalMs);  // a signal ends it
  }
  const absl::Status last = follower->Stop();
  TellNews(*follower, messages);
  return last;
}

std::string Joined(const MirrorReport& report) {
  std::string text;
  for (const std::string& finding : report.findings) text += (text.empty() ? "" : "; ") + finding;
  return text;
}

absl::Status Check(const ProjectOptions& options, const EventLog& log, Output& out) {
  absl::StatusOr<MirrorReport> report = SqliteMirror::Check(*options.sqlite, log);
  // Healing is for a row that cannot be read, too, but never for a file that is no database or cannot be reached.
  if (options.heal && absl::IsInvalidArgument(report.status())) {
    const absl::string_view why = report.status().message();
    report = MirrorReport{.findings = {std::string(why.data(), why.size())}};
  }
  RETURN_IF_ERROR(report.status());
  if (report->findings.empty()) {
    out.Line(*options.sqlite + " shows event " + std::to_string(report->end) + ", as the log does");
    return absl::OkStatus();
  }
  if (!options.heal) {
    return absl::FailedPreconditionError("mirror " + *options.sqlite + ": " + Joined(*report) + "; --heal repairs it");
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<SqliteMirror> mirror, SqliteMirror::Open(*options.sqlite, log));
  RETURN_IF_ERROR(mirror->Heal());
  out.Line("repaired: " + Joined(*report));
  return absl::OkStatus();
}

absl::Status RunProject(const ProjectOptions& options, Context& context) {
  std::optional<Place> place;
  if (options.at) {
    ASSIGN_OR_RETURN(place, ParsePlace("--at", *options.at, context));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<EventLog> log, OpenLogForReading(context.log));
  if (!options.sqlite) return PrintRow(place, *log, context.out);
  if (options.check) return Check(options, *log, context.out);
  if (options.follow) return Follow(*options.sqlite, *log, context.messages);
  ASSIGN_OR_RETURN(const std::unique_ptr<SqliteMirror> mirror, SqliteMirror::Open(*options.sqlite, *log));
  return mirror->CatchUp();
}

}  // namespace

void AddProjectCommand(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<ProjectOptions>();
  CLI::App* command = AddCommand(app, "project", "The single row that older programs read");
  CLI::Option* json = AddFlag(*command, "--json", options->json, "Print it as a JSON object; null when idle");
  AddText(*command, "--at", options->at,
          "With --json: as of this event, or this time: 2026-11-01, \"2026-11-01 14:30\", yesterday, 3h")
      ->type_name("PLACE")
      ->needs(json);
  CLI::Option* sqlite =
      AddText(*command, "--sqlite", options->sqlite, "Keep it in this file's table indexing_state")->type_name("FILE");
  sqlite->excludes(json);
  CLI::Option* follow =
      AddFlag(*command, "--follow", options->follow, "Go on with further events, until interrupted")->needs(sqlite);
  CLI::Option* check = AddFlag(*command, "--check", options->check, "Only compare")->needs(sqlite)->excludes(follow);
  AddFlag(*command, "--heal", options->heal, "Repair what --check finds")->needs(check);
  command->footer(
      "The file and the table are made if missing; other tables are left alone. A table of its own,\n"
      "foldlog_mirror, says which event is shown. A file that exists keeps its journal mode; a new one\n"
      "can be read by everyone who may read the file. --check only reads, whoever has the file open.\n"
      "--follow goes on whatever happens to the file: locked, full or wrong, it is told of and tried\n"
      "again; renamed, deleted or replaced, it is made anew at its path.\n"
      "Examples:\n"
      "  foldlog project --json\n"
      "  foldlog project --sqlite state.db --follow\n"
      "  foldlog project --check --sqlite state.db");
  command->callback([options, &chosen] {
    if (!options->json && !options->sqlite) throw CLI::RequiredError("--json or --sqlite FILE");
    chosen = [options](Context& context) { return RunProject(*options, context); };
  });
}

}  // namespace foldlog::cli
