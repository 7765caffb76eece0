// events: the log itself, once or for as long as somebody watches.

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/missing_events.h"
#include "foldlog/event_query.h"
#include "foldlog/log_directory.h"
#include "tools/cli/arguments.h"
#include "tools/cli/beyond_damage.h"
#include "tools/cli/command.h"
#include "tools/cli/csv.h"
#include "tools/cli/csv_rows.h"
#include "tools/cli/event_lister.h"
#include "tools/cli/event_text.h"
#include "tools/cli/named_operation.h"
#include "tools/cli/render_json.h"
#include "tools/cli/search_progress.h"
#include "tools/cli/signals.h"
#include "tools/cli/time_range.h"

namespace foldlog::cli {
namespace {

// --follow is woken by the writer. So often it looks whether somebody still reads what it prints.
constexpr std::chrono::milliseconds kLookInterval{500};

struct EventsOptions {
  EventFilter filter;  // as far as it is known without the log
  std::optional<std::int64_t> from;
  std::optional<std::int64_t> to;
  TimeRangeText times;
  std::optional<std::string> operation;
  std::string grep;
  std::string asked;  // the filters that were given, in words
  std::optional<std::int64_t> limit;
  bool reverse = false;
  bool follow = false;
  bool json = false;
  bool csv = false;
  bool hash = false;
  bool beyond_damage = false;
};

// Prints the events that a lister gives, as far as they are asked for.
class EventPrinter {
 public:
  EventPrinter(const EventsOptions& options, const Look& look, Output& out, SearchProgress* progress = nullptr)
      : options_(options), look_(look), out_(out), progress_(progress) {
    if (options_.csv) out_.Csv(EventColumns(options_.hash));
  }

  // Nothing was found, and not because nothing was wanted.
  bool found_none() const { return printed_ == 0 && options_.limit != 0; }

  // Nothing more is wanted, or nobody reads it.
  bool done() const { return out_.closed() || (options_.limit && printed_ >= *options_.limit); }

  absl::Status PrintAll(EventLister& lister, const std::atomic<int>* stop) {
    while (!done() && (stop == nullptr || *stop == 0)) {
      ASSIGN_OR_RETURN(std::optional<ListedEvent> listed, lister.Next());
      if (!listed) break;
      Print(*std::move(listed));
    }
    return absl::OkStatus();
  }

 private:
  void Print(ListedEvent listed) {
    ShownEvent& shown = listed.shown;
    if (progress_ != nullptr) progress_->At(shown.event.sequence);
    if (!options_.grep.empty() && !Mentions(shown.event.event.body, options_.grep)) return;
    ++printed_;
    if (progress_ != nullptr) progress_->Clear();
    shown.notes.with_hash = options_.hash;
    if (options_.json) return out_.Line(EventJson(shown, listed.operation_id));
    if (options_.csv) return out_.Csv(EventCells(shown, listed.operation_id));
    out_.Show(EventText(shown, look_));
  }

