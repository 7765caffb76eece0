// A word on which threads wait for a change elsewhere: in their process or, if the word lies in shared memory, in
// another. It is a futex, because a condition variable neither works between processes that do not trust each other nor
// reports signals.

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

// Threads: any. Zero bytes are a valid Futex.
class Futex {
 public:
  // Wakes every waiting thread after a change. A system call.
  void Wake() {
    count_.fetch_add(1, std::memory_order_release);
    WakeWaiting();
  }

  // Wakes current waiters only: a thread that is about to wait misses it. For readers, whose mapping is read-only.
  void WakeWaiting() const { syscall(SYS_futex, &count_, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0); }

  // Changes with each Wake(). A thread takes it before it looks for the change and passes it to Wait(), which so misses
  // no Wake() in between.
  std::uint32_t wake_count() const { return count_.load(std::memory_order_acquire); }

  // Returns when Wake() is called, at once if it was called since `seen` was taken, after `timeout`, or for no reason.
  // False if the thread has handled a signal meanwhile.
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
