// A mutex for brief sections: one thread at a time, and whoever waits long sleeps and is not forgotten.

#include "engine/base/brief_mutex.h"

#include <chrono>
#include <ctime>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/support/test_support.h"

namespace foldlog {
namespace {

std::chrono::nanoseconds ProcessorTimeOfThread() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

TEST(BriefMutexTest, ThreadsTakeTurns) {
  constexpr int kThreads = 4;
  constexpr int kTurns = 50'000;
  BriefMutex mutex;
  int turns = 0;  // not atomic: a turn that another thread shares would be lost
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int turn = 0; turn < kTurns; ++turn) {
        const std::lock_guard lock(mutex);
        ++turns;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(turns, kThreads * kTurns);
}

TEST(BriefMutexTest, IsNotTakenTwice) {
  BriefMutex mutex;
  EXPECT_TRUE(mutex.try_lock());
  EXPECT_FALSE(mutex.try_lock());
  mutex.unlock();
  EXPECT_TRUE(mutex.try_lock());
  mutex.unlock();
}

TEST(BriefMutexTest, LongWaitsAreSleptThroughAndEndForAll) {
  constexpr int kThreads = 3;
  BriefMutex mutex;
  std::unique_lock held(mutex);
  std::vector<std::chrono::nanoseconds> taken(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const std::lock_guard lock(mutex);
      taken[i] = ProcessorTimeOfThread();
    });
  }
  constexpr std::chrono::milliseconds kLong{500};
  std::this_thread::sleep_for(kLong);
  held.unlock();
  for (std::thread& thread : threads) thread.join();
  for (const std::chrono::nanoseconds time : taken) EXPECT_LT(time, kLong / 2);
}

}  // namespace
}  // namespace foldlog
