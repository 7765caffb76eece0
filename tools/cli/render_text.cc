// Events and states as text for people.

#include "tools/cli/render_text.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <variant>

#include "absl/strings/str_cat.h"
#include "engine/base/saturated.h"
#include "engine/json/writer.h"
#include "tools/cli/layout.h"
#include "tools/cli/printable.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

// Room for the sequence numbers and kinds of all but the longest logs.
constexpr std::size_t kSequenceColumns = 8;
constexpr std::size_t kKindColumns = 11;

// "in_progress" reads better as two words.
std::string Words(std::string_view name) {
  std::string words(name);
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

void AppendPart(std::string_view part, std::string& text) {
  if (!text.empty()) text += ", ";
  text += part;
}

std::string StatText(const StatValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return Grouped(*integer);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  std::string real;
  AppendPythonFloat(std::get<double>(value), real);
  return real;
}

std::vector<std::string> StatLines(const Stats& stats) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : stats) lines.push_back(absl::StrCat(name, " = ", StatText(value)));
  return lines;
}

std::vector<std::string> MetadataLines(const Metadata& metadata) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : metadata) lines.push_back(absl::StrCat(name, " = ", value));
  return lines;
}

std::string FilesText(const Operation& operation) {
  std::string text = Grouped(operation.files_processed);
  if (operation.total_files) text += " of " + Grouped(*operation.total_files);
  return text;
}

// How far. A total is what was expected, and there may have been more.
std::string ShareText(const Operation& operation) {
  if (!operation.total_files || *operation.total_files <= 0) return FilesText(operation) + " files";
  if (operation.files_processed > *operation.total_files) {
    return Grouped(operation.files_processed) + " files, more than the " + Grouped(*operation.total_files) +
           " expected";
  }
  const double percent =
      100.0 * static_cast<double>(operation.files_processed) / static_cast<double>(*operation.total_files);
  return FilesText(operation) + " files (" + OneDecimal(percent) + " %)";
}

std::string ProgressText(const Operation& operation, bool at_work) {
  std::string text = ShareText(operation);
  const double recent = at_work ? RecentRate(operation) : 0.0;
  const double rate = recent > 0 ? recent : MeanRate(operation);
  if (rate > 0) text += ", " + OneDecimal(rate) + " files/s";
  if (!at_work || !operation.total_files) return text;
  const std::optional<std::string> left = TimeLeft(*operation.total_files, operation.files_processed, rate);
  if (left) text += ", about " + *left + " left";
  return text;
}

std::string StatusLine(const Operation& operation, const LogView& view) {
  std::string text = Words(Name(operation.status));
  if (!view.IsAbout(operation)) return text;
  if (view.interrupted) return text + ", but interrupted: " + std::string(Explain(*view.fate));
  if (view.fate == OwnerFate::kUnknown) text += "; whether its owner is still at work can't be told from here";
  if (view.fate == OwnerFate::kCopied) text += "; this log is a copy, and its owner may go on with the original";
  return text;
}

// What there is to do about the operation on the row; nothing if it is at work.
std::optional<std::string> NextStep(const LogView& view) {
  const std::string resume = "\"foldlog index\" or \"foldlog resume\" goes on with it";
  switch (view.state.status()) {
    case OperationStatus::kIdle:
      return "\"foldlog index DIR --catalog FILE\" or \"foldlog start\" begins an operation";
    case OperationStatus::kPaused:
      return resume;
    case OperationStatus::kInProgress:
      if (view.interrupted) return resume;
      if (view.fate != OwnerFate::kUnknown && view.fate != OwnerFate::kCopied) return std::nullopt;
      return "if you know that nobody works on it: \"foldlog recover --force --reason REASON\"";
    case OperationStatus::kCompleted:
    case OperationStatus::kFailed:
      return std::nullopt;
  }
  return std::nullopt;
}

void AddOutcome(const Operation& operation, Fields& fields) {
  if (operation.status == OperationStatus::kPaused && !operation.pause_reason.empty()) {
    fields.Add("Reason", operation.pause_reason);
  }
  if (operation.status == OperationStatus::kFailed) fields.Add("Failure", operation.failure);
}

