// Other processes: children made by fork() that run a piece of the test. Their own assertions are lost with them, so
// they answer with an exit code.

#ifndef FOLDLOG_TESTS_SUPPORT_CHILD_PROCESS_H_
#define FOLDLOG_TESTS_SUPPORT_CHILD_PROCESS_H_

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <utility>

namespace foldlog {

// Runs `body` in a child and returns its exit code; a death by signal is -1.
inline int InChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// A child that runs `body` and is killed, at the latest when the test ends.
class Helper {
 public:
  explicit Helper(const std::function<int()>& body) : pid_(fork()) {
    if (pid_ == 0) _exit(body());
  }
  ~Helper() { Kill(); }
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;

  // The wait status. A second call gives the same.
  int Kill() {
    if (running_) kill(pid_, SIGKILL);
    return Wait();
  }
  int Wait() {
    if (std::exchange(running_, false)) waitpid(pid_, &status_, 0);
    return status_;
  }

 private:
  const pid_t pid_;
  bool running_ = true;
  int status_ = 0;
};

inline int SleepForever() {
  while (true) pause();
}

// One end tells, the other waits: for the moment when a child has come to a certain point.
class Signal {
 public:
  Signal() { ok_ = pipe(ends_) == 0; }
  ~Signal() {
    close(ends_[0]);
    close(ends_[1]);
  }
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  void Give() const {
    const char byte = 1;
    if (write(ends_[1], &byte, 1) != 1) _exit(99);
  }
  // False if the other end has died, or so it seems after a long time.
  bool Await() const {
    constexpr int kLongWaitMs = 120'000;
    pollfd end{.fd = ends_[0], .events = POLLIN, .revents = 0};
    char byte = 0;
    return ok_ && poll(&end, 1, kLongWaitMs) == 1 && read(ends_[0], &byte, 1) == 1;
  }

 private:
  int ends_[2] = {-1, -1};
  bool ok_ = false;
};

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_CHILD_PROCESS_H_
