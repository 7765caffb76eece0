// The log in a directory, opened for reading beside its writer, whether one is at work or not.

#ifndef FOLDLOG_LOG_READER_LOG_H_
#define FOLDLOG_LOG_READER_LOG_H_

#include <memory>
#include <string>

#include "engine/log/lmdb_store.h"
#include "engine/log/snapshot_cache.h"
#include "engine/log/tail_file.h"
#include "engine/log/tail_shared.h"
#include "foldlog/event_log.h"

namespace foldlog {

// `name` is the directory. Append(), Sync() and PutSnapshot() of the result are refused.
std::unique_ptr<EventLog> NewReaderLog(std::string name, std::unique_ptr<LmdbStore> store,
                                       std::unique_ptr<TailFile> tail, TailShared shared, SnapshotCache snapshots);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_READER_LOG_H_
