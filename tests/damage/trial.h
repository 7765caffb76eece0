// One run of the program in a child process, with limits: what came out, and how it ended.

#ifndef FOLDLOG_TESTS_DAMAGE_TRIAL_H_
#define FOLDLOG_TESTS_DAMAGE_TRIAL_H_

#include <functional>
#include <string>
#include <vector>

namespace foldlog::damage {

struct Outcome {
  int exit_status = -1;  // -1: killed by a signal
  int signal = 0;
  std::string out = {};
  std::string messages = {};  // standard error
};

using Arguments = std::vector<std::string>;

// Runs "foldlog ARGUMENTS". One that takes too long is killed by SIGALRM, or by SIGXCPU if it was busy.
Outcome RunProgramInChild(const Arguments& arguments);

// Runs `body` in the same way; what it returns is the exit status.
Outcome RunInChild(const std::function<int()>& body);

// The output of a command that must succeed; ends the program otherwise.
std::string RunForOutput(const Arguments& arguments);

}  // namespace foldlog::damage

#endif  // FOLDLOG_TESTS_DAMAGE_TRIAL_H_
