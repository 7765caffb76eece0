// Time: what passed and what the wall clock says are told apart, in the fold and in states of the past.

#include <algorithm>
#include <limits>
#include <map>

#include "foldlog/history.h"
#include "foldlog/replayer.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

constexpr TimeNs kSecond = 1'000'000'000;
constexpr TimeNs kHour = 3600 * kSecond;
constexpr TimeNs kNow = 1'767'323'045 * kSecond;  // 2026
constexpr TimeNs kLeast = std::numeric_limits<TimeNs>::min();
constexpr TimeNs kLargest = std::numeric_limits<TimeNs>::max();

// A machine with a wall clock that may be set, and an engine on it.
class ElapsedTest : public testing::Test {
 protected:
  ElapsedTest() {
    EngineOptions options;
    options.clock = [this] { return now_; };
    options.new_id = [this] { return "op-" + std::to_string(++ids_); };
    auto engine = Engine::Open(NewWritableMemoryLog(), std::move(options));
    EXPECT_OK(engine);
    engine_ = *std::move(engine);
  }

  void Pass(TimeNs time) { now_.time += time; }
  void SetClock(TimeNs by) { now_.time += by, now_.boot.at += by; }
  void Reboot(TimeNs off) {
    Pass(off);
    now_.boot = {.at = now_.time, .id = now_.boot.id + 1};
  }

  void Start() {
    auto handle = engine_->Start({.total_files = 1'000'000});
    ASSERT_OK(handle);
    handle_ = *handle;
  }
  void Files(std::int64_t files) {
    ASSERT_OK(
        engine_->Checkpoint(handle_, {.files_processed = files_ += files}, Durability::kInterval, Decrease::kAllowed));
  }
  void Resume() { Take(engine_->Resume(handle_.operation_id)); }
  void Recover() { Take(engine_->RecoverByForce(handle_.operation_id, "for the test")); }

  State state() const { return engine_->state(); }
  Operation operation() const { return *engine_->state().operation; }
  Sequence LastBy(TimeNs time) { return StateAtTime(engine_->log(), time, now_.time)->sequence; }

  Moment now_ = {kNow, {.at = kNow - kHour, .id = 1}};
  std::unique_ptr<Engine> engine_;
  OperationHandle handle_;
  std::int64_t files_ = 0;

 private:
  void Take(const absl::StatusOr<OperationHandle>& handle) {
    ASSERT_OK(handle);
    handle_ = *handle;
  }
  int ids_ = 0;
};

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
  ASSERT_OK(engine_->Fail(handle_, "no"));
  EXPECT_EQ(operation().active_ns, kSecond);
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
  ASSERT_OK(engine_->Import({"initial", "in_progress", data, 1000, 1100, {}}));
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

// ---- the state at a time
// ---------------------------------------------------------------------------------------------

TEST_F(ElapsedTest, OneEventStampedInTheFutureHidesNothing) {
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

TEST_F(ElapsedTest, LastEventStampedInTheFutureHidesNothing) {
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

TEST_F(ElapsedTest, BootInTheFutureHidesNothingOfTheNext) {
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

TEST_F(ElapsedTest, EventsBeforeAClockWasSetRightHappenedWhenTheyDid) {
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

TEST_F(ElapsedTest, ImportHappenedWhenItWasDone) {
  Start();
  ASSERT_OK(engine_->Reset());  // 2
  Pass(10 * kSecond);
  ASSERT_OK(engine_->Import({"initial", "paused", R"({"errors": [{"error": "x", "timestamp": 5}]})", 1000, 1100, {}}));
  EXPECT_EQ(state().sequence, 5u);
  EXPECT_EQ(LastBy(1100 * kSecond), 0u);
  EXPECT_EQ(LastBy(kNow), 2u);
  EXPECT_EQ(LastBy(kNow + 9 * kSecond), 2u);
  EXPECT_EQ(LastBy(kNow + 10 * kSecond), 5u) << "as a whole";
}

// Whatever the clocks do, a later time never gives an earlier state, and the end is reached by now.
TEST_F(ElapsedTest, LaterTimesGiveLaterStatesWhateverTheClocksDo) {
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
    ASSERT_EQ(LastBy(kLargest), state().sequence);
    ASSERT_OK(engine_->Complete(handle_));
  }
}

}  // namespace
}  // namespace foldlog
