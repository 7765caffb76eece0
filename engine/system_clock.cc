#include "foldlog/system_clock.h"

#include <time.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string>

#include "engine/base/process.h"
#include "engine/seconds.h"

namespace foldlog {
namespace {

constexpr TimeNs kMillisecond = 1'000'000;

// How long the wall clock runs before it is compared with the other one. A step forward is noticed within this time; a
// step back, or one further forward, at once. Reading both clocks for each event would double its cost.
constexpr TimeNs kCompareEvery = 100 * kMillisecond;

TimeNs Read(clockid_t clock) {
  struct timespec now = {};
  clock_gettime(clock, &now);  // cannot fail for clocks that the kernel has
  constexpr TimeNs kSecondsMax = std::numeric_limits<TimeNs>::max() / kNanosecondsPerSecond - 1;
  return std::min<TimeNs>(now.tv_sec, kSecondsMax) * kNanosecondsPerSecond + now.tv_nsec;  // no further than 2262
}

// How far this process's time since boot is ahead of the machine's: a container may have a time namespace.
TimeNs TimeNamespaceOffset() {
  const timespec offset = ReadBootTimeOffset();
  return offset.tv_sec * kNanosecondsPerSecond + offset.tv_nsec;
}

// A hash of the kernel's boot id; 0 means unknown, so no known boot gets it.
std::uint32_t IdOfThisBoot() {
  const std::string boot_id = ReadKernelBoot().id;
  if (boot_id.empty()) return 0;
  return std::max<std::uint32_t>(1, static_cast<std::uint32_t>(XXH3_64bits(boot_id.data(), boot_id.size())));
}

// Threads: one at a time. Invariant: boot_.at changes only if the clocks have moved apart by more than reading them can
// explain.
class Clocks {
 public:
  Moment Now() {
    const TimeNs now = Read(CLOCK_REALTIME);
    const bool compared_lately = now >= compared_at_ && now - compared_at_ < kCompareEvery;
    return compared_lately || boot_.id == 0 ? Moment{now, boot_} : Compare();
  }

 private:
  // Two clocks can't be read at the same instant, and the thread may lose its processor in between: the best of a few
  // tries counts.
  Moment Compare() {
    constexpr int kTries = 3;
    constexpr TimeNs kGoodGap = kMillisecond / 100;
    TimeNs wall = 0;
    TimeNs booted_at = 0;
    TimeNs gap = std::numeric_limits<TimeNs>::max();
    for (int tries = 0; tries < kTries && gap > kGoodGap; ++tries) {
      const TimeNs before = Read(CLOCK_BOOTTIME);
      const TimeNs now = Read(CLOCK_REALTIME);
      const TimeNs taken = Read(CLOCK_BOOTTIME) - before;
      if (taken >= gap) continue;
      gap = taken;
      wall = now;
      booted_at = now - (before + taken / 2 - offset_);
    }
    // A difference within the precision of the readings is ignored, because a boot that stays the same packs well.
    if (compared_at_ == kNever || std::abs(booted_at - boot_.at) > kMillisecond + gap) {
      boot_.at = (booted_at + kMillisecond / 2) / kMillisecond * kMillisecond;
    }
    compared_at_ = wall;
    return {wall, boot_};
  }

  static constexpr TimeNs kNever = std::numeric_limits<TimeNs>::max();

  const TimeNs offset_ = TimeNamespaceOffset();
  TimeNs compared_at_ = kNever;
  Boot boot_ = {.at = 0, .id = IdOfThisBoot()};
};

}  // namespace

std::function<Moment()> SystemClock() {
  return [clocks = Clocks()]() mutable { return clocks.Now(); };
}

}  // namespace foldlog
