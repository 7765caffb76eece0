// Running processes, from /proc. What cannot be read is reported as missing, and proves nothing.
//
// /proc may belong to a pid namespace above the caller's. So a process has a number in /proc, by which it is read, and
// one pid in each namespace from that of /proc down to its own.

#ifndef FOLDLOG_BASE_PROCESS_H_
#define FOLDLOG_BASE_PROCESS_H_

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

namespace foldlog {

struct Process {
  std::int64_t number = 0;  // as /proc names it; so are the next two
  std::int64_t parent = 0;  // 0: /proc does not show it
  std::int64_t session = 0;
  char state = '?';
  std::string name = {};  // of its program, cut to 15 bytes
  // Clock ticks from the machine's boot to the start of the process, in the machine's own time; nothing: not known.
  std::optional<std::uint64_t> start_ticks = {};
  std::vector<std::int64_t> pids = {};  // in each namespace from that of /proc down to its own
};

// The process with that number in /proc; nothing if it does not exist or can't be read.
std::optional<Process> ReadProcess(std::int64_t number);

// Whether any thread of the process runs. The first one may end before the others.
bool IsRunning(const Process& process);

// Its arguments; empty if they can't be read, or it has none.
std::vector<std::string> ArgumentsOf(std::int64_t number);

// The calling process, and what /proc shows to it.
struct ProcView {
  std::int64_t self = 0;            // the calling process, as /proc names it; 0: /proc is not mounted, or shows others
  std::size_t levels = 0;           // from the namespace of /proc down to the caller's; 1: they are the same
  std::uint64_t pid_namespace = 0;  // of the caller: inode number; 0: not known
};

ProcView LookAtProc();

// The number in /proc of the process that the caller knows as `pid`; nothing if /proc does not show exactly one.
std::optional<std::int64_t> NumberOf(std::int64_t pid, const ProcView& view);

// All processes that /proc shows.
struct AllProcesses {
  std::vector<Process> processes = {};
  bool complete = false;  // none was hidden from the caller
};

AllProcesses ReadAllProcesses();

// The inode number of the pid namespace of a process; 0 if the caller may not see it.
std::uint64_t PidNamespaceOf(std::int64_t number);

struct KernelBoot {
  std::string id = {};      // empty where /proc/sys is missing
  bool is_kernels = false;  // and not one that a container manager mounted over it
};

KernelBoot ReadKernelBoot();

// How far a time namespace sets the time since boot ahead of the machine's; 0 without namespaces. The kernel tells the
// offset of the caller's children, whose namespace is nearly always its own.
timespec ReadBootTimeOffset();

}  // namespace foldlog

#endif  // FOLDLOG_BASE_PROCESS_H_
