#include "foldlog/operation_story.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <variant>

#include "engine/base/saturated.h"
#include "engine/base/status_macros.h"
#include "engine/seconds.h"
#include "foldlog/event_reader.h"

namespace foldlog {
namespace {

// How many events behind a step's end are looked at for one that tells of progress.
constexpr int kEventsLookedAt = 64;

// A stretch of work: from a start, resumption or recovery to a pause, an end, or the last sign of life.
struct Work {
  Sequence first = 0;
  Moment from = {};
  std::optional<Sequence> last = {};  // nothing: it goes on
  std::int64_t lasted_ns = 0;         // if it does not
};

Moment MomentOf(const RecordedEvent& event) { return {event.event.time, event.event.boot}; }

absl::StatusOr<RecordedEvent> EventAt(const EventLog& log, Sequence sequence) {
  EventReader reader(log, sequence);
  ASSIGN_OR_RETURN(std::optional<RecordedEvent> event, reader.Next());
  if (event) return *std::move(event);
  return absl::DataLossError("the log ends before an event that its index tells of");
}

// The work, pauses and interruptions of an operation, from the events at which those begin and end.
class Turns {
 public:
  Turns(const EventLog& log, OperationStory& story, std::size_t turns_max)
      : log_(log), story_(story), turns_max_(turns_max) {}

  absl::Status Read() {
    const Operation& operation = story_.entry.operation;
    ASSIGN_OR_RETURN(const RecordedEvent start, EventAt(log_, operation.first_sequence));
    BeginStory(start);
    const EventFilter filter{
        .kinds = {KindOf<Paused>, KindOf<Resumed>, KindOf<Recovered>, KindOf<Completed>, KindOf<Failed>},
        .operation = operation.first_sequence};
    ASSIGN_OR_RETURN(EventQuery query, EventQuery::Over(log_, filter));
    for (std::size_t turns = 0;; ++turns) {
      ASSIGN_OR_RETURN(const std::optional<QueriedEvent> turn, query.Next());
      if (!turn) break;
      // Events behind the last one that counted do not follow.
      if (turn->event.sequence > operation.last_sequence) break;
      if (turns >= turns_max_) {
        ++story_.turns_left_out;
      } else {
        RETURN_IF_ERROR(Add(turn->event));
      }
    }
    if (!story_.pauses.empty() && !story_.pauses.back().ended_by) {
      PauseSpan& lasting = story_.pauses.back();
      lasting.lasted_ns = std::max<std::int64_t>(0, SaturatedMinus(operation.updated_at, lasting.since));
    }
    return absl::OkStatus();
  }

  // The time at work until an event, as the ends of the stretches of work tell it.
  std::int64_t ActiveNsAt(const RecordedEvent& event) const {
    std::int64_t active_ns = active_before_ns_;
    for (const Work& work : work_) {
      if (event.sequence <= work.first) break;
      const bool is_over = work.last && *work.last <= event.sequence;
      active_ns = SaturatedPlus(active_ns, is_over ? work.lasted_ns : ElapsedNs(work.from, MomentOf(event)));
    }
    return active_ns;
  }

 private:
  void BeginStory(const RecordedEvent& start) {
    const auto* imported = std::get_if<Imported>(&start.event.body);
    if (imported != nullptr) {
      active_before_ns_ = std::max<std::int64_t>(0, SaturatedMinus(imported->last_update, imported->started_at));
    }
    if (imported != nullptr && imported->status == OperationStatus::kPaused) BeginPause(start, "");
    if (imported == nullptr || imported->status == OperationStatus::kInProgress) Begin(start);
  }

  absl::Status Add(const RecordedEvent& event) {
    if (const auto* paused = std::get_if<Paused>(&event.event.body)) {
      End(event);
      BeginPause(event, paused->reason);
      return absl::OkStatus();
    }
    if (const auto* recovered = std::get_if<Recovered>(&event.event.body)) {
      ASSIGN_OR_RETURN(const RecordedEvent before, EventAt(log_, event.sequence - 1));
      End(before);
      story_.interruptions.push_back({.recovered_by = event.sequence,
                                      .recovered_at = event.event.time,
                                      .last_sign_of_life = before.event.time,
                                      .evidence = recovered->evidence,
                                      .reason = recovered->reason});
    } else if (!EndPause(event)) {
      End(event);
    }
    const bool goes_on =
        std::holds_alternative<Resumed>(event.event.body) || std::holds_alternative<Recovered>(event.event.body);
    if (goes_on) Begin(event);
    return absl::OkStatus();
  }

  void BeginPause(const RecordedEvent& event, const std::string& reason) {
    paused_at_ = MomentOf(event);
    story_.pauses.push_back({.paused_by = event.sequence, .since = event.event.time, .reason = reason});
  }

  bool EndPause(const RecordedEvent& event) {
    if (story_.pauses.empty() || story_.pauses.back().ended_by) return false;
    PauseSpan& pause = story_.pauses.back();
    pause.ended_by = event.sequence;
    pause.lasted_ns = ElapsedNs(paused_at_, MomentOf(event));
    return true;
  }

  void Begin(const RecordedEvent& event) { work_.push_back({.first = event.sequence, .from = MomentOf(event)}); }

  void End(const RecordedEvent& event) {
    if (work_.empty() || work_.back().last) return;
    work_.back().last = event.sequence;
    work_.back().lasted_ns = ElapsedNs(work_.back().from, MomentOf(event));
  }

