// Parts that are read ahead come in the order in which they were planned, each with what a reader alone finds in it.

#include "replay/read_ahead.h"

#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <vector>

#include "foldlog/memory_log.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

constexpr Sequence kEvents = 3000;
constexpr Sequence kPartEvents = 10;

class ReadAheadTest : public testing::Test {
 protected:
  ReadAheadTest() {
    std::vector<Event> events;
    for (Sequence i = 1; i <= kEvents; ++i) events.push_back(CheckpointEvent(static_cast<TimeNs>(i)));
    run_ = RunAfter(log_->Extent()->end, events);
  }

  void Store() { ASSERT_OK(log_->Append(run_, Space::kUnreserved)); }

  // Plans as many parts as are wanted.
  void Plan(ReadAhead& ahead) {
    for (; ahead.WantsMore() && planned_ < kEvents; planned_ += kPartEvents) {
      ahead.Plan({.range = {planned_ + 1, planned_ + kPartEvents}, .batch = planned_ + 1});
    }
  }

  std::unique_ptr<EventLog> log_ = NewMemoryLog();
  FrameRun run_;
  const EventFilter filter_ = {};
  Sequence planned_ = 0;
};

TEST_F(ReadAheadTest, PartsComeInTheirOrderWithAllTheirEvents) {
  Store();
  for (const int jobs : {1, 2, 5, 0}) {
    planned_ = 0;
    ReadAhead ahead(*log_, filter_, Order::kOldestFirst, jobs);
    Sequence next = 1;
    for (Plan(ahead); !ahead.empty(); Plan(ahead)) {
      const auto [part, found] = ahead.Take();
      EXPECT_EQ(part.range.from, next);
      ASSERT_OK(found.failure);
      for (const FoundEvent& event : found.events) ASSERT_EQ(event.event->event.sequence, next++);
    }
    EXPECT_EQ(next, kEvents + 1);
  }
}

TEST_F(ReadAheadTest, ShortQuestionsReadNothingInVain) {
  Store();
  ReadAhead ahead(*log_, filter_, Order::kOldestFirst, 2);
  Plan(ahead);
  EXPECT_EQ(planned_, kPartEvents);
  for (int i = 0; i < 20; ++i) {
    ahead.Take();
    Plan(ahead);
  }
  EXPECT_GT(planned_, 25 * kPartEvents);
  EXPECT_LT(planned_, 40 * kPartEvents);
}

TEST_F(ReadAheadTest, DamageComesWithItsPartOnly) {
  run_.words[run_.words.size() / 2 + kFrameHeaderWords] ^= 1;
  Store();
  ReadAhead ahead(*log_, filter_, Order::kOldestFirst, 3);
  int failures = 0;
  Sequence events = 0;
  for (Plan(ahead); !ahead.empty(); Plan(ahead)) {
    const auto [part, found] = ahead.Take();
    failures += found.failure.ok() ? 0 : 1;
    events += found.events.size();
    if (found.failure.ok()) continue;
    EXPECT_NEAR(static_cast<double>(part.range.from), kEvents / 2.0, 2.0 * kPartEvents);
  }
  EXPECT_EQ(failures, 1);
  EXPECT_GE(events, kEvents - kPartEvents);
}

TEST_F(ReadAheadTest, CanBeGivenUpAtAnyTime) {
  Store();
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 100; ++round) {
    planned_ = 0;
    ReadAhead ahead(*log_, filter_, Order::kOldestFirst, 3);
    Plan(ahead);
    for (std::uint64_t parts = random() % 20; parts > 0; --parts) {
      ahead.Take();
      Plan(ahead);
    }
  }
}

TEST_F(ReadAheadTest, ChildOfForkWaitsForNoThread) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the thread sanitizer's own locks do not survive fork() beside threads";
#endif
  Store();
  auto ahead = std::make_unique<ReadAhead>(*log_, filter_, Order::kOldestFirst, 2);
  for (int i = 0; i < 10; ++i) {
    Plan(*ahead);
    ahead->Take();
  }
  Plan(*ahead);
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    while (!ahead->empty()) ahead->Take();
    ahead.reset();
    _exit(7);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
  EXPECT_EQ(ahead->Take().found.events.size(), kPartEvents);
}

}  // namespace
}  // namespace foldlog
