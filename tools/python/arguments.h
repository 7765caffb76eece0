// What is handed to a manager's methods, as the engine takes it. Needs the interpreter lock; what does not fit is
// raised as a Python exception.

#ifndef FOLDLOG_PYTHON_ARGUMENTS_H_
#define FOLDLOG_PYTHON_ARGUMENTS_H_

#include <pybind11/pybind11.h>

#include <optional>
#include <string>
#include <vector>

#include "foldlog/engine.h"

namespace foldlog::python {

Durability DurabilityOf(pybind11::handle name);

std::vector<std::string> RootsOf(pybind11::handle roots);
Metadata MetadataOf(pybind11::handle metadata);

// As _plain_stats() gives them.
Stats StatsOf(pybind11::handle stats);

// Of what ends or interrupts an operation: no str is refused.
std::string TextThatEnds(pybind11::handle text, const char* what);

// Sets `path` unless Python takes the value for false: None, or no text at all, leaves the path as it was.
void SetPath(pybind11::handle value, const char* what, std::optional<std::string>& path);

// As Python has it.
bool IsTrue(pybind11::handle value);

// A dict about a file, with the time of its event.
FileError ErrorOf(pybind11::handle error, TimeNs now);

}  // namespace foldlog::python

#endif  // FOLDLOG_PYTHON_ARGUMENTS_H_