// Pauses and interruptions are no time at work. What the wall clock says is told beside it if it is longer, and if the
// clock can be believed.
std::string TookText(const Operation& operation, TimeNs ended) {
  constexpr TimeNs kWorthTellingNs = 1'000'000'000;
  const std::string took = "took " + HumanDuration(0, operation.active_ns);
  const TimeNs span_ns = SaturatedMinus(ended, operation.started_at);
  if (operation.clock_steps > 0 || SaturatedMinus(span_ns, operation.active_ns) < kWorthTellingNs) return took;
  return took + " at work, in " + HumanDuration(0, span_ns);
}

void AddTimes(const Operation& operation, const LogView& view, bool at_work, const Moment& now, Fields& fields) {
  std::string started = HumanTime(operation.started_at);
  if (operation.clock_steps == 0) started += ", " + HumanAgo(operation.started_at, now.time);
  fields.Add("Started", started);
  // Only a completion sets completed_at; a failure is an end as well.
  const TimeNs latest = operation.completed_at.value_or(operation.updated_at);
  if (operation.status == OperationStatus::kCompleted || operation.status == OperationStatus::kFailed) {
    fields.Add("Ended", HumanTime(latest) + ", " + TookText(operation, latest));
  } else {
    const std::int64_t set_since_ns = view.IsAbout(operation) ? ClockStepNs(view.state.seen, now) : 0;
    fields.Add("Updated", HumanTime(latest) + ", " + HumanAgo(SaturatedPlus(latest, set_since_ns), now.time));
    fields.Add("At work", HumanDuration(0, at_work ? ActiveNs(view.state, now) : operation.active_ns));
  }
  if (operation.clock_steps > 0) {
    fields.Add("Clock",
               "was " + ClockStep(operation.clock_step_ns) + " before event " +
                   std::to_string(operation.clock_step_sequence) +
                   (operation.clock_steps > 1 ? ", the last of " + Grouped(operation.clock_steps) + " times" : ""));
  }
}

void AddOperation(const Operation& operation, const std::string& status, const LogView& view, const Moment& now,
                  Fields& fields) {
  fields.Add("Operation", operation.operation_id + " (" + std::string(Name(operation.type)) + ")");
  fields.Add("Status", status);
  AddOutcome(operation, fields);
  const bool at_work = operation.status == OperationStatus::kInProgress && view.IsAbout(operation) && !view.interrupted;
  fields.Add("Progress", ProgressText(operation, at_work));
  if (operation.batch_num != 0) fields.Add("Batch", Grouped(operation.batch_num));
  if (operation.current_path) fields.Add("At", *operation.current_path);
  if (operation.last_processed_file) fields.Add("Last file", *operation.last_processed_file);
  if (FileErrors(operation) != 0) fields.Add("Errors", Grouped(FileErrors(operation)));
  AddTimes(operation, view, at_work, now, fields);
  fields.AddAll("Roots", operation.roots);
  fields.AddAll("Metadata", MetadataLines(operation.metadata));
  fields.AddAll("Statistics", StatLines(operation.stats));
  fields.Add("Owner", Describe(operation.owner));
}

// Nothing after a writer that closed the log.
std::string RecoveryText(const RecoveryReport& recovery) {
  std::string text;
  if (recovery.last_writer && *recovery.last_writer != OwnerFate::kClosedWithoutEnd) {
    text = "the writer before: " + std::string(Explain(*recovery.last_writer));
  }
  if (recovery.events_from_tail > 0) AppendPart(Grouped(recovery.events_from_tail) + " events from the tail", text);
  if (recovery.frames_discarded > 0) AppendPart(Grouped(recovery.frames_discarded) + " torn frames discarded", text);
  if (recovery.events_lost > 0) AppendPart(Grouped(recovery.events_lost) + " durable events lost", text);
  if (recovery.events_in_doubt > 0) {
    AppendPart(Grouped(recovery.events_in_doubt) + " events of an unfinished flush gone", text);
  }
  return text;
}

