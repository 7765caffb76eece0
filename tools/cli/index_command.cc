// index: runs the sample indexer on the log, shows how far it is, and stops in good order on a signal.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engine/projection/mirror_follower.h"
#include "engine/status_macros.h"
#include "foldlog/engine.h"
#include "tools/cli/arguments.h"
#include "tools/cli/command.h"
#include "tools/cli/index_progress.h"
#include "tools/cli/signals.h"
#include "tools/indexer/indexer.h"

namespace foldlog::cli {
namespace {

struct IndexCommandOptions {
  indexer::IndexOptions index;
  std::optional<std::int64_t> batch_files;
  std::optional<std::int64_t> wait_s;
  bool no_resume = false;
  bool quiet = false;
  std::optional<std::string> mirror;
};

void StopMirror(MirrorFollower& mirror, Output& messages) {
  const absl::Status last = mirror.Stop();
  for (const std::string& sentence : mirror.TakeNews()) messages.Line("foldlog: " + sentence);
  const absl::string_view why = last.message();
  if (!last.ok()) messages.Line("foldlog: " + std::string(why.data(), why.size()));
}

absl::StatusOr<indexer::IndexReport> RunIndexer(const IndexCommandOptions& options, Context& context) {
  // From the start: a signal during the opening must not leave the operation without its pause.
  const std::atomic<int>& stop = StopFlagOnSignals();
  EngineOptions engine_options;
  engine_options.directory.use = WriterUse::kIndexer;
  engine_options.directory.lock_wait = LockWait(options.wait_s);
  engine_options.directory.accept_loss = context.accept_loss;
  // Without directories there must be an operation to resume, and so a log.
  if (options.index.directories.empty()) engine_options.directory.create = LogDirectoryOptions::Create::kNever;
  ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, Engine::Open(context.log, std::move(engine_options)));
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

absl::Status RunIndexCommand(const IndexCommandOptions& options, Context& context) {
  ASSIGN_OR_RETURN(const indexer::IndexReport report, RunIndexer(options, context));
  for (const std::string& line : ReportText(report)) context.out.Line(line);
  return absl::OkStatus();
}

void Check(IndexCommandOptions& options) {
  if (options.batch_files == 0) throw CLI::ValidationError("--batch", "0 files make no batch");
  if (options.batch_files) options.index.batch_files = *options.batch_files;
  options.index.mirror_path = options.mirror.value_or("");
  options.index.resume = !options.no_resume;
}

}  // namespace

void AddIndexCommand(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<IndexCommandOptions>();
  indexer::IndexOptions& index = options->index;
  CLI::App* command = app.add_subcommand("index", "Keep a catalog of the files below some directories");
  AddTextList(*command, "DIR", index.directories, "What to index; may be left out to go on")->type_name("");
  AddText(*command, "--catalog", index.catalog_path, "The SQLite file; may be left out to go on")->type_name("FILE");
  CLI::Option* type = AddOperationType(*command, index.type, "initial (unless given), incremental or recovery");
  AddCount(*command, "--batch", options->batch_files, "At most so many files a batch");
  AddTexts(*command, "--exclude", index.excluded, "Leave this out; may be repeated")->type_name("PATH");
  command->add_flag("--no-resume", options->no_resume, "Refuse to go on with an unfinished operation");
  command->add_flag("--one-file-system", index.one_file_system, "Leave out what is mounted below");
  AddText(*command, "--mirror", options->mirror, "Keep the single row (foldlog project) in this SQLite file")
      ->type_name("FILE");
  AddWait(*command, options->wait_s);
  command->add_flag("--quiet", options->quiet, "No progress");
  command->footer(
      "Types: initial reads every file, incremental only what changed, and recovery every file to\n"
      "check the catalog. SIGINT or SIGTERM pauses; after that, or after a crash, the same command\n"
      "goes on.\n"
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
