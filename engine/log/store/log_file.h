// The file log.mdb of a log, read without LMDB: all events but the newest, and snapshots.
//
// Reading needs no lock, no permission to write and no other file, and holds nothing that a writer would have to wait
// for or keep. Instead, LogFile proves afterwards that what it read was of one moment: the commit record is hashed and
// names its transaction, pages are checked, and events form a chain. LMDB reuses the pages of transaction S while it
// prepares S+3 at the earliest, when a meta page shows S+2. So an error is damage if the newest transaction is S or
// S+1, and otherwise a reason to begin anew with the newest.

#ifndef FOLDLOG_LOG_STORE_LOG_FILE_H_
#define FOLDLOG_LOG_STORE_LOG_FILE_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/base/file_system.h"
#include "engine/log/frame_run.h"
#include "engine/log/store/batch.h"
#include "engine/log/store/lmdb/file.h"
#include "engine/log/store/moment.h"
#include "engine/log/store/pruned_part.h"
#include "engine/log/store/records.h"
#include "foldlog/event_log.h"
#include "foldlog/log_directory.h"
#include "foldlog/log_id.h"

namespace foldlog {

// Threads: any, at the same time. Invariant: a FileMoment does not change once it is shared; newest_ is replaced as a
// whole.
class LogFile {
 public:
  // Checks both meta pages and their commit records; `log_name` is for messages. NotFound and PermissionDenied, of the
  // file; FailedPrecondition for another format version; InvalidArgument if the file is not of a log; DataLoss.
  static absl::StatusOr<std::unique_ptr<LogFile>> Open(const std::string& path, std::string log_name);

  const LogId& log_id() const { return log_id_; }
  const std::string& path() const { return path_; }
  int fd() const { return file_.get(); }

  // The commit record of the newest transaction.
  absl::StatusOr<CommitRecord> ReadCommit() const;

  // The last event in the newest transaction that this object has seen. The file may hold more by now.
  Sequence LastSeen() const;

  absl::StatusOr<std::uint64_t> SizeBytes() const;

  // As in EventLog, but for the events in this file only: OutOfRange for newer ones.
  absl::Status ReadInto(Sequence from, std::size_t bytes_max, FrameRun& run) const;
  absl::StatusOr<FrameRun> Read(Sequence from, std::size_t bytes_max) const;

  // The whole batch that begins behind `behind`, with all its hashes checked; behind the base, what it holds behind
  // that. For the writer. DataLoss if there is none.
  absl::StatusOr<FrameRun> ReadBatch(const ChainEnd& behind) const;

  // The newest intact snapshot at or before `at_most`. Snapshots are a cache, so a damaged one is skipped; but not the
  // state at the base of a pruned log.
  absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence at_most) const;

  // As in EventLog.
  absl::StatusOr<std::vector<IndexRow>> ReadIndex(IndexTable table, Sequence from, EventLog::IndexOrder order,
                                                  std::size_t rows_max) const;

  // Where the log was restored from; nothing if it was not.
  absl::StatusOr<std::optional<Restoration>> ReadRestoration() const;
  // As in EventLog. Other files than this one are not counted.
  absl::StatusOr<std::vector<PrunedRange>> ReadPruned() const;
  absl::StatusOr<std::optional<Snapshot>> ReadBase() const;  // the state there
  absl::StatusOr<std::vector<StoredBatch>> ReadBatches(Sequence from, std::size_t batches_max) const;
  absl::StatusOr<DeadBatches> FindDead(Sequence base, std::size_t batches_max) const;
  absl::StatusOr<std::string> ReadPolicy() const;
  absl::StatusOr<LogSpace> ReadSpace() const;

  // Gives those pages back to the file system that the next transaction would use first. Only between transactions.
  absl::Status PunchUnusedPages() const;

  // DataLoss if this file tells of an event behind `end`, with which the whole log, including its tail, ends. Such an
  // event is in a transaction whose meta page has lost its number. (A transaction whose meta page failed to be written
  // looks alike, but its events are still in the tail.) `end` must have been found after the newest commit was read.
  absl::Status CheckNothingIsMissing(const ChainEnd& end) const;

  // After a kill the page cache may show a meta page that never reached the disk. Both functions make durable what the
  // file shows. MakeDurable() flushes the file, and needs no permission to write. RewriteMetas() writes both meta pages
  // again, and so does not wait for the pages of a commit that was interrupted and does not count; before it writes a
  // meta page, LMDB has flushed all else of that commit.
  absl::Status MakeDurable() const;
  absl::Status RewriteMetas() const;

  // DataLoss if the last batch does not end with the event that the commit record ends with: an append would leave a
  // gap.
  absl::Status CheckLastBatch() const;

  // For use after a failed commit, which may leave a meta page that shows parts of it: PutBackMetas() writes the metas
  // that were read before.
  absl::StatusOr<lmdb_file::Metas> ReadMetas() const;
  absl::Status PutBackMetas(const lmdb_file::Metas& before) const;

 private:
  using SharedMoment = std::shared_ptr<const FileMoment>;

  // Memory that a read needs, kept for the next read to spare it fresh pages.
  struct Scratch {
    std::vector<std::uint64_t> value;
    BatchCodec codec;
  };

  LogFile(FileDescriptor file, std::string path, std::string log_name);

  absl::StatusOr<SharedMoment> Newest() const;
  SharedMoment Seen() const;
  bool HasMovedOn(const FileMoment& moment) const;

  absl::Status ReadAt(const FileMoment& moment, Sequence from, std::size_t bytes_max, FrameRun& run) const;
  absl::Status Collect(const FileMoment& moment, Sequence from, Scratch& scratch, RunCollector& collector) const;
  absl::Status CheckIsThere(const FileMoment& moment, Sequence from) const;
  template <typename Look>
  auto AtOneMoment(const Look& look) const -> decltype(look(std::declval<const FileMoment&>()));
  absl::StatusOr<std::optional<Snapshot>> FindSnapshotAt(const FileMoment& moment, Sequence at_most) const;

  absl::StatusOr<std::vector<IndexRow>> ReadIndexAt(const FileMoment& moment, IndexTable table, Sequence from,
                                                    EventLog::IndexOrder order, std::size_t rows_max) const;

  std::unique_ptr<Scratch> TakeScratch() const;
  absl::Status Damaged(Sequence sequence, const absl::Status& why) const;
  absl::Status TooFast() const;

  const FileDescriptor file_;
  const std::string path_;
  const std::string log_name_;
  LogId log_id_ = {};
  mutable std::mutex mutex_;  // guards the next two
  mutable SharedMoment newest_;
  mutable std::unique_ptr<Scratch> scratch_;
};

// The words under which a snapshot is stored in the table `snapshots`.
std::vector<std::uint64_t> ToStored(const Snapshot& snapshot);

// The room of a log: of its file, and of the others in its directory.
absl::StatusOr<LogSpace> ReadSpaceOf(const LogFile& file, const std::string& directory);

// The extent of the events that the record says are in log.mdb.
LogExtent ToExtent(const CommitRecord& commit);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_LOG_FILE_H_
