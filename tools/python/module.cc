// The extension module foldlog._foldlog: what Python is told of Session, LogReader and EventIterator.
//
// Each docstring starts with the signature in the form from which inspect.signature() reads it; pybind11's own
// signatures are turned off for that. Methods that begin with an underscore are completed in _manager.py.

#include <pybind11/pybind11.h>

#include <memory>
#include <system_error>

#include "tools/python/convert.h"
#include "tools/python/event_iterator.h"
#include "tools/python/interpreter_lock.h"
#include "tools/python/log_reader.h"
#include "tools/python/queries.h"
#include "tools/python/session.h"
#include "tools/python/shared_engine.h"

namespace foldlog::python {
namespace {

namespace py = pybind11;

Session& Of(py::handle self) { return self.cast<Session&>(); }

// The method that is called for every file: straight into C++, with nothing interpreted in between.
constexpr const char* kUpdateCheckpoint =
    "update_checkpoint(self, operation_id, files_processed, current_path=None, last_file=None, error=None, "
    R"(batch_num=None, *, durability=None)
--

Records progress of the operation: files_processed is the total since its start.

Threads and tasks that work side by side use advance() instead: they may overtake each other between counting and this
call, and then a lower total comes after a higher one. It is recorded as it is, with a warning in the log "foldlog", unless
the manager was opened with monotonic=True: then the total stays at the higher one.

Paths that are None or empty stay as they were; names that are not UTF-8 are given as os.fsdecode() gives them. error is
a dict about a file that could not be processed, of anything JSON can hold; it gets a timestamp.
durability: "sync" or "interval", as in the constructor, for this call.)";

constexpr const char* kAdvance =
    R"(advance(self, operation_id, files=1, current_path=None, last_file=None, error=None, batch_num=None, *, durability=None)
--

Records progress like update_checkpoint(), but adds `files` to the total there is, and returns the total then.

The sum is made where the event is recorded: any number of threads and tasks may call it for one operation, nothing is
lost or counted twice, and the total never goes back. files=0 records a path or an error alone.)";

constexpr const char* kRow = R"(row(self)
--

The row of the table indexing_state as the single-row manager would have written it, {column: value}; None if empty.)";

constexpr const char* kStatus = R"(status(self)
--

The operation on the row and the log, with the names and shapes of "foldlog status --json" (schema/JSON.md): status,
files_processed, interrupted, evidence, last_sequence, durable_sequence and many more. Times are seconds since 1970.

`mirrors` is told besides: for each SQLite file that this process keeps equal to the row what is wrong with it, or None.)";

constexpr const char* kHistory = R"(history(self)
--

Every operation that the log tells of, in the order they were started: dicts as "foldlog history --json" has them.)";

constexpr const char* kEvents = R"(events(self, from_=1, to=None)
--

Iterates over the events with sequence numbers from `from_` to `to`, or to the present end of the log: dicts
as "foldlog events --json" has them, but for errors, which are as they were given.)";

constexpr const char* kFollow = R"(follow(self, from_=None, *, timeout=None)
--

Iterates over the events from `from_` on, the next one to come unless given, and waits for more as the writer appends.

Ends when the log is closed here, and when nothing has come for `timeout` seconds, if that is given; a for loop over the
same iterator then goes on where it was. Ctrl-C raises KeyboardInterrupt as ever.)";

constexpr const char* kFlush = R"(flush(self)
--

Returns when everything recorded so far is durable.)";

constexpr const char* kClose = R"(close(self)
--

Makes everything durable and lets go of the log. Later calls are refused, but for close().)";

constexpr const char* kCloseReader = R"(close(self)
--

Lets go of the log, and ends what follows it. Later calls are refused, but for close().)";

constexpr const char* kNext = R"(__next__(self)
--

The next event.)";

