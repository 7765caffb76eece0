// Manager: what the Python class IndexingStateManager does, below its signatures. Declared to Python in module.cc.
//
// It follows the single-row manager that it stands in for, per object: which operation it may write about is the one
// that it started or resumed itself. Beyond that, managers of one process share the operation as they share the log, so
// that one may write on after another has resumed.
//
// Called with the interpreter lock, which is let go wherever an engine or a disk is waited for: what is needed of
// Python, its clock among it, is asked for before. Members are touched with the lock only.
//
// Holds no Python objects: the clock and the source of ids are attributes of the Python object (`self`), where Python's
// garbage collector can see them.

#ifndef FOLDLOG_PYTHON_MANAGER_H_
#define FOLDLOG_PYTHON_MANAGER_H_

#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "foldlog/engine.h"
#include "tools/python/read_only_log.h"
#include "tools/python/shared_engine.h"

namespace foldlog::python {

class Manager {
 public:
  struct Options {
    bool has_clock = false;
    bool has_new_id = false;
    bool monotonic = false;
    bool read_only = false;
  };

  Manager(pybind11::handle path, pybind11::handle durability, pybind11::handle mirror, Options options);
  ~Manager();
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  // Commands. `self` is the Python object of this manager.
  std::string Start(pybind11::handle self, const std::string& type, pybind11::handle total_files,
                    pybind11::handle roots, pybind11::handle metadata);
  void UpdateCheckpoint(pybind11::handle self, pybind11::handle operation_id, pybind11::handle files_processed,
                        pybind11::handle current_path, pybind11::handle last_file, pybind11::handle error,
                        pybind11::handle batch_num, pybind11::handle durability);
  std::int64_t Advance(pybind11::handle self, pybind11::handle operation_id, pybind11::handle files,
                       pybind11::handle current_path, pybind11::handle last_file, pybind11::handle error,
                       pybind11::handle batch_num, pybind11::handle durability);
  void Pause(pybind11::handle self, pybind11::handle operation_id, pybind11::handle reason);
  pybind11::str Resume(pybind11::handle self, pybind11::handle operation_id, bool interrupted_too);
  pybind11::str Recover(pybind11::handle self, pybind11::handle operation_id, pybind11::handle reason);
  pybind11::tuple Complete(pybind11::handle self, pybind11::handle operation_id, pybind11::handle stats);
  void Fail(pybind11::handle self, pybind11::handle operation_id, pybind11::handle error);
  void Clear(pybind11::handle self);
  void Reset(pybind11::handle self, pybind11::handle reason);

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

  // The engine, kept while a call uses it even if another thread closes the manager meanwhile.
  const Shared& Open() const;

  std::optional<Moment> AskClock(pybind11::handle self) const;
  void CheckIsCurrent(pybind11::handle operation_id) const;
  Checkpoint CheckpointOf(pybind11::handle self, pybind11::handle current_path, pybind11::handle last_file,
                          pybind11::handle error, pybind11::handle batch_num, std::optional<Moment>& now) const;
  template <typename Command>
  absl::Status Record(const Shared& shared, std::optional<Moment> now, const Command& command);
  pybind11::str TakeOver(pybind11::handle self, const Shared& shared, const State& before,
                         const std::optional<std::string>& force_reason);

  const std::string path_;
  const Options options_;
  Durability durability_;
  Shared shared_;  // nothing once closed, or read-only
  std::shared_ptr<ReadOnlyLog> reader_;

  std::optional<std::string> current_;             // the operation that this manager may write about
  std::shared_ptr<const OperationHandle> handle_;  // of it, as last seen
};

}  // namespace foldlog::python

#endif  // FOLDLOG_PYTHON_MANAGER_H_
