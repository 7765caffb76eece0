// The one global of this program: the flag that SIGINT and SIGTERM set.

#ifndef FOLDLOG_CLI_SIGNALS_H_
#define FOLDLOG_CLI_SIGNALS_H_

#include <atomic>

namespace foldlog::cli {

// From now on the first SIGINT or SIGTERM sets the flag to its number, for the program to end its work in good order;
// the second one ends it at once. A signal that was ignored when the program was started, as under nohup, stays
// ignored.
const std::atomic<int>& StopFlagOnSignals();

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_SIGNALS_H_
