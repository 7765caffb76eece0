// What a log's writer promises: how far its events are durable, and whether it goes on. After a failure that leaves it
// unknown what is on the disk, the writer stops for good, and the next opening finds out what is there.

#ifndef FOLDLOG_LOG_WRITER_PROGRESS_H_
#define FOLDLOG_LOG_WRITER_PROGRESS_H_

#include <atomic>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "engine/log/tail/shared.h"
#include "foldlog/event.h"

namespace foldlog {

// Threads: any. Invariants: durable() never falls, and never exceeds what a flush or a transaction has confirmed; the
// shared page shows no more than durable(); once the writer has stopped, Check() gives the first cause for ever.
class WriterProgress {
 public:
  // Events up to `durable` are known to be durable. `shared` must outlive this.
  WriterProgress(std::string log_name, TailShared& shared, Sequence durable)
      : log_name_(std::move(log_name)), shared_(shared), durable_(durable) {}

  Sequence durable() const { return durable_.load(std::memory_order_acquire); }

  // To be called when a flush of the tail or a transaction of the store has made events up to `through` durable.
  void NoteDurable(Sequence through);

  // Wakes every reader that waits for more, in any process. A system call.
  void TellReaders() { shared_.Wake(); }

  // OK while the writer may go on. After it has stopped: DataLoss if damage was found, else Unavailable, with the first
  // cause. One load while all is well.
  absl::Status Check() const { return stopped_.load(std::memory_order_acquire) ? WhyStopped() : absl::OkStatus(); }

  // Stops the writer, unless it has stopped before. Returns what Check() says from now on.
  absl::Status Stop(const absl::Status& cause);

 private:
  absl::Status WhyStopped() const;

  const std::string log_name_;
  TailShared& shared_;
  std::atomic<Sequence> durable_;
  std::atomic<bool> stopped_ = false;
  mutable std::mutex mutex_;  // guards why_; held while durable_ grows
  absl::Status why_;
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_WRITER_PROGRESS_H_
