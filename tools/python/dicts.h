// Events and states as Python dicts, for the methods that tell of the past. Needs the interpreter lock.
//
// Keys are those of the program's --json output; times are seconds since 1970. For programs, so keys are only ever
// added.

#ifndef FOLDLOG_PYTHON_DICTS_H_
#define FOLDLOG_PYTHON_DICTS_H_

#include <pybind11/pybind11.h>

#include <string>

#include "foldlog/event.h"
#include "foldlog/history.h"
#include "foldlog/single_row.h"
#include "foldlog/state.h"

namespace foldlog::python {

// The row of the table indexing_state: {column: value}.
pybind11::dict DictOf(const SingleRow& row);

// {sequence, epoch, status, operation}; operation is None when idle. And misfit, if the log holds an event that does
// not follow from those before it: {sequence, why}.
pybind11::dict DictOf(const State& state);

// One operation, with "reset": the event that took it off the row before it had ended, or None.
pybind11::dict DictOf(const HistoryEntry& entry);

// `operation_id` is that of the operation the event belongs to; empty if there is none.
pybind11::dict DictOf(const RecordedEvent& event, const std::string& operation_id);

}  // namespace foldlog::python

#endif  // FOLDLOG_PYTHON_DICTS_H_
