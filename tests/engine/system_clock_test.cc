// The system's clocks, on kernel clocks that the test sets: time that passed is told from a clock that was set.

#include <time.h>

#include <functional>

#include "tests/support/test_support.h"

namespace foldlog {
namespace {

constexpr TimeNs kMillisecond = 1'000'000;
constexpr TimeNs kSecond = 1000 * kMillisecond;

struct FakeClocks {
  TimeNs wall = 1'700'000'000 * kSecond;
  TimeNs since_boot = 5000 * kSecond;
  int boot_readings = 0;
  TimeNs each_reading_takes = 100;

  void Pass(TimeNs time) { wall += time, since_boot += time; }
};

FakeClocks* fake = nullptr;

}  // namespace
}  // namespace foldlog

extern "C" int __real_clock_gettime(clockid_t clock, struct timespec* now);

extern "C" int __wrap_clock_gettime(clockid_t clock, struct timespec* now) {
  using foldlog::fake;
  if (fake == nullptr || (clock != CLOCK_REALTIME && clock != CLOCK_BOOTTIME)) return __real_clock_gettime(clock, now);
  fake->Pass(fake->each_reading_takes);
  if (clock == CLOCK_BOOTTIME) ++fake->boot_readings;
  const foldlog::TimeNs time = clock == CLOCK_BOOTTIME ? fake->since_boot : fake->wall;
  *now = {.tv_sec = time / foldlog::kSecond, .tv_nsec = time % foldlog::kSecond};
  return 0;
}

namespace foldlog {
namespace {

class SystemClockTest : public testing::Test {
 protected:
  SystemClockTest() { fake = &clocks_; }
  ~SystemClockTest() override { fake = nullptr; }

  FakeClocks clocks_;
  const std::function<Moment()> clock_ = SystemClock();
};

TEST_F(SystemClockTest, TimeSinceBootIsTheKernels) {
  const Moment now = clock_();
  EXPECT_NE(now.boot.id, 0u);
  EXPECT_NEAR(static_cast<double>(now.time - now.boot.at), static_cast<double>(clocks_.since_boot), 2 * kMillisecond);
  EXPECT_EQ(now.boot.at % kMillisecond, 0) << "whole milliseconds";
}

TEST_F(SystemClockTest, BootIsTheSameWhileNobodySetsTheClock) {
  std::mt19937_64 random(TestSeed());
  const Moment first = clock_();
  for (int i = 0; i < 1000; ++i) {
    clocks_.Pass(static_cast<TimeNs>(random() % (3 * kSecond)));
    clocks_.each_reading_takes = static_cast<TimeNs>(random() % (5 * kMillisecond));  // a machine that is overloaded
    ASSERT_EQ(clock_().boot, first.boot) << "reading " << i;
  }
}

TEST_F(SystemClockTest, StepBackAndStepFurtherThanTheIntervalAreSeenAtOnce) {
  for (const TimeNs step : {-kMillisecond * 3, -3600 * kSecond, 101 * kMillisecond, 86400 * kSecond}) {
    const Moment before = clock_();
    clocks_.wall += step;
    const Moment after = clock_();
    EXPECT_NEAR(static_cast<double>(after.boot.at - before.boot.at), static_cast<double>(step), 2 * kMillisecond);
    EXPECT_EQ(after.boot.id, before.boot.id);
  }
}

TEST_F(SystemClockTest, SmallerStepForwardIsSeenWithinTheInterval) {
  const Moment before = clock_();
  clocks_.wall += 50 * kMillisecond;
  EXPECT_EQ(clock_().boot, before.boot);
  clocks_.Pass(100 * kMillisecond);
  EXPECT_NEAR(static_cast<double>(clock_().boot.at - before.boot.at), 50.0 * kMillisecond, 2 * kMillisecond);
}

TEST_F(SystemClockTest, OtherClockIsReadAFewTimesASecondOnly) {
  clock_();
  clocks_.boot_readings = 0;
  for (int i = 0; i < 10'000; ++i) clock_();
  EXPECT_EQ(clocks_.boot_readings, 0);
}

TEST_F(SystemClockTest, EveryEventOfAnEngineHasItsBoot) {
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(NewWritableMemoryLog()));
  ASSERT_OK_AND_ASSIGN(OperationHandle handle, engine->Start({}));
  ASSERT_OK(engine->Checkpoint(handle, {.files_processed = 1}));
  ASSERT_OK(engine->Checkpoint(handle, {.files_processed = 1, .error = FileError{.path = "p", .message = "m"}}));
  ASSERT_OK(engine->Pause(handle));
  ASSERT_OK_AND_ASSIGN(handle, engine->Resume(handle.operation_id));
  ASSERT_OK_AND_ASSIGN(handle, engine->RecoverByForce(handle.operation_id, "r"));
  ASSERT_OK(engine->Complete(handle));
  ASSERT_OK(engine->Clear());
  ASSERT_OK(Import(*engine, {"initial", "in_progress", "{}", 1, 2, {}}));
  ASSERT_OK(engine->Reset());
  const Boot boot = clock_().boot;
  for (const RecordedEvent& event : ReadAll(engine->log())) EXPECT_EQ(event.event.boot, boot) << event.sequence;
}

}  // namespace
}  // namespace foldlog
