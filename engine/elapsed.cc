// Time that passed, and what was done in it. Pure: the clocks' readings come from events.

#include <algorithm>
#include <cstdlib>

#include "engine/base/saturated.h"
#include "engine/seconds.h"
#include "foldlog/state.h"

namespace foldlog {
namespace {

// A clock daemon that sets the clock corrects by more than this, and two clocks read one after the other differ by
// less.
constexpr std::int64_t kClockStepMinNs = 100'000'000;

// Id 0 means an unknown boot, which is not even the same as another unknown one.
bool OfOneBoot(const Moment& a, const Moment& b) { return a.boot.id != 0 && a.boot.id == b.boot.id; }

// Time since boot: the kernel counts it, and nobody can set it.
std::int64_t SinceBootNs(const Moment& moment) { return SaturatedMinus(moment.time, moment.boot.at); }

double Rate(std::int64_t files, std::int64_t time_ns) {
  return files > 0 && time_ns > 0 ? static_cast<double>(files) / SecondsOf(time_ns) : 0.0;
}

}  // namespace

// Within a boot the wall clock cancels out. Between boots it is all there is, but a clock that ran ahead cannot claim
// more than the later boot had lasted; of what passed before that boot, nothing is known.
std::int64_t ElapsedNs(const Moment& earlier, const Moment& later) {
  if (OfOneBoot(earlier, later)) {
    return std::max<std::int64_t>(0, SaturatedMinus(SinceBootNs(later), SinceBootNs(earlier)));
  }
  const std::int64_t by_wall_clock = std::max<std::int64_t>(0, SaturatedMinus(later.time, earlier.time));
  if (earlier.boot.id == 0 || later.boot.id == 0) return by_wall_clock;
  return std::min(by_wall_clock, std::max<std::int64_t>(0, SinceBootNs(later)));
}

std::int64_t ClockStepNs(const Moment& earlier, const Moment& later) {
  // Within a boot, its begin by the wall clock moves by as much as the clock was set. Between boots, only time that
  // runs backwards proves that the clock was set.
  const std::int64_t step = OfOneBoot(earlier, later)
                                ? SaturatedMinus(later.boot.at, earlier.boot.at)
                                : std::min<std::int64_t>(0, SaturatedMinus(later.time, earlier.time));
  return step >= kClockStepMinNs || step <= -kClockStepMinNs ? step : 0;
}

// The fold has counted up to the last event; what passed since then is added.
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
