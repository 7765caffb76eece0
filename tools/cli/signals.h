// The one global of this program: the flag that signals to stop set.

#ifndef FOLDLOG_CLI_SIGNALS_H_
#define FOLDLOG_CLI_SIGNALS_H_

#include <atomic>
#include <chrono>

namespace foldlog::cli {

// From now on the first SIGINT, SIGTERM or SIGHUP sets the flag to its number, for the program to end its work in good
// order; a SIGINT or SIGTERM after that ends it at once. A signal that was ignored when the program was started, as
// under nohup, stays ignored.
const std::atomic<int>& StopFlagOnSignals();

// The flag is set to SIGALRM when so much time has passed, unless it is set already.
void StopAfter(std::chrono::seconds time);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_SIGNALS_H_
