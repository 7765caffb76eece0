// Signal handlers. Nothing here that is not async-signal-safe.

#include "tools/cli/signals.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <limits>

namespace foldlog::cli {
namespace {

std::atomic<int> stop_signal = 0;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler must not wait for a lock");

constexpr std::int64_t kAlarmMax = std::numeric_limits<std::int32_t>::max();  // in seconds, 68 years

void RequestStop(int signal_number) {
  int none = 0;
  stop_signal.compare_exchange_strong(none, signal_number);
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

void Handle(int signal_number) {
  struct sigaction action {};
  if (sigaction(signal_number, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) return;
  action = {};
  action.sa_handler = RequestStop;
  action.sa_flags = SA_RESTART;  // the log's own system calls go on; poll() ends nevertheless
  sigaction(signal_number, &action, nullptr);
}

}  // namespace

const std::atomic<int>& StopFlagOnSignals() {
  Handle(SIGINT);
  Handle(SIGTERM);
  Handle(SIGHUP);
  return stop_signal;
}

void StopAfter(std::chrono::seconds time) {
  Handle(SIGALRM);
  alarm(static_cast<unsigned>(std::min<std::int64_t>(time.count(), kAlarmMax)));
}

}  // namespace foldlog::cli
