// The state as the single row of a table `indexing_state` that older programs read, byte for byte as they wrote it.
//
//   SingleRowProjector projector(engine->log());
//   auto row = projector.Project(engine->state());
//   if (row.ok() && *row) Use((*row)->checkpoint_data);
//
// checkpoint_data is one JSON object in ASCII, as Python's json.dumps writes it: operation_id, operation_type,
// total_files, files_processed, current_path, last_processed_file, errors, rate, started_at, last_update, batch_num and
// checkpoint_version, in that order. Bytes that are not UTF-8 appear as \udc80 to \udcff, and times as seconds in the
// shortest digits that read back. The times in the row's own columns are whole seconds, cut towards zero.
//
// Events change it like this. A checkpoint and the completion set last_update and rate. A pause, a resumption, a
// recovery and a failure set updated_at only. The completion sets completed_at. A failure adds to the errors, as fatal.
//
// A checkpoint with an empty path sets the path to no bytes. The older programs left the path unchanged then; a program
// that stands in for them leaves the path out of the checkpoint, and a total, a batch number or an error likewise.
//
// The errors are not part of the state, which so stays small. They are read from the log when the row is asked for, and
// only if there are any.

#ifndef FOLDLOG_SINGLE_ROW_H_
#define FOLDLOG_SINGLE_ROW_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/state.h"

namespace foldlog {

// Projects again and again: it keeps the text of the errors that it has read, so that each is read once. Holds no lock
// and no transaction between calls. The log must outlive it. Threads: one at a time.
class SingleRowProjector {
 public:
  explicit SingleRowProjector(const EventLog& log) : log_(log) {}

  // The row as of `state`, which must be a state of this log; nothing when it is idle. Errors are those of reading the
  // log, and OutOfRange if the log no longer has errors of the operation.
  absl::StatusOr<std::optional<SingleRow>> Project(const State& state);

 private:
  absl::Status ReadErrors(const Operation& operation);
  absl::Status ReadErrors(Sequence from, Sequence through);

  const EventLog& log_;
  Sequence first_ = 0;    // the first error of the operation that `errors_` is about
  Sequence through_ = 0;  // the last event that was looked at
  std::string errors_;    // JSON objects with ", " between them
};

// Projects once, without a projector to keep.
absl::StatusOr<std::optional<SingleRow>> ProjectSingleRow(const EventLog& log, const State& state);

// The operation that an older program kept as such a row, for Engine::Import(); `source` says where the row was. Rows
// of two sorts are understood: those whose checkpoint_data this projection would write, and those of earlier programs,
// where it is any JSON object, perhaps with files_processed, batch_num and last_path in it, and the status one of many
// words. Of a row that the operation does not give back byte for byte, the row itself is kept in it.
//
// InvalidArgument if it is no such row: the message names the column or member.
absl::StatusOr<Imported> ImportedFrom(const SingleRow& row, const std::string& source = "");

}  // namespace foldlog

#endif  // FOLDLOG_SINGLE_ROW_H_
