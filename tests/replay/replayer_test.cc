// The state of a log at any event and any time, and the events with the states that they led to.

#include "foldlog/replayer.h"

#include <map>

#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

class ReplayerTest : public testing::Test {
 protected:
  ReplayerTest() {
    const std::vector<Event> events = {{1, 1, Started{.operation_id = "a"}}, CheckpointEvent(5)};
    EXPECT_OK(log_->Append(RunAfter(log_->Extent()->end, events), Space::kUnreserved));
  }

  std::unique_ptr<EventLog> log_ = NewMemoryLog();
};

TEST_F(ReplayerTest, AskingBehindTheEndIsOutOfRange) {
  EXPECT_THAT(StateAt(*log_, 3), Fails(StatusCode::kOutOfRange, HasSubstr("ends with event 2")));
  EXPECT_THAT(Replayer::From(*log_, 9), Fails(StatusCode::kOutOfRange, testing::_));
}

TEST_F(ReplayerTest, GivesEachEventWithTheStateItLedTo) {
  for (const Sequence from : {0, 1, 2}) {
    ASSERT_OK_AND_ASSIGN(Replayer replayer, Replayer::From(*log_, from));
    ASSERT_OK_AND_ASSIGN(auto event, replayer.Next());
    while (event) {
      EXPECT_EQ(replayer.state(), *StateAt(*log_, event->sequence));
      ASSERT_OK_AND_ASSIGN(event, replayer.Next());
    }
    EXPECT_EQ(replayer.state().sequence, 2u);
  }
}

TEST(StateAtTime, IsTheStateAfterTheLastEventThatHadHappenedByThen) {
  EngineOptions options;
  options.clock = [times = std::vector<TimeNs>{10, 20, 15, 30}, next = 0u]() mutable { return times.at(next++); };
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(NewWritableMemoryLog(), options));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
  for (const std::int64_t files : {1, 2, 3}) ASSERT_OK(engine->Checkpoint(handle, {.files_processed = files}));
  const std::map<TimeNs, Sequence> last_at = {{9, 0}, {10, 1}, {14, 1}, {15, 3}, {20, 3}, {29, 3}, {30, 4}, {99, 4}};
  for (const auto& [time, last] : last_at) {
    ASSERT_OK_AND_ASSIGN(const State state, StateAtTime(engine->log(), time));
    EXPECT_EQ(state, *StateAt(engine->log(), last)) << time;
  }
}

}  // namespace
}  // namespace foldlog
