// Where a log's writer puts events for good: LMDB's file log.mdb. Runs of frames as values, keyed by their first
// sequence number; snapshots beside them; a commit record in every transaction. They are read by LogFile, without LMDB,
// which is given the file when there is something to append, and not before all of it was checked.

#ifndef FOLDLOG_LOG_STORE_STORE_H_
#define FOLDLOG_LOG_STORE_STORE_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/log/frame_run.h"
#include "engine/log/store/batch.h"
#include "engine/log/store/log_file.h"
#include "foldlog/event_log.h"

namespace foldlog {

class LmdbEnv;
struct LmdbFileSummary;

// Threads: Append() is for one thread at a time; everything else may be called from any thread meanwhile.
class Store {
 public:
  // Creates the file of the empty log `log_id` in `directory`, complete and durable but for its entry there, or leaves
  // none.
  static absl::Status Create(const std::string& directory, const LogId& log_id);

  // `name` is the log's directory, for messages. Sees to it that what the file shows is durable. PermissionDenied if it
  // cannot be written, FailedPrecondition if it has another name somewhere.
  static absl::StatusOr<std::unique_ptr<Store>> Open(std::unique_ptr<LogFile> file, std::string name);

  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  const LogFile& file() const { return *file_; }

  // One durable transaction. ResourceExhausted: the disk is full, nothing was stored, and the call may be repeated.
  // InvalidArgument: it is too much for one transaction. After any other error it is unknown whether it was stored.
  struct Addition {
    FrameSpan frames;                     // may be empty
    std::uint64_t tail_position;          // of the first frame behind them that is not in LMDB
    std::span<const Snapshot> snapshots;  // of events up to the last of `frames`
  };
  absl::Status Append(const Addition& addition);

  // DataLoss if the file is damaged where that can't be repaired: nothing must be written to it. The first call checks
  // all of it, empties what is damaged and only a cache, and opens it with LMDB.
  absl::Status EnsureWritable();

 private:
  Store(std::unique_ptr<LogFile> file, std::string name, const CommitRecord& commit);

  absl::Status RepairCaches(const LmdbFileSummary& found) const;
  absl::Status CheckUnchanged() const;
  absl::Status TryWrite(CommitRecord next, std::span<const Batch> batches, const Addition& addition);

  const std::unique_ptr<LogFile> file_;
  const std::string name_;
  std::mutex opening_;            // of env_, until it is there
  std::unique_ptr<LmdbEnv> env_;  // nothing until the file was checked
  CommitRecord commit_;           // the writer's own last one
  std::uint64_t size_bytes_ = 0;  // of the file after that
  BatchCodec codec_;              // the writer's
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_STORE_H_
