// One step of an operation per call, for scripts: start, checkpoint, pause, resume, recover, complete, fail, clear,
// reset.
//
// The process that answers for the operation is the script, not this program, which is gone after every step.

#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engine/status_macros.h"
#include "foldlog/engine.h"
#include "tools/cli/arguments.h"
#include "tools/cli/command.h"
#include "tools/cli/render_json.h"

namespace foldlog::cli {
namespace {

using Create = LogDirectoryOptions::Create;

// The options of all steps; each command offers those that it has a use for.
struct StepOptions {
  std::optional<std::string> operation_id;
  std::optional<std::int64_t> epoch;
  std::optional<std::int64_t> owner_pid;
  std::string reason;
  bool json = false;
  bool force = false;

  StartRequest start;
  std::optional<std::int64_t> files_processed;
  Checkpoint checkpoint;
  std::optional<std::string> error;
  std::optional<std::string> error_path;
  Stats stats;
};

absl::StatusOr<Owner> ScriptAsOwner(const StepOptions& options) {
  const std::int64_t pid = options.owner_pid.value_or(getppid());
  std::optional<Owner> owner = DescribeProcess(pid, NewUuid());
  if (!owner) {
    return absl::NotFoundError("there is no process " + std::to_string(pid) +
                               " to answer for the operation; name the script's with --owner-pid");
  }
  owner->holds_log = false;
  return *std::move(owner);
}

// What commands that name an owner answer.
void PrintHandle(const StepOptions& options, const Engine& engine, const OperationHandle& handle, Output& out) {
  out.Line(options.json ? HandleJson(handle, engine.state().sequence) : handle.operation_id);
}

// The handle named by the options; what they leave out is that of the operation on the row. Whether it is the right
// one, or there is one at all, the engine decides.
OperationHandle NamedHandle(const StepOptions& options, const Engine& engine) {
  const State state = engine.state();
  OperationHandle handle;
  if (state.operation) handle = {state.operation->operation_id, state.operation->epoch};
  if (options.operation_id) handle.operation_id = *options.operation_id;
  if (options.epoch) handle.epoch = static_cast<Epoch>(*options.epoch);
  return handle;
}

// Runs `step` on the log, which must exist, and closes it.
absl::Status RunStep(Context& context, const std::function<absl::Status(Engine&)>& step) {
  EngineOptions engine_options;
  engine_options.directory.create = Create::kNever;
  ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, Engine::Open(context.log, std::move(engine_options)));
  RETURN_IF_ERROR(step(*engine));
  return engine->Close();
}

// Runs a step that makes the script the owner.
absl::Status RunTakingStep(const StepOptions& options, Create create, Context& context,
                           const std::function<absl::StatusOr<OperationHandle>(Engine&)>& step) {
  EngineOptions engine_options;
  engine_options.directory.create = create;
  ASSIGN_OR_RETURN(engine_options.on_behalf_of, ScriptAsOwner(options));
  ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, Engine::Open(context.log, std::move(engine_options)));
  ASSIGN_OR_RETURN(const OperationHandle handle, step(*engine));
  PrintHandle(options, *engine, handle, context.out);
  return engine->Close();
}

absl::Status RunStart(const StepOptions& options, Context& context) {
  return RunTakingStep(options, Create::kIfMissing, context,
                       [&](Engine& engine) { return engine.Start(options.start); });
}

absl::Status RunResume(const StepOptions& options, Context& context) {
  return RunTakingStep(options, Create::kNever, context, [&](Engine& engine) {
    return engine.Resume(NamedHandle(options, engine).operation_id, options.reason);
  });
}

absl::Status RunRecover(const StepOptions& options, Context& context) {
  return RunTakingStep(options, Create::kNever, context, [&](Engine& engine) {
    return engine.RecoverByForce(NamedHandle(options, engine).operation_id, options.reason);
  });
}

