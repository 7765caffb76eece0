// Wires the commands together, and turns their errors into messages and an exit status.

#include "tools/cli/app.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tools/cli/arguments.h"
#include "tools/cli/command.h"
#include "tools/cli/output.h"

namespace foldlog::cli {
namespace {

constexpr const char* kFooter =
    "The log is a directory, given by --log or the environment variable FOLDLOG.\n"
    "\n"
    "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 stored data is damaged, 4 files had errors\n"
    "(index --strict), 5 paused before the end (index).\n"
    "\n"
    "Examples:\n"
    "  export FOLDLOG=/var/lib/photos/log\n"
    "  foldlog index /photos --catalog /var/lib/photos/catalog.db\n"
    "  foldlog status\n"
    "  foldlog events --follow\n"
    "  foldlog index --help";

// Without this, the first file that is opened could become standard output, and an answer be written into the log.
void EnsureStandardStreams() {
  int fd = 0;
  do {
    fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO) close(fd);
}

void PrintText(const std::string& text, Output& out) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out.Line(line);
}

void Complain(const std::string& message, Output& messages) { messages.Line("foldlog: " + message); }

// Where to read on: the help of the command that was meant, as far as it is known.
std::string HelpHint(const CLI::App& app) {
  std::string command = "foldlog";
  for (const CLI::App* chosen : app.get_subcommands()) command += " " + chosen->get_name();
  return "\"" + command + " --help\" shows what is possible";
}

// CLI11 counts what it wants: "--files: 1 required N missing".
std::string WrongNumberOfValues(const std::string& message) {
  const std::string option = message.substr(0, message.find(':'));
  const bool too_many = message.find("received", option.size()) != std::string::npos;
  return option + (too_many ? " may be given only once" : " takes a value");
}

// What can't be placed comes first: it may be the mistyped option that CLI11 finds missing.
std::string WhatIsWrong(const CLI::ParseError& error, const CLI::App& app) {
  const std::vector<std::string> rest = app.remaining(/*recurse=*/true);
  const bool no_command = app.get_subcommands().empty();
  if (!rest.empty()) {
    return "\"" + WithoutGuard(rest.front()) + "\" is " + (no_command ? "no command" : "not expected there");
  }
  if (no_command) return "no command was given";
  std::string message = WithoutGuard(error.what());
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) return WrongNumberOfValues(message);
  return message;
}

// Parses the arguments; the exit status if that is all there is to do.
std::optional<int> Parse(CLI::App& app, std::vector<std::string> arguments, Output& out, Output& messages) {
  try {
    app.parse(std::move(arguments));
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    PrintText(app.help(), out);
  } catch (const CLI::CallForVersion& version) {
    PrintText(version.what(), out);
  } catch (const CLI::ParseError& error) {
    Complain(WhatIsWrong(error, app) + "; " + HelpHint(app), messages);
    return kWrongUsage;
  }
  return kDone;
}

void Configure(CLI::App& app, Context& context, Command& chosen) {
  app.name("foldlog");
  app.set_version_flag("--version", "foldlog " FOLDLOG_VERSION);
  app.require_subcommand(1);
  app.fallthrough();  // --log may stand behind the command as well
  app.footer(kFooter);
  app.get_formatter()->column_width(34);
  AddText(app, "--log", context.log, "The log's directory")->type_name("DIR")->envname("FOLDLOG");
  AddFlag(app, "--accept-loss", context.accept_loss,
          "Write to a log although events that were durable are missing at its end, and go on without them");
  AddIndexCommand(app, chosen);
  AddQueryCommands(app, chosen);
  AddEventsCommand(app, chosen);
  AddScriptCommands(app, chosen);
  AddProjectCommand(app, chosen);
  AddImportCommand(app, chosen);
  AddReindexCommand(app, chosen);
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    command->footer("The log: --log DIR, or the environment variable FOLDLOG.\n" + command->get_footer());
  }
}

// Runs the command and sees its answer off.
int RunCommand(const Command& command, Context& context) {
  absl::Status status = command(context);
  const absl::Status written = context.out.Flush();
  if (status.ok() && !written.ok()) {
    status = absl::UnavailableError(absl::StrCat(
        written.message(), "; the command itself was carried out: foldlog status tells where things stand"));
  }
  if (status.ok()) return context.exit_status;
  const absl::string_view message = status.message();
  Complain(std::string(message.data(), message.size()), context.messages);
  return ExitStatus(status);
}

int Run(int argc, const char* const* argv, Output& out, Output& messages) {
  Command command;
  Context context{.log = {}, .out = out, .messages = messages};
  CLI::App app("Records what an indexer does as events: its state, its history, and where to go on after a crash.");
  Configure(app, context, command);
  if (const std::optional<int> status = Parse(app, GuardedArguments(argc, argv), out, messages)) {
    const absl::Status written = out.Flush();
    return written.ok() ? *status : kRefused;
  }
  if (context.log.empty()) {
    Complain("which log? Name its directory with --log DIR, or set the environment variable FOLDLOG", messages);
    return kWrongUsage;
  }
  return RunCommand(command, context);
}

}  // namespace

int ExitStatus(const absl::Status& status) {
  if (status.ok()) return kDone;
  return absl::IsDataLoss(status) ? kCorrupt : kRefused;
}

int RunProgram(int argc, const char* const* argv) {
  EnsureStandardStreams();
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away is no reason to die in the middle of a write to the log
  std::signal(SIGXFSZ, SIG_IGN);  // a file that must not grow is an error of the write, which says more
  Output out(STDOUT_FILENO);
  Output messages(STDERR_FILENO);
  try {
    return Run(argc, argv, out, messages);
  } catch (const std::exception& error) {  // CLI11 or the library out of memory: nothing of ours throws
    Complain(error.what(), messages);
    return kRefused;
  }
}

}  // namespace foldlog::cli
