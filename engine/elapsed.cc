// Time that passed, and what was done in it. Pure: the clocks' readings come from events.

#include <algorithm>
#include <cstdlib>

#include "engine/base/saturated.h"
#include "engine/seconds.h"
#include "foldlog/state.h"

namespace foldlog {
namespace {

// Less than what clock daemons correct by setting the clock, and more than two clocks can be read apart.
constexpr std::int64_t kClockStepMinNs = 100'000'000;

bool OfOneBoot(const Moment& a, const Moment& b) { return a.boot.id != 0 && a.boot.id == b.boot.id; }

std::int64_t SinceBootNs(const Moment& moment) { return SaturatedMinus(moment.time, moment.boot.at); }

double Rate(std::int64_t files, std::int64_t time_ns) {
  return files > 0 && time_ns > 0 ? static_cast<double>(files) / SecondsOf(time_ns) : 0.0;
}

}  // namespace

std::int64_t ElapsedNs(const Moment& earlier, const Moment& later) {
  if (OfOneBoot(earlier, later)) {
    return std::max<std::int64_t>(0, SaturatedMinus(SinceBootNs(later), SinceBootNs(earlier)));
  }
  const std::int64_t by_wall_clock = std::max<std::int64_t>(0, SaturatedMinus(later.time, earlier.time));
  if (earlier.boot.id == 0 || later.boot.id == 0) return by_wall_clock;
  return std::min(by_wall_clock, std::max<std::int64_t>(0, SinceBootNs(later)));
}

std::int64_t ClockStepNs(const Moment& earlier, const Moment& later) {
  const std::int64_t step = OfOneBoot(earlier, later)
                                ? SaturatedMinus(later.boot.at, earlier.boot.at)
                                : std::min<std::int64_t>(0, SaturatedMinus(later.time, earlier.time));
  return step >= kClockStepMinNs || step <= -kClockStepMinNs ? step : 0;
}

std::int64_t ActiveNs(const State& state, const Moment& now) {
  if (!state.operation) return 0;
  const std::int64_t active_ns = state.operation->active_ns;
  if (state.status() != OperationStatus::kInProgress) return active_ns;
  return SaturatedPlus(active_ns, ElapsedNs(state.seen, now));
}

double MeanRate(const Operation& operation) { return Rate(operation.files_processed, operation.active_ns); }

double RecentRate(const Operation& operation) {
  return Rate(SaturatedMinus(operation.files_processed, operation.recent_from.files),
              SaturatedMinus(operation.active_ns, operation.recent_from.active_ns));
}

}  // namespace foldlog
