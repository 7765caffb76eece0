// When events happened, whatever the clocks said.

#include "replay/time_line.h"

#include <algorithm>
#include <limits>
#include <map>

#include "foldlog/replayer.h"
#include "tests/support/clocked_engine.h"
#include "tests/support/indexed_log.h"
#include "tests/support/other_index.h"
#include "tests/support/random_log.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

class TimeLineTest : public ClockedEngineTest {
 protected:
  Sequence LastBy(TimeNs time) { return StateAtTime(engine_->log(), time, now_.time)->sequence; }
};

TEST_F(TimeLineTest, OneEventStampedInTheFutureHidesNothing) {
  Start();                       // 1
  Pass(10 * kSecond), Files(1);  // 2
  Pass(10 * kSecond);
  SetClock(73 * 365 * 24 * kHour);
  Files(1);  // 3: 2099
  SetClock(-73 * 365 * 24 * kHour);
  Pass(10 * kSecond), Files(1);  // 4
  const std::map<TimeNs, Sequence> last_at = {{-1, 0}, {0, 1}, {10, 2}, {19, 2}, {20, 3}, {29, 3}, {30, 4}, {999, 4}};
  for (const auto& [seconds, last] : last_at) EXPECT_EQ(LastBy(kNow + seconds * kSecond), last) << seconds;
}

TEST_F(TimeLineTest, LastEventStampedInTheFutureHidesNothing) {
  Start();
  Pass(10 * kSecond), Files(1);
  Pass(10 * kSecond);
  const Moment present = now_;
  SetClock(73 * 365 * 24 * kHour);
  Files(1);
  now_ = present;
  EXPECT_EQ(LastBy(kNow), 1u);
  EXPECT_EQ(LastBy(kNow + 10 * kSecond), 2u);
  EXPECT_EQ(LastBy(kNow + 20 * kSecond), 3u) << "by the boot's clock as it was before";
}

TEST_F(TimeLineTest, BootInTheFutureHidesNothingOfTheNext) {
  SetClock(kHour);
  Start();
  Pass(10 * kSecond), Files(1);
  Reboot(-kHour);
  Recover();                     // 3
  Pass(10 * kSecond), Files(1);  // 4
  EXPECT_EQ(LastBy(now_.time - 11 * kSecond), 0u);
  EXPECT_EQ(LastBy(now_.time - 10 * kSecond), 3u);
  EXPECT_EQ(LastBy(now_.time), 4u);
}

TEST_F(TimeLineTest, EventsBeforeAClockWasSetRightHappenedWhenTheyDid) {
  now_ = {kSecond, {.at = 0, .id = 1}};  // 1970, as machines without a battery begin
  Start();                               // 1
  Pass(10 * kSecond), Files(1);          // 2
  SetClock(kNow);
  Pass(10 * kSecond), Files(1);  // 3
  EXPECT_EQ(LastBy(kHour), 0u) << "nothing happened in 1970";
  EXPECT_EQ(LastBy(kNow), 0u);
  EXPECT_EQ(LastBy(kNow + 1 * kSecond), 1u);
  EXPECT_EQ(LastBy(kNow + 11 * kSecond), 2u);
  EXPECT_EQ(LastBy(kNow + 21 * kSecond), 3u);
}

TEST_F(TimeLineTest, ImportHappenedWhenItWasDone) {
  Start();
  ASSERT_OK(engine_->Reset());  // 2
  Pass(10 * kSecond);
  ASSERT_OK(Import(*engine_, {"initial", "paused", R"({"errors": [{"error": "x", "timestamp": 5}]})", 1000, 1100, {}}));
  EXPECT_EQ(state().sequence, 3u);
  EXPECT_EQ(LastBy(1100 * kSecond), 0u);
  EXPECT_EQ(LastBy(kNow), 2u);
  EXPECT_EQ(LastBy(kNow + 9 * kSecond), 2u);
  EXPECT_EQ(LastBy(kNow + 10 * kSecond), 3u);
}

// Whatever the clocks do, a later time never gives an earlier state, and the end is reached by now.
TEST_F(TimeLineTest, LaterTimesGiveLaterStatesWhateverTheClocksDo) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 30; ++round) {
    Start();
    std::vector<TimeNs> times;
    for (int i = 0; i < 30; ++i) {
      Pass(static_cast<TimeNs>(random() % 100) * kSecond);
      if (random() % 8 == 0) SetClock(static_cast<TimeNs>(random() % 2000) * kSecond - 1000 * kSecond);
      if (random() % 16 == 0) Reboot(kSecond);
      Files(1);
      times.push_back(now_.time);
    }
    std::sort(times.begin(), times.end());
    Sequence last = 0;
    for (const TimeNs time : times) {
      const Sequence by = LastBy(time);
      ASSERT_GE(by, last);
      last = by;
    }
    ASSERT_EQ(LastBy(std::numeric_limits<TimeNs>::max()), state().sequence);
    ASSERT_OK(engine_->Complete(handle_));
  }
}

TEST(TimeLine, AnswersByTheIndexAreThoseOfTheEvents) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 6; ++round) {
    IndexedLog indexed;
    RandomLog events(random, 0);
    for (int batch = 0; batch < 8; ++batch) indexed.Store(events.Next(1 + random() % 60));
    if (random() % 2 == 0) indexed.Append(events.Next(20));
    const auto log = indexed.Read();
    for (const RecordedEvent& event : ReadAll(*log)) {
      const TimeNs time = event.event.time + static_cast<TimeNs>(random() % 3) - 1;
      const TimeNs now = events.state().seen.time;
      ASSERT_EQ(StateAtTime(*log, time, now)->sequence, StateAtTime(OtherIndex(*log), time, now)->sequence) << time;
    }
  }
}

TEST(TimeLine, ReadsOnlyTheBatchThatHoldsTheTime) {
  IndexedLog indexed;
  const auto progress = [](TimeNs time) { return Event{time, 1, Checkpoint{.files_processed = time}}; };
  indexed.Store({{10, 1, Started{.operation_id = "a"}}, progress(11)});
  for (TimeNs time = 20; time < 100; time += 10) indexed.Store({progress(time), progress(time + 5)});
  const auto log = indexed.Read();
  const OtherIndex counted(*log, [](IndexTable, IndexRow&) { return true; });
  ASSERT_OK_AND_ASSIGN(const TimeLine line, TimeLine::Of(counted, 1000));
  EXPECT_EQ(counted.reads, 0);
  EXPECT_EQ(*line.LastBy(1000), 18u);
  EXPECT_EQ(*line.LastBy(29), 4u);
  EXPECT_EQ(*line.LastBy(9), 0u);
  EXPECT_EQ(counted.reads, 0);
  EXPECT_EQ(*line.LastBy(24), 3u);
  EXPECT_EQ(counted.reads, 1);
}

}  // namespace
}  // namespace foldlog