  const EventsOptions& options_;
  Look look_;
  Output& out_;
  SearchProgress* const progress_;  // may be nullptr
  std::int64_t printed_ = 0;
};

bool IsRead(const Output& out) {
  pollfd reader{.fd = out.fd(), .events = 0, .revents = 0};
  return poll(&reader, 1, /*timeout=*/0) <= 0;
}

absl::Status NoneOfOperation(const EventsOptions& options) {
  return absl::NotFoundError("there is no event of operation " + *options.operation +
                             " there; \"foldlog history\" lists the operations");
}

// What the log has to be asked for besides: which operation is meant.
absl::Status ChooseOperation(const EventsOptions& options, const EventLog& log, EventFilter& filter) {
  if (!options.operation) return absl::OkStatus();
  const absl::StatusOr<HistoryEntry> entry = FindNamedOperation(log, *options.operation);
  RETURN_IF_ERROR(entry.status());
  const Operation& operation = entry->operation;
  if (!options.follow && filter.from > std::max(operation.last_sequence, entry->reset_by.value_or(0))) {
    return NoneOfOperation(options);
  }
  if (filter.through < operation.first_sequence) return NoneOfOperation(options);
  filter.operation = operation.first_sequence;
  return absl::OkStatus();
}

absl::StatusOr<EventFilter> FilterOf(const EventsOptions& options, const Context& context) {
  EventFilter filter = options.filter;
  if (options.from) filter.from = static_cast<Sequence>(*options.from);
  if (options.to) filter.through = static_cast<Sequence>(*options.to);
  if (options.from && options.to && filter.from > filter.through) {
    return UsageError(
        absl::StrCat("the range is upside down: --from ", *options.from, " is behind --to ", *options.to));
  }
  ASSIGN_OR_RETURN(const TimeRange range, ParseTimeRange(options.times, context));
  filter.since = range.since;
  filter.until = range.until;
  return filter;
}

// Stretch by stretch, each up to where the log ended when it began.
absl::Status Follow(const EventFilter& filter, const EventLog& log, EventPrinter& printer, Output& out) {
  const std::atomic<int>& stop = StopFlagOnSignals();
  EventLister lister(log, Order::kOldestFirst);
  EventFilter stretch = filter;
  while (true) {
    ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
    const Sequence end = extent.end.sequence;
    // Where durable events are missing at the end, the query has to say so.
    stretch.through = extent.missing_through > end ? filter.through : std::min(filter.through, end);
    if (stretch.from <= stretch.through) {
      ASSIGN_OR_RETURN(EventQuery query, EventQuery::Over(log, stretch));
      lister.List(std::move(query));
      RETURN_IF_ERROR(printer.PrintAll(lister, &stop));
      stretch.from = stretch.through + 1;
    }
    RETURN_IF_ERROR(out.Flush());
    if (end >= filter.through || stop != 0 || printer.done() || !IsRead(out)) return absl::OkStatus();
    RETURN_IF_ERROR(log.WaitForMore(end, kLookInterval).status());
  }
}

absl::Status CheckEndIsThere(const EventLog& log, Sequence through) {
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  return through > extent.end.sequence ? CheckNothingIsMissing(log, extent) : absl::OkStatus();
}

absl::Status RunEvents(const EventsOptions& options, Context& context) {
  ASSIGN_OR_RETURN(EventFilter filter, FilterOf(options, context));
  ASSIGN_OR_RETURN(const std::unique_ptr<EventLog> log, OpenToRead(context, options.beyond_damage));
  RETURN_IF_ERROR(ChooseOperation(options, *log, filter));
  if (options.follow) {
    EventPrinter printer(options, context.look(), context.out);
    return Follow(filter, *log, printer, context.out);
  }
  const Order order = options.reverse ? Order::kNewestFirst : Order::kOldestFirst;
  ASSIGN_OR_RETURN(EventQuery query, EventQuery::Over(*log, filter, order));
  const Look look = context.look();
  context.Page();
  ASSIGN_OR_RETURN(const LogExtent extent, log->Extent());
  SearchProgress progress(extent.end.sequence, context.messages);
  if (context.pager) progress.EndWhenCleared();
  EventPrinter printer(options, look, context.out, &progress);
  EventLister lister(*log, order);
  lister.List(std::move(query));
  RETURN_IF_ERROR(printer.PrintAll(lister, nullptr));
  progress.Clear();
  if (printer.found_none() && context.out.is_terminal()) {
    context.messages.Line(options.asked.empty() ? "No event." : "No event with " + options.asked + ".");
  }
  TellOfGaps(*log, options.json, context, filter.from, filter.through);
  // What is missing at the end of the log would have come first.
  return options.reverse ? CheckEndIsThere(*log, filter.through) : absl::OkStatus();
}

void AddFilters(CLI::App& events, EventsOptions& options) {
  AddCount(events, "--from", options.from, "First sequence number");
  AddCount(events, "--to", options.to, "Last sequence number");
  AddTimeRange(events, options.times);
  AddText(events, "--operation", options.operation, std::string("Only of this operation: ") + kOperationHelp)
      ->type_name("OPERATION");
  AddKinds(events, options.filter.kinds);
  AddFlag(events, "--errors", options.filter.with_error, "Only errors: of files, and of operations that failed");
  AddText(events, "--path", options.filter.path_prefix, "Only with a path that begins so")->type_name("PREFIX");
  AddText(events, "--grep", options.grep, "Only with this in a path or a message; no pattern, but bytes as they are")
      ->type_name("TEXT");
}

}  // namespace

void AddEventsCommand(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<EventsOptions>();
  CLI::App* events = AddCommand(app, "events", "The events of the log, one a line, the oldest first");
  AddFilters(*events, *options);
  AddLimit(*events, options->limit, "Only so many");
  CLI::Option* reverse = AddFlag(*events, "--reverse", options->reverse, "The newest first");
  CLI::Option* beyond = AddBeyondDamage(*events, options->beyond_damage);
  AddFlag(*events, "--follow", options->follow, "Wait for further events, until interrupted")
      ->excludes(reverse)
      ->excludes(beyond);
  CLI::Option* json = AddFlag(*events, "--json", options->json, "One JSON object a line");
  AddFlag(*events, "--csv", options->csv, "Comma-separated values (RFC 4180)")->excludes(json);
  AddFlag(*events, "--hash", options->hash, "With the hash that chains each event to all before it");
  events->footer(
      "Kinds: started, checkpoint, paused, resumed, recovered, completed, failed, cleared, reset, imported.\n"
      "Examples:\n"
      "  foldlog events --kind failed,recovered --since 7d\n"
      "  foldlog events --operation last --errors --reverse -n 20\n"
      "  foldlog events --from 1000 --follow --json");
  events->callback([options, events, &chosen] {
    options->asked = GivenFilters(*events);
    chosen = [options](Context& context) { return RunEvents(*options, context); };
  });
}

}  // namespace foldlog::cli
