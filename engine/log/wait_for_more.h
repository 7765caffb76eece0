// EventLog::WaitForMore(), as every adapter does it.

#ifndef FOLDLOG_LOG_WAIT_FOR_MORE_H_
#define FOLDLOG_LOG_WAIT_FOR_MORE_H_

#include <chrono>
#include <cstdint>

#include "absl/status/statusor.h"
#include "foldlog/event.h"

namespace foldlog {

// Waits until the log has an event behind `behind`, for `timeout` at most, and returns early once the thread has
// handled a signal. Each append must wake `word`, a Futex or an object that waits like one. `end` returns the last
// sequence number, or an error, which ends the wait.
template <typename Word, typename End>
absl::StatusOr<bool> WaitForMore(const Word& word, Sequence behind, std::chrono::milliseconds timeout, const End& end) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    // Taken before the end is read: an append in between changes the count, and Wait() returns at once.
    const std::uint32_t seen = word.wake_count();
    const absl::StatusOr<Sequence> last = end();
    if (!last.ok()) return last.status();
    if (*last > behind) return true;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0 || !word.Wait(seen, left)) return false;
  }
}

}  // namespace foldlog

#endif  // FOLDLOG_LOG_WAIT_FOR_MORE_H_
