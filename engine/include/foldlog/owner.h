// The owner of an operation: the process that answers for it, and whether that process is still there.
//
//   Owner self = DescribeThisProcess(NewUuid());
//   ASSIGN_OR_RETURN(WriterInfo lock, InspectWriter(directory));
//   if (IsGone(AssessOwner(operation.owner, lock, self))) std::cout << "interrupted\n";
//
// Every start, resume and recovery records an Owner in the log. When a later writer finds the operation still in
// progress, AssessOwner() says from the facts of the running system whether that owner is gone, and what proves it. A
// wrong "gone" would let two indexers work on one operation, so whatever cannot be proven is kUnknown. Values copy; the
// functions may be called from any thread.

#ifndef FOLDLOG_OWNER_H_
#define FOLDLOG_OWNER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace foldlog {

// The directory of a log, by numbers that stay the same when it is renamed and differ in a copy. All 0: not known.
struct LogPlace {
  std::uint64_t file_system = 0;  // f_fsid of statfs(2)
  std::uint64_t device = 0;       // st_dev; means something within one boot only
  std::uint64_t directory = 0;    // inode number
  std::uint64_t lock_file = 0;    // inode number of its writer.lock
  bool operator==(const LogPlace&) const = default;
};

// A process, described so that it can be recognised later, from another process, container or boot.
struct Owner {
  std::string instance = {};        // UUID of one opening of the log
  std::string machine_id = {};      // /etc/machine-id; empty where there is none
  std::string boot_id = {};         // changes with every boot; empty where /proc is missing
  std::uint64_t pid_namespace = 0;  // inode number; 0 where /proc is missing
  // The start time tells the process from later ones with the same pid.
  std::int64_t pid = 0;
  std::uint64_t start_ticks = 0;  // from boot to the start of the process, 0: not known; tells a reused pid apart
  bool holds_log = true;  // the owner holds the writer lock as long as it works; false: a process named by a script
  std::string program = {};
  std::string host = {};
  bool kernel_boot_id = false;  // boot_id is the kernel's own, not one that a container was given
  LogPlace place = {};          // the place of the log that it works on
  bool operator==(const Owner&) const = default;
};

// What became of an owner.
enum class OwnerFate {
  // It runs, or it holds the log.
  kAlive,
  // Its process is gone, and the machine has run on.
  kProcessDied,
  // The machine has been booted since, so its process is gone.
  kMachineRebooted,
  // Its process has given up the log without ending the operation.
  kClosedWithoutEnd,
  // It ran on another machine or in another pid namespace: nothing here can tell.
  kUnknown,
  // It worked on the directory that this log is a copy of, and may go on there.
  kCopied,
};

// "alive", "process_died", "machine_rebooted", "closed_without_end", "unknown", "copied".
std::string_view Name(OwnerFate fate);

// Whether it is proven that the owner works on the operation no more, so that another may go on with it. This alone
// decides what is shown as interrupted, and what may be resumed without force.
bool IsGone(OwnerFate fate);

// What opening a log for writing found of the last writer's work.
struct RecoveryReport {
  std::uint64_t events_from_tail = 0;  // events that only the tail had; they are part of the log
  std::uint64_t frames_discarded = 0;  // newer frames in the tail that do not continue the log: torn, or unfinished
  std::uint64_t events_lost = 0;       // durable events that are gone, as LogDirectoryOptions::accept_loss allowed
  // Events that are gone and that a flush was working on when its writer died. Nobody knows whether the flush ended,
  // and so whether they had been acknowledged as durable.
  std::uint64_t events_in_doubt = 0;
  // How the last writer ended. kClosedWithoutEnd: it closed the log in good order. Nothing: there was none, or its
  // record is lost.
  std::optional<OwnerFate> last_writer = {};
  bool operator==(const RecoveryReport&) const = default;
};

// What a writer opened the log for. Other programs show it, so that their users know how long it may take.
enum class WriterUse {
  kProgram,
  kStep,     // one command of a script, which takes milliseconds
  kIndexer,  // foldlog index, which SIGINT pauses
  kCopy,     // a backup or a restore, which ends by itself
};

// The record of the writer lock of a log directory: its holder, and those before.
struct WriterInfo {
  // Whether any process, this one included, holds the writer lock now.
  bool held = false;
  std::optional<Owner> writer = {};  // the holder, or the last one to hold it; nothing if its record can't be read
  // The instances that closed the log in good order, the latest last; the record keeps the last 50.
  std::vector<std::string> closed_cleanly = {};
  std::optional<RecoveryReport> recovery = {};  // what `writer` found when it opened the log
  WriterUse use = WriterUse::kProgram;          // of `writer`
  LogPlace place = {};                          // of the log itself, as it is now
};

// The calling process as an owner. `instance` identifies one opening of a log: a UUID.
Owner DescribeThisProcess(std::string instance);

// Another process of this machine, by its pid in the caller's namespace; nothing if there is no such process.
std::optional<Owner> DescribeProcess(std::int64_t pid, std::string instance);

// What has become of `owner`. `lock` is the writer lock of its log: for a writer, as it was just before this writer
// took it; for a reader, as it is now. `self` is the calling process. Reads /proc; what it cannot read proves nothing.
//
// It asks in this order: the writer lock, which the kernel keeps for all namespaces and containers; the process; boot
// and machine ids, which a container may be given at will.
OwnerFate AssessOwner(const Owner& owner, const WriterInfo& lock, const Owner& self);

// Whether `owner` worked on another directory than that of `lock`: the log is a copy, or was moved to another file
// system.
bool IsCopy(const Owner& owner, const WriterInfo& lock);

// "foldlog, process 4711 on nas", for messages.
std::string Describe(const Owner& owner);

// A random UUID, version 4, in its usual form of 36 characters.
std::string NewUuid();

}  // namespace foldlog

#endif  // FOLDLOG_OWNER_H_
