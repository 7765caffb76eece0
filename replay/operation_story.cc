#include "foldlog/operation_story.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/gaps.h"
#include "foldlog/event_query.h"
#include "foldlog/event_reader.h"

namespace foldlog {
namespace {

absl::StatusOr<RecordedEvent> ReadEvent(const EventLog& log, Sequence sequence) {
  EventReader reader(log, sequence);
  ASSIGN_OR_RETURN(std::optional<RecordedEvent> event, reader.Next());
  if (event) return *std::move(event);
  return absl::OutOfRangeError(absl::StrCat("the log ", log.name(), " has no event ", sequence));
}

// Nothing for one that is in a gap of the log.
absl::StatusOr<std::optional<RecordedEvent>> ReadEventIfThere(const EventLog& log, Sequence sequence) {
  if (GapAt(log, sequence) != nullptr) return std::optional<RecordedEvent>();
  ASSIGN_OR_RETURN(RecordedEvent event, ReadEvent(log, sequence));
  return std::optional(std::move(event));
}

Moment MomentOf(const Event& event) { return {event.time, event.boot}; }

// Takes in the turns of an operation, one after the other.
class TurnTeller {
 public:
  TurnTeller(const EventLog& log, const StoryOptions& options, OperationStory& story)
      : log_(log), options_(options), story_(story) {
    // One that was imported while it was paused begins with a pause that no other event tells of.
    const auto* imported = std::get_if<Imported>(&story.start.event.body);
    if (imported != nullptr && imported->status == OperationStatus::kPaused) BeginPause(story.start, "");
  }

  absl::Status Add(const RecordedEvent& turn) {
    const EventBody& body = turn.event.body;
    if (const auto* paused = std::get_if<Paused>(&body)) {
      if (!paused_at_) BeginPause(turn, paused->reason);
      return absl::OkStatus();
    }
    if (const auto* recovered = std::get_if<Recovered>(&body)) return AddInterruption(turn, *recovered);
    const bool resumed = std::holds_alternative<Resumed>(body);
    if (resumed || std::holds_alternative<Completed>(body) || std::holds_alternative<Failed>(body)) EndPause(turn);
    if (!resumed) story_.end = turn;
    return absl::OkStatus();
  }

  // A pause that has no end is known up to the operation's last event.
  absl::Status End() {
    if (!paused_at_ || !is_told_) return absl::OkStatus();
    ASSIGN_OR_RETURN(const auto last, ReadEventIfThere(log_, story_.entry.operation.last_sequence));
    if (last) story_.pauses.back().duration_ns = ElapsedNs(*paused_at_, MomentOf(last->event));
    return absl::OkStatus();
  }

 private:
  void BeginPause(const RecordedEvent& turn, const std::string& reason) {
    paused_at_ = MomentOf(turn.event);
    is_told_ = story_.pauses.size() < options_.pauses_max;
    if (is_told_) {
      story_.pauses.push_back({.sequence = turn.sequence, .began = turn.event.time, .reason = reason});
    } else {
      ++story_.pauses_left_out;
    }
  }

  void EndPause(const RecordedEvent& turn) {
    if (paused_at_ && is_told_) {
      StoryPause& pause = story_.pauses.back();
      pause.ended_by = turn.sequence;
      pause.ended = turn.event.time;
      pause.duration_ns = ElapsedNs(*paused_at_, MomentOf(turn.event));
    }
    paused_at_.reset();
  }

  absl::Status AddInterruption(const RecordedEvent& turn, const Recovered& recovered) {
    if (story_.interruptions.size() >= options_.interruptions_max) {
      ++story_.interruptions_left_out;
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const auto found, ReadEventIfThere(log_, turn.sequence - 1));
    const RecordedEvent& before = found ? *found : turn;
    story_.interruptions.push_back({.sequence = turn.sequence,
                                    .recovered = turn.event.time,
                                    .last_sign = before.event.time,
                                    .lost_ns = ElapsedNs(MomentOf(before.event), MomentOf(turn.event)),
                                    .evidence = recovered.evidence,
                                    .reason = recovered.reason});
    return absl::OkStatus();
  }

  const EventLog& log_;
  const StoryOptions& options_;
  OperationStory& story_;
  std::optional<Moment> paused_at_;
  bool is_told_ = false;  // the pause at hand is one of those in the story
};

// All events up to the operation's last one follow from those before them: one that does not stops the fold.
absl::Status TellTurns(const EventLog& log, const StoryOptions& options, OperationStory& story) {
  const Operation& operation = story.entry.operation;
  const EventFilter turns{
      .from = operation.first_sequence + 1,
      .through = operation.last_sequence,
      .kinds = {KindOf<Paused>, KindOf<Resumed>, KindOf<Recovered>, KindOf<Completed>, KindOf<Failed>}};
  TurnTeller teller(log, options, story);
  if (turns.from <= turns.through) {
    ASSIGN_OR_RETURN(EventQuery query, EventQuery::Over(log, turns));
    while (true) {
      ASSIGN_OR_RETURN(const std::optional<QueriedEvent> turn, query.Next());
      if (!turn) break;
      RETURN_IF_ERROR(teller.Add(turn->event));
    }
    story.index_damage = query.index_damage();
  }
  return teller.End();
}

absl::Status TellStart(const EventLog& log, OperationStory& story) {
  const Operation& operation = story.entry.operation;
  if (GapAt(log, operation.first_sequence) != nullptr) {
    story.start.sequence = operation.first_sequence;
    story.start.event.time = operation.started_at;
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(story.start, ReadEvent(log, operation.first_sequence));
  const EventBody& body = story.start.event.body;
  if (std::holds_alternative<Started>(body) || std::holds_alternative<Imported>(body)) return absl::OkStatus();
  return absl::OutOfRangeError(
      absl::StrCat("event ", operation.first_sequence, " of the log ", log.name(), " begins no operation"));
}

}  // namespace

absl::StatusOr<OperationStory> TellStory(const EventLog& log, const HistoryEntry& entry, const StoryOptions& options) {
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  if (entry.operation.first_sequence <= extent.base.sequence) return OperationStory{.entry = entry, .pruned = true};
  OperationStory story{.entry = entry};
  const Operation& operation = entry.operation;
  RETURN_IF_ERROR(TellStart(log, story));
  RETURN_IF_ERROR(TellTurns(log, options, story));
  if (entry.reset_by) {
    ASSIGN_OR_RETURN(story.end, ReadEventIfThere(log, *entry.reset_by));
  }
  ASSIGN_OR_RETURN(story.steps, StoryStepsOf(log, operation, options.points));
  const ErrorFilter errors{.from = operation.first_sequence, .through = operation.last_sequence};
  ASSIGN_OR_RETURN(story.errors, ReportErrors(log, errors, options.errors));
  if (story.index_damage.ok()) story.index_damage = story.errors.index_damage;
  return story;
}

}  // namespace foldlog
