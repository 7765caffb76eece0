// SqliteMirror: keeps the table `indexing_state` of an SQLite file equal to the single row of a log (single_row.h), for
// programs that read the row where older ones kept it.
//
//   ASSIGN_OR_RETURN(auto mirror, SqliteMirror::Open("/var/lib/photos/state.db", engine->log()));
//   RETURN_IF_ERROR(mirror->CatchUp());
//
// The file and the table are made if missing; other tables are left alone. A table of its own, `foldlog_mirror`, says
// which event is shown and what was written, so that a row from another hand is recognised. Row and record change in
// one transaction.
//
// A file that exists keeps its journal mode. A new one has a rollback journal: it can be read by everyone who may read
// the file. In WAL mode a reader would have to write to -shm or, once the writer has gone, to make it. The price is
// that readers and the mirror wait for each other, for as long as one of them is at the file.
//
// The path counts: if the file there is not the one that was written to any more, because somebody renamed, deleted or
// replaced it, the next change goes to the one that is there, which is made if missing.
//
// Errors: FailedPrecondition, the file holds a row that no mirror of this log wrote, or a table of another shape, or is
// none that could be a mirror; those of SQLite (sqlite.h) and of reading the log. Nothing is changed then.

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
  std::optional<Sequence> shown = {};      // the event that it says it shows; nothing: it was never written
  Sequence end = 0;                        // the last durable event of the log
  std::vector<std::string> findings = {};  // what is wrong, a sentence each; empty: all is well
};

// One thread at a time.
class SqliteMirror {
 public:
  // The log must outlive the mirror. Looks at nothing yet: what is wrong with the file or the log shows at the first
  // change.
  static absl::StatusOr<std::unique_ptr<SqliteMirror>> Open(const std::string& path, const EventLog& log);
  ~SqliteMirror();
  SqliteMirror(const SqliteMirror&) = delete;
  SqliteMirror& operator=(const SqliteMirror&) = delete;

  // Reads what is new in the log, as far as it is durable, and shows it, all at once. Does nothing if there is nothing
  // new and the file is still there.
  absl::Status CatchUp();

  // The two halves of it. An error of the first is the log's, one of the second the file's. True: it was changed.
  absl::Status ReadOn();
  absl::StatusOr<bool> Show();

  // How long the latest change took to write.
  std::chrono::milliseconds took() const { return took_; }

  // How often another file has taken the place of the one that was written to.
  int replaced() const { return replaced_; }

  // For messages: what it is, and its path in quotes.
  const std::string& name() const { return name_; }

  // How long a change waits for a lock of another program before it is Unavailable; 5 s unless told.
  void WaitForLocks(std::chrono::milliseconds patience);

  // Shows the row whatever the file held before.
  absl::Status Heal();

  // Compares without changing anything; the file need not have been opened before.
  static absl::StatusOr<MirrorReport> Check(const std::string& path, const EventLog& log);

 private:
  SqliteMirror(std::string path, std::string name, const EventLog& log);
  absl::Status Connect();
  absl::Status Write(bool heal);

  const std::string path_;  // absolute
  const std::string name_;
  std::unique_ptr<SqliteDatabase> database_;  // nothing until it is needed
  const EventLog& log_;
  SingleRowProjector projector_;
  std::optional<State> state_;  // as far as the log was read; nothing at first
  ChainEnd at_ = {};
  std::optional<ChainEnd> shown_;  // what this mirror has written
  std::chrono::milliseconds patience_;
  std::chrono::milliseconds took_{0};
  int replaced_ = 0;
};

}  // namespace foldlog

#endif  // FOLDLOG_PROJECTION_SQLITE_MIRROR_H_
