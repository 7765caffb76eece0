// history: the operations of a log, and what they amount to. Only reads.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "engine/base/status_macros.h"
#include "engine/missing_events.h"
#include "foldlog/history.h"
#include "foldlog/log_directory.h"
#include "tools/cli/arguments.h"
#include "tools/cli/beyond_damage.h"
#include "tools/cli/command.h"
#include "tools/cli/csv.h"
#include "tools/cli/csv_rows.h"
#include "tools/cli/history_table.h"
#include "tools/cli/log_view.h"
#include "tools/cli/nearest.h"
#include "tools/cli/render_json.h"
#include "tools/cli/time_format.h"
#include "tools/cli/time_range.h"
#include "tools/cli/totals.h"

namespace foldlog::cli {
namespace {

// A longer table, or one whose operations take more memory, is shown piece by piece.
constexpr std::size_t kPieceRows = 1000;
constexpr std::size_t kPieceBytes = std::size_t{4} << 20;

// About what the operation takes besides itself.
std::size_t TextBytes(const Operation& operation) {
  std::size_t bytes = operation.operation_id.size() + operation.failure.size() + operation.pause_reason.size();
  for (const std::string& root : operation.roots) bytes += sizeof root + root.size();
  for (const auto& [name, value] : operation.metadata) bytes += 2 * sizeof name + name.size() + value.size();
  for (const auto& [name, value] : operation.stats) {
    bytes += sizeof name + sizeof value + name.size();
    if (const auto* const text = std::get_if<std::string>(&value)) bytes += text->size();
  }
  return bytes;
}

struct HistoryOptions {
  HistoryFilter filter;
  TimeRangeText times;
  std::string asked;  // the filters that were given, in words
  std::vector<std::string> statuses;
  std::optional<std::int64_t> min_errors;
  std::optional<std::int64_t> limit;
  bool reverse = false;
  bool totals = false;
  bool json = false;
  bool csv = false;
  bool no_header = false;
  bool beyond_damage = false;
};

// What is shown of the operations, each added in its turn.
class HistoryPrinter {
 public:
  HistoryPrinter(const HistoryOptions& options, const LogView& view, const Look& look, Output& out)
      : options_(options), view_(view), look_(look), out_(out) {
    look_.heading = !options.no_header;
    if (options_.csv && look_.heading) out_.Csv(HistoryColumns());
  }

  void Add(HistoryEntry entry) {
    any_ = true;
    // What the view says of the operation on the row belongs together.
    if (view_.IsAbout(entry.operation)) entry = {.operation = *view_.state.operation, .reset_by = {}};
    if (options_.json) return out_.Line(HistoryJson(entry, view_));
    if (options_.csv) return out_.Csv(HistoryCells(entry, view_));
    bytes_ += TextBytes(entry.operation);
    rows_.push_back(std::move(entry));
    if (rows_.size() == kPieceRows || bytes_ > kPieceBytes) ShowPiece();
  }

  void End() {
    if (!rows_.empty()) ShowPiece();
    if (any_ || options_.json || options_.csv || options_.limit == 0) return;
    out_.Line(options_.asked.empty() ? "No operation."
                                     : "No operation with " + options_.asked + "; \"foldlog history\" lists all.");
  }

 private:
  void ShowPiece() {
    out_.Show(HistoryText(rows_, view_, Now(), look_, shape_));
    rows_.clear();
    bytes_ = 0;
  }

