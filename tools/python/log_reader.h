// LogReader: what the Python class Log does, below its signatures. Declared to Python in module.cc.
//
// Called with the interpreter lock, which is let go while the log is read. Whoever iterates over events keeps the log
// open, until close() is called.

#ifndef FOLDLOG_PYTHON_LOG_READER_H_
#define FOLDLOG_PYTHON_LOG_READER_H_

#include <pybind11/pybind11.h>

#include <memory>
#include <string>

#include "tools/python/read_only_log.h"

namespace foldlog::python {

class LogReader {
 public:
  explicit LogReader(pybind11::handle path);

  std::shared_ptr<LogSource> Source() const;
  pybind11::str Path() const;
  void Close();

 private:
  const std::string path_;
  std::shared_ptr<ReadOnlyLog> log_;  // nothing once closed
};

}  // namespace foldlog::python

#endif  // FOLDLOG_PYTHON_LOG_READER_H_
