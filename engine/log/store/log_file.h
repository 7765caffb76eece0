// The file log.mdb of a log, read without LMDB: all events but the newest, and snapshots.
//
// Reading needs no lock, no permission to write and no other file, and holds nothing that a writer would have to wait
// for or keep. Instead it proves afterwards that what it read was of one moment: the commit record is hashed and names
// its transaction, pages are checked, and events hang on each other by the chain. LMDB uses the pages of transaction S
// again at the earliest while it prepares S+3, when a meta page shows S+2. So an error is damage if the newest
// transaction is S or S+1, and otherwise a reason to begin anew with the newest.

#ifndef FOLDLOG_LOG_STORE_LOG_FILE_H_
#define FOLDLOG_LOG_STORE_LOG_FILE_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/base/file_system.h"
#include "engine/codec/log_id.h"
#include "engine/log/frame_run.h"
#include "engine/log/store/batch.h"
#include "engine/log/store/lmdb/file.h"
#include "engine/log/store/lmdb/tree.h"
#include "engine/log/store/records.h"
#include "foldlog/event_log.h"

namespace foldlog {

// Threads: any, at the same time.
class LogFile {
 public:
  // Checks both meta pages and what their commit records say; `log_name` is for messages. NotFound, PermissionDenied;
  // FailedPrecondition for another format version; InvalidArgument if it is no file of a log; DataLoss.
  static absl::StatusOr<std::unique_ptr<LogFile>> Open(const std::string& path, std::string log_name);

  const LogId& log_id() const { return log_id_; }
  const std::string& path() const { return path_; }
  int fd() const { return file_.get(); }

  // What the newest transaction holds.
  absl::StatusOr<CommitRecord> ReadCommit() const;

  // The last event that was seen in this file. There may be more by now.
  Sequence LastSeen() const;

  absl::StatusOr<std::uint64_t> SizeBytes() const;

  // As in EventLog. `from` is an event in this file, or the result says OutOfRange.
  absl::StatusOr<FrameRun> Read(Sequence from, std::size_t bytes_max) const;

  // A damaged snapshot is passed over: it is only a cache.
  absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence at_most) const;

  // DataLoss if the whole log, with its tail, ends before an event that this file tells of: in a transaction whose meta
  // page has lost its number. (One that only failed to be written looks alike, but its events are still in the tail.)
  // `end` was found after the newest commit was read.
  absl::Status CheckNothingIsMissing(const ChainEnd& end) const;

  // After a kill the page cache may hold a meta page whose write to the disk never finished. These see to it that what
  // the file shows is durable: by a flush, for those who may only read; or by writing both meta pages again, which does
  // not wait for the pages of a commit that was interrupted and counts for nothing (of one whose meta page was written,
  // LMDB has flushed everything else before).
  absl::Status MakeDurable() const;
  absl::Status RewriteMetas() const;

  // DataLoss if the last batch is not the one that the commit record ends with: what is appended would not stand behind
  // it.
  absl::Status CheckLastBatch() const;

  // For after a commit that has failed: LMDB may leave a meta page that shows parts of it.
  absl::StatusOr<lmdb_file::Metas> ReadMetas() const;
  absl::Status PutBackMetas(const lmdb_file::Metas& before) const;

 private:
  // What the file held at one moment, as far as the way to its tables goes.
  struct Moment {
    lmdb_file::File file;
    lmdb_file::Metas metas;
    std::uint64_t slot;  // of the newest
    FormatRecord format = {};
    CommitRecord commit = {};
    lmdb_file::Tree events = {};
    lmdb_file::Tree snapshots = {};
    std::optional<CommitRecord> beyond = {};  // a later one, which the older meta page leads to

    const lmdb_file::Meta& meta() const { return metas[slot].meta; }
  };
  using SharedMoment = std::shared_ptr<const Moment>;

  // What a read needs memory for; kept for the next one, so that its pages need not be asked for again.
  struct Scratch {
    std::vector<std::uint64_t> value;
    BatchCodec codec;
  };

  LogFile(FileDescriptor file, std::string path, std::string log_name);

  absl::StatusOr<SharedMoment> Newest() const;
  SharedMoment Seen() const;
  absl::StatusOr<Moment> Load(const lmdb_file::File& file, const lmdb_file::Metas& metas) const;
  absl::Status LoadRecords(Moment& moment) const;
  void LookAtOlder(Moment& moment) const;
  absl::Status CheckFormat(const FormatRecord& format) const;
  bool HasMovedOn(const Moment& moment) const;

  absl::StatusOr<FrameRun> ReadAt(const Moment& moment, Sequence from, std::size_t bytes_max) const;
  absl::Status Collect(const Moment& moment, Sequence from, Scratch& scratch, RunCollector& collector) const;
  absl::StatusOr<std::optional<Snapshot>> FindSnapshotAt(const Moment& moment, Sequence at_most) const;

  std::unique_ptr<Scratch> TakeScratch() const;
  absl::Status Damaged(Sequence sequence, const absl::Status& why) const;

  const FileDescriptor file_;
  const std::string path_;
  const std::string log_name_;
  LogId log_id_ = {};
  mutable std::mutex mutex_;  // of the next two
  mutable SharedMoment newest_;
  mutable std::unique_ptr<Scratch> scratch_;
};

// The words of a snapshot as they are stored in the table `snapshots`.
std::vector<std::uint64_t> ToStored(const Snapshot& snapshot);

// The extent of what the record says is in log.mdb.
LogExtent ToExtent(const CommitRecord& commit);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_LOG_FILE_H_
