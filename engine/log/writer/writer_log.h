// The log in a directory, opened for writing: new frames go to the tail, a memory copy away from surviving the process,
// one shared flush away from surviving a power cut; a thread moves them on into LMDB.

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

// What a log is made of, opened and checked.
struct WriterLogParts {
  std::string name;                  // the directory
  std::unique_ptr<WriterLock> lock;  // held for as long as the log is open
  std::unique_ptr<Store> store;
  std::unique_ptr<TailFile> tail;
  WatchedFiles watched;
  TailShared shared;
  SnapshotCache snapshots;
  ChainEnd base;
  TailPosition stored;  // the end of what is in LMDB
  TailContents found;   // what is behind that in the tail
  std::chrono::milliseconds flush_interval;
};

// ResourceExhausted if the system has no threads left for it; the log is let go of then.
absl::StatusOr<std::unique_ptr<EventLog>> NewWriterLog(WriterLogParts parts);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_WRITER_WRITER_LOG_H_
