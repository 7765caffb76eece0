// Events and states as text for people.

#include "tools/cli/render_text.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "engine/base/saturated.h"
#include "replay/report/pulse.h"
#include "tools/cli/event_text.h"
#include "tools/cli/layout.h"
#include "tools/cli/phrases.h"
#include "tools/cli/story_text.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

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
  if (!at_work || !operation.total_files) return text;
  const double rate = report::RateAhead(operation, at_work);
  const std::optional<std::string> left = TimeLeft(*operation.total_files, operation.files_processed, rate);
  if (left) text += ", about " + *left + " left";
  return text;
}

// Nothing if there is no telling.
std::string RateText(const Operation& operation, bool at_work) {
  const std::string mean = OneDecimal(MeanRate(operation));
  const double recent = at_work ? RecentRate(operation) : 0.0;
  if (recent > 0 && OneDecimal(recent) != mean) {
    return OneDecimal(recent) + " files/s in the last minute, " + mean + " over all";
  }
  return MeanRate(operation) > 0 ? mean + " files/s" : "";
}

Tone StatusTone(const Operation& operation, const LogView& view) {
  if (view.IsAbout(operation) && view.interrupted) return Tone::kWarning;
  return ToneOf(operation.status);
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

// The time of an event of the operation, and how long ago that is, even if the clock was set since the last event.
std::string TimeAndAge(TimeNs time, const Operation& operation, const LogView& view, const Showing& showing) {
  const std::int64_t set_since_ns = view.IsAbout(operation) ? ClockStepNs(view.state.seen, showing.now) : 0;
  return HumanTime(time, showing.look.zone) + ", " + HumanAgo(SaturatedPlus(time, set_since_ns), showing.now.time);
}

void AddTimes(const Operation& operation, const LogView& view, bool at_work, const Showing& showing, Fields& fields) {
  const auto& [now, look] = showing;
  std::string started = HumanTime(operation.started_at, look.zone);
  if (operation.clock_steps == 0) started += ", " + HumanAgo(operation.started_at, now.time);
  fields.Add("Started", started);
  // Only a completion sets completed_at; a failure is an end as well.
  const TimeNs latest = operation.completed_at.value_or(operation.updated_at);
  if (operation.status == OperationStatus::kCompleted || operation.status == OperationStatus::kFailed) {
    fields.Add("Ended", HumanTime(latest, look.zone) + ", " + TookText(operation, latest));
  } else {
    if (operation.last_progress_at != latest) {
      fields.Add("Last progress", TimeAndAge(operation.last_progress_at, operation, view, showing));
    }
    fields.Add("Updated", TimeAndAge(latest, operation, view, showing));
    fields.Add("At work", HumanDuration(0, at_work ? ActiveNs(view.state, now) : operation.active_ns));
  }
  if (operation.clock_steps > 0) {
    fields.Add("Clock",
               "was " + ClockStep(operation.clock_step_ns) + " before event " +
                   std::to_string(operation.clock_step_sequence) +
                   (operation.clock_steps > 1 ? ", the last of " + Grouped(operation.clock_steps) + " times" : ""));
  }
}

void AddOperation(const Operation& operation, const std::string& status, const LogView& view, const Showing& showing,
                  Fields& fields) {
  fields.Add("Operation", operation.operation_id + " (" + std::string(Name(operation.type)) + ")");
  fields.Add("Status", status, StatusTone(operation, view));
  AddOutcome(operation, fields);
  const bool at_work = report::IsAtWork(operation, view);
  fields.Add("Progress", ProgressText(operation, at_work));
  if (const std::string rate = RateText(operation, at_work); !rate.empty()) fields.Add("Rate", rate);
  if (operation.batch_num != 0) fields.Add("Batch", Grouped(operation.batch_num));
  if (operation.current_path) fields.Add("At", *operation.current_path);
  if (operation.last_processed_file) fields.Add("Last file", *operation.last_processed_file);
  if (operation.error_count != 0) fields.Add("Errors", Grouped(operation.error_count));
  AddTimes(operation, view, at_work, showing, fields);
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

void AddLog(const LogView& view, const absl::TimeZone& zone, Fields& fields) {
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
  if (const auto& restored = view.restoration) {
    fields.Add("Restored", HumanTime(restored->at, zone) + " from " +
                               (restored->source.empty() ? "a stream" : restored->source) + " on " + restored->host +
                               ", up to event " + Grouped(restored->end.sequence));
  }
}

std::string CountsText(const EventSummary& summary) {
  std::string text;
  for (std::size_t kind = 0; kind < summary.counts.size(); ++kind) {
    if (summary.counts[kind] == 0) continue;
    AppendPart(Grouped(summary.counts[kind]) + ' ' + std::string(KindNames()[kind]), text);
  }
  return text;
}

void AddEvents(const char* heading, const std::deque<ShownEvent>& events, const Look& look, Fields& fields) {
  if (events.empty()) return;
  fields.AddLine("");
  fields.AddLine(heading);
  for (const ShownEvent& event : events) fields.AddLine(EventText(event, look));
}

void AddRow(const std::optional<SingleRow>& row, Fields& fields) {
  if (!row) return fields.Add("Row", "none");
  fields.AddAll("Row",
                {"operation_type   " + row->operation_type, "status           " + row->status,
                 "checkpoint_data  " + row->checkpoint_data, "started_at       " + std::to_string(row->started_at),
                 "updated_at       " + std::to_string(row->updated_at),
                 "completed_at     " + (row->completed_at ? std::to_string(*row->completed_at) : "NULL")});
}

}  // namespace

Lines StatusText(const LogView& view, const Showing& showing, std::optional<std::int64_t> stalled_after_ns) {
  Fields fields;
  if (view.state.operation) {
    AddOperation(*view.state.operation, StatusLine(*view.state.operation, view), view, showing, fields);
    if (stalled_after_ns && report::IsStalled(view, showing.now, *stalled_after_ns)) {
      fields.Add("Stalled", "no progress for " + HumanDuration(0, *report::IdleNs(view, showing.now)), Tone::kWarning);
    }
  } else {
    fields.Add("Status", "idle");
  }
  AddLog(view, showing.look.zone, fields);
  if (const std::optional<std::string> next = NextStep(view)) fields.Add("Next", *next);
  return fields.lines();
}

Lines AtText(const State& state, const std::optional<SingleRow>& row, const Look& look) {
  LogView view;
  view.state = state;
  Fields fields;
  fields.Add("After", state.sequence == 0
                          ? "nothing: the log begins later"
                          : "event " + Grouped(state.sequence) + ", " + HumanTime(state.seen.time, look.zone));
  if (state.operation) {
    AddOperation(*state.operation, Words(Name(state.operation->status)), view, {state.seen, look}, fields);
  } else {
    fields.Add("Status", "idle");
  }
  fields.Add("Epoch", Grouped(state.epoch));
  if (state.misfit) fields.Add("Misfit", state.misfit->why, Tone::kBad);
  AddRow(row, fields);
  return fields.lines();
}

Lines ShowText(const OperationStory& story, const LogView& view, const EventSummary& summary, const Showing& showing,
               bool unicode) {
  const HistoryEntry& entry = story.entry;
  const Operation& operation = entry.operation;
  Fields fields;
  const std::string status = entry.reset_by
                                 ? "reset by event " + std::to_string(*entry.reset_by) + " before it had ended"
                                 : StatusLine(operation, view);
  AddOperation(operation, status, view, showing, fields);
  if (operation.interruptions() != 0) fields.Add("Interruptions", Grouped(operation.interruptions()));
  fields.Add("Epoch", Grouped(operation.epoch));
  fields.Add("Events", std::to_string(operation.first_sequence) + " to " +
                           std::to_string(entry.reset_by.value_or(operation.last_sequence)) + ": " +
                           (story.pruned ? "pruned; foldlog retention tells when and why" : CountsText(summary)));
  for (const StyledLine& line : StoryText(story, showing.look, unicode)) fields.AddLine(line);
  AddEvents("Milestones", summary.milestones, showing.look, fields);
  AddEvents("Latest file errors", summary.errors, showing.look, fields);
  return fields.lines();
}

}  // namespace foldlog::cli
