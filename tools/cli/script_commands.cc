// One step of an operation per call, for scripts: start, checkpoint, pause, resume, recover, complete, fail, clear,
// reset.
//
// The process that answers for the operation is the script, not this program, which is gone after every step.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engine/base/status_macros.h"
#include "foldlog/engine.h"
#include "tools/cli/arguments.h"
#include "tools/cli/calling_script.h"
#include "tools/cli/command.h"
#include "tools/cli/render_json.h"
#include "tools/cli/script_step.h"

namespace foldlog::cli {
namespace {

using Create = LogDirectoryOptions::Create;

// The options of all steps; each command offers those that it has a use for.
struct StepOptions {
  NamedOperation operation;
  std::optional<std::int64_t> owner_pid;
  std::optional<std::int64_t> wait_s;
  std::string reason;
  bool json = false;
  bool force = false;

  StartRequest start;
  std::optional<std::int64_t> files_processed;
  std::optional<std::int64_t> files_added;
  bool allow_decrease = false;
  Checkpoint checkpoint;
  std::optional<std::string> error;
  std::optional<std::string> error_path;
  Stats stats;
};

EngineOptions ForStep(const StepOptions& options, const Context& context, Create create) {
  EngineOptions engine_options;
  engine_options.directory.create = create;
  engine_options.directory.use = WriterUse::kStep;
  engine_options.directory.accept_loss = context.accept_loss;
  engine_options.directory.lock_wait = LockWait(options.wait_s);
  return engine_options;
}

// Runs `step` on the log, which must exist, and closes it.
absl::Status RunStep(const StepOptions& options, Context& context, const std::function<absl::Status(Engine&)>& step) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                   Engine::Open(context.log, ForStep(options, context, Create::kNever)));
  RETURN_IF_ERROR(step(*engine));
  if (options.json) context.out.Line(StepJson(engine->state()));
  return engine->Close();
}

// Runs a step that only the owner of the operation may take.
absl::Status RunOwnersStep(const StepOptions& options, Context& context,
                           const std::function<absl::Status(Engine&, const OperationHandle&)>& step) {
  return RunStep(options, context, [&](Engine& engine) -> absl::Status {
    ASSIGN_OR_RETURN(const OperationHandle handle, HandleForStep(options.operation, engine));
    return step(engine, handle);
  });
}

// Runs a step that makes the script the owner.
absl::Status RunTakingStep(const StepOptions& options, Create create, Context& context,
                           const std::function<absl::StatusOr<OperationHandle>(Engine&)>& step) {
  EngineOptions engine_options = ForStep(options, context, create);
  ASSIGN_OR_RETURN(engine_options.on_behalf_of, ScriptAsOwner(options.owner_pid));
  ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, Engine::Open(context.log, std::move(engine_options)));
  ASSIGN_OR_RETURN(const OperationHandle handle, step(*engine));
  context.out.Line(options.json ? StepJson(engine->state()) : TokenOf(handle));
  return engine->Close();
}

absl::Status RunStart(const StepOptions& options, Context& context) {
  return RunTakingStep(options, Create::kIfMissing, context,
                       [&](Engine& engine) { return engine.Start(options.start); });
}

absl::Status RunResume(const StepOptions& options, Context& context) {
  return RunTakingStep(options, Create::kNever, context, [&](Engine& engine) -> absl::StatusOr<OperationHandle> {
    ASSIGN_OR_RETURN(const std::string id, IdToTake(options.operation, engine));
    return engine.Resume(id, options.reason);
  });
}

absl::Status RunRecover(const StepOptions& options, Context& context) {
  return RunTakingStep(options, Create::kNever, context, [&](Engine& engine) -> absl::StatusOr<OperationHandle> {
    ASSIGN_OR_RETURN(const std::string id, IdToTake(options.operation, engine));
    return engine.RecoverByForce(id, options.reason);
  });
}

Increment IncrementOf(const StepOptions& options, const Checkpoint& checkpoint) {
  return {.files_added = options.files_added.value_or(0),
          .current_path = checkpoint.current_path,
          .last_processed_file = checkpoint.last_processed_file,
          .batch_num = checkpoint.batch_num,
          .error = checkpoint.error};
}

