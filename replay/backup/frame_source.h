// The frames of a log in order, each of them proven, for who copies them. They are read ahead, while those before are
// written.

#ifndef FOLDLOG_BACKUP_FRAME_SOURCE_H_
#define FOLDLOG_BACKUP_FRAME_SOURCE_H_

#include <condition_variable>
#include <deque>
#include <mutex>

#include "absl/status/status.h"
#include "engine/base/background_thread.h"
#include "foldlog/event_log.h"

namespace foldlog::backup {

// Threads: one calls; one of its own reads, and none where the system has none to give. Invariant: what is in ready_ is
// a chain that begins where the last run given ended.
class FrameSource {
 public:
  // The frames of `log`, which must outlive it, behind `after` up to event `through`.
  FrameSource(const EventLog& log, const ChainEnd& after, Sequence through);
  ~FrameSource();
  FrameSource(const FrameSource&) = delete;
  FrameSource& operator=(const FrameSource&) = delete;

  // The next frames, at most a few MiB unless a single one is larger; an empty run behind the last. The memory of `run`
  // is used again. DataLoss, naming the event, if one is damaged.
  absl::Status Next(FrameRun& run);

 private:
  absl::Status Read(FrameRun& run);
  absl::Status Try(FrameRun& run) const;
  void ReadAhead();

  const EventLog* log_;
  const Sequence through_;
  ChainEnd position_;  // behind what was read: the reading thread's
  bool has_thread_ = false;

  std::mutex mutex_;  // guards the rest
  std::condition_variable changed_;
  std::deque<FrameRun> ready_;
  std::deque<FrameRun> used_;  // whose memory may be used again
  absl::Status status_;        // of the run behind those that are ready
  bool stop_ = false;

  BackgroundThread thread_;
};

}  // namespace foldlog::backup

#endif  // FOLDLOG_BACKUP_FRAME_SOURCE_H_
