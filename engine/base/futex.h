// A word by which threads wait for something to change elsewhere: in their process or, if it lies in memory that they
// share, in another. A futex, because a condition variable neither works between processes that do not trust each other
// nor tells of signals.

#ifndef FOLDLOG_BASE_FUTEX_H_
#define FOLDLOG_BASE_FUTEX_H_

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdint>
#include <ctime>

namespace foldlog {

// A word of zeros is one.
class Futex {
 public:
  // Tells everybody who waits that something has changed. A system call.
  void Wake() {
    count_.fetch_add(1, std::memory_order_release);
    WakeWaiting();
  }

  // Wakes current waiters only: a thread that is about to wait misses it. For readers, whose mapping is read-only.
  void WakeWaiting() const { syscall(SYS_futex, &count_, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0); }

  // Changes with each Wake(); taken before looking, it makes sure that nothing is missed by Wait().
  std::uint32_t wake_count() const { return count_.load(std::memory_order_acquire); }

  // Returns when Wake() is called, if it has not been since `seen` was taken; after `timeout`; or for no reason. False
  // if a signal was handled meanwhile.
  bool Wait(std::uint32_t seen, std::chrono::nanoseconds timeout) const {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    const timespec time{seconds.count(), (timeout - seconds).count()};
    return syscall(SYS_futex, &count_, FUTEX_WAIT, seen, &time, nullptr, 0) == 0 || errno != EINTR;
  }

 private:
  std::atomic<std::uint32_t> count_ = 0;
};
static_assert(sizeof(Futex) == sizeof(std::uint32_t) && std::atomic<std::uint32_t>::is_always_lock_free);

}  // namespace foldlog

#endif  // FOLDLOG_BASE_FUTEX_H_
