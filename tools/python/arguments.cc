#include "tools/python/arguments.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/seconds.h"
#include "tools/python/convert.h"

namespace foldlog::python {
namespace {

// Iterables may have no end. So many do not fit into an event, whatever they are.
void CheckNotTooMany(std::size_t count, const char* what) {
  constexpr std::size_t kMax = 1'000'000;
  if (count < kMax) return;
  Raise(absl::StatusCode::kInvalidArgument, absl::StrCat(what, " has more than ", kMax, " entries; give fewer"));
}

}  // namespace

Durability DurabilityOf(py::handle name) {
  const std::string text = BytesOf(name, "durability");
  if (text == "sync") return Durability::kSync;
  if (text == "interval") return Durability::kInterval;
  Raise(absl::StatusCode::kInvalidArgument,
        absl::StrCat("durability is \"", text, "\"; it must be \"sync\" or \"interval\""));
}

bool IsTrue(py::handle value) {
  const int truth = PyObject_IsTrue(value.ptr());
  if (truth < 0) throw py::error_already_set();
  return truth != 0;
}

std::vector<std::string> RootsOf(py::handle roots) {
  if (PyUnicode_Check(roots.ptr()) || PyBytes_Check(roots.ptr())) {
    throw py::type_error("roots must be a list of paths, not one path");
  }
  std::vector<std::string> paths;
  for (const py::handle root : py::iter(roots)) {
    CheckNotTooMany(paths.size(), "roots");
    paths.push_back(PathOf(root, "a root"));
  }
  return paths;
}

Metadata MetadataOf(py::handle metadata) {
  Metadata pairs;
  if (metadata.is_none()) return pairs;
  for (const py::handle item : py::iter(metadata.attr("items")())) {
    CheckNotTooMany(pairs.size(), "metadata");
    const auto pair = py::cast<py::tuple>(item);
    pairs.emplace_back(BytesOf(pair[0], "a name in metadata"), BytesOf(pair[1], "a value in metadata"));
  }
  return pairs;
}

std::string TextThatEnds(py::handle text, const char* what) {
  if (!PyUnicode_Check(text.ptr())) return BytesOf(text, what);  // which raises
  const py::object bytes = py::module_::import("foldlog._types").attr("_bytes_of")(text);
  return CopyOf(bytes);
}

Stats StatsOf(py::handle stats) {
  Stats pairs;
  for (const py::handle item : py::iter(stats)) {
    const auto pair = py::cast<py::tuple>(item);
    const py::object value = pair[1];
    StatValue plain;
    if (PyBytes_Check(value.ptr())) {
      plain = CopyOf(value);
    } else if (PyFloat_Check(value.ptr())) {
      plain = PyFloat_AS_DOUBLE(value.ptr());
    } else {
      plain = CountOf(value, "a statistic");
    }
    pairs.emplace_back(CopyOf(pair[0]), std::move(plain));
  }
  return pairs;
}

void SetPath(py::handle value, const char* what, std::optional<std::string>& path) {
  if (value.is_none()) return;
  std::string bytes = PathOf(value, what);
  if (!bytes.empty()) path = std::move(bytes);
}

FileError ErrorOf(py::handle error, TimeNs now) {
  const auto describe = py::module_::import("foldlog._types").attr("_describe_error");
  const auto parts = describe(error, SecondsOf(now)).cast<py::tuple>();
  return {.path = CopyOf(parts[0]), .message = CopyOf(parts[1]), .details = BytesOf(parts[2], "the error")};
}

}  // namespace foldlog::python
