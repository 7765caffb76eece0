#include "tools/python/queries.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <vector>

#include "foldlog/history.h"
#include "foldlog/replayer.h"
#include "replay/report/log_view.h"
#include "tools/python/convert.h"
#include "tools/python/dicts.h"
#include "tools/python/interpreter_lock.h"
#include "tools/python/shared_engine.h"

namespace foldlog::python {
namespace {

Sequence SequenceOf(py::handle value, const char* what) {
  const std::int64_t number = CountOf(value, what);
  if (number < 0) {
    Raise(absl::StatusCode::kInvalidArgument,
          std::string(what) + " must be one of the sequence numbers: 1, 2, 3 and so on");
  }
  return static_cast<Sequence>(number);
}

LogExtent ExtentOf(const Source& source) {
  Check(source->CheckProcess());
  return ValueOf(Unlocked([&] { return source->log().Extent(); }));
}

absl::StatusOr<report::LogView> LookAt(const Source& source) {
  return report::ReadLogView(source->log(), source->directory());
}

// Beyond any patience, and still a time that can be added to the clock's.
constexpr double kForeverSeconds = 1e9;

std::optional<std::chrono::milliseconds> TimeoutOf(py::handle seconds) {
  if (seconds.is_none()) return std::nullopt;
  const double value = PyFloat_AsDouble(seconds.ptr());
  if (value == -1.0 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  if (std::isnan(value) || value < 0) {
    Raise(absl::StatusCode::kInvalidArgument, "timeout must be a number of seconds, 0 or more, or None");
  }
  constexpr double kMillisecondsASecond = 1000;
  const double milliseconds = std::ceil(std::min(value, kForeverSeconds) * kMillisecondsASecond);
  return std::chrono::milliseconds(static_cast<std::int64_t>(milliseconds));
}

}  // namespace

State StateOf(const Source& source) {
  Check(source->CheckProcess());
  return ValueOf(Unlocked([&] { return source->state(); }));
}

std::optional<SingleRow> RowOf(const Source& source, const State& state) {
  return ValueOf(Unlocked([&] { return ProjectSingleRow(source->log(), state); }));
}

py::object RowDict(const Source& source) {
  const std::optional<SingleRow> row = RowOf(source, StateOf(source));
  return row ? py::object(DictOf(*row)) : py::none();
}

py::object ActiveRowDict(const Source& source) {
  const State state = StateOf(source);
  if (!state.active()) return py::none();
  return DictOf(*RowOf(source, state));
}

py::dict StatusDict(const Source& source) {
  Check(source->CheckProcess());
  py::dict dict = StatusDictOf(ValueOf(Unlocked([&] { return LookAt(source); })), SystemNow());
  py::dict errors;
  for (const auto& [file, mirrored] : source->MirrorStatus()) {
    errors[TextOf(file)] = mirrored.ok() ? py::object(py::none()) : TextOf(std::string(mirrored.message()));
  }
  dict["mirrors"] = errors;
  return dict;
}

py::list HistoryList(const Source& source) {
  Check(source->CheckProcess());
  const report::LogView view = ValueOf(Unlocked([&] { return LookAt(source); }));
  const std::vector<HistoryEntry> history = ValueOf(Unlocked([&] { return ReadHistory(source->log()); }));
  py::list list;
  for (const HistoryEntry& entry : history) {
    // What the view says of the operation on the row belongs together.
    const bool on_row = view.IsAbout(entry.operation);
    list.append(DictOf(on_row ? HistoryEntry{.operation = *view.state.operation, .reset_by = {}} : entry, view));
  }
  return list;
}

py::dict StateAtDict(const Source& source, py::handle sequence, py::handle time) {
  Check(source->CheckProcess());
  State state;
  if (!sequence.is_none()) {
    const std::int64_t wanted = CountOf(sequence, "sequence");
    if (wanted < 0) Raise(absl::StatusCode::kInvalidArgument, "sequence must be 0 or more");
    state = ValueOf(Unlocked([&] { return StateAt(source->log(), static_cast<Sequence>(wanted)); }));
  } else {
    const TimeNs moment = TimeOfPython(time, "time");
    state = ValueOf(Unlocked([&] { return StateAtTime(source->log(), moment); }));
  }
  return StateAtDictOf(state, RowOf(source, state));
}

EventIterator EventsOf(const Source& source, py::handle from, py::handle to) {
  Check(source->CheckProcess());
  const Sequence first = SequenceOf(from, "from_");
  std::optional<Sequence> last;
  if (!to.is_none()) last = SequenceOf(to, "to");
  const LogExtent extent = ExtentOf(source);
  const Sequence end = extent.end.sequence;
  return {source, std::clamp(first, extent.base.sequence + 1, end + 1), std::min(last.value_or(end), end)};
}

EventIterator Follow(const Source& source, py::handle from, py::handle timeout) {
  Check(source->CheckProcess());
  std::optional<Sequence> first;
  if (!from.is_none()) first = SequenceOf(from, "from_");
  const auto patience = TimeoutOf(timeout);
  const LogExtent extent = ExtentOf(source);
  const Sequence next = extent.end.sequence + 1;
  return {source, std::clamp(first.value_or(next), extent.base.sequence + 1, next), Following{patience}};
}

}  // namespace foldlog::python
