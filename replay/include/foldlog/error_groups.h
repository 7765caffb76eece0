// The errors of a log, grouped by the kind of their message and by directory.
//
//   ASSIGN_OR_RETURN(const ErrorGroups groups, GroupErrors(*log, {.operation = entry.operation.first_sequence}));
//   for (const ErrorGroup& group : groups.by_message) Use(group.name, group.count, group.examples);
//
// Only reads, and only batches that have errors. Memory is bounded by the limits, whatever the log holds. Threads: any;
// the log must stay open during the call. Values copy.

#ifndef FOLDLOG_ERROR_GROUPS_H_
#define FOLDLOG_ERROR_GROUPS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "foldlog/event.h"
#include "foldlog/event_log.h"
#include "foldlog/event_query.h"

namespace foldlog {

struct ErrorGroup {
  std::string name = {};  // the kind of message, or the directory
  std::uint64_t count = 0;
  // The first event and the last one that told of such an error, and when it was.
  Sequence first = 0;
  Sequence last = 0;
  TimeNs first_time = 0;
  TimeNs last_time = 0;
  std::vector<FileError> examples = {};  // the first ones; a failure has no path
  bool operator==(const ErrorGroup&) const = default;
};

struct ErrorGroups {
  std::uint64_t errors = 0;  // of files, and one for each failure
  // The largest first. Failures are of no directory.
  std::vector<ErrorGroup> by_message = {};
  std::vector<ErrorGroup> by_directory = {};
  // Errors in no group of theirs, because there were too many groups already.
  std::uint64_t without_message_group = 0;
  std::uint64_t without_directory_group = 0;
};

struct ErrorGroupLimits {
  std::size_t groups_max = 1000;
  std::size_t examples_max = 3;
};

// Groups the errors of the events that pass; of a filter for paths, it is the event that passes. Errors as EventQuery
// has them.
absl::StatusOr<ErrorGroups> GroupErrors(const EventLog& log, const EventFilter& filter = {},
                                        const ErrorGroupLimits& limits = {});

// The kind of an error's message: the message without what differs from file to file. Its path is replaced by PATH,
// each number by N. At most 200 bytes.
std::string KindOfMessage(const FileError& error);

// The directory of a path: all before its last slash, which stays if there is nothing before it. Empty without one.
std::string DirectoryOf(const std::string& path);

}  // namespace foldlog

#endif  // FOLDLOG_ERROR_GROUPS_H_
