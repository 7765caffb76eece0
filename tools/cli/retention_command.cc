// prune and retention: what of a log is dropped, and by which policy.

#include <charconv>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/saturated.h"
#include "engine/base/status_macros.h"
#include "foldlog/event_index.h"
#include "foldlog/log_directory.h"
#include "foldlog/retention.h"
#include "foldlog/system_clock.h"
#include "tools/cli/arguments.h"
#include "tools/cli/command.h"
#include "tools/cli/retention_report.h"
#include "tools/cli/time_range.h"
#include "tools/cli/time_words.h"

namespace foldlog::cli {
namespace {

struct Options {
  std::optional<std::int64_t> keep_runs;
  std::optional<std::string> keep_since;
  std::optional<std::string> max_bytes;
  std::optional<std::int64_t> min_age_ns;
  std::optional<std::int64_t> wait_s;
  std::string action = "show";  // of retention
  bool dry_run = false;
  bool json = false;
};

// "200000000", "200M", "1.5G" is none: a number of bytes, or of thousands, millions … of them.
std::optional<std::uint64_t> ParseSize(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  constexpr std::string_view kUnits = "kMGT";
  if (error != std::errc() || unit.size() > 1) return std::nullopt;
  if (unit.empty()) return number;
  const std::size_t power = kUnits.find(unit);
  if (power == std::string_view::npos) return std::nullopt;
  for (std::size_t i = 0; i <= power; ++i) {
    if (number > std::numeric_limits<std::int64_t>::max() / 1000) return std::nullopt;
    number *= 1000;
  }
  return number;
}

// The rules that both commands take. A moment is as long ago as it is now.
absl::StatusOr<RetentionPolicy> ToPolicy(const Options& options, TimeNs now, const Context& context) {
  RetentionPolicy policy{.min_age_ns = options.min_age_ns.value_or(0)};
  if (options.keep_runs) policy.keep_runs = static_cast<std::uint64_t>(*options.keep_runs);
  if (options.keep_since) {
    const absl::StatusOr<std::int64_t> span = ParseSpan(*options.keep_since);
    TimeNs since = 0;
    if (!span.ok()) {
      ASSIGN_OR_RETURN(since, ParseGivenMoment("--keep-since", *options.keep_since, context));
    }
    policy.keep_since_ns = span.ok() ? *span : SaturatedMinus(now, since);
  }
  if (options.max_bytes) {
    policy.max_bytes = ParseSize(*options.max_bytes);
    if (!policy.max_bytes) {
      return UsageError("--max-bytes: " + *options.max_bytes + " is no size; 200000000, 200M and 1G are");
    }
  }
  if (policy.keeps_all()) {
    return UsageError("nothing says what may go; give --keep-runs, --keep-since or --max-bytes");
  }
  return policy;
}

absl::StatusOr<WritableLog> OpenForStep(const Options& options, const Context& context) {
  LogDirectoryOptions how{.create = LogDirectoryOptions::Create::kNever, .accept_loss = context.accept_loss};
  how.lock_wait = LockWait(options.wait_s);
  how.indexer = NewEventIndexer();
  how.use = WriterUse::kStep;
  return OpenLogForWriting(context.log, how);
}

void Show(const PrunePlan& plan, bool done, const Options& options, Context& context) {
  if (options.json) {
    for (const PrunableRun& run : plan.runs) context.out.Line(PrunableRunJson(plan, run));
    context.out.Line(PruneSummaryJson(plan, done));
    return;
  }
  if (!done) context.out.Show(PrunableRunsText(plan, context.look()));
  context.out.Line(PruneSummaryText(plan, done, context.log));
}

absl::Status RunPrune(const Options& options, Context& context) {
  const TimeNs now = SystemClock()().time;
  ASSIGN_OR_RETURN(const RetentionPolicy policy, ToPolicy(options, now, context));
  if (options.dry_run) {
    ASSIGN_OR_RETURN(const std::unique_ptr<EventLog> log, OpenLogForReading(context.log));
    ASSIGN_OR_RETURN(const PrunePlan plan, PlanPrune(*log, policy, now));
    Show(plan, /*done=*/false, options, context);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(WritableLog writable, OpenForStep(options, context));
  ASSIGN_OR_RETURN(const PrunePlan plan, PlanPrune(*writable.log, policy, now));
  RETURN_IF_ERROR(Prune(*writable.log, plan, Describe(writable.self)));
  RETURN_IF_ERROR(writable.log->FreePruned());
  RETURN_IF_ERROR(writable.log->Close());
  Show(plan, /*done=*/true, options, context);
  return absl::OkStatus();
}

absl::Status ShowRetention(const Options& options, Context& context) {
  ASSIGN_OR_RETURN(const std::unique_ptr<EventLog> log, OpenLogForReading(context.log));
  const TimeNs now = SystemClock()().time;
  ASSIGN_OR_RETURN(const RetentionPolicy policy, ReadRetention(*log));
  ASSIGN_OR_RETURN(const std::vector<PrunedRange> pruned, log->ReadPruned());
  ASSIGN_OR_RETURN(const PrunePlan plan, PlanPrune(*log, policy, now));
  if (options.json) {
    context.out.Line(RetentionJson(plan, pruned));
  } else {
    context.out.Show(RetentionText(plan, pruned, context.look()));
  }
  return absl::OkStatus();
}

absl::Status RunRetention(const Options& options, Context& context) {
  if (options.action == "show") return ShowRetention(options, context);
  RetentionPolicy policy;
  if (options.action == "set") {
    ASSIGN_OR_RETURN(policy, ToPolicy(options, SystemClock()().time, context));
  }
  ASSIGN_OR_RETURN(WritableLog writable, OpenForStep(options, context));
  RETURN_IF_ERROR(StoreRetention(*writable.log, policy));
  RETURN_IF_ERROR(writable.log->Close());
  context.out.Line(policy.keeps_all() ? absl::StrCat("no policy is stored with ", context.log, " any more")
                                      : absl::StrCat("stored with ", context.log, ": ", ToText(policy),
                                                     "; writers prune by it when an operation has ended"));
  return absl::OkStatus();
}

void AddRules(CLI::App& command, Options& options) {
  AddCount(command, "--keep-runs", options.keep_runs, "Keep so many operations that are over, the latest")
      ->type_name("N");
  AddText(command, "--keep-since", options.keep_since, "Keep those that ended since: 30d, 2w, or a date")
      ->type_name("TIME");
  AddText(command, "--max-bytes", options.max_bytes, "Drop the oldest while the log takes more: 200M, 1G")
      ->type_name("SIZE");
  AddSpan(command, "--min-age", options.min_age_ns,
          "Whatever else is said, drop none that ended less than so long ago");
  AddWait(command, options.wait_s);
}

void AddPrune(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(
      app, "prune", "Drop the events of the oldest operations; history keeps what they came to", Group::kScript);
  AddRules(*command, *options);
  AddFlag(*command, "--dry-run", options->dry_run, "Only show, run by run, what would go and what that frees");
  AddFlag(*command, "--json", options->json, "Print JSON: one object an operation, and one for the whole");
  command->footer(
      "An operation goes if neither --keep-runs nor --keep-since, as far as they are given, keeps it; and for "
      "--max-bytes, "
      "as long as the log is larger. The one at hand, and an active one, always stay. What went is recorded: foldlog "
      "retention tells. Space goes back to the file system.\n"
      "Examples:\n"
      "  foldlog prune --keep-runs 100 --min-age 7d --dry-run\n"
      "  foldlog prune --keep-since 90d");
  command->callback(
      [options, &chosen] { chosen = [options](Context& context) { return RunPrune(*options, context); }; });
}

void AddRetention(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(app, "retention", "The log's own policy of pruning, its space, and what was pruned");
  AddText(*command, "ACTION", options->action,
          "show (that is the default), set a policy that writers then prune by, or take it off")
      ->type_name("");
  AddRules(*command, *options);
  AddFlag(*command, "--json", options->json, "One JSON object (show)");
  command->footer(
      "A stored policy is applied by whoever writes to the log, after an operation has ended.\n"
      "Examples:\n"
      "  foldlog retention\n"
      "  foldlog retention set --max-bytes 1G --min-age 1d\n"
      "  foldlog retention off");
  command->callback([options, &chosen] {
    const std::string& action = options->action;
    if (action != "show" && action != "set" && action != "off") {
      throw CLI::ValidationError("\"" + action + "\" is neither show nor set nor off");
    }
    chosen = [options](Context& context) { return RunRetention(*options, context); };
  });
}

}  // namespace

void AddRetentionCommands(CLI::App& app, Command& chosen) {
  AddPrune(app, chosen);
  AddRetention(app, chosen);
}

}  // namespace foldlog::cli
