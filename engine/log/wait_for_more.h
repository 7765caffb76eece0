// EventLog::WaitForMore(), as every adapter does it.

#ifndef FOLDLOG_LOG_WAIT_FOR_MORE_H_
#define FOLDLOG_LOG_WAIT_FOR_MORE_H_

#include <chrono>
#include <cstdint>

#include "absl/status/statusor.h"
#include "foldlog/event.h"

namespace foldlog {

// Waits until the log goes on behind `behind`, at most for `timeout`, and no longer than until the thread has handled a
// signal. Appending wakes `word`, a Futex or what waits like one; `end` gives the last sequence number, or an error.
template <typename Word, typename End>
absl::StatusOr<bool> WaitForMore(const Word& word, Sequence behind, std::chrono::milliseconds timeout, const End& end) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
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
