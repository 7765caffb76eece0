// What the facts about processes, locks and boots prove about an owner.

#include "foldlog/owner.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <limits>
#include <span>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "engine/base/process.h"
#include "engine/base/random_bytes.h"
#include "engine/owner_facts.h"

namespace foldlog {
namespace {

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string HostName() {
  std::array<char, 256> name = {};
  if (gethostname(name.data(), name.size() - 1) != 0) return "";
  return name.data();
}

// `pid` is its number to the caller, whose namespace is recorded with it: that of another user's process could not be
// read, and need not be.
Owner OwnerAt(std::int64_t pid, const ProcView& view, const std::optional<Process>& process, std::string instance) {
  Owner owner;
  owner.instance = std::move(instance);
  owner.machine_id = FirstLine("/etc/machine-id");
  const KernelBoot boot = ReadKernelBoot();
  owner.boot_id = boot.id;
  owner.kernel_boot_id = boot.is_kernels;
  owner.pid_namespace = view.pid_namespace;
  owner.pid = pid;
  owner.host = HostName();
  if (!process) return owner;
  owner.start_ticks = process->start_ticks.value_or(0);
  owner.program = process->name;
  return owner;
}

enum class Liveness { kRunning, kGone, kUnknown };

Liveness PresenceIn(const std::vector<Process>& processes, const Owner& owner, Liveness if_not_there) {
  for (const Process& process : processes) {
    if (IsOwner(process, owner)) return IsRunning(process) ? Liveness::kRunning : Liveness::kGone;
  }
  return if_not_there;
}

// Whether /proc shows every process of the machine: it is that of the first pid namespace, whose number is fixed.
bool SeesTheMachine(const ProcView& view) {
  constexpr std::uint64_t kFirstPidNamespace = 0xeffffffc;
  return view.levels == 1 && view.pid_namespace == kFirstPidNamespace;
}

// The process that has the owner's pid in the caller's own namespace is the owner or not; there is no other candidate.
Liveness PresenceAt(std::int64_t number, const Owner& owner) {
  const std::optional<Process> process = ReadProcess(number);
  if (!process || !process->start_ticks) return Liveness::kUnknown;
  return PresenceIn({*process}, owner, Liveness::kGone);
}

// Not being able to look (no descriptor left, another user's process with hidepid, no /proc) proves nothing.
Liveness PresenceOf(const Owner& owner) {
  const ProcView view = LookAtProc();
  const bool same_namespace = owner.pid_namespace != 0 && owner.pid_namespace == view.pid_namespace;
  if (same_namespace && kill(static_cast<pid_t>(owner.pid), 0) != 0 && errno == ESRCH) return Liveness::kGone;
  if (view.levels == 0 || owner.start_ticks == 0) return Liveness::kUnknown;
  if (same_namespace && view.levels == 1) return PresenceAt(owner.pid, owner);
  const AllProcesses all = ReadAllProcesses();
  const bool would_show = all.complete && (same_namespace || SeesTheMachine(view));
  return PresenceIn(all.processes, owner, would_show ? Liveness::kGone : Liveness::kUnknown);
}

bool SameMachine(const Owner& a, const Owner& b) { return !a.machine_id.empty() && a.machine_id == b.machine_id; }

bool OtherMachine(const Owner& a, const Owner& b) {
  return !a.machine_id.empty() && !b.machine_id.empty() && a.machine_id != b.machine_id;
}

bool BootIdsDiffer(const Owner& a, const Owner& b) {
  return !a.boot_id.empty() && !b.boot_id.empty() && a.boot_id != b.boot_id;
}

// Containers on one kernel may each be given a boot id, so that only the kernel's own ones tell kernels apart.
bool KernelsDiffer(const Owner& a, const Owner& b) {
  return BootIdsDiffer(a, b) && a.kernel_boot_id && b.kernel_boot_id;
}

bool SameKernel(const Owner& a, const Owner& b) {
  return a.kernel_boot_id && b.kernel_boot_id && !a.boot_id.empty() && a.boot_id == b.boot_id;
}

// What became of an owner that is known to be gone.
OwnerFate HowItWent(const Owner& owner, const Owner& self) {
  const bool rebooted = BootIdsDiffer(owner, self) && (SameMachine(owner, self) || KernelsDiffer(owner, self)) &&
                        !OtherMachine(owner, self);
  return rebooted ? OwnerFate::kMachineRebooted : OwnerFate::kProcessDied;
}

// While somebody holds a file open, neither its inode nor the device number of its file system is given to another.
bool HasLockFileOf(const Owner& owner, const WriterInfo& lock, const Owner& self) {
  const LogPlace& then = owner.place;
  const LogPlace& now = lock.place;
  if (then.file_system != now.file_system || then.lock_file != now.lock_file) return false;
  return then.device == now.device || !SameKernel(owner, self);
}

// By the process alone. Of another boot's processes none is here; machines are asked last.
OwnerFate FateOfProcess(const Owner& owner, const WriterInfo& lock, const Owner& self) {
  if (KernelsDiffer(owner, self)) {
    const bool same_place = lock.place.directory != 0 && !IsCopy(owner, lock) && !OtherMachine(owner, self);
    return SameMachine(owner, self) || same_place ? OwnerFate::kMachineRebooted : OwnerFate::kUnknown;
  }
  switch (PresenceOf(owner)) {
    case Liveness::kRunning:
      return OwnerFate::kAlive;
    case Liveness::kGone:
      return OwnerFate::kProcessDied;
    case Liveness::kUnknown:
      break;
  }
  return OwnerFate::kUnknown;
}

// The owner was to hold the writer lock as long as it lived. Locks belong to the kernel, whatever namespaces there are:
// that somebody else has, or could take, the lock of the very same file proves that this owner has let go of it. What
// remains to be told is whether it died or closed the log.
OwnerFate FateOfHolder(const Owner& owner, const WriterInfo& lock, const Owner& self) {
  const bool is_copy = IsCopy(owner, lock);
  if (!is_copy && lock.held && lock.writer && lock.writer->instance == owner.instance) return OwnerFate::kAlive;
  const auto& closed_cleanly = lock.closed_cleanly;
  if (std::find(closed_cleanly.begin(), closed_cleanly.end(), owner.instance) != closed_cleanly.end()) {
    return OwnerFate::kClosedWithoutEnd;
  }
  const OwnerFate by_process = FateOfProcess(owner, lock, self);
  if (is_copy) return by_process;
  const bool may_hold_it = lock.held && !lock.writer;
  // Somebody may have taken the lock file away, and a running owner hold one that no longer has a name.
  const bool may_hold_another = !HasLockFileOf(owner, lock, self);
  if (may_hold_it || may_hold_another) return by_process == OwnerFate::kAlive ? OwnerFate::kUnknown : by_process;
  return by_process == OwnerFate::kAlive ? OwnerFate::kClosedWithoutEnd : HowItWent(owner, self);
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
    case OwnerFate::kCopied:
      return "copied";
    case OwnerFate::kUnknown:
      break;
  }
  return "unknown";
}

bool IsGone(OwnerFate fate) {
  return fate == OwnerFate::kProcessDied || fate == OwnerFate::kMachineRebooted || fate == OwnerFate::kClosedWithoutEnd;
}

Owner DescribeThisProcess(std::string instance) {
  const ProcView view = LookAtProc();
  return OwnerAt(getpid(), view, ReadProcess(view.self), std::move(instance));
}

std::optional<Owner> DescribeProcess(std::int64_t pid, std::string instance) {
  if (pid <= 0 || pid > std::numeric_limits<pid_t>::max()) return std::nullopt;
  if (kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH) return std::nullopt;
  const ProcView view = LookAtProc();
  const std::optional<std::int64_t> number = NumberOf(pid, view);
  return OwnerAt(pid, view, number ? ReadProcess(*number) : std::nullopt, std::move(instance));
}

bool IsCopy(const Owner& owner, const WriterInfo& lock) {
  const LogPlace& then = owner.place;
  const LogPlace& now = lock.place;
  if (then.directory == 0 || now.directory == 0) return false;
  const bool found_again = then.directory == now.directory || (then.lock_file != 0 && then.lock_file == now.lock_file);
  return then.file_system != now.file_system || !found_again;
}

bool IsOwner(const Process& process, const Owner& owner) {
  const auto& pids = process.pids;
  const auto level = std::find(pids.begin(), pids.end(), owner.pid);
  if (level == pids.end() || !process.start_ticks) return false;
  // A namespace's offset need not be a whole tick.
  const std::uint64_t earlier = std::min(*process.start_ticks, owner.start_ticks);
  const std::uint64_t later = std::max(*process.start_ticks, owner.start_ticks);
  if (owner.start_ticks == 0 || later - earlier > 1) return false;
  if (level + 1 != pids.end()) return true;
  const std::uint64_t its_namespace = PidNamespaceOf(process.number);
  return its_namespace == 0 || owner.pid_namespace == 0 || its_namespace == owner.pid_namespace;
}

OwnerFate AssessOwner(const Owner& owner, const WriterInfo& lock, const Owner& self) {
  if (owner.holds_log && owner.instance == self.instance) return OwnerFate::kAlive;
  const OwnerFate fate = owner.holds_log ? FateOfHolder(owner, lock, self) : FateOfProcess(owner, lock, self);
  return IsCopy(owner, lock) && !IsGone(fate) ? OwnerFate::kCopied : fate;
}

std::string Describe(const Owner& owner) {
  const std::string program = owner.program.empty() ? "a program" : owner.program;
  const std::string host = owner.host.empty() ? "" : absl::StrCat(" on ", owner.host);
  return absl::StrCat(program, ", process ", owner.pid, host);
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
