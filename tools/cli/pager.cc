// Starts the pager with posix_spawn, which tells whether there is such a program.

#include "tools/cli/pager.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"

namespace foldlog::cli {
namespace {

struct SetUnlessSet {
  std::string_view name;
  std::string_view value;
};
// What the program writes is UTF-8 whatever the locale is.
constexpr std::array<SetUnlessSet, 3> kForPagers = {{{"LESS", "FRX"}, {"LV", "-c"}, {"LESSCHARSET", "utf-8"}}};

bool IsSet(std::string_view name) { return std::getenv(std::string(name).c_str()) != nullptr; }

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> Environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  for (const auto& [name, value] : kForPagers) {
    if (!IsSet(name)) variables.push_back(std::string(name) + "=" + std::string(value));
  }
  return variables;
}

// A shell is asked only where one is needed: it could not be told from a pager that fails.
std::vector<std::string> Words(const std::string& command) {
  if (command.find_first_of("|&;<>()$`\\\"' \t\n*?[#~=%") == std::string::npos) return {command};
  if (command.find_first_of("|&;<>()$`\\\"'\n*?[#~=%") != std::string::npos) return {"/bin/sh", "-c", command};
  return absl::StrSplit(command, absl::ByAnyChar(" \t"), absl::SkipEmpty());
}

// This program ignores them, and what it starts would do so as well.
void DefaultSignals(posix_spawnattr_t& attributes) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGPIPE, SIGXFSZ, SIGINT}) sigaddset(&signals, signal);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
}

std::optional<pid_t> Spawn(const std::string& command, int standard_input) {
  std::vector<std::string> words = Words(command);
  std::vector<std::string> variables = Environment();
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
  if (posix_spawnattr_init(&attributes) != 0) return std::nullopt;
  if (posix_spawn_file_actions_init(&actions) != 0) {
    posix_spawnattr_destroy(&attributes);
    return std::nullopt;
  }
  DefaultSignals(attributes);
  pid_t pid = 0;
  const bool started = posix_spawn_file_actions_adddup2(&actions, standard_input, STDIN_FILENO) == 0 &&
                       posix_spawnp(&pid, words[0].c_str(), &actions, &attributes, Pointers(words).data(),
                                    Pointers(variables).data()) == 0;
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return started ? std::optional(pid) : std::nullopt;
}

}  // namespace

std::string PagerCommand() {
  if (const char* terminal = std::getenv("TERM"); terminal == nullptr || std::string_view(terminal) == "dumb")
    return "";
  for (const char* name : {"FOLDLOG_PAGER", "PAGER"}) {
    const char* value = std::getenv(name);
    if (value == nullptr) continue;
    const std::string command(absl::StripAsciiWhitespace(value));
    return command == "cat" ? "" : command;
  }
  return "less";
}

std::unique_ptr<Pager> Pager::Start(Output& out) {
  const std::string command = out.is_terminal() ? PagerCommand() : "";
  std::array<int, 2> ends = {};
  if (command.empty() || pipe2(ends.data(), O_CLOEXEC) != 0) return nullptr;
  const std::optional<pid_t> pid = Spawn(command, ends[0]);
  close(ends[0]);
  if (pid) return std::unique_ptr<Pager>(new Pager(out, *pid, ends[1]));
  close(ends[1]);
  return nullptr;
}

Pager::Pager(Output& out, pid_t pid, int fd) : out_(out), pid_(pid), fd_(fd) {
  out_.SendThrough(fd_);
  std::signal(SIGINT, SIG_IGN);
  waiter_ = std::thread([this] { Await(); });
}

Pager::~Pager() {
  finishing_ = true;
  out_.Flush().IgnoreError();  // the output remembers
  close(fd_);
  waiter_.join();
}

void Pager::Await() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  if (!finishing_) _exit(EXIT_SUCCESS);
}

}  // namespace foldlog::cli
