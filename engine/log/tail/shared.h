// The file `tail-shm`: one page, mapped by the writer and the readers of a log, in which the writer says how far its
// events are durable and by which it wakes readers who wait for more. It is never flushed and means nothing after a
// reboot: a page of its own, so that what changes all the time is not written along with the tail. Like any shared
// memory it may be lost without harm: readers then know less and look more often.

#ifndef FOLDLOG_LOG_TAIL_SHARED_H_
#define FOLDLOG_LOG_TAIL_SHARED_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "engine/base/file_system.h"
#include "engine/base/futex.h"
#include "engine/base/mapping.h"
#include "engine/log/tail/file.h"
#include "foldlog/event.h"

namespace foldlog {

class TailShared {
 public:
  // For the writer: creates the file if need be, and makes it say what is durable now of the log with that tail.
  static absl::StatusOr<TailShared> OpenForWriting(const std::string& directory, const TailFile& tail,
                                                   Sequence durable);

  // For readers. One without a file behind it if that can't be read.
  static TailShared OpenForReading(const std::string& directory);

  // What the last writer knew to be durable of the log with that tail; 0 if it is not known, the machine having been
  // rebooted since, or the log copied, say. Read by pread: a map of a file that is cut short kills who touches it.
  Sequence durable(const TailFile& tail) const;

  // For the writer, by one thread at a time.
  void SetDurable(Sequence sequence);

  // Tells everybody who waits, in any process, that there is more to read. A system call.
  void Wake();

  // As Futex has them. Without a file, Wait() returns soon.
  void WakeWaiting() const;
  std::uint32_t wake_count() const;
  bool Wait(std::uint32_t seen, std::chrono::milliseconds timeout) const;

 private:
  struct Page;

  bool Read(Page& page) const;

  TailShared(FileDescriptor file, Mapping map) : file_(std::move(file)), map_(std::move(map)) {}

  // For the writer, and for waiting: the kernel alone looks at the word then.
  Page* page() const { return map_.valid() ? reinterpret_cast<Page*>(map_.data()) : nullptr; }

  FileDescriptor file_;
  Mapping map_;
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_TAIL_SHARED_H_
