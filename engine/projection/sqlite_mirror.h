// SqliteMirror: keeps the table `indexing_state` of an SQLite file equal to the single row of a log (single_row.h), for
// programs that read the row where older ones kept it.
//
//   ASSIGN_OR_RETURN(auto mirror, SqliteMirror::Open("/var/lib/photos/state.db", engine->log()));
//   RETURN_IF_ERROR(mirror->CatchUp());
//
// The file and the table are made if missing; other tables are left alone. A table of its own, `foldlog_mirror`, says
// which event is shown and what was written, so that a row from another hand is recognised. Row and record change in
// one transaction; the file is in WAL mode, so that readers never wait.
//
// MirrorFollower does it in the background, so that an indexer never waits for SQLite.
//
// Errors: FailedPrecondition, the file holds a row that no mirror of this log wrote, or a table of another shape; those
// of SQLite (sqlite.h) and of reading the log. Nothing is changed then.

#ifndef FOLDLOG_PROJECTION_SQLITE_MIRROR_H_
#define FOLDLOG_PROJECTION_SQLITE_MIRROR_H_

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
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
  Sequence end = 0;                        // of the log
  std::vector<std::string> findings = {};  // what is wrong, a sentence each; empty: all is well
};

// One thread at a time.
class SqliteMirror {
 public:
  // The log must outlive the mirror.
  static absl::StatusOr<std::unique_ptr<SqliteMirror>> Open(const std::string& path, const EventLog& log);
  ~SqliteMirror();
  SqliteMirror(const SqliteMirror&) = delete;
  SqliteMirror& operator=(const SqliteMirror&) = delete;

  // Reads what is new in the log and shows it, all at once. Does nothing if there is nothing new.
  absl::Status CatchUp();

  // Shows the row whatever the file held before.
  absl::Status Heal();

  // Compares without changing anything; the file need not have been opened before.
  static absl::StatusOr<MirrorReport> Check(const std::string& path, const EventLog& log);

 private:
  SqliteMirror(std::unique_ptr<SqliteDatabase> database, const EventLog& log);
  absl::Status ReadOn();
  absl::Status Write(bool heal);

  std::unique_ptr<SqliteDatabase> database_;
  const EventLog& log_;
  SingleRowProjector projector_;
  std::optional<State> state_;  // as far as the log was read; nothing at first
  ChainEnd at_ = {};
  std::optional<ChainEnd> shown_;  // what this mirror has written
};

// Keeps a mirror up to date from a thread of its own; bursts of events become one change. Any thread may call it.
class MirrorFollower {
 public:
  // The log must outlive the follower. What is wrong with the file at the start is an error here.
  static absl::StatusOr<std::unique_ptr<MirrorFollower>> Start(const std::string& path, const EventLog& log);
  ~MirrorFollower();
  MirrorFollower(const MirrorFollower&) = delete;
  MirrorFollower& operator=(const MirrorFollower&) = delete;

  // How the latest change went. After an error it is tried again and again.
  absl::Status status() const;

  // Shows what the log holds now, and ends. The status is that of this last change. A second Stop() does nothing.
  absl::Status Stop();

 private:
  explicit MirrorFollower(std::unique_ptr<SqliteMirror> mirror);
  void Run();

  std::unique_ptr<SqliteMirror> mirror_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  absl::Status status_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace foldlog

#endif  // FOLDLOG_PROJECTION_SQLITE_MIRROR_H_
