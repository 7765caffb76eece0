#include "tools/python/value_sink.h"

#include <optional>
#include <string>
#include <utility>

#include "engine/seconds.h"
#include "tools/python/convert.h"

namespace foldlog::python {
namespace {

// The JSON text as Python's values; nothing if it is none, or nested too deeply for Python.
std::optional<py::object> Loaded(const std::string& json) {
  try {
    return py::module_::import("json").attr("loads")(TextOf(json));
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_ValueError) && !error.matches(PyExc_RecursionError)) throw;
    return std::nullopt;
  }
}

}  // namespace

void ValueSink::Key(std::string_view key) { key_ = TextOf(key); }

void ValueSink::Text(std::string_view bytes) { Add(TextOf(bytes)); }

void ValueSink::Time(TimeNs time) { Add(py::float_(SecondsOf(time))); }

// As it was given to the checkpoint, with its timestamp.
void ValueSink::Error(const FileError& error, TimeNs time) {
  std::optional<py::object> details;
  if (!error.details.empty()) details = Loaded(error.details);
  if (details) return Add(*details);
  BeginObject();
  Put(*this, "path", error.path);
  Put(*this, "error", error.message);
  Put(*this, "timestamp", report::Instant{time});
  if (!error.details.empty()) Put(*this, "details", error.details);
  EndObject();
}

void ValueSink::Add(const py::object& value) {
  PyObject* const container = open_.back().ptr();
  const int failed = PyDict_Check(container) ? PyDict_SetItem(container, key_.ptr(), value.ptr())
                                             : PyList_Append(container, value.ptr());
  if (failed != 0) throw py::error_already_set();
}

void ValueSink::Open(const py::object& container) {
  if (open_.empty()) {
    outermost_ = container;
  } else {
    Add(container);
  }
  open_.push_back(container);
}

}  // namespace foldlog::python
