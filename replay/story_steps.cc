// The steps of a story, and the curve of rates that they give.

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/saturated.h"
#include "engine/base/status_macros.h"
#include "engine/gaps.h"
#include "engine/seconds.h"
#include "foldlog/operation_story.h"
#include "foldlog/replayer.h"

namespace foldlog {
namespace {

using Steps = std::map<Sequence, StoryStep>;

// Operations of so few events are walked through once, and their steps kept up to so many bytes: each step from the
// snapshot before it would fold the same events again and again, and each of those may hold megabytes.
constexpr Sequence kWalkEventsMax = 512;
constexpr std::size_t kWalkBytesMax = std::size_t{2} << 20;

// How far the operation is after each of its events.
class StepReader {
 public:
  StepReader(const EventLog& log, const Operation& operation) : log_(log), operation_(operation) {
    if (operation.last_sequence - operation.first_sequence < kWalkEventsMax) Walk();
  }

  // Whether a gap of the log is in the operation before it.
  bool is_behind_gap(Sequence sequence) const {
    const Gap* const gap = GapUpTo(log_, sequence);
    return gap != nullptr && gap->through >= operation_.first_sequence;
  }

  absl::StatusOr<StoryStep> At(Sequence sequence) const {
    const Sequence at = sequence - operation_.first_sequence;
    if (at < walked_.size()) return walked_[at];
    ASSIGN_OR_RETURN(const State state, StateAt(log_, sequence));
    return StepOf(sequence, state);
  }

 private:
  // Ends where something cannot be read: whoever wants a step behind that gets the error, or a snapshot's state.
  void Walk() {
    absl::StatusOr<Replayer> replayer = Replayer::From(log_, operation_.first_sequence);
    std::size_t bytes = 0;
    for (Sequence next = operation_.first_sequence; replayer.ok() && next <= operation_.last_sequence; ++next) {
      const absl::StatusOr<const EventView*> view = replayer->NextView();
      if (!view.ok() || *view == nullptr) return;
      absl::StatusOr<StoryStep> step = StepOf(next, replayer->state());
      if (!step.ok()) return;
      bytes += sizeof(StoryStep) + step->last_processed_file.value_or("").size();
      if (bytes > kWalkBytesMax) return;
      walked_.push_back(*std::move(step));
    }
  }

  absl::StatusOr<StoryStep> StepOf(Sequence sequence, const State& state) const {
    if (!state.operation || state.operation->first_sequence != operation_.first_sequence) {
      return absl::OutOfRangeError(absl::StrCat("event ", sequence, " of the log ", log_.name(),
                                                " is not of operation ", operation_.operation_id));
    }
    const Operation& then = *state.operation;
    return StoryStep{.sequence = sequence,
                     .time = state.seen.time,
                     .status = then.status,
                     .files = then.files_processed,
                     .active_ns = then.active_ns,
                     .errors = then.error_count,
                     .last_processed_file = then.last_processed_file};
  }

  const EventLog& log_;
  const Operation& operation_;
  std::vector<StoryStep> walked_;  // after the first events, one behind the other
};

// False if a gap hides how far it was then.
absl::StatusOr<bool> AddStep(const StepReader& reader, Sequence sequence, Steps& steps) {
  if (steps.count(sequence) != 0) return true;
  absl::StatusOr<StoryStep> step = reader.At(sequence);
  if (!step.ok() && reader.is_behind_gap(sequence)) return false;
  RETURN_IF_ERROR(step.status());
  steps[sequence] = *std::move(step);
  return true;
}

// The middle of the step that took most time at work; nothing if no step can be halved.
std::optional<Sequence> NextToHalve(const Steps& steps) {
  std::optional<Sequence> middle;
  std::int64_t longest_ns = -1;
  if (steps.empty()) return middle;
  for (auto before = steps.begin(), after = std::next(before); after != steps.end(); before = after++) {
    const std::int64_t took_ns = SaturatedMinus(after->second.active_ns, before->second.active_ns);
    if (after->first - before->first < 2 || took_ns <= longest_ns) continue;
    longest_ns = took_ns;
    middle = before->first + (after->first - before->first) / 2;
  }
  return middle;
}

double RateBetween(std::int64_t files, std::int64_t active_ns) {
  return files > 0 && active_ns > 0 ? static_cast<double>(files) / SecondsOf(active_ns) : 0;
}

// Files that were done by that time at work, on straight lines between the steps.
double FilesAt(const std::vector<StoryStep>& steps, double active_ns) {
  for (std::size_t i = 1; i < steps.size(); ++i) {
    const StoryStep& before = steps[i - 1];
    const StoryStep& after = steps[i];
    if (static_cast<double>(after.active_ns) < active_ns) continue;
    const double took = static_cast<double>(after.active_ns) - static_cast<double>(before.active_ns);
    const double share = took > 0 ? (active_ns - static_cast<double>(before.active_ns)) / took : 1;
    return std::lerp(static_cast<double>(before.files), static_cast<double>(after.files), share);
  }
  return static_cast<double>(steps.back().files);
}

}  // namespace

absl::StatusOr<std::vector<StoryStep>> StoryStepsOf(const EventLog& log, const Operation& operation,
                                                    std::size_t points) {
  const Sequence first = operation.first_sequence;
  const Sequence last = operation.last_sequence;
  const StepReader reader(log, operation);
  Steps steps;
  const std::size_t even = std::max<std::size_t>(points / 2, 1);
  for (std::size_t i = 0; i < even; ++i) {
    const auto ahead =
        static_cast<Sequence>(static_cast<double>(last - first) * static_cast<double>(i) / static_cast<double>(even));
    RETURN_IF_ERROR(AddStep(reader, first + ahead, steps).status());
  }
  RETURN_IF_ERROR(AddStep(reader, last, steps).status());
  while (steps.size() < points) {
    const std::optional<Sequence> middle = NextToHalve(steps);
    if (!middle) break;
    ASSIGN_OR_RETURN(const bool added, AddStep(reader, *middle, steps));
    if (!added) break;
  }
  std::vector<StoryStep> result;
  for (auto& [sequence, step] : steps) {
    if (!result.empty()) {
      step.rate = RateBetween(SaturatedMinus(step.files, result.back().files),
                              SaturatedMinus(step.active_ns, result.back().active_ns));
    }
    result.push_back(std::move(step));
  }
  return result;
}

std::vector<double> RateCurve(const std::vector<StoryStep>& steps, std::size_t points) {
  if (steps.size() < 2 || points == 0 || steps.back().active_ns <= steps.front().active_ns) return {};
  const auto begin = static_cast<double>(steps.front().active_ns);
  const double part = (static_cast<double>(steps.back().active_ns) - begin) / static_cast<double>(points);
  std::vector<double> rates;
  double before = static_cast<double>(steps.front().files);
  for (std::size_t i = 1; i <= points; ++i) {
    const double files =
        i == points ? static_cast<double>(steps.back().files) : FilesAt(steps, begin + part * static_cast<double>(i));
    rates.push_back(std::max(0.0, (files - before) * 1e9 / part));
    before = files;
  }
  return rates;
}

}  // namespace foldlog
