// Events and states as Python dicts, for the methods that tell of the past. Needs the interpreter lock.
//
// Names and shapes are those of the program's --json output (schema/JSON.md); times are seconds since 1970.

#ifndef FOLDLOG_PYTHON_DICTS_H_
#define FOLDLOG_PYTHON_DICTS_H_

#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>
#include <string>

#include "foldlog/event.h"
#include "foldlog/history.h"
#include "foldlog/single_row.h"
#include "foldlog/state.h"
#include "replay/report/log_view.h"

namespace foldlog::python {

// The row of the table indexing_state: {column: value}.
pybind11::dict DictOf(const SingleRow& row);

// What "foldlog status --json" says.
pybind11::dict StatusDictOf(const report::LogView& view, const Moment& now);

// What "foldlog at --json" says.
pybind11::dict StateAtDictOf(const State& state, const std::optional<SingleRow>& row);

// One line of "foldlog history --json".
pybind11::dict DictOf(const HistoryEntry& entry, const report::LogView& view);

// One line of "foldlog events --json". `operation_id` is that of the operation the event belongs to; empty if there is
// none. `clock_step_ns`: by how much the wall clock was set since the event before.
pybind11::dict DictOf(const RecordedEvent& event, const std::string& operation_id, std::int64_t clock_step_ns);

}  // namespace foldlog::python

#endif  // FOLDLOG_PYTHON_DICTS_H_
