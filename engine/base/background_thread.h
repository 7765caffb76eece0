// A thread of the library's own, and the one way to have one: it takes no signals, which are the program's, and where
// the system has no more threads to give there is a status instead of an exception. In a child made by fork() it is not
// there, and its owner must not be destroyed.

#ifndef FOLDLOG_BASE_BACKGROUND_THREAD_H_
#define FOLDLOG_BASE_BACKGROUND_THREAD_H_

#include <pthread.h>

#include <csignal>
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

  // `name` is what top and debuggers show, of at most 15 bytes. ResourceExhausted if there is no thread to be had.
  template <typename Run>
  absl::Status Start(const char* name, Run run) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    absl::Status status;
    try {
      thread_ = std::thread(std::move(run));
      pthread_setname_np(thread_.native_handle(), name);
    } catch (const std::system_error& e) {
      status = absl::ResourceExhaustedError(absl::StrCat(
          "cannot start the thread ", name, ": ", e.code().message(),
          "; the limit on processes (ulimit -u, or pids.max of the control group) is reached: end some, or "
          "raise it, and try again"));
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return status;
  }

  // The thread must have been told to end.
  void Join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::thread thread_;
};

}  // namespace foldlog

#endif  // FOLDLOG_BASE_BACKGROUND_THREAD_H_