absl::Status RunCheckpoint(const StepOptions& options, Context& context) {
  Checkpoint checkpoint = options.checkpoint;
  checkpoint.files_processed = options.files_processed.value_or(0);
  if (options.error) {
    const std::string path = checkpoint.current_path.value_or("");
    checkpoint.error = {.path = options.error_path.value_or(path), .message = *options.error};
  }
  const Decrease decrease = options.allow_decrease ? Decrease::kAllowed : Decrease::kRefused;
  return RunOwnersStep(options, context, [&](Engine& engine, const OperationHandle& handle) {
    if (options.files_added)
      return engine.Advance(handle, IncrementOf(options, checkpoint), Durability::kSync).status();
    return engine.Checkpoint(handle, checkpoint, Durability::kSync, decrease);
  });
}

absl::Status RunPause(const StepOptions& options, Context& context) {
  return RunOwnersStep(options, context, [&](Engine& engine, const OperationHandle& handle) {
    return engine.Pause(handle, options.reason);
  });
}

absl::Status RunComplete(const StepOptions& options, Context& context) {
  return RunOwnersStep(options, context, [&](Engine& engine, const OperationHandle& handle) {
    return engine.Complete(handle, options.stats);
  });
}

absl::Status RunFail(const StepOptions& options, Context& context) {
  return RunOwnersStep(options, context, [&](Engine& engine, const OperationHandle& handle) {
    return engine.Fail(handle, options.error.value_or(""));
  });
}

absl::Status RunClear(const StepOptions& options, Context& context) {
  return RunStep(options, context, [](Engine& engine) { return engine.Clear(); });
}

absl::Status RunReset(const StepOptions& options, Context& context) {
  return RunStep(options, context, [&](Engine& engine) { return engine.Reset(options.reason); });
}

// One subcommand and its options.
struct Step {
  CLI::App& app;
  std::shared_ptr<StepOptions> options;
};

Step AddStep(CLI::App& app, Command& chosen, const std::string& name, const std::string& help,
             absl::Status (*run)(const StepOptions&, Context&)) {
  const auto options = std::make_shared<StepOptions>();
  CLI::App* command = AddCommand(app, name, help, Group::kScript);
  command->callback(
      [options, run, &chosen] { chosen = [options, run](Context& context) { return run(*options, context); }; });
  AddWait(*command, options->wait_s);
  AddFlag(*command, "--json", options->json, "Print operation_id, epoch, sequence, status and token as a JSON object");
  return {*command, options};
}

void AddOperation(const Step& step) {
  AddText(step.app, "OPERATION", step.options->operation.text, "Its token or id; the active operation unless given")
      ->type_name("");
}

void AddEpoch(const Step& step) {
  AddCount(step.app, "--epoch", step.options->operation.epoch,
           "Refuse if it was taken over since, under a later epoch");
}

void AddTaking(const Step& step) {
  AddCount(step.app, "--owner-pid", step.options->owner_pid,
           "The process that answers for the operation; the calling script unless given")
      ->type_name("PID");
}

void AddStart(CLI::App& app, Command& chosen) {
  const Step step = AddStep(app, chosen, "start", "Begin an operation, and print its token", RunStart);
  StartRequest& start = step.options->start;
  AddOperationType(step.app, start.type, "initial (unless given), incremental or recovery");
  AddCount(step.app, "--total", start.total_files, "Number of files, if known");
  AddTexts(step.app, "--root", start.roots, "A directory that is indexed; may be repeated")->type_name("DIR");
  AddPairs(step.app, "--meta", start.metadata, "Anything worth recording; may be repeated");
  AddTaking(step);
  step.app.footer(
      "Creates the log if there is none. If the owner dies, the operation counts as interrupted. The\n"
      "token, ID@EPOCH, stands for the operation in all further steps. The script itself and what it\n"
      "starts need none; others do, and an old one is refused once the operation was taken over.\n"
      "Example:\n"
      "  operation=$(foldlog start --type incremental --total 1000 --root /photos)");
}

