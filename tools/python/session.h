// Session: a manager's log, how durable its checkpoints are, and the right to write about one operation. The class
// IndexingStateManager (_manager.py) is made of it. Declared to Python in module.cc.
//
// Which operation it may write about is the one that it started or took over itself, as with the single-row manager.
// Beyond that, managers of one process share the operation as they share the log, so that one may write on after
// another has resumed.
//
// The verbs are the engine's, and so are the refusals: the single-row manager's words for them are those of
// _manager.py. Only what is called for every file, UpdateCheckpoint() and Advance(), is whole here.
//
// Called with the interpreter lock, which is let go wherever an engine or a disk is waited for: what is needed of
// Python, its clock among it, is asked for before. Members are touched with the lock only.
//
// Holds no Python objects: the clock is an attribute of the Python object (`self`), where Python's garbage collector
// can see it.

#ifndef FOLDLOG_PYTHON_SESSION_H_
#define FOLDLOG_PYTHON_SESSION_H_

#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "foldlog/engine.h"
#include "tools/python/read_only_log.h"
#include "tools/python/shared_engine.h"

namespace foldlog::python {

class Session {
 public:
  struct Options {
    bool has_clock = false;
    bool monotonic = false;
    bool read_only = false;
  };

  Session(pybind11::handle path, pybind11::handle durability, pybind11::handle mirror, Options options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Commands of which nothing is left to Python. `self` is the Python object, which has the clock.
  void UpdateCheckpoint(pybind11::handle self, pybind11::handle operation_id, pybind11::handle files_processed,
                        pybind11::handle current_path, pybind11::handle last_file, pybind11::handle error,
                        pybind11::handle batch_num, pybind11::handle durability);
  std::int64_t Advance(pybind11::handle self, pybind11::handle operation_id, pybind11::handle files,
                       pybind11::handle current_path, pybind11::handle last_file, pybind11::handle error,
                       pybind11::handle batch_num, pybind11::handle durability);

  // The others. `now` is what the clock says, or None.
  void CheckIsCurrent(pybind11::handle operation_id) const { HandleOf(operation_id); }
  pybind11::object Standing() const;  // (operation_id, status) of what is on the row, or None
  std::string Start(const std::string& type, pybind11::handle total_files, pybind11::handle roots,
                    pybind11::handle metadata, pybind11::handle now, pybind11::handle new_id);
  void Pause(pybind11::handle operation_id, pybind11::handle reason, pybind11::handle now);
  pybind11::str TakeOver(const std::string& operation_id, pybind11::handle force_reason, pybind11::handle now);
  pybind11::tuple Complete(pybind11::handle operation_id, pybind11::handle stats, pybind11::handle now);
  void Fail(pybind11::handle operation_id, pybind11::handle error, pybind11::handle now);
  void Clear(pybind11::handle now);
  void Reset(pybind11::handle reason, pybind11::handle now);

  // What to ask, and of which log.
  std::shared_ptr<LogSource> Source() const;
  Sequence DurableSequence() const;
  pybind11::str Log() const;

  pybind11::object current_operation_id() const;
  void set_current_operation_id(pybind11::handle operation_id);

  void Flush() const;
  void Close();

 private:
  using Shared = std::shared_ptr<SharedEngine>;
  using Handle = std::shared_ptr<const OperationHandle>;

  // The engine, kept while a call uses it even if another thread closes the manager meanwhile.
  const Shared& Open() const;

  // Of the operation that this manager may write about; any other id is refused. To be kept before Python is called,
  // where another thread may start another operation.
  Handle HandleOf(pybind11::handle operation_id) const;

  std::string Take(const OperationHandle& handle);
  Checkpoint CheckpointOf(pybind11::handle self, pybind11::handle current_path, pybind11::handle last_file,
                          pybind11::handle error, pybind11::handle batch_num, std::optional<Moment>& now) const;
  template <typename Command>
  absl::Status Record(const Shared& shared, const Handle& handle, std::optional<Moment> now, const Command& command);

  const std::string path_;
  const Options options_;
  Durability durability_;
  Shared shared_;  // nothing once closed, or read-only
  std::shared_ptr<ReadOnlyLog> reader_;

  std::optional<std::string> current_;  // the operation that this manager may write about
  Handle handle_;                       // of it, as last seen
};

}  // namespace foldlog::python

#endif  // FOLDLOG_PYTHON_SESSION_H_
