#include "tools/python/event_iterator.h"

#include <utility>
#include <variant>

#include "engine/status_macros.h"
#include "tools/python/convert.h"
#include "tools/python/dicts.h"
#include "tools/python/interpreter_lock.h"

namespace foldlog::python {
namespace {

// Enough that switching the interpreter lock does not count, few enough that the first event comes at once.
constexpr std::size_t kReadAheadEvents = 256;

}  // namespace

py::dict EventIterator::Next() {
  if (busy_) throw py::value_error("these events are being read by another thread");
  if (ahead_.empty() && !at_end_) {
    busy_ = true;
    const absl::Status status = Unlocked([&] { return Refill(); });
    busy_ = false;
    Check(status);
  }
  if (ahead_.empty()) throw py::stop_iteration();
  const Item item = std::move(ahead_.front());
  ahead_.pop_front();
  return DictOf(item.event, item.operation_id);
}

absl::Status EventIterator::Refill() {
  RETURN_IF_ERROR(shared_->CheckProcess());
  if (!replayer_) {
    ASSIGN_OR_RETURN(Replayer replayer, Replayer::From(shared_->engine().log(), from_));
    replayer_.emplace(std::move(replayer));
  }
  while (ahead_.size() < kReadAheadEvents && !at_end_) {
    ASSIGN_OR_RETURN(const bool more, ReadOne());
    at_end_ = !more;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> EventIterator::ReadOne() {
  const State& state = replayer_->state();
  if (state.sequence >= to_) return false;
  // An event that takes the operation off the row belongs to it, too.
  std::string operation_id = state.operation ? state.operation->operation_id : "";
  ASSIGN_OR_RETURN(std::optional<RecordedEvent> event, replayer_->Next());
  if (!event) return false;
  if (state.operation) operation_id = state.operation->operation_id;
  ahead_.push_back({*std::move(event), std::move(operation_id)});
  return true;
}

}  // namespace foldlog::python
