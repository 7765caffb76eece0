// Wires the commands together, and turns their errors into messages and an exit status.

#include "tools/cli/app.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "CLI/Config.hpp"
#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "tools/cli/arguments.h"
#include "tools/cli/command.h"
#include "tools/cli/help_text.h"
#include "tools/cli/nearest.h"
#include "tools/cli/output.h"

namespace foldlog::cli {
namespace {

// Marks a status that stands for wrong usage.
constexpr const char* kUsage = "foldlog/usage";

constexpr const char* kHelp = "help";
constexpr const char* kHelpTopic = "COMMAND";

constexpr const char* kFooter =
    "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 stored data is damaged, 4 files had errors "
    "(index --strict), 5 paused before the end (index), 6 no progress (status --stalled-after).\n"
    "\n"
    "On a terminal, lists go through $FOLDLOG_PAGER, $PAGER or less, and what failed or was interrupted is in "
    "colour unless NO_COLOR is set.\n"
    "\n"
    "Examples:\n"
    "  export FOLDLOG=/var/lib/photos/log\n"
    "  foldlog index /photos --catalog /var/lib/photos/catalog.db\n"
    "  foldlog status\n"
    "  foldlog events --follow\n"
    "  foldlog help index";

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

// The program itself, and the commands and options that could stand where the arguments end.
std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::vector<std::string> OptionNames(const CLI::App& app) {
  std::vector<std::string> names;
  const auto add_those_of = [&](const CLI::App& which) {
    for (const CLI::Option* option : which.get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  };
  for (const CLI::App* chosen : app.get_subcommands()) add_those_of(*chosen);
  add_those_of(app);
  return names;
}

// "--option=value" and "--option" alike.
std::string NameOnly(const std::string& argument) { return argument.substr(0, argument.find('=')); }

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
    const std::string word = WithoutGuard(rest.front());
    const bool is_option = word.starts_with("-");
    const std::string what = is_option ? "no option there" : no_command ? "no command" : "not expected there";
    std::vector<std::string> known;
    if (is_option) {
      known = OptionNames(app);
    } else if (no_command) {
      known = CommandNames(app);
    }
    return "\"" + word + "\" is " + what + DidYouMean(NameOnly(word), known);
  }
  if (no_command) return "no command was given";
  std::string message = WithoutGuard(error.what());
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) return WrongNumberOfValues(message);
  return message;
}

// What help was asked about, whichever way.
const CLI::App& HelpTopic(const CLI::App& app) {
  if (app.get_subcommands().empty()) return app;
  const CLI::App& command = *app.get_subcommands()[0];
  if (command.get_name() != kHelp) return command;
  const std::vector<std::string>& topic = command.get_option(kHelpTopic)->results();
  return topic.empty() || topic[0] == kHelp ? app : *app.get_subcommand(WithoutGuard(topic[0]));
}

// help [COMMAND]: the same as --help.
void AddHelpCommand(CLI::App& app) {
  CLI::App* help = AddCommand(app, kHelp, "What is possible, with all commands or with one", Group::kLook);
  help->add_option(kHelpTopic)->type_name("");
  help->callback([&app, help] {
    for (const std::string& topic : help->get_option(kHelpTopic)->results()) {
      const std::string name = WithoutGuard(topic);
      const std::vector<std::string> known = CommandNames(app);
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      throw CLI::ValidationError("\"" + name + "\" is no command" + DidYouMean(name, known));
    }
    throw CLI::CallForHelp();
  });
}

// Parses the arguments; the exit status if that is all there is to do.
std::optional<int> Parse(CLI::App& app, std::vector<std::string> arguments, Output& out, Output& messages) {
  try {
    app.parse(std::move(arguments));
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    PrintText(HelpOf(HelpTopic(app)), out);
  } catch (const CLI::CallForVersion& version) {
    PrintText(version.what(), out);
  } catch (const CLI::ParseError& error) {
    const std::string wrong = WhatIsWrong(error, app);
    Complain(wrong + (wrong.ends_with("?") ? " " : "; ") + HelpHint(app), messages);
    return kWrongUsage;
  }
  return kDone;
}

void Configure(CLI::App& app, Context& context, Command& chosen) {
  app.name("foldlog");
  UseHelpText(app);
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.set_version_flag("-V,--version", "foldlog " FOLDLOG_VERSION, "Print the version and exit");
  app.require_subcommand(1);
  app.fallthrough();  // --log may stand behind the command as well
  app.footer(kFooter);
  AddText(app, "--log", context.log, "The log's directory; or else the environment variable FOLDLOG")
      ->type_name("DIR")
      ->envname("FOLDLOG");
  AddFlag(app, "--utc", context.utc, "Times in UTC, shown and given; otherwise local time");
  AddFlag(app, "--no-pager", context.no_pager, "Lists go straight to the terminal");
  AddFlag(app, "--accept-loss", context.accept_loss,
          "Write to a log although events that were durable are missing at its end, and go on without them");
  AddIndexCommand(app, chosen);
  AddQueryCommands(app, chosen);
  AddHistoryCommand(app, chosen);
  AddEventsCommand(app, chosen);
  AddErrorsCommand(app, chosen);
  AddDiffCommand(app, chosen);
  AddAtCommand(app, chosen);
  AddScriptCommands(app, chosen);
  AddProjectCommand(app, chosen);
  AddExportCommand(app, chosen);
  AddImportCommand(app, chosen);
  AddVerifyCommand(app, chosen);
  AddBackupCommands(app, chosen);
  AddSalvageCommand(app, chosen);
  AddReindexCommand(app, chosen);
  AddRetentionCommands(app, chosen);
  AddSqlCommand(app, chosen);
  AddHelpCommand(app);
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    command->footer("For every command: --log DIR (or the environment variable FOLDLOG), --utc, --no-pager.\n\n" +
                    command->get_footer());
  }
}

bool WantsColours(const Output& out) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return out.is_terminal() && !dumb && (no_color == nullptr || *no_color == '\0');
}

// Runs the command and sees its answer off.
int RunCommand(const Command& command, Context& context) {
  absl::Status status = command(context);
  context.pager.reset();  // what is said on standard error comes after what is shown
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
  if (WantsColours(out)) out.UseColours();
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
  if (IsUsageError(status)) return kWrongUsage;
  return absl::IsDataLoss(status) ? kCorrupt : kRefused;
}

absl::Status UsageError(std::string message) {
  absl::Status status = absl::InvalidArgumentError(message);
  status.SetPayload(kUsage, absl::Cord());
  return status;
}

bool IsUsageError(const absl::Status& status) { return status.GetPayload(kUsage).has_value(); }

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
