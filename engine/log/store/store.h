// The permanent place of a log's events, for its writer: LMDB's file log.mdb. Its values are runs of frames, keyed by
// their first sequence number; snapshots and a commit record are in tables beside them. LogFile reads them, without
// LMDB. LMDB opens the file when there is something to append, and not before all of it was checked.

#ifndef FOLDLOG_LOG_STORE_STORE_H_
#define FOLDLOG_LOG_STORE_STORE_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/log/frame_run.h"
#include "engine/log/store/base_record.h"
#include "engine/log/store/batch.h"
#include "engine/log/store/log_file.h"
#include "foldlog/event_log.h"
#include "foldlog/log_directory.h"

namespace foldlog {

class LmdbEnv;
class LmdbTransaction;
struct LmdbFileSummary;

// Threads: Append() is for one thread at a time; all else for any thread meanwhile. Invariants: LMDB gets the file only
// after it was checked; commit_ is the record of the last transaction that this writer knows to be committed.
class Store {
 public:
  // Creates the file of the empty log `log_id` in `directory`: either complete and durable, except for its entry there,
  // or not at all.
  static absl::Status Create(const std::string& directory, const LogId& log_id);

  // Create() in two steps, for a file that is to hold something when it gets its name. Begin() makes it durable under
  // another one, which it gives, in the place of what an earlier one may have left there. The caller closes it before
  // Publish().
  struct Beginning {
    LogId log_id = {};
    ChainEnd base = {};  // the chain starts behind it
    std::optional<Restoration> restoration = {};
    std::optional<PrunedPast> past = {};  // of a log that begins later
  };
  static absl::StatusOr<std::string> Begin(const std::string& directory, const Beginning& beginning);
  static absl::Status Publish(const std::string& directory);

  // Makes durable what the file shows. `name` is the log's directory, for messages. PermissionDenied if the file cannot
  // be written, FailedPrecondition if it has another name (hard link) somewhere.
  // `indexer` may be null.
  static absl::StatusOr<std::unique_ptr<Store>> Open(std::unique_ptr<LogFile> file, std::string name,
                                                     std::shared_ptr<LogIndexer> indexer = nullptr);

  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  const LogFile& file() const { return *file_; }

  // What Append() stores.
  struct Addition {
    FrameSpan frames;                     // may be empty
    std::uint64_t tail_position;          // of the first frame behind them that is not in LMDB
    std::span<const Snapshot> snapshots;  // of events up to the last of `frames`
    const PruneRequest* prune = nullptr;  // what is to be dropped, if anything
    std::size_t freed_max = 64;           // batches that were dropped, removed at most
  };
  // Stores `addition` in one durable transaction. ResourceExhausted: the disk is full, nothing was stored, and the call
  // may be repeated. InvalidArgument: it is too much for one transaction. After any other error it is unknown whether
  // it was stored.
  absl::Status Append(const Addition& addition);

  // Errors of a request that does not fit the log, as EventLog::Prune() has them. Threads: as Append().
  absl::Status CheckPrune(const PruneRequest& request) const;

  // Whether batches that were pruned are known to be left. Each Append() removes some. Threads: as Append().
  bool HasMoreToFree() const { return more_to_free_; }

  // Why what is left can't be removed, if so.
  const absl::Status& free_damage() const { return free_damage_; }

  // Stores the log's policy. Threads: as Append().
  absl::Status StorePolicy(const std::string& policy);

  // DataLoss if the file is damaged beyond repair: nothing must be written to it. The first call checks the whole file,
  // empties damaged parts that are only caches, and opens the file with LMDB; later calls return at once.
  absl::Status EnsureWritable();

  // Replaces all rows of the index. A failure may leave fewer rows than there were, never wrong ones. Threads: as
  // Append().
  absl::Status RebuildIndex(LogIndexer& indexer);

 private:
  Store(std::unique_ptr<LogFile> file, std::string name, std::shared_ptr<LogIndexer> indexer,
        const CommitRecord& commit);

  absl::StatusOr<ChainEnd> IndexSome(LogIndexer& indexer, ChainEnd behind, IndexRows& rows) const;
  absl::Status Commit(LmdbTransaction txn, CommitRecord next);

  absl::Status RepairCaches(const LmdbFileSummary& found) const;
  absl::Status CheckUnchanged() const;
  absl::Status TryWrite(CommitRecord next, const Addition& addition);
  absl::Status PutFrames(const LmdbTransaction& txn, const Addition& addition, LogIndexer* indexer, CommitRecord& next);
  absl::Status PutSnapshots(const LmdbTransaction& txn, std::span<const Snapshot> added) const;
  absl::Status PruneSome(const LmdbTransaction& txn, const Addition& addition, CommitRecord& next);

  const std::unique_ptr<LogFile> file_;
  const std::string name_;
  const std::shared_ptr<LogIndexer> indexer_;
  std::mutex opening_;            // guards env_ until it is set
  std::unique_ptr<LmdbEnv> env_;  // null until the file was checked
  CommitRecord commit_;           // the writer's own last one
  std::uint64_t size_bytes_ = 0;  // of the file after that
  BatchCodec codec_;              // the writer's
  bool more_to_free_ = false;
  absl::Status free_damage_;
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_STORE_H_
