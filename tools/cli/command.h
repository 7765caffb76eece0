// What a subcommand is to the program: something chosen while the arguments are parsed, and run afterwards.

#ifndef FOLDLOG_CLI_COMMAND_H_
#define FOLDLOG_CLI_COMMAND_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "tools/cli/look.h"
#include "tools/cli/output.h"
#include "tools/cli/pager.h"

namespace CLI {
class App;
}

namespace foldlog::cli {

// Where a command works, and where its answers go.
struct Context {
  std::string log;   // the directory
  Output& out;       // answers: standard output
  Output& messages;  // progress and complaints: standard error

  bool accept_loss = false;  // LogDirectoryOptions::accept_loss, for commands that write
  bool utc = false;          // times are shown in UTC, not in local time
  bool no_pager = false;

  // How answers are to look. Reads the zone from the environment.
  Look look() const {
    return {.zone = utc ? absl::UTCTimeZone() : absl::LocalTimeZone(), .columns = out.terminal_columns()};
  }

  // From now on, the answer goes through a pager if a person sees it. For commands that change nothing.
  void Page() {
    if (!no_pager) pager = Pager::Start(out);
  }
  std::unique_ptr<Pager> pager = nullptr;

  // Of a command that did what it should and has more to tell than that; see app.h.
  int exit_status = 0;
};

// Wrong usage that is found only while the command runs. The message is the sentence for people.
absl::Status UsageError(std::string message);
bool IsUsageError(const absl::Status& status);

// An error is what the program says on standard error; its code decides the exit status (app.h).
using Command = std::function<absl::Status(Context&)>;

// Each adds its subcommands to `app`; the one that is parsed puts itself into `chosen`, which must live as long.
void AddQueryCommands(CLI::App& app, Command& chosen);      // status, show
void AddHistoryCommand(CLI::App& app, Command& chosen);     // history
void AddAtCommand(CLI::App& app, Command& chosen);          // at
void AddEventsCommand(CLI::App& app, Command& chosen);      // events
void AddErrorsCommand(CLI::App& app, Command& chosen);      // errors
void AddDiffCommand(CLI::App& app, Command& chosen);        // diff
void AddScriptCommands(CLI::App& app, Command& chosen);     // start, checkpoint, pause, …
void AddIndexCommand(CLI::App& app, Command& chosen);       // index
void AddProjectCommand(CLI::App& app, Command& chosen);     // project
void AddExportCommand(CLI::App& app, Command& chosen);      // export
void AddImportCommand(CLI::App& app, Command& chosen);      // import
void AddReindexCommand(CLI::App& app, Command& chosen);     // reindex
void AddRetentionCommands(CLI::App& app, Command& chosen);  // prune, retention
void AddSqlCommand(CLI::App& app, Command& chosen);         // sql
void AddVerifyCommand(CLI::App& app, Command& chosen);      // verify
void AddBackupCommands(CLI::App& app, Command& chosen);     // backup, restore
void AddSalvageCommand(CLI::App& app, Command& chosen);     // salvage

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_COMMAND_H_
