// Whether a writer may go on. After a failure whose outcome on the disk is not known it may not: it stops for good, and
// the next opening finds out what is there.

#ifndef FOLDLOG_LOG_WRITER_HEALTH_H_
#define FOLDLOG_LOG_WRITER_HEALTH_H_

#include <atomic>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "foldlog/event.h"

namespace foldlog {

// Any thread may ask and tell.
class WriterHealth {
 public:
  explicit WriterHealth(std::string log_name) : log_name_(std::move(log_name)) {}

  // Once the writer has stopped: Unavailable, or DataLoss if damage was found, with the first cause.
  absl::Status Check() const {
    if (!stopped_.load(std::memory_order_acquire)) return absl::OkStatus();
    const std::lock_guard lock(mutex_);
    return why_;
  }

  // Stops the writer; events up to `durable` are safe. Returns what Check() says from now on.
  absl::Status Stop(const absl::Status& cause, Sequence durable) {
    const std::lock_guard lock(mutex_);
    if (!stopped_.load(std::memory_order_relaxed)) {
      const bool damaged = absl::IsDataLoss(cause);
      const absl::StatusCode code = damaged ? absl::StatusCode::kDataLoss : absl::StatusCode::kUnavailable;
      const std::string why =
          cause.message().empty() ? absl::StatusCodeToString(cause.code()) : std::string(cause.message());
      const absl::string_view next =
          damaged ? "keep a copy of its directory, and restore the last backup"
                  : "close the log and its readers in this process, mend the cause and open it anew";
      why_ = absl::Status(code, absl::StrCat("the log ", log_name_, " has stopped: ", why, "; events up to ", durable,
                                             damaged ? " were durable before that" : " are durable",
                                             ", whether later ones are stored is not known: ", next));
      stopped_.store(true, std::memory_order_release);
    }
    return why_;
  }

 private:
  const std::string log_name_;
  std::atomic<bool> stopped_ = false;
  mutable std::mutex mutex_;
  absl::Status why_;
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_WRITER_HEALTH_H_
