// Rates, and the time since the last progress.

#include "replay/report/pulse.h"

#include <algorithm>

#include "engine/base/saturated.h"

namespace foldlog::report {

bool IsAtWork(const Operation& operation, const LogView& view) {
  return operation.status == OperationStatus::kInProgress && view.IsAbout(operation) && !view.interrupted;
}

double RateAhead(const Operation& operation, bool at_work) {
  const double recent = at_work ? RecentRate(operation) : 0.0;
  return recent > 0 ? recent : MeanRate(operation);
}

std::optional<double> SecondsLeft(std::int64_t files_total, std::int64_t files_done, double files_per_s) {
  constexpr double kSecondsMax = 1e9;  // three decades, and in nanoseconds it still fits
  const double seconds = (static_cast<double>(files_total) - static_cast<double>(files_done)) / files_per_s;
  if (!(files_per_s > 0 && seconds > 0 && seconds <= kSecondsMax)) return std::nullopt;
  return seconds;
}

std::optional<std::int64_t> IdleNs(const LogView& view, const Moment& now) {
  if (view.state.status() != OperationStatus::kInProgress) return std::nullopt;
  const TimeNs last = SaturatedPlus(view.state.operation->last_progress_at, ClockStepNs(view.state.seen, now));
  return std::max<std::int64_t>(0, SaturatedMinus(now.time, last));
}

bool IsStalled(const LogView& view, const Moment& now, std::int64_t stalled_after_ns) {
  const std::optional<std::int64_t> idle = IdleNs(view, now);
  return idle && *idle > stalled_after_ns;
}

}  // namespace foldlog::report
