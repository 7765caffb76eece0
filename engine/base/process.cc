#include "engine/base/process.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <ratio>
#include <sstream>
#include <string_view>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace foldlog {
namespace {

std::string PathOf(std::int64_t number, const char* file) { return absl::StrCat("/proc/", number, "/", file); }

// Files in /proc have no size; a failed read gives an empty text, which no parser here accepts.
std::string ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream whole;
  whole << file.rdbuf();
  return whole.str();
}

// How far the caller's time namespace is ahead of the machine's; nothing if that is not known. /proc adds it to the
// start time of every process.
std::optional<std::int64_t> TimeOffsetTicks() {
  struct stat own = {};
  struct stat of_children = {};
  if (stat("/proc/self/ns/time", &own) != 0) return 0;  // a kernel without time namespaces
  if (stat("/proc/self/ns/time_for_children", &of_children) != 0) return std::nullopt;
  // timens_offsets shows the offset of the children's namespace, which here is not the caller's.
  if (own.st_ino != of_children.st_ino) return std::nullopt;
  const timespec offset = ReadBootTimeOffset();
  const std::int64_t ticks_a_second = sysconf(_SC_CLK_TCK);
  return offset.tv_sec * ticks_a_second + offset.tv_nsec / (std::nano::den / ticks_a_second);
}

// Parses the file "stat" of a process or thread. Its second field is the program's name in parentheses. The name may
// itself hold spaces and parentheses, so fields are counted from the last closing one.
bool ParseStat(const std::string& text, Process& process) {
  const std::size_t name_begin = text.find('(');
  const std::size_t name_end = text.rfind(')');
  if (name_begin == std::string::npos || name_end == std::string::npos || name_end < name_begin) return false;
  process.name = text.substr(name_begin + 1, name_end - name_begin - 1);

  constexpr int kSessionField = 6;
  constexpr int kStartField = 22;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  std::uint64_t start_ticks = 0;
  fields >> process.state >> process.parent >> skipped >> process.session;
  for (int field = kSessionField + 1; field < kStartField; ++field) fields >> skipped;
  fields >> start_ticks;
  process.start_ticks = start_ticks;
  return !fields.fail();
}

// From the line NSpid of the file "status", which any user may read. Kernels before 4.1 have none.
std::vector<std::int64_t> PidsOf(std::int64_t number) {
  std::ifstream file(PathOf(number, "status"));
  constexpr std::string_view kName = "NSpid:";
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(kName)) continue;
    std::istringstream values(line.substr(kName.size()));
    std::vector<std::int64_t> pids;
    for (std::int64_t pid = 0; values >> pid;) pids.push_back(pid);
    return pids;
  }
  return {};
}

// Z is a zombie, X a process on its way out.
bool IsDeadState(char state) { return state == 'Z' || state == 'X'; }

}  // namespace

std::optional<Process> ReadProcess(std::int64_t number) {
  Process process{.number = number};
  if (!ParseStat(ReadWhole(PathOf(number, "stat")), process)) return std::nullopt;
  const std::optional<std::int64_t> offset = TimeOffsetTicks();
  if (offset) {
    *process.start_ticks -= static_cast<std::uint64_t>(*offset);
  } else {
    process.start_ticks = std::nullopt;
  }
  process.pids = PidsOf(number);
  if (process.pids.empty()) process.pids = {number};
  return process;
}

// The "stat" of a process shows its first thread; the others are listed in "task".
bool IsRunning(const Process& process) {
  if (!IsDeadState(process.state)) return true;
  std::error_code error;
  std::filesystem::directory_iterator task(PathOf(process.number, "task"), error);
  for (const std::filesystem::directory_iterator end; !error && task != end; task.increment(error)) {
    Process thread;
    if (ParseStat(ReadWhole(task->path().string() + "/stat"), thread) && !IsDeadState(thread.state)) return true;
  }
  return false;  // a zombie, which holds no locks or files any more
}

