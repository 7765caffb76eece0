// How many threads are of use.

#ifndef FOLDLOG_REPLAY_PROCESSORS_H_
#define FOLDLOG_REPLAY_PROCESSORS_H_

#include <sched.h>

#include <algorithm>

namespace foldlog {

// The processors that this process may use.
inline int ProcessorsAllowed() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  return std::max(1, CPU_COUNT(&allowed));
}

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_PROCESSORS_H_
