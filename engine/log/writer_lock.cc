#include "engine/log/writer_lock.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/status_macros.h"
#include "engine/text.h"

namespace foldlog {
namespace {

constexpr std::string_view kTitle = "foldlog writer 1";

// The record is padded to this size and written at once, so that a reader never meets the end of an older, longer one.
constexpr std::size_t kRecordBytes = 4096;

// Of the instances that closed in good order, so many are remembered: an opening that only looked, and closed again,
// must not wipe out what is known of the owner of the operation before it. 40-odd bytes each.
constexpr std::size_t kSignedOffMax = 50;
constexpr std::string_view kSignedOff = "signed_off";
constexpr const char* kEventsFromTail = "events_from_tail";
constexpr const char* kFramesDiscarded = "frames_discarded";
constexpr const char* kLastWriter = "last_writer";

std::string PathIn(const std::string& directory) { return directory + "/writer.lock"; }

struct flock WholeFile(short type) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

// An open file description outlives its process in the children that inherited it, and the lock with it: a helper
// forked by the indexer would keep the log locked after the indexer's death. So each child closes its copies at once.
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

std::string ReadRecord(int fd) {
  std::string text(kRecordBytes, '\0');
  const ssize_t got = pread(fd, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

absl::Status WriteRecord(int fd, const std::string& path, std::string text) {
  text.resize(kRecordBytes, '\n');
  const FileSizeSignalBlocked blocked;
  const ssize_t put = pwrite(fd, text.data(), text.size(), 0);
  if (put == static_cast<ssize_t>(text.size())) return absl::OkStatus();
  return ErrnoStatus(put < 0 ? errno : ENOSPC, absl::StrCat("sign the writer lock ", path));
}

absl::Status HeldByAnother(const std::string& directory, const WriterInfo& info) {
  const std::string holder =
      info.writer ? Describe(*info.writer) : std::string("another process (its record can't be read)");
  return absl::FailedPreconditionError(absl::StrCat("the log ", directory, " is being written by ", holder,
                                                    "; wait until it ends, or stop it. Reading is possible meanwhile"));
}

// One line a fact. Text from the system is reduced to one printable line, whatever it holds.
void AppendLine(std::string& text, std::string_view name, std::string value) {
  for (char& c : value) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = '?';
  }
  absl::StrAppend(&text, ToAbsl(name), " ", value, "\n");
}

std::optional<OwnerFate> ParseFate(const std::string& name) {
  for (const OwnerFate fate : {OwnerFate::kAlive, OwnerFate::kProcessDied, OwnerFate::kMachineRebooted,
                               OwnerFate::kClosedWithoutEnd, OwnerFate::kUnknown}) {
    if (Name(fate) == name) return fate;
  }
  return std::nullopt;
}

std::optional<RecoveryReport> ParseRecovery(std::map<std::string, std::string>& facts) {
  RecoveryReport report{.last_writer = ParseFate(facts[kLastWriter])};
  const bool complete = absl::SimpleAtoi(facts[kEventsFromTail], &report.events_from_tail) &&
                        absl::SimpleAtoi(facts[kFramesDiscarded], &report.frames_discarded);
  return complete ? std::optional(report) : std::nullopt;
}

}  // namespace

std::string FormatWriterRecord(const Owner& writer, const std::vector<std::string>& signed_off,
                               const std::optional<RecoveryReport>& recovery) {
  std::string text = absl::StrCat(ToAbsl(kTitle), "\n");
  AppendLine(text, "instance", writer.instance);
  AppendLine(text, "machine", writer.machine_id);
  AppendLine(text, "boot", writer.boot_id);
  AppendLine(text, "pid_namespace", absl::StrCat(writer.pid_namespace));
  AppendLine(text, "pid", absl::StrCat(writer.pid));
  AppendLine(text, "start_ticks", absl::StrCat(writer.start_ticks));
  AppendLine(text, "program", writer.program);
  AppendLine(text, "host", writer.host);
  if (recovery) {
    AppendLine(text, kEventsFromTail, absl::StrCat(recovery->events_from_tail));
    AppendLine(text, kFramesDiscarded, absl::StrCat(recovery->frames_discarded));
    if (recovery->last_writer) AppendLine(text, kLastWriter, std::string(Name(*recovery->last_writer)));
  }
  for (const std::string& instance : signed_off) AppendLine(text, kSignedOff, instance);
  return text;
}

WriterInfo ParseWriterRecord(std::string_view text) {
  std::istringstream lines{std::string(text)};
  std::string line;
  std::getline(lines, line);
  if (line != kTitle) return {};

  std::map<std::string, std::string> facts;
  WriterInfo info;
  while (std::getline(lines, line)) {
    const std::size_t space = line.find(' ');
    if (space == std::string::npos) continue;
    const std::string name = line.substr(0, space);
    if (name == kSignedOff) {
      info.signed_off.push_back(line.substr(space + 1));
    } else {
      facts[name] = line.substr(space + 1);
    }
  }
  Owner writer{.instance = facts["instance"],
               .machine_id = facts["machine"],
               .boot_id = facts["boot"],
               .program = facts["program"],
               .host = facts["host"]};
  const bool numbers_ok = absl::SimpleAtoi(facts["pid_namespace"], &writer.pid_namespace) &&
                          absl::SimpleAtoi(facts["pid"], &writer.pid) &&
                          absl::SimpleAtoi(facts["start_ticks"], &writer.start_ticks);
  if (numbers_ok && !writer.instance.empty()) info.writer = std::move(writer);
  info.recovery = ParseRecovery(facts);
  return info;
}

WriterLock::WriterLock(FileDescriptor file, std::string path, Owner self)
    : file_(std::move(file)), path_(std::move(path)), self_(std::move(self)) {
  HeldInThisProcess::Get().Add(file_.get());
}

WriterLock::~WriterLock() {
  HeldInThisProcess::Get().Remove(file_.get());
  if (getpid() != self_.pid) {
    file_.Release();  // the number may by now belong to another file of the child's
    return;
  }
  // Unlocked by name, not only by closing: a child that was forked a moment ago may still hold a copy.
  struct flock lock = WholeFile(F_UNLCK);
  fcntl(file_.get(), F_OFD_SETLK, &lock);
}

absl::StatusOr<std::unique_ptr<WriterLock>> WriterLock::Acquire(const std::string& directory, const Owner& self) {
  const std::string path = PathIn(directory);
  FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (!file.valid()) return ErrnoStatus(errno, absl::StrCat("open the writer lock ", path));
  // Owned before it is locked, so that a child forked in between does not keep it.
  std::unique_ptr<WriterLock> writer(new WriterLock(std::move(file), path, self));
  const int fd = writer->file_.get();
  struct flock lock = WholeFile(F_WRLCK);
  if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES) return ErrnoStatus(errno, absl::StrCat("lock ", path));
    return HeldByAnother(directory, ParseWriterRecord(ReadRecord(fd)));
  }
  writer->previous_ = ParseWriterRecord(ReadRecord(fd));
  RETURN_IF_ERROR(WriteRecord(fd, path, FormatWriterRecord(self, writer->previous_.signed_off)));
  return writer;
}

absl::Status WriterLock::NoteRecovery(const RecoveryReport& report) {
  recovery_ = report;
  return WriteRecord(file_.get(), path_, FormatWriterRecord(self_, previous_.signed_off, recovery_));
}

absl::Status WriterLock::SignOff() {
  std::vector<std::string> signed_off = previous_.signed_off;
  if (signed_off.size() >= kSignedOffMax) signed_off.erase(signed_off.begin());
  signed_off.push_back(self_.instance);
  return WriteRecord(file_.get(), path_, FormatWriterRecord(self_, signed_off, recovery_));
}

absl::StatusOr<WriterInfo> InspectWriterLock(const std::string& directory) {
  const std::string path = PathIn(directory);
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) {
    if (errno == ENOENT) return WriterInfo{};
    return ErrnoStatus(errno, absl::StrCat("open the writer lock ", path));
  }
  WriterInfo info = ParseWriterRecord(ReadRecord(file.get()));
  struct flock lock = WholeFile(F_WRLCK);
  if (fcntl(file.get(), F_OFD_GETLK, &lock) != 0) return ErrnoStatus(errno, absl::StrCat("inspect the lock ", path));
  info.held = lock.l_type != F_UNLCK;
  return info;
}

}  // namespace foldlog
