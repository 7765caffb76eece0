// What the facts about processes, locks and boots prove about an owner. A fact that cannot be read proves nothing:
// every doubt ends in kUnknown, never in "gone".

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

// `pid` is the process's number for the caller, whose namespace is recorded with it. The process's own namespace may
// not be readable for another user, and is not needed.
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

// `if_not_there` is what it proves that no process of the list is the owner.
Liveness PresenceIn(const std::vector<Process>& processes, const Owner& owner, Liveness if_not_there) {
  for (const Process& process : processes) {
    if (IsOwner(process, owner)) return IsRunning(process) ? Liveness::kRunning : Liveness::kGone;
  }
  return if_not_there;
}

// Whether /proc shows every process of the machine: then it belongs to the first pid namespace, whose inode number is
// fixed.
bool SeesTheMachine(const ProcView& view) {
  constexpr std::uint64_t kFirstPidNamespace = 0xeffffffc;
  return view.levels == 1 && view.pid_namespace == kFirstPidNamespace;
}

// In the caller's own namespace only one process can have the owner's pid. It is the owner, or the owner is gone.
Liveness PresenceAt(std::int64_t number, const Owner& owner) {
  const std::optional<Process> process = ReadProcess(number);
  if (!process || !process->start_ticks) return Liveness::kUnknown;
  return PresenceIn({*process}, owner, Liveness::kGone);
}

// Failing to look (no descriptor left, another user's process under hidepid, no /proc) proves nothing.
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

// Both predicates are false where an id is missing: then nothing is known.
bool SameMachine(const Owner& a, const Owner& b) { return !a.machine_id.empty() && a.machine_id == b.machine_id; }

bool OtherMachine(const Owner& a, const Owner& b) {
  return !a.machine_id.empty() && !b.machine_id.empty() && a.machine_id != b.machine_id;
}

bool BootIdsDiffer(const Owner& a, const Owner& b) {
  return !a.boot_id.empty() && !b.boot_id.empty() && a.boot_id != b.boot_id;
}

// A container manager may give each container a boot id of its own, so only the kernel's ids tell kernels apart.
bool KernelsDiffer(const Owner& a, const Owner& b) {
  return BootIdsDiffer(a, b) && a.kernel_boot_id && b.kernel_boot_id;
}

bool SameKernel(const Owner& a, const Owner& b) {
  return a.kernel_boot_id && b.kernel_boot_id && !a.boot_id.empty() && a.boot_id == b.boot_id;
}

// The fate of an owner that is known to be gone: with its process, or with its whole machine.
OwnerFate HowItWent(const Owner& owner, const Owner& self) {
  const bool rebooted = BootIdsDiffer(owner, self) && (SameMachine(owner, self) || KernelsDiffer(owner, self)) &&
                        !OtherMachine(owner, self);
  return rebooted ? OwnerFate::kMachineRebooted : OwnerFate::kProcessDied;
}

// Whether the log's lock file is the one that the owner locked. While a process holds a file open, its inode number and
// the device number of its file system are not given to others.
bool HasLockFileOf(const Owner& owner, const WriterInfo& lock, const Owner& self) {
  const LogPlace& then = owner.place;
  const LogPlace& now = lock.place;
  if (then.file_system != now.file_system || then.lock_file != now.lock_file) return false;
  return then.device == now.device || !SameKernel(owner, self);
}

// Judges by the process alone. A process of another boot is not here any more, if that boot was of this machine; the
// place of the log tells machines apart where they have no id.
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

// Judges an owner that holds the writer lock as long as it lives. Locks belong to the kernel, across all namespaces: if
// another process has taken the lock of the very same file, this owner has let go of it. It remains to be told whether
// the owner died or closed the log.
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
  // If the lock file was removed or replaced, a running owner may hold one that no longer has a name.
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
  // kill() gives 0 and negative numbers another meaning: process groups.
  if (pid <= 0 || pid > std::numeric_limits<pid_t>::max()) return std::nullopt;
  if (kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH) return std::nullopt;
  const ProcView view = LookAtProc();
  const std::optional<std::int64_t> number = NumberOf(pid, view);
  return OwnerAt(pid, view, number ? ReadProcess(*number) : std::nullopt, std::move(instance));
}

// A rename keeps the directory's inode number. If the directory was made anew around the same files, the lock file
// still has its own. A copy has neither, or is on another file system.
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
  // Start times are compared with a tick to spare: a time namespace's offset need not be a whole number of ticks.
  const std::uint64_t earlier = std::min(*process.start_ticks, owner.start_ticks);
  const std::uint64_t later = std::max(*process.start_ticks, owner.start_ticks);
  if (owner.start_ticks == 0 || later - earlier > 1) return false;
  if (level + 1 != pids.end()) return true;
  const std::uint64_t its_namespace = PidNamespaceOf(process.number);
  return its_namespace == 0 || owner.pid_namespace == 0 || its_namespace == owner.pid_namespace;
}

OwnerFate AssessOwner(const Owner& owner, const WriterInfo& lock, const Owner& self) {
  // The caller itself holds the log: no need to look.
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
