// A thread of the library's own: it takes no signals, which are the program's, and does not follow into a forked child.

#ifndef FOLDLOG_LOG_BACKGROUND_THREAD_H_
#define FOLDLOG_LOG_BACKGROUND_THREAD_H_

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <condition_variable>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace foldlog {

class BackgroundThread {
 public:
  BackgroundThread() = default;
  BackgroundThread(const BackgroundThread&) = delete;
  BackgroundThread& operator=(const BackgroundThread&) = delete;
  ~BackgroundThread() { Join(); }

  template <typename Run>
  absl::Status Start(Run run) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    absl::Status status;
    try {
      thread_ = std::thread(std::move(run));
      pid_ = getpid();
    } catch (const std::system_error& e) {
      status = absl::ResourceExhaustedError(absl::StrCat("cannot start a thread: ", e.what()));
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return status;
  }

  // The thread must have been told to end. In a child made by fork() there is no thread to wait for.
  void Join() {
    if (!thread_.joinable()) return;
    if (getpid() == pid_) {
      thread_.join();
    } else {
      thread_.detach();
    }
  }

 private:
  std::thread thread_;
  pid_t pid_ = 0;
};

// What such a thread waits on, or others for it. In a child made by fork() destroying a condition variable would wait
// for ever: for the threads that waited on it in the parent. There it is left as it is.
class BackgroundCondition {
 public:
  BackgroundCondition() : pid_(getpid()) { new (&condition_) std::condition_variable; }
  BackgroundCondition(const BackgroundCondition&) = delete;
  BackgroundCondition& operator=(const BackgroundCondition&) = delete;
  ~BackgroundCondition() {
    if (getpid() == pid_) condition_.~condition_variable();
  }

  std::condition_variable* operator->() { return &condition_; }

 private:
  const pid_t pid_;
  union {
    std::condition_variable condition_;
  };
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_BACKGROUND_THREAD_H_
