// LogSource: what queries need of a log, be it written by this process or only read.
//
// Called without the interpreter lock.

#ifndef FOLDLOG_PYTHON_LOG_SOURCE_H_
#define FOLDLOG_PYTHON_LOG_SOURCE_H_

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/owner.h"
#include "foldlog/state.h"

namespace foldlog::python {

class LogSource {
 public:
  // The state, and what else there is to know at the same moment or a little later.
  struct View {
    State state = {};
    std::optional<OwnerFate> interruption = {};  // as Engine::interruption()
    Sequence durable = 0;
    std::map<std::string, absl::Status> mirrors = {};
  };

  virtual ~LogSource() = default;
  LogSource(const LogSource&) = delete;
  LogSource& operator=(const LogSource&) = delete;

  // FailedPrecondition in a child of the process that opened the log. To be asked before anything else.
  virtual absl::Status CheckProcess() const = 0;

  virtual const EventLog& log() const = 0;
  virtual absl::StatusOr<State> state() = 0;
  virtual absl::StatusOr<View> Look() = 0;

  // Whether it was closed: who follows it is done then.
  virtual bool closed() const = 0;

 protected:
  LogSource() = default;
};

}  // namespace foldlog::python

#endif  // FOLDLOG_PYTHON_LOG_SOURCE_H_
