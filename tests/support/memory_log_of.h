// Logs in memory that hold given events, and a short way to write those.

#ifndef FOLDLOG_TESTS_SUPPORT_MEMORY_LOG_OF_H_
#define FOLDLOG_TESTS_SUPPORT_MEMORY_LOG_OF_H_

#include <memory>
#include <utility>
#include <vector>

#include "foldlog/memory_log.h"
#include "tests/support/test_support.h"

namespace foldlog {

inline constexpr TimeNs kSecond = 1'000'000'000;

inline Event At(TimeNs seconds, Epoch epoch, EventBody body) { return {seconds * kSecond, epoch, std::move(body), {}}; }

inline std::unique_ptr<EventLog> LogOf(const std::vector<Event>& events) {
  std::unique_ptr<EventLog> log = NewMemoryLog();
  EXPECT_OK(log->Append(RunAfter(log->Extent()->end, events), Space::kUnreserved));
  return log;
}

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_MEMORY_LOG_OF_H_
