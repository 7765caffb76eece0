// The thread that makes durable what nobody waits for: it comes to every event, sleeps when there is none, and ends
// when it is told to.

#include "engine/log/writer/interval_flush.h"

#include <chrono>
#include <memory>

#include "tests/support/flush_faults.h"
#include "tests/support/writer_parts.h"

namespace foldlog {
namespace {

using std::chrono::milliseconds;

class IntervalFlushTest : public testing::Test {
 protected:
  ~IntervalFlushTest() override {
    if (interval_) interval_->Stop();
    FailFlushes(0, 0);
  }

  void Start(milliseconds bound) {
    interval_ = std::make_unique<IntervalFlush>(parts_.ring(), flush_, parts_.progress(), bound);
    ASSERT_OK(interval_->Start());
  }
  void Append() {
    parts_.Append(1);
    interval_->NoteAppended();
  }
  Sequence Durable() { return parts_.progress().durable(); }
  Sequence Claimed() { return parts_.tail().ReadClaims().claim.durable; }

  const TempDir directory_;
  WriterParts parts_{directory_.path()};
  GroupFlush flush_{parts_.tail(), parts_.watched(), parts_.ring(), parts_.progress()};
  std::unique_ptr<IntervalFlush> interval_;
};

TEST_F(IntervalFlushTest, EventThatNobodyWaitsForBecomesDurable) {
  Start(milliseconds(20));
  for (Sequence last = 1; last <= 3; ++last) {
    Append();
    EXPECT_TRUE(Eventually([&] { return Durable() == last; }));
  }
}

// The thread falls asleep after each event: an append at any moment of that is still seen.
TEST_F(IntervalFlushTest, NoEventIsForgottenWhileTheThreadFallsAsleep) {
  Start(milliseconds(1));
  for (Sequence last = 1; last <= 100; ++last) {
    Append();
    ASSERT_TRUE(Eventually([&] { return Durable() == last; })) << last;
    std::this_thread::sleep_for(std::chrono::microseconds(last * 15));
  }
}

TEST_F(IntervalFlushTest, NothingIsFlushedWhereNothingIsAppended) {
  Start(milliseconds(5));
  Append();
  ASSERT_TRUE(Eventually([&] { return Claimed() == 1; }));
  EXPECT_EQ(Durable(), 1u);
  const int before = flush_count;
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(flush_count, before);
}

TEST_F(IntervalFlushTest, WhatAnotherThreadHasMadeDurableIsClaimedAndNotFlushedAgain) {
  Start(milliseconds(100));
  Append();
  ASSERT_OK(flush_.Sync(1));
  EXPECT_EQ(Claimed(), 0u) << "a flush claims what was durable before";
  const int before = flush_count;
  ASSERT_TRUE(Eventually([&] { return Claimed() == 1; }));
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_EQ(flush_count, before + 1);
}

TEST_F(IntervalFlushTest, StopEndsALongBoundAndFlushesNothing) {
  Start(std::chrono::hours(1));
  const int before = flush_count;
  Append();
  interval_->Stop();
  EXPECT_EQ(Durable(), 0u);
  EXPECT_EQ(flush_count, before);
}

TEST_F(IntervalFlushTest, ReadersAreToldOfEventsBeforeTheseAreDurable) {
  Start(std::chrono::hours(1));
  const std::uint32_t before = parts_.shared().wake_count();
  Append();
  EXPECT_TRUE(Eventually([&] { return parts_.shared().wake_count() > before; }));
  EXPECT_EQ(Durable(), 0u);
}

TEST_F(IntervalFlushTest, FailedFlushStopsTheWriterAndTheThreadRests) {
  FailFlushes(1, EIO);
  Start(milliseconds(5));
  Append();
  ASSERT_TRUE(Eventually([&] { return !parts_.progress().Check().ok(); }));
  const int failed = flush_count;
  Append();
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(flush_count, failed);
  EXPECT_EQ(Durable(), 0u);
}

}  // namespace
}  // namespace foldlog