// Each argument ends with a zero byte; the last one may lack it if the process has rewritten its title.
std::vector<std::string> ArgumentsOf(std::int64_t number) {
  const std::string text = ReadWhole(PathOf(number, "cmdline"));
  std::vector<std::string> arguments;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\0', at), text.size());
    arguments.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return arguments;
}

ProcView LookAtProc() {
  ProcView view;
  view.pid_namespace = PidNamespaceOf(0);
  std::array<char, 32> name = {};
  const ssize_t size = readlink("/proc/self", name.data(), name.size());
  std::int64_t number = 0;
  if (size <= 0 || std::from_chars(name.data(), name.data() + size, number).ec != std::errc()) return view;
  const std::vector<std::int64_t> pids = PidsOf(number);
  // /proc is of a namespace that the caller is not in: its "self" is another process.
  if (!pids.empty() && pids.back() != getpid()) return view;
  view.self = number;
  view.levels = std::max<std::size_t>(pids.size(), 1);
  return view;
}

// With /proc of the caller's own namespace, pid and number are the same. Otherwise every process has to be looked at.
std::optional<std::int64_t> NumberOf(std::int64_t pid, const ProcView& view) {
  if (view.levels == 1) return pid;
  if (view.levels == 0) return std::nullopt;
  std::optional<std::int64_t> found;
  for (const Process& process : ReadAllProcesses().processes) {
    if (process.pids.size() < view.levels || process.pids[view.levels - 1] != pid) continue;
    const std::uint64_t its_namespace = process.pids.size() == view.levels ? PidNamespaceOf(process.number) : 0;
    if (its_namespace != 0 && its_namespace != view.pid_namespace) continue;  // a namespace beside the caller's
    if (found) return std::nullopt;
    found = process.number;
  }
  return found;
}

AllProcesses ReadAllProcesses() {
  AllProcesses all;
  std::error_code error;
  std::filesystem::directory_iterator entries("/proc", error);
  all.complete = !error;
  for (const std::filesystem::directory_iterator end; !error && entries != end; entries.increment(error)) {
    std::int64_t number = 0;
    if (!absl::SimpleAtoi(entries->path().filename().string(), &number)) continue;
    std::optional<Process> process = ReadProcess(number);
    if (process) {
      all.processes.push_back(*std::move(process));
    } else if (access(PathOf(number, "stat").c_str(), R_OK) == 0 || errno != ENOENT) {
      all.complete = false;  // it is there, and could not be read
    }
  }
  // Mounted with hidepid=2, /proc hides other users' processes, and with them process 1.
  const bool shows_first = std::any_of(all.processes.begin(), all.processes.end(),
                                       [](const Process& process) { return process.number == 1; });
  all.complete = all.complete && !error && shows_first;
  return all;
}

std::uint64_t PidNamespaceOf(std::int64_t number) {
  const std::string path = number == 0 ? "/proc/self/ns/pid" : PathOf(number, "ns/pid");
  struct stat info = {};
  return stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

timespec ReadBootTimeOffset() {
  std::ifstream file("/proc/self/timens_offsets");
  std::string clock;
  timespec offset = {};
  while (file >> clock >> offset.tv_sec >> offset.tv_nsec) {
    if (clock == "boottime" || clock == "7") return offset;  // older kernels number it
  }
  return {};
}

KernelBoot ReadKernelBoot() {
  constexpr const char* kPath = "/proc/sys/kernel/random/boot_id";
  constexpr long kProcFileSystem = 0x9fa0;
  KernelBoot boot;
  std::ifstream file(kPath);
  std::getline(file, boot.id);
  struct statfs info = {};
  // A container manager may mount a file of its own over boot_id, which then is not on procfs.
  boot.is_kernels = !boot.id.empty() && statfs(kPath, &info) == 0 && info.f_type == kProcFileSystem;
  return boot;
}

}  // namespace foldlog
