#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tests/crash/recorder.h"

namespace foldlog::power_cut {
namespace {

constexpr unsigned kTimeoutSeconds = 600;

[[noreturn]] void Exec(const std::vector<std::string>& command, const std::string& recorder,
                       const std::string& directory, const std::string& trace_path) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  setenv("LD_PRELOAD", recorder.c_str(), 1);
  setenv("FOLDLOG_RECORD_DIR", directory.c_str(), 1);
  setenv("FOLDLOG_RECORD_TRACE", trace_path.c_str(), 1);
  alarm(kTimeoutSeconds);  // survives exec()
  execv(arguments[0], arguments.data());
  _exit(127);
}

}  // namespace

absl::StatusOr<Trace> Record(const std::vector<std::string>& command, const std::string& recorder,
                             const std::string& directory, const std::string& trace_path) {
  const pid_t pid = fork();
  if (pid < 0) return absl::ResourceExhaustedError("cannot fork");
  if (pid == 0) Exec(command, recorder, directory, trace_path);
  int status = 0;
  waitpid(pid, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return absl::InternalError(absl::StrCat(command[0], " failed under the recorder, wait status ", status));
  }
  return ReadTrace(trace_path);
}

}  // namespace foldlog::power_cut
