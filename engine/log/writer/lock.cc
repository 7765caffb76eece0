#include "engine/log/writer/lock.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/base/text.h"

namespace foldlog {
namespace {

constexpr std::string_view kTitle = "foldlog writer 1";

// The record is padded to this size and written at once, so that a reader never meets the end of an older, longer one.
constexpr std::size_t kRecordBytes = 4096;

// How many clean closes a record remembers, at 40-odd bytes each. More than the last one: an opening that only looked
// must not wipe out that the owner of the last operation had closed in good order.
constexpr std::size_t kCleanClosesMax = 50;
constexpr std::string_view kClosedCleanly = "closed_cleanly";
constexpr const char* kEventsFromTail = "events_from_tail";
constexpr const char* kFramesDiscarded = "frames_discarded";
constexpr const char* kEventsLost = "events_lost";
constexpr const char* kEventsInDoubt = "events_in_doubt";
constexpr const char* kLastWriter = "last_writer";
constexpr const char* kKernelBoot = "kernel_boot";
constexpr const char* kFileSystem = "file_system";
constexpr const char* kDevice = "device";
constexpr const char* kDirectory = "directory";
constexpr const char* kLockFile = "lock_file";
constexpr const char* kUse = "use";

std::string PathIn(const std::string& directory) { return directory + "/writer.lock"; }

struct flock WholeFile(short type) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

// A child made by fork() inherits the open file description, and with it the lock: a helper process of the indexer
// would keep the log locked after the indexer's death. So each child closes its copies at once, in a handler that
// fork() runs.
class HeldInThisProcess {
 public:
  static HeldInThisProcess& Get() {
    static HeldInThisProcess& instance = *new HeldInThisProcess;  // never destroyed: fork() may come at exit, too
    return instance;
  }

  void Add(int fd) {
    const std::lock_guard lock(mutex_);
    fds_.insert(fd);
  }

  void Remove(int fd) {
    const std::lock_guard lock(mutex_);
    fds_.erase(fd);
  }

 private:
  HeldInThisProcess() {
    // The parent holds mutex_ during fork(), so the child's copy of the set is whole.
    pthread_atfork([] { Get().mutex_.lock(); }, [] { Get().mutex_.unlock(); }, [] { Get().CloseInChild(); });
  }

  void CloseInChild() {
    for (const int fd : fds_) close(fd);
    fds_.clear();
    mutex_.unlock();
  }

