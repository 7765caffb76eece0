// MirrorFollower: keeps a mirror (sqlite_mirror.h) up to date from a thread of its own, so that an indexer never waits
// for SQLite. Bursts of events become one change.
//
//   ASSIGN_OR_RETURN(auto mirror, MirrorFollower::Start("/var/lib/photos/state.db", engine->log()));
//   ...
//   RETURN_IF_ERROR(mirror->Stop());
//
// One rule for whoever follows, the program, the module or an indexer: what goes wrong with the file is told and tried
// again every second, for a lock is let go, a disk gets room, and a wrong file is moved away; nothing that happens to
// the file ends the following. A file that was renamed, deleted or replaced is made anew at its path, and that is told,
// too. Only if the log cannot be read any more, the following ends.
//
// Any thread may call it.

#ifndef FOLDLOG_PROJECTION_MIRROR_FOLLOWER_H_
#define FOLDLOG_PROJECTION_MIRROR_FOLLOWER_H_

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/base/background_thread.h"
#include "engine/projection/sqlite_mirror.h"
#include "foldlog/event_log.h"

namespace foldlog {

class MirrorFollower {
 public:
  // The log must outlive the follower. A file that cannot be the mirror of this log is an error here; one that is
  // locked, or without room, is only told of. ResourceExhausted, too, if there is no thread to be had.
  static absl::StatusOr<std::unique_ptr<MirrorFollower>> Start(const std::string& path, const EventLog& log);
  ~MirrorFollower();
  MirrorFollower(const MirrorFollower&) = delete;
  MirrorFollower& operator=(const MirrorFollower&) = delete;

  // How the latest attempt went.
  absl::Status status() const;

  // True: the log cannot be read, as status() says, and nothing is followed any more.
  bool ended() const;

  // What a person should be told since the last call, a sentence each; the latest few.
  std::vector<std::string> TakeNews();

  // Shows what the log holds now, and ends. The status is that of this last attempt. It takes two or three seconds at
  // most if the file is locked; the next mirror of the file makes up for it. A second Stop() does nothing.
  absl::Status Stop();

 private:
  explicit MirrorFollower(std::unique_ptr<SqliteMirror> mirror);
  absl::Status Attempt();
  void Tell(const absl::Status& status);
  void Run();

  std::unique_ptr<SqliteMirror> mirror_;  // the thread's, once that runs
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  absl::Status status_;
  std::deque<std::string> news_;
  bool ended_ = false;
  bool stopping_ = false;
  std::chrono::milliseconds pause_;  // the thread's
  int replaced_ = 0;                 // as far as told of
  BackgroundThread thread_;
};

}  // namespace foldlog

#endif  // FOLDLOG_PROJECTION_MIRROR_FOLLOWER_H_