absl::Status RunCheckpoint(const StepOptions& options, Context& context) {
  Checkpoint checkpoint = options.checkpoint;
  checkpoint.files_processed = options.files_processed.value_or(0);
  if (options.error) {
    const std::string path = checkpoint.current_path.value_or("");
    checkpoint.error = {.path = options.error_path.value_or(path), .message = *options.error};
  }
  return RunStep(context, [&](Engine& engine) {
    return engine.Checkpoint(NamedHandle(options, engine), checkpoint, Durability::kSync);
  });
}

absl::Status RunPause(const StepOptions& options, Context& context) {
  return RunStep(context, [&](Engine& engine) { return engine.Pause(NamedHandle(options, engine), options.reason); });
}

absl::Status RunComplete(const StepOptions& options, Context& context) {
  return RunStep(context, [&](Engine& engine) { return engine.Complete(NamedHandle(options, engine), options.stats); });
}

absl::Status RunFail(const StepOptions& options, Context& context) {
  return RunStep(context,
                 [&](Engine& engine) { return engine.Fail(NamedHandle(options, engine), options.error.value_or("")); });
}

absl::Status RunClear(const StepOptions&, Context& context) {
  return RunStep(context, [](Engine& engine) { return engine.Clear(); });
}

absl::Status RunReset(const StepOptions& options, Context& context) {
  return RunStep(context, [&](Engine& engine) { return engine.Reset(options.reason); });
}

// One subcommand and its options.
struct Step {
  CLI::App& app;
  std::shared_ptr<StepOptions> options;
};

Step AddStep(CLI::App& app, Command& chosen, const std::string& name, const std::string& help,
             absl::Status (*run)(const StepOptions&, Context&)) {
  const auto options = std::make_shared<StepOptions>();
  CLI::App* command = app.add_subcommand(name, help);
  command->callback(
      [options, run, &chosen] { chosen = [options, run](Context& context) { return run(*options, context); }; });
  return {*command, options};
}

void AddOperation(const Step& step) {
  AddText(step.app, "OPERATION", step.options->operation_id, "Its id; the active operation unless given")
      ->type_name("");
}

void AddEpoch(const Step& step) {
  AddCount(step.app, "--epoch", step.options->epoch, "Refuse if it was taken over since, under a later epoch");
}

void AddTaking(const Step& step) {
  AddCount(step.app, "--owner-pid", step.options->owner_pid,
           "The process that answers for the operation; the calling one unless given")
      ->type_name("PID");
  step.app.add_flag("--json", step.options->json, "Print operation_id, epoch and sequence as a JSON object");
}

void AddStart(CLI::App& app, Command& chosen) {
  const Step step = AddStep(app, chosen, "start", "Begin an operation, and print its id", RunStart);
  StartRequest& start = step.options->start;
  AddOperationType(step.app, start.type, "initial (unless given), incremental or recovery");
  AddCount(step.app, "--total", start.total_files, "Number of files, if known");
  AddTexts(step.app, "--root", start.roots, "A directory that is indexed; may be repeated")->type_name("DIR");
  AddPairs(step.app, "--meta", start.metadata, "Anything worth recording; may be repeated");
  AddTaking(step);
  step.app.footer(
      "Creates the log if there is none. If the owner dies, the operation counts as interrupted.\n"
      "Example:\n"
      "  operation=$(foldlog start --type incremental --total 1000 --root /photos)");
}

void AddCheckpoint(CLI::App& app, Command& chosen) {
  const Step step = AddStep(app, chosen, "checkpoint", "Record progress", RunCheckpoint);
  StepOptions& options = *step.options;
  AddOperation(step);
  AddCount(step.app, "--files", options.files_processed, "Files processed since the start")->required();
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
      "  foldlog checkpoint \"$operation\" --files 500 --last /photos/img_0500.jpg");
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
      "says whether it is. Prints the operation's id.\n"
      "Example:\n"
      "  foldlog resume && ./next-step");
}

void AddRecover(CLI::App& app, Command& chosen) {
  const Step step =
      AddStep(app, chosen, "recover", "Take over an operation whose owner can't be proven gone", RunRecover);
  AddOperation(step);
  // Nothing reads it: it stands for the caller's being sure.
  step.app.add_flag("--force", step.options->force, "You know that nobody works on it any more")->required();
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
