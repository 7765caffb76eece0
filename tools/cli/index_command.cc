// index: runs the sample indexer on the log, shows how far it is, and stops in good order on a signal.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/projection/mirror_follower.h"
#include "foldlog/engine.h"
#include "tools/cli/app.h"
#include "tools/cli/arguments.h"
#include "tools/cli/command.h"
#include "tools/cli/index_progress.h"
#include "tools/cli/index_report.h"
#include "tools/cli/signals.h"
#include "tools/cli/time_format.h"
#include "tools/indexer/indexer.h"

namespace foldlog::cli {
namespace {

struct IndexCommandOptions {
  indexer::IndexOptions index;
  std::optional<std::int64_t> batch_files;
  std::optional<std::int64_t> wait_s;
  std::optional<std::int64_t> time_limit_s;
  bool no_resume = false;
  bool quiet = false;
  bool json = false;
  bool strict = false;
  std::optional<std::string> mirror;
};

void StopMirror(MirrorFollower& mirror, Output& messages) {
  const absl::Status last = mirror.Stop();
  for (const std::string& sentence : mirror.TakeNews()) messages.Line("foldlog: " + sentence);
  const absl::string_view why = last.message();
  if (!last.ok()) messages.Line("foldlog: " + std::string(why.data(), why.size()));
}

// The log is made only for what can be indexed: a mistyped path must leave nothing behind.
absl::StatusOr<std::unique_ptr<Engine>> OpenEngine(const IndexCommandOptions& options, const Context& context) {
  EngineOptions engine_options;
  engine_options.directory.use = WriterUse::kIndexer;
  engine_options.directory.lock_wait = LockWait(options.wait_s);
  engine_options.directory.accept_loss = context.accept_loss;
  engine_options.directory.create = LogDirectoryOptions::Create::kNever;
  absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Open(context.log, engine_options);
  // Without directories there must be an operation to resume, and so a log.
  if (!absl::IsNotFound(engine.status()) || options.index.directories.empty()) return engine;
  RETURN_IF_ERROR(indexer::CheckNewIndex(context.log, options.index));
  engine_options.directory.create = LogDirectoryOptions::Create::kIfMissing;
  return Engine::Open(context.log, std::move(engine_options));
}

absl::StatusOr<indexer::IndexReport> RunIndexer(const IndexCommandOptions& options, Context& context) {
  // From the start: a signal during the opening must not leave the operation without its pause.
  const std::atomic<int>& stop = StopFlagOnSignals();
  if (options.time_limit_s) StopAfter(std::chrono::seconds(*options.time_limit_s));
  ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, OpenEngine(options, context));
  std::unique_ptr<MirrorFollower> mirror;
  if (options.mirror) {
    ASSIGN_OR_RETURN(mirror, MirrorFollower::Start(*options.mirror, engine->log()));
  }
  ProgressDisplay display(ProgressDisplay::StyleFor(context.messages.fd(), options.quiet), context.messages);
  ASSIGN_OR_RETURN(indexer::IndexReport report, indexer::RunIndex(*engine, context.log, options.index, display, stop));
  // The work is done and kept; a mirror that could not follow is told of, and the next one catches up.
  if (mirror) StopMirror(*mirror, context.messages);
  RETURN_IF_ERROR(engine->Close());
  return report;
}

// So that "index && publish" publishes what is whole.
void SetExitStatus(const indexer::IndexReport& report, bool strict, Context& context) {
  if (report.paused) {
    context.exit_status = kPaused;
    context.messages.Line("foldlog: paused by " + report.stopped_by +
                          " before the end; \"foldlog index\" with the same log goes on, it remembers everything else");
  } else if (strict && report.counters.errors > 0) {
    context.exit_status = kFileErrors;
    context.messages.Line("foldlog: completed, but " + Grouped(report.counters.errors) +
                          (report.counters.errors == 1 ? " error was" : " errors were") +
                          " found; \"foldlog events --errors --operation " + report.operation_id + "\" lists them");
  }
}

absl::Status RunIndexCommand(const IndexCommandOptions& options, Context& context) {
  const absl::StatusOr<indexer::IndexReport> report = RunIndexer(options, context);
  if (absl::IsCancelled(report.status())) {  // before anything was begun
    context.exit_status = kPaused;
    context.messages.Line("foldlog: " + std::string(report.status().message()));
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(report.status());
  if (options.json) {
    context.out.Line(IndexReportJson(*report));
  } else if (!options.quiet) {
    context.out.Show(IndexReportText(*report));
  }
  RETURN_IF_ERROR(context.out.Flush());
  SetExitStatus(*report, options.strict, context);
  return absl::OkStatus();
}

void Check(IndexCommandOptions& options) {
  if (options.batch_files == 0) throw CLI::ValidationError("--batch", "0 files make no batch");
  if (options.time_limit_s == 0) throw CLI::ValidationError("--time-limit", "0 seconds are no time");
  if (options.batch_files) options.index.batch_files = *options.batch_files;
  options.index.mirror_path = options.mirror.value_or("");
  options.index.resume = !options.no_resume;
}

}  // namespace

void AddIndexCommand(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<IndexCommandOptions>();
  indexer::IndexOptions& index = options->index;
  CLI::App* command = AddCommand(app, "index", "Keep a catalog of the files below some directories", Group::kRun);
  AddTextList(*command, "DIR", index.directories, "What to index; may be left out to go on")->type_name("");
  AddText(*command, "--catalog", index.catalog_path, "The SQLite file; may be left out to go on")->type_name("FILE");
  CLI::Option* type = AddOperationType(*command, index.type, "initial (unless given), incremental or recovery");
  AddCount(*command, "--batch", options->batch_files, "At most so many files a batch");
  AddTexts(*command, "--exclude", index.excluded, "Leave this out; may be repeated")->type_name("PATH");
  AddFlag(*command, "--no-resume", options->no_resume, "Refuse to go on with an unfinished operation");
  AddFlag(*command, "--one-file-system", index.one_file_system, "Leave out what is mounted below");
  AddText(*command, "--mirror", options->mirror, "Keep the single row (foldlog project) in this SQLite file")
      ->type_name("FILE");
  AddWait(*command, options->wait_s);
  AddFlag(*command, "--pseudo-file-systems", index.pseudo_file_systems, "Do not leave out /proc, /sys and their like");
  AddFlag(*command, "--accept-removed", index.accept_removed, "Drop rows even if a disk may only be missing");
  AddCount(*command, "--time-limit", options->time_limit_s, "Pause after so many seconds")->type_name("SECONDS");
  AddFlag(*command, "--strict", options->strict, "Exit status 4 if files had errors");
  AddFlag(*command, "--json", options->json, "What was done, as one JSON object");
  AddFlag(*command, "--quiet", options->quiet, "No progress and no summary");
  command->footer(
      "Types: initial reads every file, incremental only what changed, and recovery every file to\n"
      "check the catalog. SIGINT (Ctrl-C), SIGTERM, SIGHUP or the time limit pauses with exit status 5;\n"
      "after that, or after a crash, the same command goes on.\n"
      "Rows whose files are gone are dropped, unless their disk may only be missing: where another\n"
      "file system than before or nothing is mounted, or no file is left, they are kept, and that is an\n"
      "error. Left out are /proc, /sys and other file systems that hold no files.\n"
      "Examples:\n"
      "  foldlog index /photos --catalog photos.db --log photos.log\n"
      "  foldlog index --log photos.log                              go on\n"
      "  foldlog index /photos --catalog photos.db --log photos.log --type incremental");
  command->callback([options, type, &chosen] {
    Check(*options);
    options->index.type_given = type->count() > 0;
    chosen = [options](Context& context) { return RunIndexCommand(*options, context); };
  });
}

}  // namespace foldlog::cli
