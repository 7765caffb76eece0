// verify: looks through all that a log keeps. Only reads.

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/projection/sqlite_mirror.h"
#include "foldlog/log_directory.h"
#include "foldlog/verify.h"
#include "tools/cli/app.h"
#include "tools/cli/arguments.h"
#include "tools/cli/command.h"
#include "tools/cli/index_progress.h"
#include "tools/cli/verify_report.h"

namespace foldlog::cli {
namespace {

struct Options {
  bool quick = false;
  bool full = false;
  std::optional<std::int64_t> jobs;
  std::optional<std::string> mirror;
  bool json = false;
};

// More threads than any machine has processors.
constexpr std::int64_t kJobsMax = 4096;

// What is wrong with the single row in an SQLite file. A file that is no mirror at all is a refusal.
absl::Status CheckMirror(const std::string& file, const std::string& directory, VerifyReport& report) {
  const auto log = OpenLogForReading(directory);
  // The log itself is damaged, which the report tells: there is nothing to compare with.
  if (absl::IsDataLoss(log.status())) return absl::OkStatus();
  RETURN_IF_ERROR(log.status());
  const absl::StatusOr<MirrorReport> found = SqliteMirror::Check(file, **log);
  if (absl::IsDataLoss(found.status())) return absl::OkStatus();
  RETURN_IF_ERROR(found.status());
  for (const std::string& problem : found->findings) {
    report.findings.push_back(
        {.part = VerifyPart::kMirror,
         .file = file,
         .message = problem,
         .next = absl::StrCat("foldlog project --log ", directory, " --sqlite ", file, " --check --heal")});
  }
  return absl::OkStatus();
}

absl::Status RunVerify(const Options& options, Context& context) {
  using Depth = VerifyOptions::Depth;
  const VerifyOptions how{.depth = options.quick ? Depth::kQuick : Depth::kFull,
                          .jobs = static_cast<int>(options.jobs.value_or(0))};
  const bool renews =
      ProgressDisplay::StyleFor(context.messages.fd(), /*quiet=*/false) == ProgressDisplay::Style::kTerminal;
  VerifyDisplay display(context.messages);
  const auto begin = std::chrono::steady_clock::now();
  const auto show = [&](const VerifyProgress& progress) { display.Update(progress); };
  absl::StatusOr<VerifyReport> report = renews ? Verify(context.log, how, show) : Verify(context.log, how);
  display.Finish();
  RETURN_IF_ERROR(report.status());
  if (options.mirror) RETURN_IF_ERROR(CheckMirror(*options.mirror, context.log, *report));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  for (const VerifyFinding& finding : report->findings) {
    context.out.Line(options.json ? FindingJson(finding) : FindingText(finding));
  }
  context.out.Line(options.json ? SummaryJson(*report, options.quick, took.count())
                                : SummaryText(*report, options.quick, took.count()));
  if (!report->sound()) context.exit_status = kCorrupt;
  return absl::OkStatus();
}

}  // namespace

void AddVerifyCommand(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(app, "verify", "Look through all that the log keeps: what is damaged, and what to do");
  CLI::Option* quick = AddFlag(*command, "--quick", options->quick,
                               "Only what the files say of themselves, the last batch and the tail: milliseconds");
  AddFlag(*command, "--full", options->full, "Every page, event, link, index row and snapshot (that is the default)")
      ->excludes(quick);
  AddCount(*command, "--jobs", options->jobs, "So many threads; otherwise one for each processor")->type_name("N");
  AddText(*command, "--mirror", options->mirror, "Also compare the single row in this SQLite file (foldlog project)")
      ->type_name("FILE");
  AddFlag(*command, "--json", options->json, "Print JSON: one object a finding, and one for the whole");
  command->footer(
      "Each finding says what is wrong, where, which events it hides, and what to type next. Notes are no\n"
      "damage: rows of the index that are missing, or what a power cut may leave behind. Exit status 3 if\n"
      "anything is damaged. A writer may go on meanwhile; nothing is locked or written.\n"
      "Examples:\n"
      "  foldlog verify --log photos.log\n"
      "  foldlog verify --quick --json");
  command->callback([options, &chosen] {
    if (options->jobs && (*options->jobs < 1 || *options->jobs > kJobsMax)) {
      throw CLI::ValidationError(absl::StrCat("--jobs takes a number from 1 to ", kJobsMax));
    }
    chosen = [options](Context& context) { return RunVerify(*options, context); };
  });
}

}  // namespace foldlog::cli
