// reindex: makes the index of a log anew.

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "engine/base/status_macros.h"
#include "foldlog/event_index.h"
#include "tools/cli/arguments.h"
#include "tools/cli/command.h"

namespace foldlog::cli {
namespace {

absl::Status RunReindex(const std::optional<std::int64_t>& wait_s, Context& context) {
  LogDirectoryOptions options;
  options.accept_loss = context.accept_loss;
  options.lock_wait = LockWait(wait_s);
  options.use = WriterUse::kStep;
  RETURN_IF_ERROR(Reindex(context.log, options));
  context.out.Line("the index of " + context.log + " is made anew");
  return absl::OkStatus();
}

}  // namespace

void AddReindexCommand(CLI::App& app, Command& chosen) {
  const auto wait_s = std::make_shared<std::optional<std::int64_t>>();
  CLI::App* command = AddCommand(
      app, "reindex", "Make the index anew, by which questions are answered without reading all", Group::kScript);
  AddWait(*command, *wait_s);
  command->footer(
      "The index tells what is in each batch of events and how each operation went. It is derived from\n"
      "the events: where it is damaged or missing, answers are the same, and take longer.\n"
      "Example:\n"
      "  foldlog reindex --log photos.log");
  command->callback(
      [wait_s, &chosen] { chosen = [wait_s](Context& context) { return RunReindex(*wait_s, context); }; });
}

}  // namespace foldlog::cli
