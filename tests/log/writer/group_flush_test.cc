// Group commit by itself: whose flush covers whom, how many are at work at once, and what a failed one means.

#include "engine/log/writer/group_flush.h"

#include <atomic>
#include <filesystem>
#include <mutex>
#include <thread>

#include "tests/support/flush_faults.h"
#include "tests/support/writer_parts.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

class GroupFlushTest : public testing::Test {
 protected:
  ~GroupFlushTest() override {
    hold_flushes = false;
    for (std::thread& thread : threads_) thread.join();
    FailFlushes(0, 0);
  }

  Sequence Durable() { return parts_.progress().durable(); }

  // Lets a thread wait for `through`.
  void SyncAside(Sequence through) {
    threads_.emplace_back([this, through] {
      const absl::Status status = flush_.Sync(through);
      (status.ok() && Durable() >= through ? durable_ : refused_)++;
    });
  }

  const TempDir directory_;
  WriterParts parts_{directory_.path()};
  GroupFlush flush_{parts_.tail(), parts_.watched(), parts_.ring(), parts_.progress()};
  const int before_ = flush_count;
  std::vector<std::thread> threads_;
  std::atomic<int> durable_ = 0;  // threads whose events are
  std::atomic<int> refused_ = 0;
};

TEST_F(GroupFlushTest, OneFlushIsForAllThatIsInTheRing) {
  parts_.Append(3);
  ASSERT_OK(flush_.Sync(2));
  EXPECT_EQ(Durable(), 3u);
  EXPECT_EQ(flush_count - before_, 1);
  ASSERT_OK(flush_.Sync(3));
  EXPECT_EQ(flush_count - before_, 1);
  parts_.Append(1);
  ASSERT_OK(flush_.Sync(4));
  EXPECT_EQ(flush_count - before_, 2);
}

// A flush is held at work; all others wait for it. When it has ended, the next covers everybody.
TEST_F(GroupFlushTest, OneFlushIsAtWorkAtATimeAndTheNextCoversAllWhoWait) {
  hold_flushes = true;
  parts_.Append(1);
  SyncAside(1);
  ASSERT_TRUE(Eventually([&] { return flushes_at_work == 1; }));
  parts_.Append(10);
  for (Sequence through = 2; through <= 11; ++through) SyncAside(through);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // for a second flush to begin, if it could
  EXPECT_EQ(flush_count - before_, 1);
  EXPECT_EQ(Durable(), 0u);
  hold_flushes = false;
  ASSERT_TRUE(Eventually([&] { return durable_ == 11; }));
  EXPECT_EQ(flush_count - before_, 2);
}

TEST_F(GroupFlushTest, FlushIsNotCalledDurableBeforeItHasEnded) {
  hold_flushes = true;
  parts_.Append(1);
  SyncAside(1);
  ASSERT_TRUE(Eventually([&] { return flushes_at_work == 1; }));
  parts_.Append(1);  // not in time for that flush
  EXPECT_EQ(Durable(), 0u);
  hold_flushes = false;
  ASSERT_TRUE(Eventually([&] { return durable_ == 1; }));
  EXPECT_EQ(Durable(), 1u);
  EXPECT_EQ(parts_.tail().ReadClaims().claim, (TailClaim{.durable = 0, .flushing = 1}));
}

TEST_F(GroupFlushTest, FailedFlushStopsTheWriterAndIsNotTriedAgain) {
  parts_.Append(2);
  ASSERT_OK(flush_.Sync(2));
  parts_.Append(1);
  FailFlushes(1, EIO);
  const auto stopped =
      Fails(StatusCode::kUnavailable, AllOf(HasSubstr("tail"), HasSubstr("events up to 2 are durable")));
  EXPECT_THAT(flush_.Sync(3), stopped);
  EXPECT_THAT(parts_.progress().Check(), stopped);
  const int failed = flush_count;
  EXPECT_THAT(flush_.Sync(3), stopped);
  EXPECT_EQ(flush_count, failed) << "the kernel may have dropped what it could not write: a second one proves nothing";
  EXPECT_OK(flush_.Sync(2));
  EXPECT_EQ(Durable(), 2u);
}

TEST_F(GroupFlushTest, FailedFlushIsToldToAllWhoWaitForIt) {
  hold_flushes = true;
  parts_.Append(8);
  FailFlushes(1, EIO);
  for (Sequence through = 1; through <= 8; ++through) SyncAside(through);
  ASSERT_TRUE(Eventually([&] { return flushes_at_work >= 1; }));
  hold_flushes = false;
  ASSERT_TRUE(Eventually([&] { return refused_ == 8; }));
  EXPECT_EQ(Durable(), 0u);
}

TEST_F(GroupFlushTest, FlushOfAFileThatIsNoLongerTheLogsMakesNothingDurable) {
  parts_.Append(1);
  std::filesystem::remove(directory_ / "tail");
  EXPECT_THAT(flush_.Sync(1), Fails(StatusCode::kDataLoss, HasSubstr("was removed")));
  EXPECT_EQ(Durable(), 0u);
}

TEST_F(GroupFlushTest, EveryThreadOfManyIsTakenAlongHoweverTheyMeet) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 50;
  std::mutex appending;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < kThreads; ++t) {
    threads_.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        Sequence mine = 0;
        {
          const std::lock_guard lock(appending);
          parts_.Append(1);
          mine = parts_.ring().end_sequence();
        }
        if (!flush_.Sync(mine).ok() || Durable() < mine) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(flush_count - before_, kThreads * kRounds);
}

}  // namespace
}  // namespace foldlog
