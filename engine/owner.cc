// Facts about processes, from /proc; and what they prove about an owner.

#include "foldlog/owner.h"

#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "engine/owner_facts.h"
#include "engine/random_bytes.h"

namespace foldlog {
namespace {

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

struct ProcessStat {
  char state = '?';
  std::uint64_t start_ticks = 0;
};

std::string StatPath(std::int64_t pid) { return absl::StrCat("/proc/", pid, "/stat"); }

// The file at StatPath() of a process, or the like of a thread. The second field is the program's name in parentheses
// and may itself hold spaces and parentheses, so fields are counted from the last one that closes.
std::optional<ProcessStat> ReadStat(const std::string& path) {
  std::ifstream file(path);
  std::stringstream whole;
  whole << file.rdbuf();
  const std::string text = whole.str();
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;

  constexpr int kStateField = 3;
  constexpr int kStartField = 22;
  std::istringstream fields(text.substr(name_end + 1));
  ProcessStat stat;
  fields >> stat.state;
  std::string skipped;
  for (int field = kStateField + 1; field < kStartField; ++field) fields >> skipped;
  fields >> stat.start_ticks;
  if (!fields) return std::nullopt;
  return stat;
}

std::uint64_t PidNamespace(std::int64_t pid) {
  struct stat info = {};
  if (stat(absl::StrCat("/proc/", pid, "/ns/pid").c_str(), &info) != 0) return 0;
  return info.st_ino;
}

std::string HostName() {
  std::array<char, 256> name = {};
  if (gethostname(name.data(), name.size() - 1) != 0) return "";
  return name.data();
}

Owner OwnerAt(std::int64_t pid, std::string instance) {
  Owner owner;
  owner.instance = std::move(instance);
  owner.machine_id = FirstLine("/etc/machine-id");
  owner.boot_id = ReadBootId();
  owner.pid_namespace = PidNamespace(pid);
  owner.pid = pid;
  if (const auto stat = ReadStat(StatPath(pid))) owner.start_ticks = stat->start_ticks;
  owner.program = FirstLine(absl::StrCat("/proc/", pid, "/comm"));
  owner.host = HostName();
  return owner;
}

enum class Presence { kRunning, kGone, kUnknown };

bool IsDeadState(char state) { return state == 'Z' || state == 'X'; }

// The first thread of a program may end before the others; the process lives as long as any does.
Presence PresenceOfThreads(std::int64_t pid) {
  std::error_code error;
  const std::filesystem::directory_iterator tasks(absl::StrCat("/proc/", pid, "/task"), error);
  if (error) return error == std::errc::no_such_file_or_directory ? Presence::kGone : Presence::kUnknown;
  for (const auto& task : tasks) {
    const auto stat = ReadStat(task.path().string() + "/stat");
    if (stat && !IsDeadState(stat->state)) return Presence::kRunning;
  }
  return Presence::kGone;  // a zombie: it has given back everything it held
}

// Not being able to look (no descriptor left, another user's process with hidepid) proves nothing.
Presence PresenceOf(const Owner& owner) {
  if (kill(static_cast<pid_t>(owner.pid), 0) != 0 && errno == ESRCH) return Presence::kGone;
  const auto stat = ReadStat(StatPath(owner.pid));
  if (!stat) return Presence::kUnknown;
  if (stat->start_ticks != owner.start_ticks) return Presence::kGone;
  return IsDeadState(stat->state) ? PresenceOfThreads(owner.pid) : Presence::kRunning;
}

bool SamePidNamespace(const Owner& a, const Owner& b) {
  return a.pid_namespace != 0 && a.pid_namespace == b.pid_namespace;
}

// The owner was to hold the writer lock as long as it lived. Locks belong to the kernel, and it is the same boot of the
// same kernel: that somebody else has, or could take, the lock proves that this owner has let go of it. What remains to
// be told is whether it died or closed the log.
OwnerFate FateOfHolder(const Owner& owner, const WriterInfo& lock, const Owner& self) {
  const bool holds_it = lock.held && lock.writer && lock.writer->instance == owner.instance;
  if (holds_it) return OwnerFate::kAlive;
  if (lock.held && !lock.writer) return OwnerFate::kUnknown;
  const auto& signed_off = lock.signed_off;
  if (std::find(signed_off.begin(), signed_off.end(), owner.instance) != signed_off.end()) {
    return OwnerFate::kClosedWithoutEnd;
  }
  const bool runs_on = SamePidNamespace(owner, self) && PresenceOf(owner) == Presence::kRunning;
  if (!runs_on) return OwnerFate::kProcessDied;
  // Without a record, somebody has taken the lock file away, and the owner may hold one that no longer has a name.
  return lock.writer ? OwnerFate::kClosedWithoutEnd : OwnerFate::kUnknown;
}

OwnerFate FateOfScript(const Owner& owner, const Owner& self) {
  if (!SamePidNamespace(owner, self)) return OwnerFate::kUnknown;
  switch (PresenceOf(owner)) {
    case Presence::kRunning:
      return OwnerFate::kAlive;
    case Presence::kGone:
      return OwnerFate::kProcessDied;
    case Presence::kUnknown:
      break;
  }
  return OwnerFate::kUnknown;
}

}  // namespace

std::string_view Name(OwnerFate fate) {
  switch (fate) {
    case OwnerFate::kAlive:
      return "alive";
    case OwnerFate::kProcessDied:
      return "process_died";
    case OwnerFate::kMachineRebooted:
      return "machine_rebooted";
    case OwnerFate::kClosedWithoutEnd:
      return "closed_without_end";
    case OwnerFate::kUnknown:
      break;
  }
  return "unknown";
}

std::string ReadBootId() { return FirstLine("/proc/sys/kernel/random/boot_id"); }

Owner DescribeThisProcess(std::string instance) { return OwnerAt(getpid(), std::move(instance)); }

std::optional<Owner> DescribeProcess(std::int64_t pid, std::string instance) {
  if (pid <= 0 || !ReadStat(StatPath(pid))) return std::nullopt;
  return OwnerAt(pid, std::move(instance));
}

OwnerFate AssessOwner(const Owner& owner, const WriterInfo& lock, const Owner& self) {
  if (owner.holds_log && owner.instance == self.instance) return OwnerFate::kAlive;
  if (owner.boot_id.empty() || self.boot_id.empty()) return OwnerFate::kUnknown;
  if (owner.boot_id != self.boot_id) {
    const bool same_machine = !owner.machine_id.empty() && owner.machine_id == self.machine_id;
    return same_machine ? OwnerFate::kMachineRebooted : OwnerFate::kUnknown;
  }
  return owner.holds_log ? FateOfHolder(owner, lock, self) : FateOfScript(owner, self);
}

std::string Describe(const Owner& owner) {
  const std::string program = owner.program.empty() ? "a program" : owner.program;
  const std::string host = owner.host.empty() ? "" : absl::StrCat(" on ", owner.host);
  return absl::StrCat(program, ", process ", owner.pid, host);
}

void FillWithRandomBytes(std::span<std::uint8_t, 16> bytes) {
  // So few bytes never come short and are never interrupted (getrandom(2)), once the pool is ready after boot.
  while (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
  }
}

std::string NewUuid() {
  std::array<std::uint8_t, 16> bytes = {};
  FillWithRandomBytes(bytes);
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);  // version 4: random
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);  // variant 1: RFC 4122
  const std::string hex =
      absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-", hex.substr(16, 4), "-",
                      hex.substr(20));
}

}  // namespace foldlog
