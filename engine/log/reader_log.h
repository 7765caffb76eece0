// The log in a directory, opened for reading, whether a writer is at work or not. It reads files with pread and nothing
// else. It needs no lock and no permission to write, leaves nothing behind, and no file that is damaged, cut short or
// unreadable can end the process.

#ifndef FOLDLOG_LOG_READER_LOG_H_
#define FOLDLOG_LOG_READER_LOG_H_

#include <memory>
#include <string>

#include "engine/log/store/log_file.h"
#include "engine/log/store/snapshot_cache.h"
#include "engine/log/tail/file.h"
#include "engine/log/tail/shared.h"
#include "foldlog/event_log.h"

namespace foldlog {

// The parts of a log, opened for reading by OpenLogForReading().
struct ReaderLogParts {
  std::string name;  // the directory
  std::unique_ptr<LogFile> file;
  std::unique_ptr<TailFile> tail;
  TailShared shared;
  SnapshotCache snapshots;
  Sequence claimed;  // what the tail claimed to be durable when it was opened; counts as long as `shared` says nothing
  Sequence durable;  // events up to this one are durable, whatever `shared` says
};

// The result refuses every call that writes. Threads: any, as EventLog says of const calls.
std::unique_ptr<EventLog> NewReaderLog(ReaderLogParts parts);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_READER_LOG_H_