void AddLog(const LogView& view, Fields& fields) {
  const auto last = [&](Sequence through) {
    return Grouped(view.state.sequence - std::min(through, view.state.sequence));
  };
  std::string events = Grouped(view.state.sequence);
  if (view.extent.stored_through < view.state.sequence)
    events += ", the last " + last(view.extent.stored_through) + " in the tail";
  if (view.extent.durable_through < view.state.sequence) {
    events += ", the last " + last(view.extent.durable_through) + " not yet known to be durable";
  }
  fields.Add("Events", events);
  fields.Add("Hash", HashText(view.hash) + ", of the last event and so of all before it");
  if (const Sequence end = view.extent.end.sequence; view.extent.missing_through > end) {
    fields.Add("Missing", "events " + Grouped(end + 1) + " to " + Grouped(view.extent.missing_through) +
                              ", which were durable: the log is damaged");
  }
  fields.Add("Epoch", Grouped(view.state.epoch));
  if (view.writer.held) {
    fields.Add("Writer", view.writer.writer ? Describe(*view.writer.writer) : "a process that can't be identified");
  }
  if (view.writer.recovery) {
    if (const std::string found = RecoveryText(*view.writer.recovery); !found.empty()) fields.Add("Recovery", found);
  }
}

// What an event says, in one line.
struct Gist {
  std::string operator()(const Started& started) const {
    std::string text = started.operation_id;
    AppendPart(Name(started.type), text);
    if (started.total_files) AppendPart(Grouped(*started.total_files) + " files", text);
    AppendPart("by " + Describe(started.owner), text);
    return text;
  }

  std::string operator()(const Checkpoint& checkpoint) const {
    std::string text = Grouped(checkpoint.files_processed) + " files";
    if (checkpoint.batch_num) AppendPart("batch " + Grouped(*checkpoint.batch_num), text);
    if (checkpoint.current_path) AppendPart("at " + *checkpoint.current_path, text);
    if (checkpoint.last_processed_file) AppendPart("last " + *checkpoint.last_processed_file, text);
    if (checkpoint.error) {
      AppendPart("error: ", text);
      if (!checkpoint.error->path.empty()) text += checkpoint.error->path + ": ";
      text += checkpoint.error->message.empty() ? checkpoint.error->details : checkpoint.error->message;
    }
    return text;
  }

  std::string operator()(const Paused& paused) const { return paused.reason; }

  std::string operator()(const Resumed& resumed) const {
    std::string text = "by " + Describe(resumed.owner);
    if (!resumed.reason.empty()) text += ": " + resumed.reason;
    return text;
  }

  std::string operator()(const Recovered& recovered) const {
    std::string text = Words(Name(recovered.evidence)) + ", by " + Describe(recovered.owner);
    if (!recovered.reason.empty()) text += ": " + recovered.reason;
    return text;
  }

  std::string operator()(const Completed& completed) const {
    std::string text;
    for (const std::string& line : StatLines(completed.stats)) AppendPart(line, text);
    return text;
  }

  std::string operator()(const Failed& failed) const { return failed.error; }
  std::string operator()(const Cleared&) const { return ""; }
  std::string operator()(const Reset& reset) const { return reset.reason; }

  std::string operator()(const Imported& imported) const {
    std::string text = imported.operation_id;
    AppendPart(Name(imported.type), text);
    AppendPart(Words(Name(imported.status)), text);
    AppendPart(Grouped(imported.files_processed) + " files", text);
    if (!imported.errors.empty()) AppendPart(Grouped(imported.errors.size()) + " errors", text);
    if (imported.status == OperationStatus::kFailed) AppendPart("failure: " + imported.failure, text);
    AppendPart("started " + HumanTime(imported.started_at), text);
    if (!imported.source.empty()) AppendPart("from " + imported.source, text);
    AppendPart("by " + Describe(imported.owner), text);
    return text;
  }
};

std::string Left(std::string text, std::size_t columns) {
  if (text.size() < columns) text.append(columns - text.size(), ' ');
  return text;
}

