// What Python can ask of a log, whether this process writes it or not. Called with the interpreter lock, which is let
// go while the log is read.

#ifndef FOLDLOG_PYTHON_QUERIES_H_
#define FOLDLOG_PYTHON_QUERIES_H_

#include <pybind11/pybind11.h>

#include <memory>
#include <optional>

#include "foldlog/single_row.h"
#include "foldlog/state.h"
#include "tools/python/event_iterator.h"
#include "tools/python/log_source.h"

namespace foldlog::python {

using Source = std::shared_ptr<LogSource>;

State StateOf(const Source& source);
std::optional<SingleRow> RowOf(const Source& source, const State& state);

pybind11::object RowDict(const Source& source);
pybind11::object ActiveRowDict(const Source& source);
pybind11::dict StatusDict(const Source& source);
pybind11::list HistoryList(const Source& source);

// One of the two is None.
pybind11::dict StateAtDict(const Source& source, pybind11::handle sequence, pybind11::handle time);

EventIterator EventsOf(const Source& source, pybind11::handle from, pybind11::handle to);
EventIterator Follow(const Source& source, pybind11::handle from, pybind11::handle timeout);

}  // namespace foldlog::python

#endif  // FOLDLOG_PYTHON_QUERIES_H_
