// Time: what passed and what the wall clock says are told apart.

#include <limits>

#include "tests/support/clocked_engine.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

constexpr TimeNs kLeast = std::numeric_limits<TimeNs>::min();
constexpr TimeNs kLargest = std::numeric_limits<TimeNs>::max();

using ElapsedTest = ClockedEngineTest;

// ---- how long it was at work
// -----------------------------------------------------------------------------------------

TEST_F(ElapsedTest, PausesAndInterruptionsAreNotTimeAtWork) {
  Start();
  Pass(10 * kSecond);
  Files(100);
  Pass(2 * kSecond);
  ASSERT_OK(engine_->Pause(handle_));
  Pass(10 * kHour);
  Resume();
  Pass(3 * kSecond);
  Files(30);
  Pass(5 * kHour);  // it died after the checkpoint
  Recover();
  Pass(4 * kSecond);
  ASSERT_OK(engine_->Complete(handle_));
  EXPECT_EQ(operation().active_ns, (10 + 2 + 3 + 4) * kSecond);
  EXPECT_EQ(operation().paused_ns, 10 * kHour);
}

TEST_F(ElapsedTest, RateAndTimeLeftDoNotCountTheHoursInWhichNothingRan) {
  Start();
  for (int i = 0; i < 100; ++i) Pass(kSecond), Files(10);
  ASSERT_OK(engine_->Pause(handle_));
  Pass(10 * kHour);
  Resume();
  EXPECT_DOUBLE_EQ(MeanRate(operation()), 10.0);
  EXPECT_DOUBLE_EQ(RecentRate(operation()), 10.0);
  Pass(kSecond);
  Files(10);
  EXPECT_DOUBLE_EQ(MeanRate(operation()), 10.0);
  EXPECT_DOUBLE_EQ(RecentRate(operation()), 10.0);
  EXPECT_LT(operation().rate, 0.1) << "the single row keeps its formula";
}

TEST_F(ElapsedTest, CheckpointsWhilePausedAreNotTimeAtWork) {
  Start();
  Pass(kSecond);
  ASSERT_OK(engine_->Pause(handle_));
  Pass(kHour);
  Files(5);
  EXPECT_EQ(operation().active_ns, kSecond);
  EXPECT_EQ(operation().paused_ns, kHour);
  Pass(kSecond);
  ASSERT_OK(engine_->Fail(handle_, "no"));
  EXPECT_EQ(operation().active_ns, kSecond);
  EXPECT_EQ(operation().paused_ns, kHour + kSecond);
}

TEST_F(ElapsedTest, RecentRateFollowsAChangeOfPaceAndTheMeanDoesNot) {
  Start();
  for (int i = 0; i < 3600; ++i) Pass(kSecond), Files(100);
  for (int i = 0; i < 120; ++i) Pass(kSecond), Files(2);
  EXPECT_DOUBLE_EQ(RecentRate(operation()), 2.0);
  EXPECT_GT(MeanRate(operation()), 90.0);
}

TEST_F(ElapsedTest, RecentRateOfSlowWorkIsOfSomeTwentyFilesAtLeast) {
  Start();
  for (int i = 0; i < 100; ++i) {  // now ten seconds a file, now fifty
    Pass((i % 2 == 0 ? 10 : 50) * kSecond);
    Files(1);
    if (i >= 40) {
      EXPECT_NEAR(RecentRate(operation()), 1.0 / 30, 0.002) << i;
    }
  }
}

TEST_F(ElapsedTest, CountThatGoesBackGivesNoRateThatIsNegative) {
  Start();
  for (int i = 0; i < 100; ++i) Pass(kSecond), Files(10);
  Pass(kSecond);
  Files(-900);
  EXPECT_GE(RecentRate(operation()), 0.0);
  for (int i = 0; i < 10; ++i) Pass(kSecond), Files(10);
  EXPECT_NEAR(RecentRate(operation()), 10.0, 0.01);
}

