// What a log, and the system around it, tell at one moment. Only reads; works while a writer goes on.

#ifndef FOLDLOG_REPORT_LOG_VIEW_H_
#define FOLDLOG_REPORT_LOG_VIEW_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/log_directory.h"
#include "foldlog/owner.h"
#include "foldlog/state.h"

namespace foldlog::report {

struct LogView {
  State state;
  std::uint64_t hash = 0;  // of the last event in it: the end of the chain
  LogExtent extent;
  WriterInfo writer;
  std::optional<Restoration> restoration;  // of a log that was restored from a backup
  bool restoration_damaged = false;        // there is a record of that, and it can't be read
  std::optional<OwnerFate> fate;           // of the owner of the operation in progress
  bool interrupted = false;                // it is proven gone: Resume() would go on with the operation

  // Whether `operation`, as found in the history, is the one on the row: the same use of the same id.
  bool IsAbout(const Operation& operation) const {
    return state.operation && state.operation->first_sequence == operation.first_sequence;
  }
};

// `log` is the log in `directory`, opened for reading. State and writer belong together: a verdict of "interrupted" is
// given only if the log stood still while it was found.
absl::StatusOr<LogView> ReadLogView(const EventLog& log, const std::string& directory);

// How many of the operation's errors are those of files. Its failure is counted among them, as in the single row, but
// is none of a file.
std::int64_t FileErrors(const Operation& operation);

}  // namespace foldlog::report

#endif  // FOLDLOG_REPORT_LOG_VIEW_H_
