// Steps stand where time was spent, and the curve shows the rates between them.

#include "foldlog/history.h"
#include "foldlog/operation_story.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

constexpr TimeNs kSecond = 1'000'000'000;

StoryStep Step(std::int64_t seconds, std::int64_t files) {
  return {.sequence = static_cast<Sequence>(seconds + 1), .files = files, .active_ns = seconds * kSecond};
}

TEST(StorySteps, TheCurveIsOfEqualPartsOfTheTimeAtWork) {
  // Ten files a second, then none, then five.
  const std::vector<StoryStep> steps = {Step(0, 0), Step(10, 100), Step(20, 100), Step(40, 200)};
  EXPECT_EQ(RateCurve(steps, 4), (std::vector<double>{10, 0, 5, 5}));
  EXPECT_EQ(RateCurve(steps, 1), (std::vector<double>{5}));
  EXPECT_EQ(RateCurve(steps, 8).size(), 8u);
}

TEST(StorySteps, ThereIsNoCurveWithoutTime) {
  EXPECT_TRUE(RateCurve({}, 10).empty());
  EXPECT_TRUE(RateCurve({Step(0, 5)}, 10).empty());
  EXPECT_TRUE(RateCurve({Step(3, 0), Step(3, 5)}, 10).empty());
  EXPECT_TRUE(RateCurve({Step(0, 0), Step(3, 5)}, 0).empty());
}

TEST(StorySteps, FilesThatGoDownAreNoRate) {
  EXPECT_EQ(RateCurve({Step(0, 0), Step(10, 100), Step(20, 50)}, 2), (std::vector<double>{10, 0}));
}

// A second an event, and in the midst one that took a thousand.
std::unique_ptr<EventLog> LogWithAHalt() {
  std::vector<Event> events = {{0, 1, Started{.operation_id = "a"}}};
  for (std::int64_t i = 1; i <= 400; ++i) {
    const TimeNs time = (i + (i >= 123 ? 1000 : 0)) * kSecond;
    events.push_back({time, 1, Checkpoint{.files_processed = 10 * i}});
  }
  std::unique_ptr<EventLog> log = NewMemoryLog();
  EXPECT_OK(log->Append(RunAfter(log->Extent()->end, events), Space::kUnreserved));
  return log;
}

TEST(StorySteps, WhereTimeWasSpentTheyAreClose) {
  const auto log = LogWithAHalt();
  const HistoryEntry entry = *ResolveOperation(*log, "a");
  ASSERT_OK_AND_ASSIGN(const std::vector<StoryStep> steps, StoryStepsOf(*log, entry.operation, 20));
  ASSERT_EQ(steps.size(), 20u);
  std::int64_t longest = 0;
  Sequence events = 0;
  for (std::size_t i = 1; i < steps.size(); ++i) {
    const std::int64_t took = steps[i].active_ns - steps[i - 1].active_ns;
    if (took > longest) longest = took, events = steps[i].sequence - steps[i - 1].sequence;
    EXPECT_DOUBLE_EQ(steps[i].rate,
                     static_cast<double>(steps[i].files - steps[i - 1].files) * 1e9 / static_cast<double>(took));
  }
  EXPECT_EQ(longest, 1001 * kSecond);
  EXPECT_EQ(events, 1u);
}

TEST(StorySteps, AnOperationOfFewEventsHasAStepForEach) {
  const auto log = LogWithAHalt();
  Operation operation = ResolveOperation(*log, "a")->operation;
  operation.last_sequence = 5;
  EXPECT_EQ(StoryStepsOf(*log, operation, 20)->size(), 5u);
  operation.last_sequence = 1;
  EXPECT_EQ(StoryStepsOf(*log, operation, 20)->size(), 1u);
}

}  // namespace
}  // namespace foldlog
