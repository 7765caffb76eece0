// Two operations side by side: how long they took, how fast they were, and what is in one and not in the other.
//
//   ASSIGN_OR_RETURN(const HistoryEntry before, ResolveOperation(*log, "last~1"));
//   ASSIGN_OR_RETURN(const HistoryEntry after, ResolveOperation(*log, "last"));
//   ASSIGN_OR_RETURN(const OperationDiff diff, Compare(*log, before, after));
//   for (const ErrorGroup& group : diff.new_errors.groups) std::cout << group.count << " × " << group.key << "\n";
//
// Only reads. Memory is bounded, whatever the operations hold. Threads: any. Values copy.

#ifndef FOLDLOG_OPERATION_DIFF_H_
#define FOLDLOG_OPERATION_DIFF_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/error_report.h"
#include "foldlog/event_log.h"
#include "foldlog/history.h"

namespace foldlog {

// A name of the metadata whose values differ. Whoever lacks it has no values.
struct MetadataDifference {
  std::string name = {};
  std::array<std::vector<std::string>, 2> values = {};
  bool operator==(const MetadataDifference&) const = default;
};

struct OperationDiff {
  std::array<HistoryEntry, 2> entries = {};
  // Files a second in each of so many equal parts of the time at work (RateCurve()); empty if there was no such time.
  std::array<std::vector<double>, 2> rates = {};
  std::array<std::vector<std::string>, 2> roots = {};  // that the other has not
  std::vector<MetadataDifference> metadata = {};
  bool same_type = false;
  bool same_owner = false;  // the same program on the same host
  // Errors, each counted once, however often it came: those with the same path and the same kind of message (see
  // ErrorReport) are the same. Failures have no path.
  std::int64_t errors_in_both = 0;
  ErrorGroups new_errors = {};   // of the second that the first has not, by the kind of their messages …
  ErrorGroups gone_errors = {};  // … and of the first that the second has not
  // Errors that were too many to compare: not all that are new or gone are told, or some are told that are not.
  std::int64_t errors_not_compared = 0;
};

struct DiffOptions {
  std::size_t points = 10;  // of the rates
  ErrorReportOptions errors = {.groups_max = 200, .examples_max = 5};
  std::size_t errors_max = 250'000;  // of each operation, to compare
};

// Compares two operations of a log as the history has them. Errors as TellStory() has them.
absl::StatusOr<OperationDiff> Compare(const EventLog& log, const HistoryEntry& first, const HistoryEntry& second,
                                      const DiffOptions& options = {});

}  // namespace foldlog

#endif  // FOLDLOG_OPERATION_DIFF_H_