  const HistoryOptions& options_;
  const LogView& view_;
  Look look_;
  Output& out_;
  std::vector<HistoryEntry> rows_;
  std::size_t bytes_ = 0;  // of their texts
  HistoryShape shape_;
  bool any_ = false;
};

absl::StatusOr<HistoryFilter> FilterOf(const HistoryOptions& options, const Context& context) {
  HistoryFilter filter = options.filter;
  ASSIGN_OR_RETURN(const TimeRange range, ParseTimeRange(options.times, context));
  filter.since = range.since;
  filter.until = range.until;
  filter.min_errors = options.min_errors.value_or(0);
  return filter;
}

absl::Status PrintTotals(const HistoryOptions& options, const HistoryFilter& filter, const EventLog& log, Output& out) {
  ASSIGN_OR_RETURN(const Totals totals, SumUp(log, filter));
  if (options.json) {
    out.Line(TotalsJson(totals));
  } else {
    out.Show(TotalsText(totals));
  }
  return absl::OkStatus();
}

absl::Status RunHistory(const HistoryOptions& options, Context& context) {
  ASSIGN_OR_RETURN(HistoryFilter filter, FilterOf(options, context));
  ASSIGN_OR_RETURN(const std::unique_ptr<EventLog> log, OpenToRead(context, options.beyond_damage));
  if (options.totals) {
    RETURN_IF_ERROR(PrintTotals(options, filter, *log, context.out));
    TellOfGaps(*log, options.json, context);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const LogView view, ReadLogView(*log, context.log));
  const Order order = options.reverse ? Order::kOldestFirst : Order::kNewestFirst;
  // The log does not know yet that the owner of the operation at hand has vanished; the view does.
  const bool interrupted_only = std::exchange(filter.interrupted_only, false);
  const auto passes = [&](const HistoryEntry& entry) {
    return !interrupted_only || entry.operation.interruptions() > 0 ||
           (view.interrupted && view.IsAbout(entry.operation));
  };
  ASSIGN_OR_RETURN(HistoryQuery query, HistoryQuery::Over(*log, filter, order));
  const Look look = context.look();
  context.Page();
  HistoryPrinter printer(options, view, look, context.out);
  for (std::int64_t shown = 0; shown < options.limit.value_or(shown + 1) && !context.out.closed();) {
    ASSIGN_OR_RETURN(std::optional<HistoryEntry> entry, query.Next());
    if (!entry) break;
    if (!passes(*entry)) continue;
    printer.Add(*std::move(entry));
    ++shown;
  }
  printer.End();
  TellOfGaps(*log, options.json, context);
  TellOfIndexDamage(query.index_damage(), context.messages);
  RETURN_IF_ERROR(CheckNoMisfit(view.state, *log));
  // What is missing at the end of the log would have come first.
  return options.reverse ? absl::OkStatus() : CheckNothingIsMissing(*log, view.extent);
}

// "failed,completed" names two.
void ParseStatuses(HistoryOptions& options) {
  std::vector<std::string> known;
  for (const OperationStatus status : {OperationStatus::kInProgress, OperationStatus::kPaused,
                                       OperationStatus::kCompleted, OperationStatus::kFailed}) {
    known.emplace_back(Name(status));
  }
  known.emplace_back("reset");
  for (const std::string& list : options.statuses) {
    for (const std::string& name : std::vector<std::string>(absl::StrSplit(list, ','))) {
      const auto found = std::find(known.begin(), known.end(), name);
      if (found == known.end()) {
        throw CLI::ValidationError(
            "--status", "\"" + name + "\" is none of " + absl::StrJoin(known, ", ") + DidYouMean(name, known));
      }
      if (*found == "reset") {
        options.filter.reset = true;
      } else {
        options.filter.statuses.insert(static_cast<OperationStatus>(found - known.begin() + 1));
      }
    }
  }
}

void AddFilters(CLI::App& history, HistoryOptions& options) {
  AddTexts(history, "--status", options.statuses, "Only these: in_progress, paused, completed, failed, reset")
      ->type_name("STATUS");
  AddOperationType(history, options.filter.type, "Only initial, incremental or recovery runs");
  AddTimeRange(history, options.times);
  AddCount(history, "--min-errors", options.min_errors, "Only with so many errors or more");
  AddFlag(history, "--interrupted", options.filter.interrupted_only,
          "Only those whose owner vanished meanwhile, or has now");
  AddText(history, "--name", options.filter.name, "Only with this in the id, a root or a value of the metadata")
      ->type_name("TEXT");
  AddPairs(history, "--meta", options.filter.metadata, "Only with this metadata; may be repeated");
}

}  // namespace

void AddHistoryCommand(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<HistoryOptions>();
  CLI::App* history = AddCommand(app, "history", "All operations, the newest first");
  AddFilters(*history, *options);
  AddLimit(*history, options->limit, "Only so many");
  AddFlag(*history, "--reverse", options->reverse, "The oldest first");
  CLI::Option* totals = AddFlag(*history, "--totals", options->totals, "Only what they amount to");
  CLI::Option* json = AddFlag(*history, "--json", options->json, "One JSON object a line");
  AddFlag(*history, "--csv", options->csv, "Comma-separated values (RFC 4180)")->excludes(json)->excludes(totals);
  AddBeyondDamage(*history, options->beyond_damage);
  AddFlag(*history, "--no-header", options->no_header, "Only the operations, without the line above them");
  history->footer(
      "--since and --until choose the operations that were under way in between.\n"
      "Examples:\n"
      "  foldlog history -n 10\n"
      "  foldlog history --since 7d --status failed --csv > failed.csv\n"
      "  foldlog history --name /photos --totals");
  history->callback([options, history, &chosen] {
    ParseStatuses(*options);
    options->asked = GivenFilters(*history);
    chosen = [options](Context& context) { return RunHistory(*options, context); };
  });
}

}  // namespace foldlog::cli
