// The errors of a log: one by one, in groups, and the files that they are of.
//
//   ASSIGN_OR_RETURN(ErrorReport report, ReportErrors(*log, {.since = yesterday}));
//   for (const ErrorGroup& group : report.by_kind.groups) std::cout << group.count << " × " << group.key << "\n";
//
//   ASSIGN_OR_RETURN(FailedPaths paths, FailedPaths::Over(*log, {.operation = first_sequence}));
//   for (auto path = paths.Next(); path.ok() && *path; path = paths.Next()) Retry(**path);
//
// Errors are those of files, in checkpoints and in imports, and the failures of operations. Only reads. Every question
// sees the log as it is when it is asked; parts of the log without errors are not read. Memory is bounded, whatever the
// log holds; what was left out is counted. The log must outlive a query. Threads: any for the functions, one at a time
// for a query. Values copy; a query moves, but does not copy.

#ifndef FOLDLOG_ERROR_REPORT_H_
#define FOLDLOG_ERROR_REPORT_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event.h"
#include "foldlog/event_log.h"
#include "foldlog/event_query.h"

namespace foldlog {

// Which errors are wanted: those for which everything that is set holds. By default, all.
struct ErrorFilter {
  // Sequence numbers of the events that tell of them, both inclusive.
  Sequence from = 0;
  Sequence through = std::numeric_limits<Sequence>::max();
  // Times of those events: since <= time < until. (An imported error has a time of its own, which is not meant.)
  std::optional<TimeNs> since = {};
  std::optional<TimeNs> until = {};
  // The first event of the operation; 0: of any.
  Sequence operation = 0;
  // How the path of the file begins, in bytes. Unless empty, failures are not wanted.
  std::string path_prefix = {};
};

// An error of a file, or the failure of an operation: then the path is empty.
struct ReportedError {
  Sequence sequence = 0;  // the event that tells of it
  TimeNs time = 0;        // an imported error's own
  Sequence operation = 0;
  std::string operation_id = {};
  bool is_failure = false;
  FileError error = {};
  bool operator==(const ReportedError&) const = default;
};

// Gives the errors of a log, oldest first.
class ErrorQuery {
 public:
  // Errors as EventQuery::Over() has them.
  static absl::StatusOr<ErrorQuery> Over(const EventLog& log, const ErrorFilter& filter = {});

  // The next error, or nothing at the end. Errors as EventQuery::Next() has them.
  absl::StatusOr<std::optional<ReportedError>> Next();

  // As EventQuery has it.
  absl::Status index_damage() const { return events_.index_damage(); }

 private:
  ErrorQuery(EventQuery events, std::string path_prefix)
      : events_(std::move(events)), path_prefix_(std::move(path_prefix)) {}
  void Take(QueriedEvent queried);
  void Add(ReportedError error, FileError file);

  EventQuery events_;
  std::string path_prefix_;
  std::deque<ReportedError> ready_ = {};  // an import has many
};

// Errors that have something in common.
inline constexpr std::size_t kExampleBytesMax = 4096;

struct ErrorGroup {
  std::string key = {};  // the kind of their messages, or their directory
  std::int64_t count = 0;
  TimeNs first_time = 0;  // the earliest time, and the latest
  TimeNs last_time = 0;
  Sequence first_sequence = 0;
  Sequence last_sequence = 0;
  // The first of them; fewer if they are large. Of a message, they keep its first kExampleBytesMax bytes with a mark;
  // of details, nothing if they are longer.
  std::vector<ReportedError> examples = {};
  bool operator==(const ErrorGroup&) const = default;
};

struct ErrorGroups {
  std::vector<ErrorGroup> groups = {};  // the largest first; of equal ones, the one that came first
  std::int64_t left_out = 0;            // errors of further groups, which were too many
  bool operator==(const ErrorGroups&) const = default;
};

struct ErrorReportOptions {
  std::size_t groups_max = 1000;  // of either kind; also, they take no more than 8 MiB together
  std::size_t examples_max = 3;   // of each kind of message; directories have none
  // Called with the event of each error, as the report comes to it.
  std::function<void(Sequence)> progress = {};
};

struct ErrorReport {
  std::int64_t errors = 0;    // all of them …
  std::int64_t failures = 0;  // … of which so many are of operations, not of files
  std::optional<TimeNs> first_time = {};
  std::optional<TimeNs> last_time = {};
  // By the message, where what differs from case to case is replaced: "cannot read <path>: error <n>". Messages that
  // agree in their first 512 bytes are of one kind.
  ErrorGroups by_kind = {};
  // By what stands before the last slash of the path; "." if there is none. Failures have no directory.
  ErrorGroups by_directory = {};
  absl::Status index_damage = {};  // as EventQuery has it
};

// The errors in groups. Errors as ErrorQuery has them.
absl::StatusOr<ErrorReport> ReportErrors(const EventLog& log, const ErrorFilter& filter = {},
                                         const ErrorReportOptions& options = {});

class SeenTexts;

// Gives the paths of the files that have errors, each once, in the order of their first error. It remembers 500,000
// paths; behind so many, a path may come again.
class FailedPaths {
 public:
  // Errors as ErrorQuery has them.
  static absl::StatusOr<FailedPaths> Over(const EventLog& log, const ErrorFilter& filter = {});

  FailedPaths(FailedPaths&&) noexcept;
  FailedPaths& operator=(FailedPaths&&) noexcept;
  ~FailedPaths();

  // The next path, in bytes, or nothing at the end. Errors as ErrorQuery has them.
  absl::StatusOr<std::optional<std::string>> Next();

  // As EventQuery has it.
  absl::Status index_damage() const { return errors_.index_damage(); }

 private:
  explicit FailedPaths(ErrorQuery errors);

  ErrorQuery errors_;
  std::unique_ptr<SeenTexts> seen_;
};

}  // namespace foldlog

#endif  // FOLDLOG_ERROR_REPORT_H_