std::string CountsText(const EventSummary& summary) {
  std::string text;
  for (std::size_t kind = 0; kind < summary.counts.size(); ++kind) {
    if (summary.counts[kind] == 0) continue;
    AppendPart(Grouped(summary.counts[kind]) + ' ' + std::string(KindNames()[kind]), text);
  }
  return text;
}

void AddEvents(std::string_view heading, const std::deque<ShownEvent>& events, Fields& fields) {
  if (events.empty()) return;
  fields.AddLine("");
  fields.AddLine(heading);
  for (const ShownEvent& event : events) fields.AddLine(EventText(event));
}

std::string HistoryStatus(const HistoryEntry& entry, const LogView& view) {
  if (entry.reset_by) return "reset";
  if (view.interrupted && view.IsAbout(entry.operation)) return "interrupted";
  return Words(Name(entry.operation.status));
}

}  // namespace

Lines StatusText(const LogView& view, const Moment& now) {
  Fields fields;
  if (view.state.operation) {
    AddOperation(*view.state.operation, StatusLine(*view.state.operation, view), view, now, fields);
  } else {
    fields.Add("Status", "idle");
  }
  AddLog(view, fields);
  if (const std::optional<std::string> next = NextStep(view)) fields.Add("Next", *next);
  return fields.lines();
}

Lines HistoryText(const std::vector<HistoryEntry>& entries, const LogView& view, const TableStyle& style) {
  if (entries.empty()) return {"No operation so far."};
  constexpr auto kRight = Table::Align::kRight;
  Table table({{"OPERATION"},
               {"TYPE"},
               {"STATUS"},
               {"STARTED (UTC)"},
               {"TOOK", kRight},
               {"FILES", kRight},
               {"ERRORS", kRight},
               {"INTERRUPTIONS", kRight}});
  for (const HistoryEntry& entry : entries) {
    const Operation& operation = entry.operation;
    table.AddRow({operation.operation_id, std::string(Name(operation.type)), HistoryStatus(entry, view),
                  ColumnTime(operation.started_at), HumanDuration(0, operation.active_ns), FilesText(operation),
                  Grouped(FileErrors(operation)), Grouped(operation.interruptions())});
  }
  return table.Render(style.columns_max, style.heading);
}

Lines ShowText(const HistoryEntry& entry, const LogView& view, const EventSummary& summary, const Moment& now) {
  const Operation& operation = entry.operation;
  Fields fields;
  const std::string status = entry.reset_by
                                 ? "reset by event " + std::to_string(*entry.reset_by) + " before it had ended"
                                 : StatusLine(operation, view);
  AddOperation(operation, status, view, now, fields);
  if (operation.interruptions() != 0) fields.Add("Interruptions", Grouped(operation.interruptions()));
  fields.Add("Epoch", Grouped(operation.epoch));
  fields.Add("Events", std::to_string(operation.first_sequence) + " to " + std::to_string(operation.last_sequence) +
                           ": " + CountsText(summary));
  AddEvents("Milestones", summary.milestones, fields);
  AddEvents("Latest file errors", summary.errors, fields);
  return fields.lines();
}

std::string EventText(const ShownEvent& shown) {
  const RecordedEvent& event = shown.event;
  const std::string sequence = std::to_string(event.sequence);
  const std::size_t indent = kSequenceColumns > sequence.size() ? kSequenceColumns - sequence.size() : 0;
  std::string line = std::string(indent, ' ') + sequence + "  " + EventTime(event.event.time) + "  ";
  if (shown.notes.with_hash) line += HashText(event.hash) + "  ";
  const std::string gist = Printable(std::visit(Gist{}, event.event.body));
  line += gist.empty() ? std::string(KindName(event.event.body))
                       : Left(std::string(KindName(event.event.body)), kKindColumns) + gist;
  if (shown.notes.clock_step_ns != 0) line += " (the clock was " + ClockStep(shown.notes.clock_step_ns) + " before)";
  return line;
}

}  // namespace foldlog::cli
