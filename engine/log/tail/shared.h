// The file `tail-shm`: one page that the writer and the readers of a log map. In it the writer says how far its events
// are durable, and by it the writer wakes readers that wait for more. The page is never flushed and means nothing after
// a reboot. It is a file of its own, so that a flush of the tail does not write a page that changes all the time.
// Losing it does no harm: readers then know less and look more often.

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

// Threads: SetDurable() by one at a time; all else by any. Invariant: the page never shows more than what is durable.
class TailShared {
 public:
  // For the writer: creates the file if need be, and makes it say that events up to `durable` of the log with that tail
  // are durable.
  static absl::StatusOr<TailShared> OpenForWriting(const std::string& directory, const TailFile& tail,
                                                   Sequence durable);

  // For readers. If the file can't be opened, the result has none: durable() is then 0, and Wait() only sleeps.
  static TailShared OpenForReading(const std::string& directory);

  // What the last writer knew to be durable of the log with that tail. 0 if the page does not say so: after a reboot,
  // or in a copy of the log. Read by pread: touching a map of a file that is cut short kills the process.
  Sequence durable(const TailFile& tail) const;

  // For the writer.
  void SetDurable(Sequence sequence);

  // Wakes every thread that waits for more, in any process. A system call.
  void Wake();

  // As in Futex. Without a file, Wait() returns after kLookInterval at the latest.
  void WakeWaiting() const;
  std::uint32_t wake_count() const;
  bool Wait(std::uint32_t seen, std::chrono::milliseconds timeout) const;

 private:
  struct Page;

  bool Read(Page& page) const;

  TailShared(FileDescriptor file, Mapping map) : file_(std::move(file)), map_(std::move(map)) {}

  // For the writer, and for waiting, where only the kernel touches the word.
  Page* page() const { return map_.valid() ? reinterpret_cast<Page*>(map_.data()) : nullptr; }

  FileDescriptor file_;
  Mapping map_;
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_TAIL_SHARED_H_
