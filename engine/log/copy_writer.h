// CopyWriter: makes a log of the frames of another one, which keep their numbers, links and hashes: a backup, a
// restored log, one that was salvaged. The result is a log like any other, with index and snapshots, that readers and
// writers accept.
//
//   ASSIGN_OR_RETURN(auto copy, CopyWriter::Create(directory, {.log_id = id, .base = base}, NewEventIndexer()));
//   for (const FrameRun& run : runs) RETURN_IF_ERROR(copy->Append(SpanOf(run)));
//   RETURN_IF_ERROR(copy->Finish());
//
// A new log exists from Finish() on: what a killed process leaves before that is no log, and the next creation removes
// it. A log that is extended grows by whole transactions, and is one after each. Frames go past the tail, so each byte
// is written once.

#ifndef FOLDLOG_LOG_COPY_WRITER_H_
#define FOLDLOG_LOG_COPY_WRITER_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/log/frame_run.h"
#include "engine/log/recovery.h"
#include "engine/log/store/store.h"
#include "engine/log/tail/file.h"
#include "engine/log/tail/shared.h"
#include "engine/log/writer/lock.h"
#include "engine/log/writer/watched_files.h"
#include "foldlog/event_log.h"
#include "foldlog/log_directory.h"
#include "foldlog/log_id.h"
#include "foldlog/log_index.h"

namespace foldlog {

// Threads: one at a time. Invariants: the writer lock is held from opening to Finish() or destruction; what is stored
// is a chain from the base to the first of pending_.
class CopyWriter {
 public:
  struct NewLog {
    LogId log_id = {};
    ChainEnd base = {};  // the chain starts behind it: for a whole log, 0 and the hash of its id
    std::optional<Restoration> restoration = {};
    std::optional<PrunedPast> past = {};  // of a log that begins later, if it is known
    std::uint64_t tail_bytes = LogDirectoryOptions().tail_bytes;
  };

  // Begins a log in `directory`, which is made if it is missing. `indexer` may be null. Errors are those of
  // OpenLogForWriting() for a log that must be new.
  static absl::StatusOr<std::unique_ptr<CopyWriter>> Create(const std::string& directory, const NewLog& log,
                                                            std::shared_ptr<LogIndexer> indexer);

  // Opens a log to append frames behind its end. Errors are those of OpenLogForWriting() for one that exists. Writes
  // nothing but writer.lock before there is something to append.
  static absl::StatusOr<std::unique_ptr<CopyWriter>> OpenToExtend(const std::string& directory,
                                                                  std::shared_ptr<LogIndexer> indexer,
                                                                  std::chrono::milliseconds lock_wait = {});

  // Without Finish(): of a new log nothing stays, not even a directory that Create() made; a log that is extended keeps
  // what was stored.
  ~CopyWriter();
  CopyWriter(const CopyWriter&) = delete;
  CopyWriter& operator=(const CopyWriter&) = delete;

  // The end of all frames so far, those included that a later transaction stores. The end of what is stored, and so
  // durable, is that of the transactions only.
  const ChainEnd& end() const { return end_; }
  const ChainEnd& stored() const { return stored_; }
  const ChainEnd& base() const { return base_; }
  const LogId& log_id() const { return store_->file().log_id(); }

  // Adds frames. They are copied, and stored when enough have gathered. Aborted unless they start at end();
  // InvalidArgument if one is damaged or breaks the chain: none of the run is added then. Other errors are Store's.
  // After ResourceExhausted the call of Flush() may be repeated.
  absl::Status Append(const FrameSpan& frames);

  // Stores what has gathered, and makes it durable.
  absl::Status Flush();

  // Flush(), and gives up files and lock. Then a new log has its name.
  absl::Status Finish();

 private:
  CopyWriter(std::string directory, std::unique_ptr<WriterLock> lock, std::shared_ptr<LogIndexer> indexer)
      : directory_(std::move(directory)), lock_(std::move(lock)), indexer_(std::move(indexer)) {}

  absl::Status BeginFiles(const NewLog& log);
  absl::Status OpenFiles();
  absl::Status PrepareToExtend();
  absl::Status MoveTail();
  absl::Status Store(const FrameSpan& frames, std::uint64_t tail_position);
  void RemoveFiles() const;

  const std::string directory_;
  std::unique_ptr<WriterLock> lock_;
  const std::shared_ptr<LogIndexer> indexer_;
  std::unique_ptr<foldlog::Store> store_;
  bool is_new_ = false;
  bool made_directory_ = false;  // for the new log
  bool finished_ = false;

  // Of a log that is extended.
  std::unique_ptr<TailFile> tail_;
  std::optional<TailPosition> tail_end_;  // of the frames that are in the tail, until they are moved
  std::optional<WatchedFiles> watched_;   // set before the first transaction
  std::optional<TailShared> shared_;      // likewise
  std::uint64_t tail_position_ = 0;       // in the commit record

  ChainEnd base_;
  ChainEnd stored_;
  ChainEnd end_;
  std::vector<std::uint64_t> pending_;  // the frames from stored_ to end_
  Sequence durable_ = 0;                // of a log that is extended: by whatever writer
  std::size_t words_stored_ = 0;        // by this object
  Sequence snapshot_at_ = 0;            // the newest one that is stored
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_COPY_WRITER_H_
