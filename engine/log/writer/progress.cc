#include "engine/log/writer/progress.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace foldlog {

// A flush and a transaction may end at the same time. The mutex keeps durable_ and the shared page in step, so that
// the page never falls back.
void WriterProgress::NoteDurable(Sequence through) {
  {
    const std::lock_guard lock(mutex_);
    if (through <= durable_.load(std::memory_order_relaxed)) return;
    durable_.store(through, std::memory_order_release);
    shared_.SetDurable(through);
  }
  // Outside of the mutex: it is a system call.
  TellReaders();
}

absl::Status WriterProgress::WhyStopped() const {
  const std::lock_guard lock(mutex_);
  return why_;
}

absl::Status WriterProgress::Stop(const absl::Status& cause) {
  const std::lock_guard lock(mutex_);
  // Later failures follow from the first, which is the one to mend.
  if (stopped_.load(std::memory_order_relaxed)) return why_;
  const bool damaged = absl::IsDataLoss(cause);
  const absl::StatusCode code = damaged ? absl::StatusCode::kDataLoss : absl::StatusCode::kUnavailable;
  const std::string why =
      cause.message().empty() ? absl::StatusCodeToString(cause.code()) : std::string(cause.message());
  const absl::string_view next = damaged
                                     ? "keep a copy of its directory, and restore the last backup"
                                     : "close the log and its readers in this process, mend the cause and open it anew";
  why_ = absl::Status(code, absl::StrCat("the log ", log_name_, " has stopped: ", why, "; events up to ", durable(),
                                         damaged ? " were durable before that" : " are durable",
                                         ", whether later ones are stored is not known: ", next));
  // Last: Check() reads why_ when it sees stopped_.
  stopped_.store(true, std::memory_order_release);
  return why_;
}

}  // namespace foldlog
