#include "tools/python/event_iterator.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "engine/base/status_macros.h"
#include "tools/python/convert.h"
#include "tools/python/dicts.h"
#include "tools/python/interpreter_lock.h"

namespace foldlog::python {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Enough that switching the interpreter lock does not count, few enough that the first event comes at once.
constexpr std::size_t kReadAheadEvents = 256;

// The writer wakes who waits. A signal that another thread was given does not: then it is looked for so often.
constexpr milliseconds kLookForSignals{200};

// Holds a flag for the time of a call, exceptions included.
class Busy {
 public:
  explicit Busy(bool& flag) : flag_(flag) { flag_ = true; }
  ~Busy() { flag_ = false; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  bool& flag_;
};

void HandleSignals() {
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

}  // namespace

py::dict EventIterator::Next() {
  if (busy_) throw py::value_error("these events are being read by another thread");
  if (ahead_.empty()) ReadAhead();
  if (ahead_.empty()) throw py::stop_iteration();
  const Item item = std::move(ahead_.front());
  ahead_.pop_front();
  return DictOf(item.event, item.operation_id, item.clock_step_ns);
}

void EventIterator::ReadAhead() {
  const Busy busy(busy_);
  const bool for_ever = !following_ || !following_->patience;
  const auto give_up = for_ever ? steady_clock::time_point::max() : steady_clock::now() + *following_->patience;
  while (ahead_.empty() && !at_end_) {
    absl::Status status = Unlocked([&] { return Refill(); });
    if (status.ok() && ahead_.empty() && following_) {
      const auto left = std::chrono::duration_cast<milliseconds>(give_up - steady_clock::now());
      if (left <= milliseconds(0)) return;  // the next call waits anew
      status = Unlocked([&] { return WaitALittle(std::min(left, kLookForSignals)).status(); });
      HandleSignals();
    }
    at_end_ = at_end_ || (following_ && source_->closed());
    if (!at_end_ || !following_) Check(status);
  }
}

absl::StatusOr<bool> EventIterator::WaitALittle(milliseconds at_most) {
  return source_->log().WaitForMore(replayer_->state().sequence, at_most);
}

absl::Status EventIterator::Refill() {
  RETURN_IF_ERROR(source_->CheckProcess());
  if (!replayer_) {
    ASSIGN_OR_RETURN(Replayer replayer, Replayer::From(source_->log(), from_));
    replayer_.emplace(std::move(replayer));
  }
  if (!failed_.ok()) return std::exchange(failed_, absl::OkStatus());
  while (ahead_.size() < kReadAheadEvents) {
    const absl::StatusOr<bool> more = ReadOne();
    if (more.ok() && *more) continue;
    failed_ = more.status();
    at_end_ = more.ok() && !following_;
    break;
  }
  return ahead_.empty() ? std::exchange(failed_, absl::OkStatus()) : absl::OkStatus();
}

absl::StatusOr<bool> EventIterator::ReadOne() {
  const Moment before = replayer_->state().seen;
  if (to_ && replayer_->state().sequence >= *to_) return false;
  ASSIGN_OR_RETURN(std::optional<RecordedEvent> event, replayer_->Next());
  if (!event) return false;
  const std::int64_t clock_step_ns = before == Moment() ? 0 : ClockStepNs(before, replayer_->state().seen);
  ahead_.push_back({*std::move(event), replayer_->operation_id(), clock_step_ns});
  return true;
}

}  // namespace foldlog::python
