// What a log keeps in LMDB: all events but the newest, which are in the tail. Runs of frames as values, keyed by their
// first sequence number; snapshots beside them; a commit record in every transaction.

#ifndef FOLDLOG_LOG_LMDB_STORE_H_
#define FOLDLOG_LOG_LMDB_STORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/log/batch.h"
#include "engine/log/frame_run.h"
#include "engine/log/lmdb_env.h"
#include "foldlog/event_log.h"

namespace foldlog {

// Threads: Append() is for one thread at a time; everything const may be called from any thread meanwhile.
class LmdbStore {
 public:
  // `name` is the log's directory, for messages.
  static absl::StatusOr<std::unique_ptr<LmdbStore>> Open(std::shared_ptr<LmdbEnv> env, std::string name);

  const LogId& log_id() const { return env_->log_id(); }

  // What the newest transaction holds.
  absl::StatusOr<CommitRecord> ReadCommit() const;

  // One durable transaction. ResourceExhausted: the disk is full, nothing was stored, and the call may be repeated.
  // InvalidArgument: it is too much for one transaction. After any other error it is unknown whether it was stored.
  struct Addition {
    FrameSpan frames;                     // may be empty
    std::uint64_t tail_position;          // of the first frame behind them that is not in LMDB
    std::span<const Snapshot> snapshots;  // of events up to the last of `frames`
  };
  absl::Status Append(const Addition& addition);

  // DataLoss if the file is damaged in any place: nothing must be written to it.
  absl::Status CheckWritable() const { return env_->EnsureWritable(); }

  // As in EventLog. `from` is an event in LMDB, or the result says OutOfRange.
  absl::StatusOr<FrameRun> Read(Sequence from, std::size_t bytes_max) const;
  absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence at_most) const;

 private:
  LmdbStore(std::shared_ptr<LmdbEnv> env, std::string name, const CommitRecord& commit);

  absl::Status TryWrite(CommitRecord next, std::span<const Batch> batches, const Addition& addition);
  absl::Status Damaged(Sequence sequence, const absl::Status& why) const;

  std::shared_ptr<LmdbEnv> env_;
  const std::string name_;
  CommitRecord commit_;  // the writer's own last one
  BatchCodec codec_;     // the writer's
};

// The extent of what the record says is in LMDB.
LogExtent ToExtent(const CommitRecord& commit);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_LMDB_STORE_H_
