#include "tools/python/convert.h"

#include "absl/strings/str_cat.h"
#include "engine/seconds.h"

namespace foldlog::python {
namespace {

py::object Owned(PyObject* object) {
  if (object == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(object);
}

std::string TypeName(py::handle value) { return Py_TYPE(value.ptr())->tp_name; }

[[noreturn]] void RaiseTypeError(const char* what, const char* wanted, py::handle value) {
  throw py::type_error(absl::StrCat(what, " must be ", wanted, ", not ", TypeName(value)));
}

void SetError(absl::StatusCode code, const py::str& message, const char* advice) {
  const py::object type = py::module_::import("foldlog._types").attr("IndexingError");
  const py::object error = type(message);
  error.attr("code") = absl::StatusCodeToString(code);
  if (advice != nullptr) {
    error.attr("advice") = advice;
    error.attr("add_note")(advice);
  }
  PyErr_SetObject(type.ptr(), error.ptr());
}

}  // namespace

void Raise(absl::StatusCode code, std::string_view message) { RaiseText(code, TextOf(message)); }

void RaiseText(absl::StatusCode code, const py::str& message, const char* advice) {
  SetError(code, message, advice);
  throw py::error_already_set();
}

void SetSystemError(const std::system_error& error) {
  SetError(absl::StatusCode::kResourceExhausted,
           TextOf(absl::StrCat(error.what(), ": the system has no more threads or locks to give; try again later")),
           nullptr);
}

void Check(const absl::Status& status) {
  if (!status.ok()) Raise(status.code(), {status.message().data(), status.message().size()});
}

std::string BytesOf(py::handle text, const char* what) {
  if (!PyUnicode_Check(text.ptr())) RaiseTypeError(what, "a str", text);
  Py_ssize_t size = 0;
  if (const char* utf8 = PyUnicode_AsUTF8AndSize(text.ptr(), &size)) return {utf8, static_cast<std::size_t>(size)};
  PyErr_Clear();
  PyObject* encoded = PyUnicode_AsEncodedString(text.ptr(), "utf-8", "surrogateescape");
  if (encoded == nullptr && PyErr_ExceptionMatches(PyExc_UnicodeError)) {
    PyErr_Clear();
    Raise(absl::StatusCode::kInvalidArgument,
          absl::StrCat(what, " holds a lone surrogate that stands for no byte: ", py::repr(text).cast<std::string>()));
  }
  return CopyOf(Owned(encoded));
}

std::string PathOf(py::handle path, const char* what) {
  const py::object plain = Owned(PyOS_FSPath(path.ptr()));
  return PyBytes_Check(plain.ptr()) ? CopyOf(plain) : BytesOf(plain, what);
}

std::string CopyOf(py::handle bytes) {
  return {PyBytes_AS_STRING(bytes.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.ptr()))};
}

py::str TextOf(std::string_view bytes) {
  return Owned(PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "surrogateescape"));
}

std::int64_t CountOf(py::handle count, const char* what) {
  if (PyBool_Check(count.ptr()) || !PyIndex_Check(count.ptr())) RaiseTypeError(what, "an int", count);
  const py::object index = Owned(PyNumber_Index(count.ptr()));
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
  if (overflow != 0) {
    Raise(absl::StatusCode::kInvalidArgument, absl::StrCat(what, " does not fit into 64 bits"));
  }
  return value;
}

std::optional<std::int64_t> OptionalCountOf(py::handle count, const char* what) {
  if (count.is_none()) return std::nullopt;
  return CountOf(count, what);
}

TimeNs TimeOfPython(py::handle seconds, const char* what) {
  const double value = PyFloat_AsDouble(seconds.ptr());
  if (value == -1.0 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  const absl::StatusOr<TimeNs> time = TimeOf(value);
  if (!time.ok()) {
    Raise(time.status().code(), absl::StrCat(what, ": ", time.status().message()));
  }
  return *time;
}

}  // namespace foldlog::python
