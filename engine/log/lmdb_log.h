// The EventLog in LMDB: runs of frames as values, keyed by their first sequence number; snapshots beside them; a commit
// record in every transaction.

#ifndef FOLDLOG_LOG_LMDB_LOG_H_
#define FOLDLOG_LOG_LMDB_LOG_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "engine/log/lmdb_env.h"
#include "engine/log/writer_lock.h"
#include "foldlog/event_log.h"

namespace foldlog {

// `lock` is held for as long as the log is open; without one the log is for reading only. `name` is the directory.
absl::StatusOr<std::unique_ptr<EventLog>> NewLmdbLog(std::shared_ptr<LmdbEnv> env, std::unique_ptr<WriterLock> lock,
                                                     std::string name);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_LMDB_LOG_H_
