// The system's clocks, as events record them.
//
//   std::function<Moment()> clock = SystemClock();
//   const Moment begin = clock();

#ifndef FOLDLOG_SYSTEM_CLOCK_H_
#define FOLDLOG_SYSTEM_CLOCK_H_

#include <functional>

#include "foldlog/event.h"

namespace foldlog {

// The wall clock, and with it the time since the machine booted, which nobody can set. The result costs little more
// than the wall clock alone, because it remembers how far the two clocks are apart; so one thread at a time may call
// it, and two engines need a clock each. Never fails: what the system does not tell about its boot is left at 0.
std::function<Moment()> SystemClock();

}  // namespace foldlog

#endif  // FOLDLOG_SYSTEM_CLOCK_H_
