// MirrorFollower: keeps a mirror (sqlite_mirror.h) up to date from a thread of its own, so that an indexer never waits
// for SQLite. Bursts of events become one change.
//
//   ASSIGN_OR_RETURN(auto mirror, MirrorFollower::Start("/var/lib/photos/state.db", engine->log()));
//   ...
//   RETURN_IF_ERROR(mirror->Stop());
//
// One rule for every user, be it the program, the module or an indexer. An error of the file is reported and tried
// again every second, because locks are released, disks get room, and wrong files are moved away; no error of the file
// ends the thread. If the file was renamed, deleted or replaced, it is made anew at its path, which is reported, too.
// The thread ends only if the log cannot be read any more.
//
// Threads: any.

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
  // Makes the first change, and starts the thread. The log must outlive the follower. A file that cannot be the mirror
  // of this log is an error here; one that is locked, or without room, is only reported. ResourceExhausted, too, if the
  // system has no thread for it.
  static absl::StatusOr<std::unique_ptr<MirrorFollower>> Start(const std::string& path, const EventLog& log);
  ~MirrorFollower();
  MirrorFollower(const MirrorFollower&) = delete;
  MirrorFollower& operator=(const MirrorFollower&) = delete;

  // How the latest attempt went.
  absl::Status status() const;

  // True once the log cannot be read, as status() says: the thread has ended.
  bool ended() const;

  // What the user should be told since the last call, a sentence each; the latest few.
  std::vector<std::string> TakeNews();

  // Makes a last change, and ends the thread; the status is that of this change. If the file is locked it takes two or
  // three seconds at most, and the next mirror of the file makes up for it. A second Stop() does nothing.
  absl::Status Stop();

 private:
  explicit MirrorFollower(std::unique_ptr<SqliteMirror> mirror);
  absl::Status Attempt();
  void Tell(const absl::Status& status);
  void Run();

  std::unique_ptr<SqliteMirror> mirror_;  // used by the thread alone once that runs
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  absl::Status status_;
  std::deque<std::string> news_;
  bool ended_ = false;
  bool stopping_ = false;
  std::chrono::milliseconds pause_;  // the thread's
  int replaced_ = 0;                 // mirror_->replaced() as far as reported
  BackgroundThread thread_;
};

}  // namespace foldlog

#endif  // FOLDLOG_PROJECTION_MIRROR_FOLLOWER_H_
