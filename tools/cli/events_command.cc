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
#include <variant>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "engine/base/status_macros.h"
#include "foldlog/log_directory.h"
#include "foldlog/replayer.h"
#include "tools/cli/arguments.h"
#include "tools/cli/command.h"
#include "tools/cli/event_summary.h"
#include "tools/cli/event_text.h"
#include "tools/cli/nearest.h"
#include "tools/cli/render_json.h"
#include "tools/cli/script_step.h"
#include "tools/cli/signals.h"

namespace foldlog::cli {
namespace {

// --follow is woken by the writer. So often it looks whether somebody still reads what it prints.
constexpr std::chrono::milliseconds kLookInterval{500};

struct EventsOptions {
  std::optional<std::int64_t> from;
  std::optional<std::int64_t> to;
  std::optional<std::string> operation_id;
  std::vector<std::string> kinds;  // all if empty
  bool errors = false;             // only those that tell of one
  bool follow = false;
  bool json = false;
  bool hash = false;

  bool Wants(Sequence sequence) const { return sequence >= static_cast<Sequence>(from.value_or(0)); }
  bool IsLast(Sequence sequence) const { return to && sequence >= static_cast<Sequence>(*to); }
  bool WantsKind(std::string_view kind) const {
    return kinds.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
  }
};

bool TellsOfAnError(const EventBody& body) {
  if (const auto* checkpoint = std::get_if<Checkpoint>(&body)) return checkpoint->error.has_value();
  if (const auto* imported = std::get_if<Imported>(&body)) {
    return !imported->errors.empty() || imported->status == OperationStatus::kFailed;
  }
  return std::holds_alternative<Failed>(body);
}

// Prints what was asked for of the events that a replayer gives.
class EventPrinter {
 public:
  EventPrinter(const EventsOptions& options, const Look& look, Output& out)
      : options_(options), look_(look), out_(out) {}

  // `operation_id` is that of the operation it belongs to.
  void Print(ShownEvent shown, const std::string& operation_id) {
    const RecordedEvent& event = shown.event;
    if (!options_.Wants(event.sequence)) return;
    const auto& wanted = options_.operation_id;
    if (wanted && *wanted != operation_id && WithoutEpoch(*wanted) != operation_id) return;
    saw_operation_ = true;
    if (!options_.WantsKind(KindName(event.event.body))) return;
    if (options_.errors && !TellsOfAnError(event.event.body)) return;
    shown.notes.with_hash = options_.hash;
    if (options_.json) return out_.Line(EventJson(shown, operation_id));
    out_.Show(EventText(shown, look_));
  }

  // Whether an event of the operation asked for has come by, of whatever kind.
  bool saw_operation() const { return saw_operation_; }

 private:
  const EventsOptions& options_;
  Look look_;
  Output& out_;
  bool saw_operation_ = false;
};

bool IsRead(const Output& out) {
  pollfd reader{.fd = out.fd(), .events = 0, .revents = 0};
  return poll(&reader, 1, /*timeout=*/0) <= 0;
}

// To the end of the log, or to the last event asked for. True: the latter.
absl::StatusOr<bool> PrintToEnd(const EventsOptions& options, Replayer& replayer, EventPrinter& printer,
                                const Output& out, const std::atomic<int>* stop) {
  while (!out.closed() && (stop == nullptr || *stop == 0)) {
    ASSIGN_OR_RETURN(std::optional<ShownEvent> shown, NextShown(replayer));
    if (!shown) return false;
    const Sequence sequence = shown->event.sequence;
    if (options.to && sequence > static_cast<Sequence>(*options.to)) return true;
    printer.Print(*std::move(shown), replayer.operation_id());
    if (options.IsLast(sequence)) return true;
  }
  return true;
}

absl::Status Follow(const EventsOptions& options, const EventLog& log, Replayer& replayer, EventPrinter& printer,
                    Output& out) {
  const std::atomic<int>& stop = StopFlagOnSignals();
  while (true) {
    ASSIGN_OR_RETURN(const bool done, PrintToEnd(options, replayer, printer, out, &stop));
    RETURN_IF_ERROR(out.Flush());
    if (done || stop != 0 || out.closed() || !IsRead(out)) return absl::OkStatus();
    RETURN_IF_ERROR(log.WaitForMore(replayer.state().sequence, kLookInterval).status());
  }
}

// Beyond the end there is nothing to print yet, which is no error: a script may ask for what is new since it last
// asked.
absl::StatusOr<Sequence> FirstToRead(const EventsOptions& options, const EventLog& log) {
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  const Sequence first = extent.base.sequence + 1;
  if (!options.from || *options.from == 0) return first;
  return std::min(static_cast<Sequence>(*options.from), extent.end.sequence + 1);
}

absl::Status RunEvents(const EventsOptions& options, Context& context) {
  ASSIGN_OR_RETURN(const std::unique_ptr<EventLog> log, OpenLogForReading(context.log));
  ASSIGN_OR_RETURN(const Sequence first, FirstToRead(options, *log));
  ASSIGN_OR_RETURN(Replayer replayer, Replayer::From(*log, first));
  EventPrinter printer(options, context.look(), context.out);
  if (!options.follow) context.Page();
  if (options.follow) return Follow(options, *log, replayer, printer, context.out);

  RETURN_IF_ERROR(PrintToEnd(options, replayer, printer, context.out, nullptr).status());
  if (options.operation_id && !printer.saw_operation() && !context.out.closed()) {
    return absl::NotFoundError("there is no event of operation " + *options.operation_id +
                               " there; \"foldlog history\" lists the operations");
  }
  return absl::OkStatus();
}

// "failed,recovered" names two kinds.
void SplitKinds(EventsOptions& options) {
  const std::vector<std::string> known(KindNames().begin(), KindNames().end());
  std::vector<std::string> kinds;
  for (const std::string& list : options.kinds) {
    for (const std::string& kind : std::vector<std::string>(absl::StrSplit(list, ','))) {
      if (std::find(known.begin(), known.end(), kind) == known.end()) {
        throw CLI::ValidationError(
            "--kind", "\"" + kind + "\" is none of " + absl::StrJoin(known, ", ") + DidYouMean(kind, known));
      }
      kinds.push_back(kind);
    }
  }
  options.kinds = std::move(kinds);
}

}  // namespace

void AddEventsCommand(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<EventsOptions>();
  CLI::App* events = AddCommand(app, "events", "The events of the log, one a line");
  AddCount(*events, "--from", options->from, "First sequence number");
  AddCount(*events, "--to", options->to, "Last sequence number");
  AddText(*events, "--operation", options->operation_id, "Only events of this operation, by its id or token")
      ->type_name("ID");
  AddTexts(*events, "--kind", options->kinds, "Only events of these kinds, with commas between them; may be repeated")
      ->type_name("KIND");
  AddFlag(*events, "--errors", options->errors, "Only errors: of files, and of operations that failed");
  AddFlag(*events, "--follow", options->follow, "Wait for further events, until interrupted");
  AddFlag(*events, "--json", options->json, "One JSON object a line");
  AddFlag(*events, "--hash", options->hash, "With the hash that chains each event to all before it");
  events->footer(
      "Kinds: started, checkpoint, paused, resumed, recovered, completed, failed,\n"
      "cleared, reset, imported.\n"
      "Examples:\n"
      "  foldlog events --log /var/lib/photos/log --kind failed,recovered\n"
      "  foldlog events --log /var/lib/photos/log --from 1000 --follow --json");
  events->callback([options, &chosen] {
    SplitKinds(*options);
    chosen = [options](Context& context) { return RunEvents(*options, context); };
  });
}

}  // namespace foldlog::cli
