// The writer lock of a log directory: an open file description lock on `writer.lock`, with a record in the file that
// says who holds it. The kernel drops the lock when its holder dies, however it dies; the record stays and tells the
// next writer whether the last one said goodbye.

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

struct WriterLockOptions {
  WriterUse use = WriterUse::kProgram;
  std::chrono::milliseconds wait{0};  // for each writer that is before this one
};

class WriterLock {
 public:
  // Takes the lock and signs it. FailedPrecondition, naming the holder, if it is taken for longer than the options say.
  // The lock is held until the object goes; a child made by fork() meanwhile does not hold it.
  static absl::StatusOr<std::unique_ptr<WriterLock>> Acquire(const std::string& directory, const Owner& self,
                                                             const WriterLockOptions& options = {});

  ~WriterLock();
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

  // The holder, as it was described, and the place of the log.
  const Owner& self() const { return self_; }

  // Who held it before, and how that ended.
  const WriterInfo& previous() const { return previous_; }

  // Records what the writer found when it opened the log.
  absl::Status NoteRecovery(const RecoveryReport& report);

  // Records that the writer ends in good order.
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

// Looks without taking. A directory without a lock file has no writer.
absl::StatusOr<WriterInfo> InspectWriterLock(const std::string& directory);

// The record's text, as FORMAT.md shows it. Parsing takes any bytes: what is no record gives an info without a writer.
std::string FormatWriterRecord(const Owner& writer, const std::vector<std::string>& closed_cleanly,
                               const std::optional<RecoveryReport>& recovery = {}, WriterUse use = WriterUse::kProgram);
WriterInfo ParseWriterRecord(std::string_view text);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_WRITER_LOCK_H_
