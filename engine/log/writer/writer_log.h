// The log in a directory, opened for writing. New frames go to the tail: a memory copy makes them survive the process,
// a shared flush makes them survive a power cut. A thread moves them on into LMDB.

#ifndef FOLDLOG_LOG_WRITER_WRITER_LOG_H_
#define FOLDLOG_LOG_WRITER_WRITER_LOG_H_

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "engine/log/store/snapshot_cache.h"
#include "engine/log/store/store.h"
#include "engine/log/tail/file.h"
#include "engine/log/tail/shared.h"
#include "engine/log/tail/walk.h"
#include "engine/log/writer/lock.h"
#include "engine/log/writer/watched_files.h"
#include "foldlog/event_log.h"

namespace foldlog {

// The parts of a log, opened and checked by OpenLogForWriting().
struct WriterLogParts {
  std::string name;                  // the directory
  std::unique_ptr<WriterLock> lock;  // held for as long as the log is open
  std::unique_ptr<Store> store;
  std::unique_ptr<TailFile> tail;
  WatchedFiles watched;
  TailShared shared;
  SnapshotCache snapshots;
  ChainEnd base;
  TailPosition stored;  // where the frames in LMDB end
  TailContents found;   // what recovery found behind that in the tail
  Sequence durable;     // events up to this one are durable
  std::chrono::milliseconds flush_interval;
};

// Starts the threads. ResourceExhausted if the system has no threads left; the log is closed again then.
absl::StatusOr<std::unique_ptr<EventLog>> NewWriterLog(WriterLogParts parts);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_WRITER_WRITER_LOG_H_
