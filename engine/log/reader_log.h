// The log in a directory, opened for reading beside its writer, whether one is at work or not. It reads files with
// pread and nothing else: it needs no lock and no permission to write, leaves nothing behind, and no file that is
// damaged, cut short or unreadable can do it harm.

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

// What a log is made of, opened for reading.
struct ReaderLogParts {
  std::string name;  // the directory
  std::unique_ptr<LogFile> file;
  std::unique_ptr<TailFile> tail;
  TailShared shared;
  SnapshotCache snapshots;
  Sequence durable;  // known to be, whatever `shared` says
};

// Append(), Sync() and PutSnapshot() of the result are refused.
std::unique_ptr<EventLog> NewReaderLog(ReaderLogParts parts);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_READER_LOG_H_
