// SqliteMirror: keeps the table `indexing_state` of an SQLite file equal to the single row of a log (single_row.h), for
// programs that read the row where older programs kept it.
//
//   ASSIGN_OR_RETURN(auto mirror, SqliteMirror::Open("/var/lib/photos/state.db", engine->log()));
//   RETURN_IF_ERROR(mirror->CatchUp());
//
// The mirror creates file and table if they are missing, and leaves other tables alone. Its own table `foldlog_mirror`
// says which event is shown and what was written, so that a row from another program is recognised. Row and record
// change in one transaction.
//
// An existing file keeps its journal mode. A new one gets a rollback journal, so that everyone who may read the file
// can read the row: in WAL mode a reader would have to write to -shm or, once the writer has gone, to create it. The
// price is that readers and the mirror wait for each other while one of them uses the file.
//
// The path counts, not the file: if the file at the path was renamed, deleted or replaced, the next change goes to the
// file that is there then, which is created if missing.
//
// Errors: FailedPrecondition, the file holds a row that no mirror of this log wrote, has a table of another shape, or
// cannot be a mirror at all; those of SQLite (sqlite.h) and of reading the log. After an error the file is unchanged.

#ifndef FOLDLOG_PROJECTION_SQLITE_MIRROR_H_
#define FOLDLOG_PROJECTION_SQLITE_MIRROR_H_

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/single_row.h"
#include "foldlog/state.h"

namespace foldlog {

class SqliteDatabase;

// What a mirror file shows, compared with the log.
struct MirrorReport {
  std::optional<Sequence> shown = {};      // the event that it claims to show; nothing: no mirror wrote it
  Sequence end = 0;                        // the last durable event of the log
  std::vector<std::string> findings = {};  // what is wrong, a sentence each; empty if nothing is
};

// Threads: one at a time. Invariant: state_ is the fold of the log up to at_.
class SqliteMirror {
 public:
  // The log must outlive the mirror. Open() looks at neither: an error of file or log shows at the first change.
  static absl::StatusOr<std::unique_ptr<SqliteMirror>> Open(const std::string& path, const EventLog& log);
  ~SqliteMirror();
  SqliteMirror(const SqliteMirror&) = delete;
  SqliteMirror& operator=(const SqliteMirror&) = delete;

  // Reads the new events of the log, as far as they are durable, and shows them in one change. Does nothing if there
  // are none and the file is still there.
  absl::Status CatchUp();

  // The two halves of CatchUp(). An error of ReadOn() is the log's, one of Show() the file's. Show() returns whether it
  // changed the file.
  absl::Status ReadOn();
  absl::StatusOr<bool> Show();

  // How long the latest change took to write.
  std::chrono::milliseconds took() const { return took_; }

  // How often the mirror found another file in place of the one that it had written to.
  int replaced() const { return replaced_; }

  // For messages: what it is, and its path in quotes.
  const std::string& name() const { return name_; }

  // How long a change waits for a lock of another program before it fails with Unavailable; 5 s by default.
  void WaitForLocks(std::chrono::milliseconds patience);

  // Shows the row, whatever the file held before.
  absl::Status Heal();

  // Compares file and log without changing either.
  static absl::StatusOr<MirrorReport> Check(const std::string& path, const EventLog& log);

 private:
  SqliteMirror(std::string path, std::string name, const EventLog& log);
  absl::Status Connect();
  absl::Status Write(bool heal);

  const std::string path_;  // absolute
  const std::string name_;
  std::unique_ptr<SqliteDatabase> database_;  // null until the first change
  const EventLog& log_;
  SingleRowProjector projector_;
  std::optional<State> state_;  // nothing until the log was read
  ChainEnd at_ = {};
  std::optional<ChainEnd> shown_;  // what this mirror has written
  std::chrono::milliseconds patience_;
  std::chrono::milliseconds took_{0};
  int replaced_ = 0;
};

}  // namespace foldlog

#endif  // FOLDLOG_PROJECTION_SQLITE_MIRROR_H_
