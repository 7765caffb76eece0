// EventIterator: the events of a log for a Python `for`, read ahead a batch at a time without the interpreter lock.
//
// Ends at the sequence number that it was made for, so that a loop that appends does not chase its own events. After
// its log was closed it raises.

#ifndef FOLDLOG_PYTHON_EVENT_ITERATOR_H_
#define FOLDLOG_PYTHON_EVENT_ITERATOR_H_

#include <pybind11/pybind11.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event.h"
#include "foldlog/replayer.h"
#include "tools/python/shared_engine.h"

namespace foldlog::python {

class EventIterator {
 public:
  // Both are in the log, or `from` is one past its end.
  EventIterator(std::shared_ptr<SharedEngine> shared, Sequence from, Sequence to)
      : shared_(std::move(shared)), from_(from), to_(to) {}

  // The next event. Raises StopIteration at the end; ValueError if another thread is in here.
  pybind11::dict Next();

 private:
  struct Item {
    RecordedEvent event = {};
    std::string operation_id = {};
  };

  absl::Status Refill();
  absl::StatusOr<bool> ReadOne();

  const std::shared_ptr<SharedEngine> shared_;
  const Sequence from_;
  const Sequence to_;
  std::optional<Replayer> replayer_ = {};
  std::deque<Item> ahead_ = {};
  bool at_end_ = false;
  bool busy_ = false;
};

}  // namespace foldlog::python

#endif  // FOLDLOG_PYTHON_EVENT_ITERATOR_H_
