// Waiting for a word to change: nobody is forgotten, in this process or another, and a signal ends a wait.

#include "engine/base/futex.h"

#include <pthread.h>
#include <sys/mman.h>

#include <csignal>
#include <new>
#include <thread>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

// Waits without end for a wake-up that was forgotten.
constexpr std::chrono::hours kForEver{1};

void AwaitChange(const Futex& futex, std::uint32_t seen) {
  while (futex.wake_count() == seen) futex.Wait(seen, kForEver);
}

TEST(FutexTest, WakeThatCameBeforeTheWaitIsNotMissed) {
  Futex futex;
  const std::uint32_t seen = futex.wake_count();
  futex.Wake();
  EXPECT_NE(futex.wake_count(), seen);
  EXPECT_TRUE(futex.Wait(seen, kForEver));
}

TEST(FutexTest, WakeEndsTheWaitsOfAllThreads) {
  Futex futex;
  const std::uint32_t seen = futex.wake_count();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { AwaitChange(futex, seen); });
  futex.Wake();
  for (std::thread& thread : threads) thread.join();
}

TEST(FutexTest, WaitEndsWithItsTime) {
  const Futex futex;
  EXPECT_TRUE(futex.Wait(futex.wake_count(), std::chrono::milliseconds(1)));
}

TEST(FutexTest, WakingOnlyThoseWhoWaitChangesNothing) {
  const Futex futex;
  const std::uint32_t seen = futex.wake_count();
  std::atomic<bool> woken = false;
  std::thread waiting([&] {
    futex.Wait(seen, kForEver);
    woken = true;
  });
  while (!woken) futex.WakeWaiting();  // it may not have begun to wait
  waiting.join();
  EXPECT_EQ(futex.wake_count(), seen);
}

TEST(FutexTest, SignalThatWasHandledEndsAWait) {
  struct sigaction handled = {};
  handled.sa_handler = [](int) {};
  struct sigaction before = {};
  ASSERT_EQ(sigaction(SIGUSR1, &handled, &before), 0);
  const Futex futex;
  std::atomic<bool> told = false;
  std::thread waiting([&] {
    while (futex.Wait(futex.wake_count(), kForEver)) {
    }
    told = true;
  });
  while (!told) {
    pthread_kill(waiting.native_handle(), SIGUSR1);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  waiting.join();
  sigaction(SIGUSR1, &before, nullptr);
}

TEST(FutexTest, WakeReachesAnotherProcess) {
  void* shared = mmap(nullptr, sizeof(Futex), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto* futex = new (shared) Futex;
  const std::uint32_t seen = futex->wake_count();
  Helper helper([&] {
    AwaitChange(*futex, seen);
    return 5;
  });
  futex->Wake();
  EXPECT_EQ(WEXITSTATUS(helper.Wait()), 5);
  munmap(shared, sizeof(Futex));
}

}  // namespace
}  // namespace foldlog
