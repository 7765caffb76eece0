// The writer lock of a log directory: an open file description lock on `writer.lock`, with a record in the file that
// names its holder. The kernel drops the lock when its holder dies, however it dies. The record stays, and tells the
// next writer whether the last one closed the log in good order.

#ifndef FOLDLOG_LOG_WRITER_LOCK_H_
#define FOLDLOG_LOG_WRITER_LOCK_H_

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/base/file_system.h"
#include "foldlog/owner.h"

namespace foldlog {

// What the writer is, and how patient.
struct WriterLockOptions {
  WriterUse use = WriterUse::kProgram;
  std::chrono::milliseconds wait{0};  // how long to wait for each writer that holds the lock
};

// Threads: one at a time. Invariants: the lock is held as long as the object lives in the process that made it; the
// record of `writer.lock` is that of the holder once Acquire() has returned.
class WriterLock {
 public:
  // Takes the lock and writes the record. FailedPrecondition, naming the holder, if another writer has it for longer
  // than the options allow. A child made by fork() does not hold the lock.
  static absl::StatusOr<std::unique_ptr<WriterLock>> Acquire(const std::string& directory, const Owner& self,
                                                             const WriterLockOptions& options = {});

  ~WriterLock();
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

  // The holder, as it was described, and the place of the log.
  const Owner& self() const { return self_; }

  // The record as it was before: who held the lock, and how that ended.
  const WriterInfo& previous() const { return previous_; }

  // Adds to the record what this writer found when it opened the log.
  absl::Status NoteRecovery(const RecoveryReport& report);

  // Adds this instance to the record's list of clean closes. Without it, the next writer takes this one for dead.
  absl::Status MarkCleanClose();

 private:
  WriterLock(FileDescriptor file, std::string path, Owner self, WriterUse use);
  absl::Status Sign(const std::string& directory, WriterInfo previous);

  FileDescriptor file_;
  const std::string path_;
  Owner self_;
  const WriterUse use_;
  WriterInfo previous_;
  std::optional<RecoveryReport> recovery_;
};

// Reads the record without taking the lock. A directory without a lock file has no writer.
absl::StatusOr<WriterInfo> InspectWriterLock(const std::string& directory);

// The text of a record, as FORMAT.md shows it. ParseWriterRecord() takes any bytes: if they are no record, its result
// has no writer.
std::string FormatWriterRecord(const Owner& writer, const std::vector<std::string>& closed_cleanly,
                               const std::optional<RecoveryReport>& recovery = {}, WriterUse use = WriterUse::kProgram);
WriterInfo ParseWriterRecord(std::string_view text);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_WRITER_LOCK_H_
