// backup and restore: copies of a log that are logs, and logs made of them.

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/missing_events.h"
#include "foldlog/backup.h"
#include "foldlog/verify.h"
#include "tools/cli/app.h"
#include "tools/cli/arguments.h"
#include "tools/cli/backup_report.h"
#include "tools/cli/command.h"
#include "tools/cli/index_progress.h"
#include "tools/cli/renewed_line.h"
#include "tools/cli/verify_report.h"

namespace foldlog::cli {
namespace {

constexpr const char* kStream = "-";

struct BackupArguments {
  std::string destination;
  bool check = false;
  bool json = false;
  std::optional<std::int64_t> wait_s;
};

struct RestoreArguments {
  std::string backup;
  bool json = false;
};

bool Renews(const Context& context) {
  return ProgressDisplay::StyleFor(context.messages.fd(), /*quiet=*/false) == ProgressDisplay::Style::kTerminal;
}

// Gives `copy` what it tells of its progress to, and says how long it took.
template <typename Report>
absl::StatusOr<Report> Timed(const char* doing, Context& context, double& seconds,
                             const std::function<absl::StatusOr<Report>(const CopyProgressCallback&)>& copy) {
  RenewedLine line(context.messages);
  const CopyProgressCallback show = [&](const CopyProgress& progress) {
    if (line.IsDue()) line.Show(CopyProgressLine(doing, progress));
  };
  const auto begin = std::chrono::steady_clock::now();
  absl::StatusOr<Report> report = copy(Renews(context) ? show : nullptr);
  seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  line.Finish();
  return report;
}

// What was written, looked through. Damage is told of, and leaves an exit status.
absl::Status Check(const BackupArguments& arguments, Context& context) {
  VerifyDisplay display(context.messages);
  const auto show = [&](const VerifyProgress& progress) { display.Update(progress); };
  const auto begin = std::chrono::steady_clock::now();
  const absl::StatusOr<VerifyReport> report =
      Renews(context) ? Verify(arguments.destination, {}, show) : Verify(arguments.destination);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  display.Finish();
  RETURN_IF_ERROR(report.status());
  for (const VerifyFinding& finding : report->findings) {
    context.out.Line(arguments.json ? FindingJson(finding) : FindingText(finding));
  }
  context.out.Line(arguments.json ? SummaryJson(*report, /*quick=*/false, took.count())
                                  : SummaryText(*report, /*quick=*/false, took.count()));
  if (!report->sound()) context.exit_status = kCorrupt;
  return absl::OkStatus();
}

// What the log has lost is said when all that it still has is safe.
absl::Status CheckSource(const BackupReport& report, const Context& context) {
  if (report.missing_through == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto log, OpenLogForReading(context.log));
  ASSIGN_OR_RETURN(const LogExtent extent, log->Extent());
  return CheckNothingIsMissing(*log, extent);
}

absl::Status RunBackup(const BackupArguments& arguments, Context& context) {
  const bool streams = arguments.destination == kStream;
  if (streams && arguments.check)
    return UsageError("--check takes a directory: what a stream held is not there to look at");
  if (streams && isatty(context.out.fd()) != 0) {
    return absl::FailedPreconditionError("a backup is no text for a terminal; send it to a file, or name a directory");
  }
  double seconds = 0;
  const std::function<absl::StatusOr<BackupReport>(const CopyProgressCallback&)> copy = [&](const auto& progress) {
    if (streams) return BackupToStream(context.log, context.out.fd(), progress);
    return Backup(context.log, arguments.destination, {.lock_wait = LockWait(arguments.wait_s)}, progress);
  };
  ASSIGN_OR_RETURN(const BackupReport report, Timed("Backing up", context, seconds, copy));
  Output& answers = streams ? context.messages : context.out;
  answers.Line(arguments.json ? BackupJson(report, seconds) : BackupText(report, seconds));
  if (arguments.check) RETURN_IF_ERROR(Check(arguments, context));
  return CheckSource(report, context);
}

absl::Status RunRestore(const RestoreArguments& arguments, Context& context) {
  if (arguments.backup == kStream && isatty(STDIN_FILENO) != 0) {
    return absl::FailedPreconditionError("a terminal sends no backup; give the stream by < or a pipe");
  }
  double seconds = 0;
  const std::function<absl::StatusOr<RestoreReport>(const CopyProgressCallback&)> copy = [&](const auto& progress) {
    if (arguments.backup == kStream) return RestoreFromStream(STDIN_FILENO, context.log, {}, progress);
    return Restore(arguments.backup, context.log, {}, progress);
  };
  ASSIGN_OR_RETURN(const RestoreReport report, Timed("Restoring", context, seconds, copy));
  context.out.Line(arguments.json ? RestoreJson(report, seconds) : RestoreText(report, seconds));
  return absl::OkStatus();
}

void AddBackup(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<BackupArguments>();
  CLI::App* command =
      AddCommand(app, "backup", "Copy the log, or what is new in it, to a backup that is a log itself", Group::kScript);
  AddText(*command, "DEST", arguments->destination,
          "The directory of the backup; or -, which writes one stream to standard output")
      ->type_name("")
      ->required();
  AddFlag(*command, "--check", arguments->check, "Look through the whole backup afterwards, as verify does");
  AddFlag(*command, "--json", arguments->json, "One JSON object; with a stream, on standard error");
  AddWait(*command, arguments->wait_s);
  command->footer(
      "The first call copies all, each later one what is new. The log is only read, and its writer goes on\n"
      "meanwhile; events that are not durable yet are left for the next call. It may be killed at any\n"
      "moment: the backup is whole, and the next call goes on. Every command reads a backup: name it with\n"
      "--log. A backup that has diverged from the log, by events written to one of them, is left alone.\n"
      "Examples:\n"
      "  foldlog backup /backups/photos --log photos.log\n"
      "  foldlog backup - --log photos.log | ssh nas 'cat > photos.backup'");
  command->callback(
      [arguments, &chosen] { chosen = [arguments](Context& context) { return RunBackup(*arguments, context); }; });
}

void AddRestore(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<RestoreArguments>();
  CLI::App* command = AddCommand(app, "restore", "Make a new log of a backup", Group::kScript);
  AddText(*command, "BACKUP", arguments->backup, "Its directory; or -, which reads a stream from standard input")
      ->type_name("")
      ->required();
  AddFlag(*command, "--json", arguments->json, "One JSON object");
  command->footer(
      "The log that --log names must not be there yet. It is made whole or not at all, records where it was\n"
      "restored from, and has the id of the old one: do not let both go on. An operation that was active is\n"
      "so in the new log; once nothing works on the old one any more, recover --force goes on with it.\n"
      "Examples:\n"
      "  foldlog restore /backups/photos --log photos.log\n"
      "  ssh nas 'cat photos.backup' | foldlog restore - --log photos.log");
  command->callback(
      [arguments, &chosen] { chosen = [arguments](Context& context) { return RunRestore(*arguments, context); }; });
}

}  // namespace

void AddBackupCommands(CLI::App& app, Command& chosen) {
  AddBackup(app, chosen);
  AddRestore(app, chosen);
}

}  // namespace foldlog::cli
