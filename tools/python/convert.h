// Values between Python and C++: text, counts, statuses. All of it needs the interpreter lock.
//
// What goes wrong is raised as a Python exception, through pybind11's way of doing so in C++: this folder is the one
// place of foldlog where exceptions are the way to report. They never pass through the library.

#ifndef FOLDLOG_PYTHON_CONVERT_H_
#define FOLDLOG_PYTHON_CONVERT_H_

#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event.h"

namespace foldlog::python {

namespace py = pybind11;

// Raises foldlog.IndexingError.
// Messages that programs know from the single-row manager stay as they are: what there is to do is told as the
// error's `advice`, and as a note that tracebacks show.
[[noreturn]] void RaiseText(absl::StatusCode code, const py::str& message, const char* advice = nullptr);
[[noreturn]] void Raise(absl::StatusCode code, std::string_view message);

// Sets it as Python's error for what the C++ library threw: no thread or no lock was to be had.
void SetSystemError(const std::system_error& error);

// Raises foldlog.IndexingError unless the status is OK.
void Check(const absl::Status& status);

template <typename Value>
Value ValueOf(absl::StatusOr<Value> value) {
  Check(value.status());
  return *std::move(value);
}

// A str as UTF-8. Lone surrogates from U+DC80 to U+DCFF stand for bytes that are not UTF-8, as os.fsencode() has it;
// any other is refused. `what` names the value in messages.
std::string BytesOf(py::handle text, const char* what);

// The same of anything that names a file: str, bytes, os.PathLike.
std::string PathOf(py::handle path, const char* what);

// The content of a bytes object.
std::string CopyOf(py::handle bytes);

// The inverse of all three.
py::str TextOf(std::string_view bytes);

// An int, or what Python accepts as an index. Not a bool, not a float; nothing beyond 64 bits. Whether it may be
// negative is for the engine to say.
std::int64_t CountOf(py::handle count, const char* what);
std::optional<std::int64_t> OptionalCountOf(py::handle count, const char* what);

// Seconds since 1970, as Python's time.time() gives them.
TimeNs TimeOfPython(py::handle seconds, const char* what);

}  // namespace foldlog::python

#endif  // FOLDLOG_PYTHON_CONVERT_H_
