// The system's clocks, as events record them.

#ifndef FOLDLOG_SYSTEM_CLOCK_H_
#define FOLDLOG_SYSTEM_CLOCK_H_

#include <functional>

#include "foldlog/event.h"

namespace foldlog {

// The wall clock, and beside it the time since the machine booted, which nobody can set. What is returned may be asked
// by one thread at a time, and costs little more than the wall clock alone: it remembers how far the two are apart.
std::function<Moment()> SystemClock();

}  // namespace foldlog

#endif  // FOLDLOG_SYSTEM_CLOCK_H_
