// EventIterator: the events of a log for a Python `for`, read ahead a batch at a time without the interpreter lock.
//
// Either to the sequence number that it was made for, so that a loop that appends does not chase its own events; after
// its log was closed it raises. Or following the log as it grows, until the log is closed.

#ifndef FOLDLOG_PYTHON_EVENT_ITERATOR_H_
#define FOLDLOG_PYTHON_EVENT_ITERATOR_H_

#include <pybind11/pybind11.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event.h"
#include "foldlog/replayer.h"
#include "tools/python/log_source.h"

namespace foldlog::python {

// How long to wait for an event; nothing: for ever.
struct Following {
  std::optional<std::chrono::milliseconds> patience = {};
};

class EventIterator {
 public:
  // Both are in the log, or `from` is one past its end.
  EventIterator(std::shared_ptr<LogSource> source, Sequence from, Sequence to)
      : source_(std::move(source)), from_(from), to_(to) {}
  EventIterator(std::shared_ptr<LogSource> source, Sequence from, Following following)
      : source_(std::move(source)), from_(from), following_(following) {}

  // The next event. Raises StopIteration at the end; ValueError if another thread is in here.
  pybind11::dict Next();

 private:
  struct Item {
    RecordedEvent event = {};
    std::string operation_id = {};
    std::int64_t clock_step_ns = 0;
  };

  // At least one event, if there are more: following, when there are more.
  void ReadAhead();
  absl::Status Refill();
  absl::StatusOr<bool> ReadOne();
  absl::StatusOr<bool> WaitALittle(std::chrono::milliseconds at_most);

  const std::shared_ptr<LogSource> source_;
  const Sequence from_;
  const std::optional<Sequence> to_ = {};
  const std::optional<Following> following_ = {};
  std::optional<Replayer> replayer_ = {};
  std::deque<Item> ahead_ = {};
  absl::Status failed_ = {};  // what comes behind the events that were read ahead
  bool at_end_ = false;
  bool busy_ = false;
};

}  // namespace foldlog::python

#endif  // FOLDLOG_PYTHON_EVENT_ITERATOR_H_