  std::mutex mutex_;
  std::set<int> fds_;
};

// A record that cannot be read is as good as none: the kernel's lock counts, the record only describes.
std::string ReadRecord(int fd) {
  std::string text(kRecordBytes, '\0');
  const ssize_t got = pread(fd, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

// One write of a fixed size, so that a reader sees an old or a new record, and not the end of the old behind the new.
absl::Status WriteRecord(int fd, const std::string& path, std::string text) {
  text.resize(kRecordBytes, '\n');
  const FileSizeSignalBlocked blocked;
  const ssize_t put = pwrite(fd, text.data(), text.size(), 0);
  if (put == static_cast<ssize_t>(text.size())) return absl::OkStatus();
  return ErrnoStatus(put < 0 ? errno : ENOSPC, absl::StrCat("sign the writer lock ", path));
}

// A pid alone does not name a process: pids are used again, and each namespace counts its own.
bool IsSameProcess(const Owner& a, const Owner& b) {
  return a.pid == b.pid && a.start_ticks == b.start_ticks && a.pid_namespace == b.pid_namespace &&
         a.boot_id == b.boot_id;
}

// The next step for the user, by what the holder is. `kill` is named only where the holder's pid means the same process
// here.
std::string HowToGoOn(const WriterInfo& info, const Owner& self) {
  if (!info.writer) return "wait until it ends, or stop it";
  if (IsSameProcess(*info.writer, self)) return "use what it was opened with, or close that first";
  if (info.use == WriterUse::kStep)
    return "it takes one step and ends: run this again, or wait longer (--wait SECONDS)";
  const bool has_pid_here = info.writer->pid_namespace != 0 && info.writer->pid_namespace == self.pid_namespace;
  if (info.use == WriterUse::kIndexer && has_pid_here) {
    return absl::StrCat("wait until it ends, or pause it: kill -INT ", info.writer->pid);
  }
  return "wait until it ends, or stop it";
}

// Names the holder as far as its record tells; the record may be torn, or not written yet.
absl::Status HeldByAnother(const std::string& directory, const WriterInfo& info, const Owner& self) {
  std::string holder = "another process (its record can't be read)";
  if (info.writer) {
    holder = Describe(*info.writer);
    if (IsSameProcess(*info.writer, self)) holder = absl::StrCat("this process itself (", holder, ")");
    if (info.use == WriterUse::kIndexer) absl::StrAppend(&holder, ", which indexes");
    if (info.use == WriterUse::kCopy) absl::StrAppend(&holder, ", which copies another log to it");
  }
  return absl::FailedPreconditionError(absl::StrCat("the log ", directory, " is being written by ", holder, "; ",
                                                    HowToGoOn(info, self), ". Reading is possible meanwhile"));
}

// Zeros, which mean "not known", if the directory can't be inspected.
LogPlace PlaceOf(const std::string& directory) {
  LogPlace place;
  struct stat info = {};
  struct statfs file_system = {};
  if (stat(directory.c_str(), &info) != 0 || statfs(directory.c_str(), &file_system) != 0) return place;
  std::memcpy(&place.file_system, &file_system.f_fsid, sizeof place.file_system);
  place.device = info.st_dev;
  place.directory = info.st_ino;
  return place;
}

std::uint64_t InodeOf(int fd) {
  FileFacts facts;
  return Inspect(fd, facts) ? facts.inode : 0;
}

absl::StatusOr<FileDescriptor> OpenLockFile(const std::string& path, int flags) {
  absl::StatusOr<FileDescriptor> file = OpenRegularFile(path, flags);
  if (!absl::IsFailedPrecondition(file.status())) return file;
  return absl::FailedPreconditionError(
      absl::StrCat("the writer lock ", path, " is not a regular file; remove it, and the next writer makes a new one"));
}

// True if the lock was taken, false if another open file description has it.
absl::StatusOr<bool> TryLock(int fd, const std::string& path) {
  struct flock lock = WholeFile(F_WRLCK);
  if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  return ErrnoStatus(errno, absl::StrCat("lock ", path));
}

// F_OFD_GETLK asks without taking: a reader must not keep a writer from the lock even for a moment.
absl::StatusOr<bool> IsHeld(int fd, const std::string& path) {
  struct flock lock = WholeFile(F_WRLCK);
  if (fcntl(fd, F_OFD_GETLK, &lock) != 0) return ErrnoStatus(errno, absl::StrCat("inspect the lock ", path));
  return lock.l_type != F_UNLCK;
}

// How long Acquire() waits for the lock. The time starts anew with each writer that gets the lock meanwhile: a queue of
// short writers moves on, and a single long one is not waited for beyond the limit.
class Patience {
 public:
  explicit Patience(std::chrono::milliseconds wait) : wait_(wait) {}

  // Sleeps for a while. False if the time is up, or a signal ended the sleep.
  bool WaitFor(const WriterInfo& holder) {
    const std::string& instance = holder.writer ? holder.writer->instance : nobody_;
    if (instance != waited_for_) {
      waited_for_ = instance;
      deadline_ = Clock::now() + wait_;
      pause_ = kPauseMin;
    }
    if (Clock::now() >= deadline_) return false;
    const timespec pause = {.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(pause_).count()};
    pause_ = std::min(2 * pause_, kPauseMax);
    return clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr) == 0;
  }

 private:
  using Clock = std::chrono::steady_clock;
  // A step holds the lock for a few milliseconds; looking more often would take the processor from it.
  static constexpr std::chrono::milliseconds kPauseMin{1};
  static constexpr std::chrono::milliseconds kPauseMax{20};

  const std::chrono::milliseconds wait_;
  const std::string nobody_ = "?";
  std::string waited_for_;
  Clock::time_point deadline_;
  std::chrono::milliseconds pause_ = kPauseMin;
};

// One line for each fact. Control characters of names from the system become `?`, or a name could add lines of its own.
void AppendLine(std::string& text, std::string_view name, std::string value) {
  for (char& c : value) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = '?';
  }
  absl::StrAppend(&text, ToAbsl(name), " ", value, "\n");
}

std::string_view Name(WriterUse use) {
  switch (use) {
    case WriterUse::kStep:
      return "step";
    case WriterUse::kIndexer:
      return "index";
    case WriterUse::kCopy:
      return "copy";
    case WriterUse::kProgram:
      break;
  }
  return "program";
}

WriterUse ParseUse(const std::string& name) {
  for (const WriterUse use : {WriterUse::kStep, WriterUse::kIndexer, WriterUse::kCopy}) {
    if (Name(use) == name) return use;
  }
  return WriterUse::kProgram;
}

std::optional<OwnerFate> ParseFate(const std::string& name) {
  for (const OwnerFate fate : {OwnerFate::kAlive, OwnerFate::kProcessDied, OwnerFate::kMachineRebooted,
                               OwnerFate::kClosedWithoutEnd, OwnerFate::kCopied, OwnerFate::kUnknown}) {
    if (Name(fate) == name) return fate;
  }
  return std::nullopt;
}

// Records of older versions lack the later facts, which then are 0.
std::optional<RecoveryReport> ParseRecovery(std::map<std::string, std::string>& facts) {
  RecoveryReport report{.last_writer = ParseFate(facts[kLastWriter])};
  const bool complete = absl::SimpleAtoi(facts[kEventsFromTail], &report.events_from_tail) &&
                        absl::SimpleAtoi(facts[kFramesDiscarded], &report.frames_discarded);
  static_cast<void>(absl::SimpleAtoi(facts[kEventsLost], &report.events_lost));  // not in older records
  static_cast<void>(absl::SimpleAtoi(facts[kEventsInDoubt], &report.events_in_doubt));
  return complete ? std::optional(report) : std::nullopt;
}

// 0, which means "not known", if the fact is missing or no number.
std::uint64_t ParseNumber(std::map<std::string, std::string>& facts, const char* name) {
  std::uint64_t number = 0;
  return absl::SimpleAtoi(facts[name], &number) ? number : 0;
}

void AppendPlace(std::string& text, const LogPlace& place) {
  AppendLine(text, kFileSystem, absl::StrCat(place.file_system));
  AppendLine(text, kDevice, absl::StrCat(place.device));
  AppendLine(text, kDirectory, absl::StrCat(place.directory));
  AppendLine(text, kLockFile, absl::StrCat(place.lock_file));
}

LogPlace ParsePlace(std::map<std::string, std::string>& facts) {
  return {.file_system = ParseNumber(facts, kFileSystem),
          .device = ParseNumber(facts, kDevice),
          .directory = ParseNumber(facts, kDirectory),
          .lock_file = ParseNumber(facts, kLockFile)};
}

}  // namespace

std::string FormatWriterRecord(const Owner& writer, const std::vector<std::string>& closed_cleanly,
                               const std::optional<RecoveryReport>& recovery, WriterUse use) {
  std::string text = absl::StrCat(ToAbsl(kTitle), "\n");
  AppendLine(text, "instance", writer.instance);
  AppendLine(text, "machine", writer.machine_id);
  AppendLine(text, "boot", writer.boot_id);
  AppendLine(text, "pid_namespace", absl::StrCat(writer.pid_namespace));
  AppendLine(text, "pid", absl::StrCat(writer.pid));
  AppendLine(text, "start_ticks", absl::StrCat(writer.start_ticks));
  AppendLine(text, "program", writer.program);
  AppendLine(text, "host", writer.host);
  AppendLine(text, kKernelBoot, writer.kernel_boot_id ? "yes" : "no");
  AppendPlace(text, writer.place);
  AppendLine(text, kUse, std::string(Name(use)));
  if (recovery) {
    AppendLine(text, kEventsFromTail, absl::StrCat(recovery->events_from_tail));
    AppendLine(text, kFramesDiscarded, absl::StrCat(recovery->frames_discarded));
    AppendLine(text, kEventsLost, absl::StrCat(recovery->events_lost));
    AppendLine(text, kEventsInDoubt, absl::StrCat(recovery->events_in_doubt));
    if (recovery->last_writer) AppendLine(text, kLastWriter, std::string(Name(*recovery->last_writer)));
  }
  for (const std::string& instance : closed_cleanly) AppendLine(text, kClosedCleanly, instance);
  return text;
}

// Any bytes may come: a line without a space is skipped, a number that is none is "not known".
WriterInfo ParseWriterRecord(std::string_view text) {
  std::istringstream lines{std::string(text)};
  std::string line;
  std::getline(lines, line);
  if (line != kTitle) return {};

  std::map<std::string, std::string> facts;
  WriterInfo info;
  while (std::getline(lines, line)) {
    // Unknown names are kept and ignored, so that records of newer versions can be read.
    const std::size_t space = line.find(' ');
    if (space == std::string::npos) continue;
    const std::string name = line.substr(0, space);
    if (name == kClosedCleanly) {
      info.closed_cleanly.push_back(line.substr(space + 1));
    } else {
      facts[name] = line.substr(space + 1);
    }
  }
  Owner writer{.instance = facts["instance"],
               .machine_id = facts["machine"],
               .boot_id = facts["boot"],
               .program = facts["program"],
               .host = facts["host"],
               .kernel_boot_id = facts[kKernelBoot] == "yes",
               .place = ParsePlace(facts)};
  const bool numbers_ok = absl::SimpleAtoi(facts["pid_namespace"], &writer.pid_namespace) &&
                          absl::SimpleAtoi(facts["pid"], &writer.pid) &&
                          absl::SimpleAtoi(facts["start_ticks"], &writer.start_ticks);
  // A writer that is named in part could be taken for another process.
  if (numbers_ok && !writer.instance.empty()) info.writer = std::move(writer);
  info.recovery = ParseRecovery(facts);
  info.use = ParseUse(facts[kUse]);
  return info;
}

WriterLock::WriterLock(FileDescriptor file, std::string path, Owner self, WriterUse use)
    : file_(std::move(file)), path_(std::move(path)), self_(std::move(self)), use_(use) {
  HeldInThisProcess::Get().Add(file_.get());
}

WriterLock::~WriterLock() {
  HeldInThisProcess::Get().Remove(file_.get());
  if (getpid() != self_.pid) {
    file_.Release();  // CloseInChild() has closed it, and the number may belong to another file of the child's
    return;
  }
  // Unlocked explicitly: closing would not unlock while a child that was just forked still has its copy.
  struct flock lock = WholeFile(F_UNLCK);
  fcntl(file_.get(), F_OFD_SETLK, &lock);
}

absl::StatusOr<std::unique_ptr<WriterLock>> WriterLock::Acquire(const std::string& directory, const Owner& self,
                                                                const WriterLockOptions& options) {
  const std::string path = PathIn(directory);
  Patience patience(options.wait);
  while (true) {
    ASSIGN_OR_RETURN(FileDescriptor file, OpenLockFile(path, O_RDWR | O_CREAT));
    // Registered for closing in children before the lock is taken, so that no child forked in between keeps it.
    std::unique_ptr<WriterLock> writer(new WriterLock(std::move(file), path, self, options.use));
    const int fd = writer->file_.get();
    ASSIGN_OR_RETURN(const bool locked, TryLock(fd, path));
    WriterInfo info = ParseWriterRecord(ReadRecord(fd));
    if (locked && CheckIsAtPath(fd, path).ok()) {
      RETURN_IF_ERROR(writer->Sign(directory, std::move(info)));
      return writer;
    }
    // A lock on a file that lost its name between opening and locking protects nothing: the loop opens the new one.
    if (!locked && !patience.WaitFor(info)) return HeldByAnother(directory, info, self);
  }
}

// The former record is kept in previous_, for the new one replaces it.
absl::Status WriterLock::Sign(const std::string& directory, WriterInfo previous) {
  self_.place = PlaceOf(directory);
  self_.place.lock_file = InodeOf(file_.get());
  previous_ = std::move(previous);
  previous_.place = self_.place;
  return WriteRecord(file_.get(), path_, FormatWriterRecord(self_, previous_.closed_cleanly, std::nullopt, use_));
}

absl::Status WriterLock::NoteRecovery(const RecoveryReport& report) {
  recovery_ = report;
  return WriteRecord(file_.get(), path_, FormatWriterRecord(self_, previous_.closed_cleanly, recovery_, use_));
}

// The oldest instance gives way, so that the record keeps its size.
absl::Status WriterLock::MarkCleanClose() {
  std::vector<std::string> closed_cleanly = previous_.closed_cleanly;
  if (closed_cleanly.size() >= kCleanClosesMax) closed_cleanly.erase(closed_cleanly.begin());
  closed_cleanly.push_back(self_.instance);
  return WriteRecord(file_.get(), path_, FormatWriterRecord(self_, closed_cleanly, recovery_, use_));
}

absl::StatusOr<WriterInfo> InspectWriterLock(const std::string& directory) {
  const std::string path = PathIn(directory);
  absl::StatusOr<FileDescriptor> file = OpenLockFile(path, O_RDONLY);
  if (absl::IsNotFound(file.status())) return WriterInfo{.place = PlaceOf(directory)};
  RETURN_IF_ERROR(file.status());
  const int fd = file->get();
  // The record is the holder's only if the lock did not change hands while it was read. If it did, both are read again.
  constexpr int kLooksMax = 3;
  WriterInfo info;
  for (int look = 0; look < kLooksMax; ++look) {
    ASSIGN_OR_RETURN(const bool held_before, IsHeld(fd, path));
    info = ParseWriterRecord(ReadRecord(fd));
    ASSIGN_OR_RETURN(info.held, IsHeld(fd, path));
    if (held_before == info.held) break;
  }
  info.place = PlaceOf(directory);
  info.place.lock_file = InodeOf(fd);
  return info;
}

}  // namespace foldlog
