// The state as the single row of a table `indexing_state` that older programs read, byte for byte as they wrote it.
//
//   SingleRowProjector projector(engine->log());
//   auto row = projector.Project(engine->state());
//   if (row.ok() && *row) Use((*row)->checkpoint_data);
//
// checkpoint_data is one JSON object in ASCII, as Python's json.dumps writes it: operation_id, operation_type,
// total_files, files_processed, current_path, last_processed_file, errors, rate, started_at, last_update, batch_num and
// checkpoint_version, in that order. Bytes that are not UTF-8 appear as \udc80 to \udcff, times as seconds in the
// shortest digits that read back. What the row's own columns hold are whole seconds, cut towards zero.
//
// Which event touches what: a checkpoint and the completion set last_update and rate; a pause, a resumption, a recovery
// and a failure set updated_at only. completed_at is set by the completion. A failure adds to the errors, as fatal.
//
// A checkpoint takes a path of no bytes as it is. The older programs left the path unchanged then; who stands in for
// them leaves it out of the checkpoint, and a total, a batch number or an error likewise.
//
// The errors are not part of the state, which stays small; they are read from the log when the row is asked for, and
// only if there are any.

#ifndef FOLDLOG_SINGLE_ROW_H_
#define FOLDLOG_SINGLE_ROW_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/state.h"

namespace foldlog {

struct SingleRow {
  std::string operation_type = {};
  std::string status = {};
  std::string checkpoint_data = {};
  std::int64_t started_at = 0;  // seconds, like the next two
  std::int64_t updated_at = 0;
  std::optional<std::int64_t> completed_at = {};
  bool operator==(const SingleRow&) const = default;
};

// For asking again and again: keeps the text of the errors that it has read, so that each is read once. Holds no lock
// and no transaction between calls. The log must outlive it; one thread at a time.
class SingleRowProjector {
 public:
  explicit SingleRowProjector(const EventLog& log) : log_(log) {}

  // The row as of `state`, which is a state of this log; nothing when it is idle. Errors are those of reading the log,
  // and OutOfRange if errors of the operation are no longer in it.
  absl::StatusOr<std::optional<SingleRow>> Project(const State& state);

 private:
  absl::Status ReadErrors(const Operation& operation);

  const EventLog& log_;
  Sequence first_ = 0;    // the first error of the operation that `errors_` is about
  Sequence through_ = 0;  // the last event that was looked at
  std::string errors_;    // JSON objects with ", " between them
};

// The same, once.
absl::StatusOr<std::optional<SingleRow>> ProjectSingleRow(const EventLog& log, const State& state);

}  // namespace foldlog

#endif  // FOLDLOG_SINGLE_ROW_H_
