#include "tools/cli/event_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <variant>

#include "tests/support/test_support.h"

namespace foldlog::cli {
namespace {

TEST(EventSummary, KeepsTheBeginningOfLongTextsAndNoMemoryOfTheRest) {
  constexpr std::size_t kLong = std::size_t{1} << 20;
  const FileError huge{"/f", std::string(kLong, 'x'), "\"" + std::string(kLong, 'y') + "\""};
  const std::unique_ptr<EventLog> log = NewMemoryLog();
  ASSERT_OK(log->Append(RunAfter(log->Extent()->end, {{1, 1, Started{.operation_id = "a"}},
                                                      {2, 1, Checkpoint{.files_processed = 1, .error = huge}},
                                                      {3, 1, Failed{.error = std::string(kLong, 'z')}}}),
                        Space::kUnreserved));
  ASSERT_OK_AND_ASSIGN(const HistoryEntry entry, ResolveOperation(*log, "a"));
  ASSERT_OK_AND_ASSIGN(const EventSummary summary, ReadEventSummary(*log, entry));
  ASSERT_EQ(summary.errors.size(), 1u);
  ASSERT_EQ(summary.milestones.size(), 2u);
  const FileError& error = *std::get<Checkpoint>(summary.errors[0].event.event.body).error;
  const std::string& failure = std::get<Failed>(summary.milestones[1].event.event.body).error;
  EXPECT_THAT(error.message, testing::EndsWith("[cut, of 1048576 bytes]"));
  EXPECT_THAT(failure, testing::EndsWith("[cut, of 1048576 bytes]"));
  EXPECT_EQ(error.details, "");
  EXPECT_LT(error.message.capacity() + error.details.capacity() + failure.capacity(), kLong / 8);
}

}  // namespace
}  // namespace foldlog::cli