  const EventLog& log_;
  OperationStory& story_;
  const std::size_t turns_max_;
  std::vector<Work> work_;
  Moment paused_at_;
  std::int64_t active_before_ns_ = 0;  // the import
};

// The files processed by an event, if it tells.
std::optional<std::int64_t> FilesAt(const RecordedEvent& event) {
  if (const auto* checkpoint = std::get_if<Checkpoint>(&event.event.body)) return checkpoint->files_processed;
  if (const auto* imported = std::get_if<Imported>(&event.event.body)) return imported->files_processed;
  if (std::holds_alternative<Started>(event.event.body)) return 0;
  return std::nullopt;
}

void AddPoint(ProgressPoint point, std::vector<ProgressPoint>& progress) {
  if (!progress.empty()) {
    const ProgressPoint& before = progress.back();
    if (point.sequence <= before.sequence) return;
    const std::int64_t took_ns = SaturatedMinus(point.active_ns, before.active_ns);
    const std::int64_t files = SaturatedMinus(point.files, before.files);
    if (took_ns > 0 && files > 0) {
      point.rate =
          static_cast<double>(files) * static_cast<double>(kNanosecondsPerSecond) / static_cast<double>(took_ns);
    }
  }
  progress.push_back(point);
}

// The point at the first event from `from` to `through` that tells of progress; nothing if there is none near.
absl::Status ReadPoint(const EventLog& log, const Turns& turns, Sequence from, Sequence through,
                       std::vector<ProgressPoint>& progress) {
  EventReader reader(log, from);
  for (int looked_at = 0; looked_at < kEventsLookedAt && reader.position().sequence < through; ++looked_at) {
    ASSIGN_OR_RETURN(const std::optional<RecordedEvent> event, reader.Next());
    if (!event) break;
    const std::optional<std::int64_t> files = FilesAt(*event);
    if (!files) continue;
    AddPoint({event->sequence, event->event.time, *files, turns.ActiveNsAt(*event), 0.0}, progress);
    break;
  }
  return absl::OkStatus();
}

absl::Status ReadProgress(const EventLog& log, const Turns& turns, std::size_t steps, OperationStory& story) {
  const Operation& operation = story.entry.operation;
  const Sequence first = operation.first_sequence;
  const Sequence last = operation.last_sequence;
  const std::uint64_t span = last - first;
  const std::uint64_t count =
      std::min<std::uint64_t>(std::max<std::size_t>(steps, 1), std::max<std::uint64_t>(span, 1));
  for (std::uint64_t step = 0; step < count; ++step) {
    // Not span * step / count, which could overflow.
    const Sequence from = first + span / count * step + span % count * step / count;
    RETURN_IF_ERROR(ReadPoint(log, turns, from, last, story.progress));
  }
  // The last event need not tell of files, but the operation does.
  ASSIGN_OR_RETURN(const RecordedEvent end, EventAt(log, last));
  AddPoint({last, end.event.time, operation.files_processed, turns.ActiveNsAt(end), 0.0}, story.progress);
  return absl::OkStatus();
}

// Those of `one` that `other` lacks.
template <typename Value, typename Same>
std::vector<Value> Only(const std::vector<Value>& one, const std::vector<Value>& other, Same same) {
  std::vector<Value> only;
  std::copy_if(one.begin(), one.end(), std::back_inserter(only), [&](const Value& value) {
    return std::none_of(other.begin(), other.end(), [&](const Value& its) { return same(value, its); });
  });
  return only;
}

}  // namespace

absl::StatusOr<OperationStory> TellStory(const EventLog& log, const HistoryEntry& entry, const StoryLimits& limits) {
  OperationStory story{.entry = entry};
  const Operation& operation = entry.operation;
  Turns turns(log, story, limits.turns_max);
  RETURN_IF_ERROR(turns.Read());
  RETURN_IF_ERROR(ReadProgress(log, turns, limits.steps, story));
  if (operation.error_count > 0) {
    const EventFilter filter{.from = operation.first_error_sequence, .through = operation.last_error_sequence};
    ASSIGN_OR_RETURN(story.errors, GroupErrors(log, filter, limits.errors));
  }
  return story;
}

OperationDiff DiffOf(const OperationStory& earlier, const OperationStory& later) {
  const Operation& a = earlier.entry.operation;
  const Operation& b = later.entry.operation;
  OperationDiff diff{.active_ns = SaturatedMinus(b.active_ns, a.active_ns),
                     .paused_ns = SaturatedMinus(b.paused_ns, a.paused_ns),
                     .files = SaturatedMinus(b.files_processed, a.files_processed),
                     .errors = SaturatedMinus(b.error_count, a.error_count)};
  for (std::size_t i = 0; i < std::min(earlier.progress.size(), later.progress.size()); ++i) {
    diff.rates.emplace_back(earlier.progress[i].rate, later.progress[i].rate);
  }
  const auto same_name = [](const ErrorGroup& x, const ErrorGroup& y) { return x.name == y.name; };
  diff.new_errors = Only(later.errors.by_message, earlier.errors.by_message, same_name);
  diff.vanished_errors = Only(earlier.errors.by_message, later.errors.by_message, same_name);
  diff.new_roots = Only(b.roots, a.roots, std::equal_to<>());
  diff.vanished_roots = Only(a.roots, b.roots, std::equal_to<>());
  diff.new_metadata = Only(b.metadata, a.metadata, std::equal_to<>());
  diff.vanished_metadata = Only(a.metadata, b.metadata, std::equal_to<>());
  return diff;
}

}  // namespace foldlog
