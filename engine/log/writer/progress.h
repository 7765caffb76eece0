// What a log's writer promises: how far its events are durable, and whether it goes on. After a failure whose outcome
// on the disk is not known it does not: it stops for good, and the next opening finds out what is there.

#ifndef FOLDLOG_LOG_WRITER_PROGRESS_H_
#define FOLDLOG_LOG_WRITER_PROGRESS_H_

#include <atomic>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "engine/log/tail/shared.h"
#include "foldlog/event.h"

namespace foldlog {

// Any thread. Invariants: durable() never falls, and never exceeds what a flush or a transaction has confirmed; the
// shared page shows no more than durable(); once stopped, Check() gives the first cause for ever.
class WriterProgress {
 public:
  // Events up to `durable` are known to be. `shared` must outlive this.
  WriterProgress(std::string log_name, TailShared& shared, Sequence durable)
      : log_name_(std::move(log_name)), shared_(shared), durable_(durable) {}

  Sequence durable() const { return durable_.load(std::memory_order_acquire); }

  // Events up to `through` have become durable, by a flush of the tail or a transaction of the store.
  void NoteDurable(Sequence through);

  // Tells readers who wait, in any process, that there is more to read. A system call.
  void TellReaders() { shared_.Wake(); }

  // OK while the writer may go on. Once it has stopped: Unavailable, or DataLoss if damage was found, with the first
  // cause.
  absl::Status Check() const { return stopped_.load(std::memory_order_acquire) ? WhyStopped() : absl::OkStatus(); }

  // Stops the writer. Returns what Check() says from now on.
  absl::Status Stop(const absl::Status& cause);

 private:
  absl::Status WhyStopped() const;

  const std::string log_name_;
  TailShared& shared_;
  std::atomic<Sequence> durable_;
  std::atomic<bool> stopped_ = false;
  mutable std::mutex mutex_;  // of why_, and held while durable_ grows
  absl::Status why_;
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_WRITER_PROGRESS_H_
