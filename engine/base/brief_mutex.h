// A mutex for sections of some hundred nanoseconds that several threads want at once.

#ifndef FOLDLOG_BASE_BRIEF_MUTEX_H_
#define FOLDLOG_BASE_BRIEF_MUTEX_H_

#include <atomic>
#include <cstdint>

namespace foldlog {

// A thread that finds it held looks again for about as long as such a section takes a few times, and then sleeps: a
// sleep and a wake-up cost more than many sections. Who comes first is not served first: the next thread in line may
// not run at present, and all others would wait for it.
//
// Threads: any; as std::mutex, it is for the thread that locked it to unlock. Works with std::unique_lock.
class BriefMutex {
 public:
  void lock() {
    if (!try_lock()) LockPatiently();
  }

  bool try_lock() {
    std::uint32_t free = kFree;
    return state_.compare_exchange_strong(free, kHeld, std::memory_order_acquire, std::memory_order_relaxed);
  }

  void unlock() {
    if (state_.exchange(kFree, std::memory_order_release) == kWanted) state_.notify_one();
  }

 private:
  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kHeld = 1;
  static constexpr std::uint32_t kWanted = 2;  // held, and a thread may be asleep

  // A plain load each time, some three microseconds in all. No pause instruction: under a hypervisor it may give the
  // processor away.
  static constexpr int kLooks = 4000;

  [[gnu::noinline]] void LockPatiently() {
    for (int look = 0; look < kLooks; ++look) {
      if (state_.load(std::memory_order_relaxed) == kFree && try_lock()) return;
    }
    // From here on it is held as wanted, for this thread does not know whether others sleep, too.
    while (state_.exchange(kWanted, std::memory_order_acquire) != kFree) {
      state_.wait(kWanted, std::memory_order_relaxed);
    }
  }

  std::atomic<std::uint32_t> state_ = kFree;
};

}  // namespace foldlog

#endif  // FOLDLOG_BASE_BRIEF_MUTEX_H_