void AddCheckpoint(CLI::App& app, Command& chosen) {
  const Step step = AddStep(app, chosen, "checkpoint", "Record progress", RunCheckpoint);
  StepOptions& options = *step.options;
  AddOperation(step);
  CLI::Option* files = AddCount(step.app, "--files", options.files_processed, "Files processed since the start");
  CLI::Option* add = AddCount(step.app, "--add", options.files_added, "Instead: files processed besides, to be added");
  AddFlag(step.app, "--allow-decrease", options.allow_decrease, "--files may be less than before")->needs(files);
  files->excludes(add);
  step.app.parse_complete_callback([files, add] {
    if (files->empty() && add->empty()) throw CLI::RequiredError("--files or --add");
  });
  AddText(step.app, "--path", options.checkpoint.current_path, "The path at hand");
  AddText(step.app, "--last", options.checkpoint.last_processed_file, "The last file processed")->type_name("FILE");
  AddCount(step.app, "--batch", options.checkpoint.batch_num, "Batch number");
  CLI::Option* error = AddText(step.app, "--error", options.error, "A file could not be processed, and why");
  error->type_name("MESSAGE");
  AddText(step.app, "--error-path", options.error_path, "That file; the one of --path unless given")
      ->type_name("PATH")
      ->needs(error);
  AddEpoch(step);
  step.app.footer(
      "Example:\n"
      "  foldlog checkpoint \"$operation\" --files 500 --last /photos/img_0500.jpg\n"
      "  foldlog checkpoint \"$operation\" --add 1 --last /photos/img_0501.jpg");
}

void AddPause(CLI::App& app, Command& chosen) {
  const Step step = AddStep(app, chosen, "pause", "Interrupt the operation in good order", RunPause);
  AddOperation(step);
  AddText(step.app, "--reason", step.options->reason, "Why");
  AddEpoch(step);
  step.app.footer(
      "Example:\n"
      "  foldlog pause --reason \"backup begins\"");
}

void AddResume(CLI::App& app, Command& chosen) {
  const Step step = AddStep(app, chosen, "resume", "Go on with a paused or interrupted operation", RunResume);
  AddOperation(step);
  AddText(step.app, "--reason", step.options->reason, "Why");
  AddTaking(step);
  step.app.footer(
      "An operation in progress is taken over only if its owner is proven gone; \"foldlog status\"\n"
      "says whether it is. Prints the operation's new token.\n"
      "Example:\n"
      "  foldlog resume && ./next-step");
}

void AddRecover(CLI::App& app, Command& chosen) {
  const Step step =
      AddStep(app, chosen, "recover", "Take over an operation whose owner can't be proven gone", RunRecover);
  AddOperation(step);
  // Nothing reads it: it stands for the caller's being sure.
  AddFlag(step.app, "--force", step.options->force, "You know that nobody works on it any more")->required();
  AddText(step.app, "--reason", step.options->reason, "How you know; kept in the log")->required();
  AddTaking(step);
  step.app.footer(
      "Example:\n"
      "  foldlog recover --force --reason \"host nas2 was scrapped\"");
}

void AddComplete(CLI::App& app, Command& chosen) {
  const Step step = AddStep(app, chosen, "complete", "End the operation: everything is done", RunComplete);
  AddOperation(step);
  AddStats(step.app, "--stat", step.options->stats, "A figure to keep; may be repeated");
  AddEpoch(step);
  step.app.footer(
      "A VALUE that looks like a number is stored as one.\n"
      "Example:\n"
      "  foldlog complete --stat bytes=123456 --stat seconds=12.5");
}

void AddFail(CLI::App& app, Command& chosen) {
  const Step step = AddStep(app, chosen, "fail", "End the operation: it can't be done", RunFail);
  AddOperation(step);
  AddText(step.app, "--error", step.options->error, "Why")->type_name("MESSAGE")->required();
  AddEpoch(step);
  step.app.footer(
      "Example:\n"
      "  foldlog fail --error \"the disk is gone\"");
}

void AddRowCommands(CLI::App& app, Command& chosen) {
  const Step clear =
      AddStep(app, chosen, "clear", "Take an ended operation off the status; its history stays", RunClear);
  clear.app.footer(
      "Example:\n"
      "  foldlog clear");
  const Step reset = AddStep(app, chosen, "reset", "Take any operation off the status; its history stays", RunReset);
  AddText(reset.app, "--reason", reset.options->reason, "Why");
  reset.app.footer(
      "For maintenance: whoever works on the operation is refused from now on.\n"
      "Example:\n"
      "  foldlog reset --reason \"started on the wrong disk\"");
}

}  // namespace

void AddScriptCommands(CLI::App& app, Command& chosen) {
  AddStart(app, chosen);
  AddCheckpoint(app, chosen);
  AddPause(app, chosen);
  AddResume(app, chosen);
  AddRecover(app, chosen);
  AddComplete(app, chosen);
  AddFail(app, chosen);
  AddRowCommands(app, chosen);
}

}  // namespace foldlog::cli
