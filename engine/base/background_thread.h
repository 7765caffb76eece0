// A thread of the library, and the only way to start one. It takes no signals, which belong to the program. If the
// system has no thread to give, Start() returns a status instead of throwing. In a child made by fork() the thread does
// not exist, and its owner must not be destroyed.

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

  // Starts `run` in a thread. `name`, of at most 15 bytes, is what top and debuggers show. ResourceExhausted if the
  // system has no thread for it.
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

  // Waits for the thread to end. The caller must have told it to.
  void Join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::thread thread_;
};

}  // namespace foldlog

#endif  // FOLDLOG_BASE_BACKGROUND_THREAD_H_
