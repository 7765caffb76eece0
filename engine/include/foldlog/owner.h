// Who answers for an operation, and whether it is still there.
//
// Every start, resume and recovery records an Owner in the log. When a later writer finds the operation still in
// progress, AssessOwner() says from the facts of the running system whether that owner is gone, and what proves it.
// A wrong "gone" would let two indexers work on one operation, so whatever cannot be proven is kUnknown.

#ifndef FOLDLOG_OWNER_H_
#define FOLDLOG_OWNER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace foldlog {

// The directory that a log is in, by what stays the same when it is renamed, and differs in a copy. All 0: not known.
struct LogPlace {
  std::uint64_t file_system = 0;  // f_fsid of statfs(2)
  std::uint64_t device = 0;       // st_dev; means something within one boot only
  std::uint64_t directory = 0;    // inode number
  std::uint64_t lock_file = 0;    // inode number of its writer.lock
  bool operator==(const LogPlace&) const = default;
};

struct Owner {
  std::string instance = {};        // UUID of one opening of the log
  std::string machine_id = {};      // /etc/machine-id; empty where there is none
  std::string boot_id = {};         // changes with every boot; empty where /proc is missing
  std::uint64_t pid_namespace = 0;  // inode number; 0 where /proc is missing
  std::int64_t pid = 0;
  std::uint64_t start_ticks = 0;  // from boot to the start of the process, 0: not known; tells a reused pid apart
  bool holds_log = true;          // it lives as long as it holds the writer lock; false: a process named by a script
  std::string program = {};
  std::string host = {};
  bool kernel_boot_id = false;  // boot_id is the kernel's own, not one that a container was given
  LogPlace place = {};          // of the log that it works on
  bool operator==(const Owner&) const = default;
};

enum class OwnerFate {
  kAlive,
  kProcessDied,
  kMachineRebooted,
  kClosedWithoutEnd,  // the process closed the log (or lost it) without ending its operation
  kUnknown,           // another machine or pid namespace: nothing here can tell
  kCopied,            // it worked on another directory, which this log is a copy of, and may go on there
};

// "alive", "process_died", "machine_rebooted", "closed_without_end", "unknown", "copied".
std::string_view Name(OwnerFate fate);

// Whether it is proven that the owner works on the operation no more, so that another may go on with it. What is shown
// as interrupted and what may be resumed without force is judged by this alone.
bool IsGone(OwnerFate fate);

// What opening a log for writing found of the writer before.
struct RecoveryReport {
  std::uint64_t events_from_tail = 0;  // that were in the tail only, and are part of the log
  std::uint64_t frames_discarded = 0;  // newer ones in the tail that do not continue the log: torn, or never finished
  std::uint64_t events_lost = 0;       // that were durable and are gone, which LogDirectoryOptions::accept_loss allowed
  // That a flush was at work on when its writer died, and that are gone: nobody knows whether it ended, and so whether
  // they had been acknowledged as durable.
  std::uint64_t events_in_doubt = 0;
  // How it ended: kClosedWithoutEnd, it closed the log in good order. Nothing: there was none, or its record is lost.
  std::optional<OwnerFate> last_writer = {};
  bool operator==(const RecoveryReport&) const = default;
};

// What a writer opened the log for. Others are told, so that they know how long it may take.
enum class WriterUse {
  kProgram,
  kStep,     // one command of a script, which takes milliseconds
  kIndexer,  // foldlog index, which SIGINT pauses
};

// What the writer lock of a log directory tells about its writers.
struct WriterInfo {
  bool held = false;                 // some process, this one included, holds the writer lock now
  std::optional<Owner> writer = {};  // the holder, or the last one to hold it; nothing if its record can't be read
  // The instances that closed the log in good order, the latest last; as many as there is room for.
  std::vector<std::string> closed_cleanly = {};
  std::optional<RecoveryReport> recovery = {};  // what `writer` found when it opened the log
  WriterUse use = WriterUse::kProgram;          // of `writer`
  LogPlace place = {};                          // of the log itself, as it is now
};

// The calling process, as the owner of an opening of a log with the given instance id.
Owner DescribeThisProcess(std::string instance);

// Another running process of this machine; nothing if there is no such process.
std::optional<Owner> DescribeProcess(std::int64_t pid, std::string instance);

// Is `owner` still there? `lock` is the state of the writer lock of its log: for a writer, as it was just before it
// took the lock itself; for a reader, as it is now. `self` is the calling process.
//
// In this order: the writer lock, which the kernel keeps for all namespaces and containers; the process; boot and
// machine ids, which containers may be given at will.
OwnerFate AssessOwner(const Owner& owner, const WriterInfo& lock, const Owner& self);

// Whether `owner` worked on another directory than that of `lock`: the log is a copy, or was moved to another file
// system.
bool IsCopy(const Owner& owner, const WriterInfo& lock);

// "foldlog, process 4711 on nas" for messages.
std::string Describe(const Owner& owner);

// A random UUID, version 4, in its usual form of 36 characters.
std::string NewUuid();

}  // namespace foldlog

#endif  // FOLDLOG_OWNER_H_
