// Facts about processes, from /proc; and what they prove about an owner.

#include "foldlog/owner.h"

#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <fstream>
#include <sstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

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

// /proc/PID/stat. The second field is the program's name in parentheses and may itself hold spaces and parentheses, so
// fields are counted from the last one that closes.
std::optional<ProcessStat> ReadStat(std::int64_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
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

Owner Describe(std::int64_t pid, std::string instance) {
  Owner owner;
  owner.instance = std::move(instance);
  owner.machine_id = FirstLine("/etc/machine-id");
  owner.boot_id = FirstLine("/proc/sys/kernel/random/boot_id");
  owner.pid_namespace = PidNamespace(pid);
  owner.pid = pid;
  if (const auto stat = ReadStat(pid)) owner.start_ticks = stat->start_ticks;
  owner.program = FirstLine(absl::StrCat("/proc/", pid, "/comm"));
  owner.host = HostName();
  return owner;
}

// A zombie has given back everything it held, so it counts as dead.
bool IsRunning(const Owner& owner) {
  const auto stat = ReadStat(owner.pid);
  return stat && stat->start_ticks == owner.start_ticks && stat->state != 'Z' && stat->state != 'X';
}

bool SamePidNamespace(const Owner& a, const Owner& b) {
  return a.pid_namespace != 0 && a.pid_namespace == b.pid_namespace;
}

// The owner was to hold the writer lock as long as it lived. Locks belong to the kernel, and it is the same boot of the
// same kernel: that somebody else has, or could take, the lock proves that this owner has let go of it. What remains to
// be told is whether it died or closed the log.
OwnerFate FateOfHolder(const Owner& owner, const WriterInfo& lock, const Owner& self) {
  const bool named_in_lock = lock.writer && lock.writer->instance == owner.instance;
  if (lock.held && named_in_lock) return OwnerFate::kAlive;
  if (lock.held && !lock.writer) return OwnerFate::kUnknown;
  if (named_in_lock && lock.closed_cleanly) return OwnerFate::kClosedWithoutEnd;
  if (SamePidNamespace(owner, self) && IsRunning(owner)) return OwnerFate::kClosedWithoutEnd;
  return OwnerFate::kProcessDied;
}

OwnerFate FateOfScript(const Owner& owner, const Owner& self) {
  if (!SamePidNamespace(owner, self)) return OwnerFate::kUnknown;
  return IsRunning(owner) ? OwnerFate::kAlive : OwnerFate::kProcessDied;
}

}  // namespace

Owner DescribeThisProcess(std::string instance) { return Describe(getpid(), std::move(instance)); }

std::optional<Owner> DescribeProcess(std::int64_t pid, std::string instance) {
  if (pid <= 0 || !ReadStat(pid)) return std::nullopt;
  return Describe(pid, std::move(instance));
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

std::string NewUuid() {
  std::array<unsigned char, 16> bytes = {};
  // Up to 256 bytes never come short and are never interrupted (getrandom(2)), once the pool is ready after boot.
  while (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
  }
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);  // version 4: random
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);  // variant 1: RFC 4122
  const std::string hex =
      absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-", hex.substr(16, 4), "-",
                      hex.substr(20));
}

}  // namespace foldlog
