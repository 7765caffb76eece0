// LogSource: what queries need of a log, be it written by this process or only read.
//
// Called without the interpreter lock.

#ifndef FOLDLOG_PYTHON_LOG_SOURCE_H_
#define FOLDLOG_PYTHON_LOG_SOURCE_H_

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <system_error>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/state.h"

namespace foldlog::python {

class LogSource {
 public:
  virtual ~LogSource() = default;
  LogSource(const LogSource&) = delete;
  LogSource& operator=(const LogSource&) = delete;

  // FailedPrecondition in a child of the process that opened the log. To be asked before anything else.
  virtual absl::Status CheckProcess() const = 0;

  virtual const EventLog& log() const = 0;
  virtual absl::StatusOr<State> state() = 0;

  // Absolute: the program may go elsewhere.
  virtual const std::string& directory() const = 0;

  // What is wrong with each SQLite file that shows the row.
  virtual std::map<std::string, absl::Status> MirrorStatus() const { return {}; }

  // Whether it was closed: who follows it is done then.
  virtual bool closed() const = 0;

 protected:
  LogSource() = default;

  // Where `path` leads to from here; the path itself if there is no telling.
  static std::string Absolute(const std::string& path) {
    std::error_code error;
    const std::filesystem::path absolute = std::filesystem::absolute(path, error);
    return error ? path : absolute.string();
  }
};

}  // namespace foldlog::python

#endif  // FOLDLOG_PYTHON_LOG_SOURCE_H_
