#include "tools/python/log_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/python/convert.h"
#include "tools/python/interpreter_lock.h"

namespace foldlog::python {

LogReader::LogReader(py::handle path)
    : path_(PathOf(path, "the path of the log")), log_(ValueOf(Unlocked([&] { return ReadOnlyLog::Open(path_); }))) {}

std::shared_ptr<LogSource> LogReader::Source() const {
  if (!log_) {
    Raise(absl::StatusCode::kFailedPrecondition, absl::StrCat("the log ", path_, " is closed here; open it again"));
  }
  return log_;
}

py::str LogReader::Path() const { return TextOf(path_); }

void LogReader::Close() {
  if (!log_) return;
  const std::shared_ptr<ReadOnlyLog> log = std::exchange(log_, nullptr);
  Check(Unlocked([&] { return log->Close(); }));
}

}  // namespace foldlog::python