TEST_F(ElapsedTest, TimeAtWorkGoesOnUntilNowOnlyInProgress) {
  Start();
  Pass(kSecond);
  Files(1);
  Pass(7 * kSecond);
  EXPECT_EQ(ActiveNs(state(), now_), 8 * kSecond);
  ASSERT_OK(engine_->Pause(handle_));
  Pass(kHour);
  EXPECT_EQ(ActiveNs(state(), now_), 8 * kSecond);
  EXPECT_EQ(ActiveNs(State(), now_), 0);
}

TEST_F(ElapsedTest, ImportedOperationWasAtWorkFromItsStartToItsLastUpdate) {
  const std::string data = R"({"files_processed": 300, "started_at": 1000.0, "last_update": 1100.0})";
  ASSERT_OK(Import(*engine_, {"initial", "in_progress", data, 1000, 1100, {}}));
  EXPECT_EQ(operation().active_ns, 100 * kSecond);
  EXPECT_DOUBLE_EQ(MeanRate(operation()), 3.0);
  Pass(10 * kSecond);
  ASSERT_OK(engine_->Checkpoint(*engine_->current_handle(), {.files_processed = 350}));
  EXPECT_EQ(operation().active_ns, 110 * kSecond) << "the time since the import, not since the row's last update";
  EXPECT_DOUBLE_EQ(RecentRate(operation()), 5.0);
  EXPECT_EQ(operation().clock_steps, 0) << "the times in a row are no clock";
}

// ---- clocks that are set
// ---------------------------------------------------------------------------------------------

TEST_F(ElapsedTest, ClockThatWasSetDoesNotChangeWhatPassed) {
  for (const TimeNs step : {-24 * kHour, 24 * kHour, 20787 * 24 * kHour, -kSecond}) {
    Start();
    Pass(30 * kSecond);
    SetClock(step);
    Pass(30 * kSecond);
    files_ = 0;
    Files(60);
    ASSERT_OK(engine_->Complete(handle_));
    EXPECT_EQ(operation().active_ns, 60 * kSecond) << step;
    EXPECT_DOUBLE_EQ(MeanRate(operation()), 1.0) << step;
    EXPECT_EQ(operation().clock_steps, 1) << step;
    EXPECT_EQ(operation().clock_step_ns, step);
    EXPECT_EQ(operation().clock_step_sequence, state().sequence - 1);
    SetClock(-step);
  }
}

TEST_F(ElapsedTest, StepBetweenTwoOperationsIsNeithers) {
  Start();
  ASSERT_OK(engine_->Complete(handle_));
  SetClock(-kHour);
  Start();
  Pass(kSecond);
  Files(1);
  EXPECT_EQ(operation().clock_steps, 0);
}

TEST_F(ElapsedTest, RebootWithAClockAheadIsNoStepAndOneBehindIs) {
  Start();
  Reboot(kHour);
  Recover();
  EXPECT_EQ(operation().clock_steps, 0);
  Reboot(-2 * kHour);
  Recover();
  EXPECT_EQ(operation().clock_steps, 1);
  EXPECT_EQ(operation().clock_step_ns, -2 * kHour);
}

TEST(ElapsedNs, IsNeverNegativeAndNeverOverflows) {
  const Moment early{kLeast, {.at = kLargest, .id = 1}};
  const Moment late{kLargest, {.at = kLeast, .id = 1}};
  EXPECT_EQ(ElapsedNs(early, late), kLargest);
  EXPECT_EQ(ElapsedNs(late, early), 0);
  EXPECT_EQ(ElapsedNs(kLeast, kLargest), kLargest);
  EXPECT_EQ(ElapsedNs(kLargest, kLeast), 0);
  EXPECT_EQ(ClockStepNs(kLargest, kLeast), kLeast);
}

TEST(ElapsedNs, AfterARebootIsNotMoreThanTheNewBootHasLasted) {
  const Moment before{kNow, {.at = kNow - kHour, .id = 1}};
  const Moment after{kNow + 10 * kHour, {.at = kNow + 9 * kHour, .id = 2}};
  EXPECT_EQ(ElapsedNs(before, after), kHour);
  EXPECT_EQ(ElapsedNs(before, Moment(after.time)), 10 * kHour) << "of a boot that is not known, the wall clock counts";
}

}  // namespace
}  // namespace foldlog
