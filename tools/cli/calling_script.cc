#include "tools/cli/calling_script.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/process.h"
#include "engine/base/status_macros.h"
#include "engine/owner_facts.h"

namespace foldlog::cli {
namespace {

// More ancestors than any real process has; /proc is read while it changes, and might show a circle.
constexpr int kAncestorsMax = 1000;

absl::Status Unclear(const std::string& why) {
  return absl::FailedPreconditionError(absl::StrCat("can't tell which process goes on with the operation: ", why,
                                                    "; name it with --owner-pid (in a shell script: --owner-pid $$)"));
}

std::string NameOf(const Process& process) { return absl::StrCat(process.name, " (process ", process.number, ")"); }

std::optional<Process> ParentOf(const Process& process) {
  return process.parent > 0 ? ReadProcess(process.parent) : std::nullopt;
}

std::string BaseName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// --- forked copies: a subshell is its parent once more ---

// The kernel gives every program that it starts other addresses; only fork() leaves them as they are.
std::string AddressesOf(const Process& process) {
  std::ifstream file(absl::StrCat("/proc/", process.number, "/auxv"), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool MayBeForkedCopy(const Process& process, const Process& parent) {
  const std::vector<std::string> arguments = ArgumentsOf(process.number);
  if (arguments.empty() || arguments != ArgumentsOf(parent.number)) return false;
  return AddressesOf(process) == AddressesOf(parent);
}

// The pipe that is a process's standard output; nothing if it is something else, or can't be seen.
std::optional<std::string> OutputPipe(const Process& process) {
  std::error_code error;
  const std::string target =
      std::filesystem::read_symlink(absl::StrCat("/proc/", process.number, "/fd/1"), error).string();
  return !error && target.starts_with("pipe:") ? std::optional(target) : std::nullopt;
}

// The permissions of a link in /proc/PID/fd are those of the descriptor.
bool IsForReadingOnly(const std::filesystem::path& link) {
  struct stat info = {};
  return lstat(link.c_str(), &info) == 0 && (info.st_mode & S_IRUSR) != 0 && (info.st_mode & S_IWUSR) == 0;
}

// As in op=$(…), which goes on when the output has ended: `parent` waits for `process`.
bool ReadsOutputOf(const Process& parent, const Process& process) {
  const std::optional<std::string> pipe = OutputPipe(process);
  if (!pipe) return false;
  std::error_code error;
  std::filesystem::directory_iterator link(absl::StrCat("/proc/", parent.number, "/fd"), error);
  for (const std::filesystem::directory_iterator end; !error && link != end; link.increment(error)) {
    std::error_code gone;
    if (std::filesystem::read_symlink(link->path(), gone) == *pipe && IsForReadingOnly(link->path())) return true;
  }
  return false;
}

// The process that waits for the subshell `copy` of it; with subshells between, all of a pipeline. A subshell that
// nobody reads from may be the one that goes on, in the background, as well as one that is gone at once.
absl::StatusOr<Process> WhoWaitsFor(Process copy) {
  for (int i = 0; i < kAncestorsMax; ++i) {
    const std::optional<Process> parent = ParentOf(copy);
    if (!parent || !MayBeForkedCopy(copy, *parent) || !OutputPipe(copy)) break;
    if (ReadsOutputOf(*parent, copy)) return *parent;
    copy = *parent;
  }
  return Unclear(absl::StrCat("it was started from a subshell or a forked process, ", NameOf(copy),
                              ", that may end before the others"));
}

// --- programs that run another one and end with it ---

bool IsWrapper(const Process& process) {
  static const std::set<std::string, std::less<>> names = {"doas",    "find",    "flock",   "ltrace", "nsenter",
                                                           "runuser", "setsid",  "strace",  "su",     "sudo",
                                                           "time",    "timeout", "unshare", "xargs"};
  return names.contains(process.name);
}

// What stands behind its -e or -c is a program of its own, which may call others and go on.
bool IsInterpreter(const Process& process) {
  constexpr std::array<std::string_view, 8> kNames = {"perl", "python", "ruby", "node", "php", "lua", "tclsh", "awk"};
  return std::any_of(kNames.begin(), kNames.end(),
                     [&](std::string_view name) { return process.name.starts_with(name); });
}

// Some other wrapper: this very command stands among its arguments, or in one of them.
bool Carries(const Process& process, const std::vector<std::string>& arguments,
             const std::vector<std::string>& command) {
  if (arguments.empty() || command.size() < 2) return false;
  const auto first = arguments.begin() + 1;
  if (std::search(first, arguments.end(), command.begin(), command.begin() + 2) != arguments.end()) return true;
  const std::string in_one = command[0] + ' ' + command[1];
  return !IsInterpreter(process) &&
         std::any_of(first, arguments.end(), [&](const std::string& a) { return a.find(in_one) != a.npos; });
}

bool IsShell(const std::string& name) {
  static const std::set<std::string, std::less<>> names = {"ash",  "bash",  "busybox", "dash", "ksh", "ksh93",
                                                           "mksh", "rbash", "sh",      "yash", "zsh"};
  return names.contains(name.starts_with('-') ? name.substr(1) : name);
}

// What stands behind the -c of a shell, as in `bash -eu -o pipefail -c TEXT`; nothing if there is no such option.
std::optional<std::string> TextOfShell(const std::vector<std::string>& arguments) {
  if (arguments.empty() || !IsShell(BaseName(arguments[0]))) return std::nullopt;
  bool has_text = false;
  std::size_t at = 1;
  if (BaseName(arguments[0]) == "busybox") ++at;
  for (; at < arguments.size(); ++at) {
    const std::string& argument = arguments[at];
    if (argument.size() < 2 || (argument[0] != '-' && argument[0] != '+')) break;
    if (argument.starts_with("--")) continue;
    has_text = has_text || (argument[0] == '-' && argument.find('c') != std::string::npos);
    if (argument.back() == 'o' || argument.back() == 'O') ++at;  // its value
  }
  return has_text && at < arguments.size() ? std::optional(arguments[at]) : std::nullopt;
}

// A subcommand as it stands in a text: `start` in "op=$(foldlog start)".
struct Mention {
  std::size_t end = 0;
  std::string_view before;  // the word before, which for all steps of a script is the same: "foldlog"
};

std::optional<Mention> FindMention(std::string_view text, std::string_view word, std::size_t from) {
  constexpr std::string_view kSpace = " \t";
  constexpr std::string_view kBetween = " \t\n\"'`=$(){};|&";
  for (std::size_t at = text.find(word, from); at != text.npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool ends = end == text.size() || kBetween.find(text[end]) != text.npos;
    const std::size_t before_end = text.find_last_not_of(kSpace, at == 0 ? 0 : at - 1);
    if (!ends || at == 0 || before_end + 1 == at || before_end == text.npos) continue;
    const std::size_t before = text.find_last_of(kBetween, before_end);
    const std::size_t begin = before == text.npos ? 0 : before + 1;
    if (begin <= before_end) return Mention{end, text.substr(begin, before_end + 1 - begin)};
  }
  return std::nullopt;
}

bool EndsOperation(std::string_view text, const Mention& start) {
  for (const std::string_view word : {"complete", "fail"}) {
    std::optional<Mention> mention = FindMention(text, word, start.end);
    for (; mention; mention = FindMention(text, word, mention->end)) {
      if (mention->before == start.before) return true;
    }
  }
  return false;
}

// --- the climb ---

absl::StatusOr<Process> ParentThatGoesOn(const Process& process) {
  const std::optional<Process> parent = ParentOf(process);
  if (!parent) return Unclear(absl::StrCat("nobody can be seen above ", NameOf(process)));
  return *parent;
}

// A shell with a text behind its -c may be the script, or a wrapper around one command.
absl::StatusOr<Process> AboveShell(const Process& shell, std::string_view text) {
  const ShellText judgement = JudgeShellText(text);
  if (judgement == ShellText::kGoesOn) return shell;
  const std::optional<Process> parent = ParentOf(shell);
  const bool is_read = parent && judgement == ShellText::kEndsWithPipeline && ReadsOutputOf(*parent, shell);
  if (is_read || judgement == ShellText::kEndsAtOnce) return ParentThatGoesOn(shell);
  return Unclear(absl::StrCat(NameOf(shell), " may have no more to do than the text behind its -c"));
}

// One step: the process above `process` that outlives it, or `process` itself if it is the one that goes on.
absl::StatusOr<Process> Above(const Process& process, const std::vector<std::string>& command) {
  if (IsWrapper(process)) return ParentThatGoesOn(process);
  const std::optional<Process> parent = ParentOf(process);
  if (parent && MayBeForkedCopy(process, *parent)) return WhoWaitsFor(process);
  const std::vector<std::string> arguments = ArgumentsOf(process.number);
  if (const std::optional<std::string> text = TextOfShell(arguments)) return AboveShell(process, *text);
  if (!Carries(process, arguments, command)) return process;
  return Unclear(absl::StrCat(NameOf(process), " runs this command, and may end with it"));
}

// Who adopts the orphans of a session is in another one, and no script of theirs.
absl::Status CheckSameSession(const Process& child, const Process& parent) {
  if (child.session == parent.session || IsWrapper(parent)) return absl::OkStatus();
  if (IsWrapper(child)) return absl::OkStatus();  // sudo has a second process in a session of its own
  return Unclear(absl::StrCat("the session begins with this command, and ", NameOf(parent), " is outside of it"));
}

absl::StatusOr<Process> FindScript(const ProcView& view) {
  std::optional<Process> self = ReadProcess(view.self);
  if (view.levels == 0 || !self) return Unclear("/proc is not mounted here, or does not show this process");
  const std::vector<std::string> command = ArgumentsOf(view.self);
  std::optional<Process> process = ParentOf(*self);
  if (!process) return Unclear("the process that called this one is gone, or can't be seen from here");
  RETURN_IF_ERROR(CheckSameSession(*self, *process));
  for (int i = 0; i < kAncestorsMax; ++i) {
    ASSIGN_OR_RETURN(Process above, Above(*process, command));
    if (above.number == process->number) return above;
    RETURN_IF_ERROR(CheckSameSession(*process, above));
    process = std::move(above);
  }
  return Unclear("it has too many ancestors");
}

absl::StatusOr<std::int64_t> PidOfScript() {
  const ProcView view = LookAtProc();
  ASSIGN_OR_RETURN(const Process script, FindScript(view));
  if (script.pids.size() < view.levels) return Unclear(NameOf(script) + " is outside of this pid namespace");
  return script.pids[view.levels - 1];
}

}  // namespace

ShellText JudgeShellText(std::string_view text) {
  const std::optional<Mention> start = FindMention(text, "start", 0);
  if (!start) return ShellText::kUnclear;
  if (EndsOperation(text, *start)) return ShellText::kGoesOn;
  ShellText judgement = ShellText::kEndsAtOnce;
  for (std::size_t at = start->end; at < text.size(); ++at) {
    const char next = at + 1 < text.size() ? text[at + 1] : '\0';
    const bool redirects = text[at] == '&' && (text[at - 1] == '>' || next == '>');
    constexpr std::string_view kMoreToCome = ";\n&)}`";
    if (!redirects && kMoreToCome.find(text[at]) != text.npos) return ShellText::kUnclear;
    if (text[at] != '|') continue;
    if (next == '|') {
      ++at;  // what follows is done only if it fails
    } else {
      judgement = ShellText::kEndsWithPipeline;
    }
  }
  return judgement;
}

absl::StatusOr<Owner> ScriptAsOwner(std::optional<std::int64_t> pid) {
  if (!pid) {
    ASSIGN_OR_RETURN(pid, PidOfScript());
  }
  std::optional<Owner> owner = DescribeProcess(*pid, NewUuid());
  if (!owner) {
    return absl::NotFoundError(
        absl::StrCat("there is no process ", *pid, " to answer for the operation; name the script's with --owner-pid"));
  }
  owner->holds_log = false;
  return *std::move(owner);
}

bool DescendsFrom(const Owner& owner) {
  std::optional<Process> process = ReadProcess(LookAtProc().self);
  for (int i = 0; process && i < kAncestorsMax; ++i) {
    if (IsOwner(*process, owner)) return true;
    process = ParentOf(*process);
  }
  return false;
}

}  // namespace foldlog::cli
