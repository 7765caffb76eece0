#include "tests/damage/trial.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "tools/cli/app.h"

namespace foldlog::damage {
namespace {

// Far beyond what any command takes on these small logs, even on a busy machine.
constexpr unsigned kLimitS = 15;
constexpr rlim_t kLimitCpuS = 5;
// For ten times the bytes of any of them, and stacks of threads, pages and caches of SQLite, and the like.
constexpr rlim_t kLimitHeapBytes = rlim_t{96} << 20;

// What the process has as a child of this one: its parent's samples.
rlim_t HeapBytesNow() {
  std::ifstream file("/proc/self/statm");
  rlim_t pages = 0;
  for (int field = 0; field < 6; ++field) file >> pages;
  return pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
}

// Where a child's output goes.
class Capture {
 public:
  Capture() : fd_(memfd_create("output", MFD_CLOEXEC)) {}
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() { close(fd_); }

  int fd() const { return fd_; }
  std::string Text() const {
    std::string text(static_cast<std::size_t>(lseek(fd_, 0, SEEK_END)), '\0');
    if (pread(fd_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) std::abort();
    return text;
  }

 private:
  int fd_;
};

void Limit(int resource, rlim_t most) {
  const rlimit limit = {most, most};
  setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

[[noreturn]] void Become(const std::function<int()>& body, int out, int messages) {
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGILL, SIGALRM, SIGXCPU}) std::signal(number, SIG_DFL);
  dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(messages, STDERR_FILENO);
  Limit(RLIMIT_CORE, 0);
  Limit(RLIMIT_CPU, kLimitCpuS);
  Limit(RLIMIT_DATA, HeapBytesNow() + kLimitHeapBytes);
  alarm(kLimitS);
  _exit(body());
}

}  // namespace

Outcome RunInChild(const std::function<int()>& body) {
  Capture out;
  Capture messages;
  const int out_fd = out.fd();
  const int messages_fd = messages.fd();
  const pid_t child = fork();
  if (child == 0) Become(body, out_fd, messages_fd);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) std::abort();
  Outcome outcome{.out = out.Text(), .messages = messages.Text()};
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
  if (WIFEXITED(status)) outcome.exit_status = WEXITSTATUS(status);
  return outcome;
}

Outcome RunProgramInChild(const Arguments& arguments) {
  std::vector<const char*> argv = {"foldlog"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  argv.push_back(nullptr);
  return RunInChild([&] { return cli::RunProgram(static_cast<int>(argv.size()) - 1, argv.data()); });
}

std::string RunForOutput(const Arguments& arguments) {
  Outcome outcome = RunProgramInChild(arguments);
  if (outcome.exit_status == 0) return outcome.out;
  fprintf(stderr, "foldlog %s failed: %s\n", arguments.front().c_str(), outcome.messages.c_str());
  std::abort();
}

}  // namespace foldlog::damage