void DeclareCommands(py::class_<Session>& session) {
  session
      .def(
          "update_checkpoint",
          [](py::handle self, py::handle operation_id, py::handle files_processed, py::handle current_path,
             py::handle last_file, py::handle error, py::handle batch_num, py::handle durability) {
            Of(self).UpdateCheckpoint(self, operation_id, files_processed, current_path, last_file, error, batch_num,
                                      durability);
          },
          kUpdateCheckpoint, py::arg("operation_id"), py::arg("files_processed"), py::arg("current_path") = py::none(),
          py::arg("last_file") = py::none(), py::arg("error") = py::none(), py::arg("batch_num") = py::none(),
          py::kw_only(), py::arg("durability") = py::none())
      .def(
          "advance",
          [](py::handle self, py::handle operation_id, py::handle files, py::handle current_path, py::handle last_file,
             py::handle error, py::handle batch_num, py::handle durability) {
            return Of(self).Advance(self, operation_id, files, current_path, last_file, error, batch_num, durability);
          },
          kAdvance, py::arg("operation_id"), py::arg("files") = 1, py::arg("current_path") = py::none(),
          py::arg("last_file") = py::none(), py::arg("error") = py::none(), py::arg("batch_num") = py::none(),
          py::kw_only(), py::arg("durability") = py::none())
      .def("_check_current", &Session::CheckIsCurrent)
      .def("_standing", &Session::Standing)
      .def("_start", &Session::Start)
      .def("_pause", &Session::Pause)
      .def("_take_over", [](Session& self, py::handle id, py::handle reason,
                            py::handle now) { return self.TakeOver(BytesOf(id, "the operation id"), reason, now); })
      .def("_complete", &Session::Complete)
      .def("_fail", &Session::Fail)
      .def("_clear", &Session::Clear)
      .def("_reset", &Session::Reset);
}

// What a class asks of its Source().
template <typename Class>
void DeclareQueries(py::class_<Class>& declared) {
  declared
      .def(
          "row", [](const Class& self) { return RowDict(self.Source()); }, kRow)
      .def(
          "status", [](const Class& self) { return StatusDict(self.Source()); }, kStatus)
      .def(
          "history", [](const Class& self) { return HistoryList(self.Source()); }, kHistory)
      .def(
          "events", [](const Class& self, py::handle from, py::handle to) { return EventsOf(self.Source(), from, to); },
          kEvents, py::arg("from_") = 1, py::arg("to") = py::none())
      .def(
          "follow",
          [](const Class& self, py::handle from, py::handle timeout) { return Follow(self.Source(), from, timeout); },
          kFollow, py::arg("from_") = py::none(), py::kw_only(), py::arg("timeout") = py::none())
      .def("_state_at", [](const Class& self, py::handle sequence, py::handle time) {
        return StateAtDict(self.Source(), sequence, time);
      });
}

void DeclareOwn(py::class_<Session>& session) {
  session.def("_active_row", [](const Session& self) { return ActiveRowDict(self.Source()); })
      .def("flush", &Session::Flush, kFlush)
      .def("close", &Session::Close, kClose)
      .def_property_readonly("durable_sequence", &Session::DurableSequence,
                             "The sequence number of the last event known to survive power loss.")
      .def_property_readonly("log", &Session::Log, "The path of the log.")
      .def_property("_current_operation_id", &Session::current_operation_id, &Session::set_current_operation_id,
                    "The operation that this manager may write about: the one it started or resumed.");
}

}  // namespace

PYBIND11_MODULE(_foldlog, module) {
  module.doc() = "The part of foldlog that is written in C++. Use the package foldlog instead.";
  py::options options;
  options.disable_function_signatures();

  py::class_<Session> session(module, "Session", "What IndexingStateManager is made of.");
  session.def(py::init(
      [](py::handle path, py::handle durability, py::handle mirror, bool has_clock, bool monotonic, bool read_only) {
        const Session::Options how{.has_clock = has_clock, .monotonic = monotonic, .read_only = read_only};
        return std::make_unique<Session>(path, durability, mirror, how);
      }));
  DeclareCommands(session);
  DeclareQueries(session);
  DeclareOwn(session);

  py::class_<LogReader> reader(module, "LogReader", "What Log is made of.");
  reader.def(py::init<py::handle>());
  DeclareQueries(reader);
  reader.def("close", &LogReader::Close, kCloseReader)
      .def_property_readonly("path", &LogReader::Path, "The path of the log.");

  py::class_<EventIterator>(module, "EventIterator", "The events of a log, as dicts, in order.")
      .def("__iter__", [](py::handle self) { return py::reinterpret_borrow<py::object>(self); })
      .def("__next__", &EventIterator::Next, kNext);

#ifdef NDEBUG
  module.attr("build") = "release";
#else
  module.attr("build") = "debug: figures mean nothing";
#endif
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const std::system_error& error) {
      SetSystemError(error);
    }
  });
  module.def("close_all", [] { Unlocked([] { return SharedEngine::CloseAll(); }); });
}

}  // namespace foldlog::python
