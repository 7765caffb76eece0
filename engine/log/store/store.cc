#include "engine/log/store/store.h"

#include <fcntl.h>

#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/file_system.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"
#include "engine/log/store/batch.h"
#include "engine/log/store/lmdb/check.h"
#include "engine/log/store/lmdb/env.h"
#include "engine/log/store/lmdb/map_bytes.h"
#include "engine/log/store/lmdb/repair.h"
#include "engine/log/store/pruned_part.h"
#include "engine/log/store/pruning.h"
#include "engine/log/store/records.h"
#include "engine/log/store/stored_log.h"

namespace foldlog {
namespace {

// LMDB can take 512 MB of dirty pages in a transaction; this stays far below.
constexpr std::size_t kMaxAppendWords = (std::size_t{128} << 20) / sizeof(std::uint64_t);

// Some 250 MiB of events a transaction, when the index is made anew.
constexpr std::size_t kRowsInAStep = 1024;

// Before anything is written: an addition that is refused must leave the store as it is, and the writer at work.
absl::Status CheckAddition(const Store::Addition& addition, const CommitRecord& commit, const std::string& name) {
  const FrameSpan& frames = addition.frames;
  RETURN_IF_ERROR(CheckStartsAt(frames, commit.end, name));
  if (frames.words.size() > kMaxAppendWords) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cannot append ", frames.count(), " events of ", frames.words.size_bytes(), " bytes at once; the limit is ",
        kMaxAppendWords * sizeof(std::uint64_t), ": append fewer at a time"));
  }
  const LogExtent extent{.base = commit.base, .end = frames.after};
  for (const Snapshot& snapshot : addition.snapshots) RETURN_IF_ERROR(CheckSnapshotPlace(snapshot, extent, name));
  return absl::OkStatus();
}

absl::Status Put(const LmdbTransaction& txn, MDB_dbi table, std::uint64_t key, std::span<const std::uint64_t> words,
                 unsigned flags, const std::string& path) {
  const int rc = txn.Put(table, key, words.data(), words.size_bytes(), flags);
  if (rc != MDB_KEYEXIST) return LmdbStatus(rc, "write to", path);
  return absl::AlreadyExistsError(absl::StrCat(path, " holds something for event ", key, " already"));
}

// Rows come in the order of their keys, and pages that are filled in that order, appended to, get full; others stay
// half empty. A row that is there already is written over.
absl::Status PutIndexRows(const LmdbTransaction& txn, MDB_dbi table, const std::vector<IndexRow>& rows,
                          const std::string& path) {
  for (const IndexRow& row : rows) {
    const absl::Status appended = Put(txn, table, row.key, row.words, MDB_APPEND, path);
    RETURN_IF_ERROR(absl::IsAlreadyExists(appended) ? Put(txn, table, row.key, row.words, 0, path) : appended);
  }
  return absl::OkStatus();
}

// Rows of operations up to `base` are of pruned events, which could not make them anew.
absl::Status ClearIndex(const LmdbTransaction& txn, const LmdbEnv& env, const ChainEnd& base) {
  ASSIGN_OR_RETURN(const MDB_dbi batches, txn.Table(kBatchesTable, /*create=*/true));
  ASSIGN_OR_RETURN(const MDB_dbi operations, txn.Table(kOperationsTable, /*create=*/true));
  RETURN_IF_ERROR(LmdbStatus(txn.Clear(batches), "write to", env.path()));
  if (base.sequence == 0) return LmdbStatus(txn.Clear(operations), "write to", env.path());
  return RemoveBehind(txn, env, kOperationsTable, base.sequence);
}

absl::Status PutIndex(const LmdbTransaction& txn, const IndexRows& rows, const std::string& path) {
  ASSIGN_OR_RETURN(const MDB_dbi batches, txn.Table(kBatchesTable, /*create=*/true));
  ASSIGN_OR_RETURN(const MDB_dbi operations, txn.Table(kOperationsTable, /*create=*/true));
  RETURN_IF_ERROR(PutIndexRows(txn, batches, rows.batches, path));
  return PutIndexRows(txn, operations, rows.operations, path);
}

}  // namespace

Store::Store(std::unique_ptr<LogFile> file, std::string name, std::shared_ptr<LogIndexer> indexer,
             const CommitRecord& commit)
    : file_(std::move(file)), name_(std::move(name)), indexer_(std::move(indexer)), commit_(commit) {}

Store::~Store() = default;

absl::StatusOr<std::unique_ptr<Store>> Store::Open(std::unique_ptr<LogFile> file, std::string name,
                                                   std::shared_ptr<LogIndexer> indexer) {
  RETURN_IF_ERROR(RefuseHardLinks(file->fd(), file->path()));
  RETURN_IF_ERROR(file->RewriteMetas());
  ASSIGN_OR_RETURN(const CommitRecord commit, file->ReadCommit());
  return std::unique_ptr<Store>(new Store(std::move(file), std::move(name), std::move(indexer), commit));
}

absl::Status Store::EnsureWritable() {
  const std::lock_guard lock(opening_);
  if (env_) return absl::OkStatus();
  const LmdbTraits traits{.append_only = kEventsTable, .caches = CachesOf(commit_)};
  ASSIGN_OR_RETURN(const LmdbFileSummary found, CheckLmdbFile(file_->fd(), file_->path(), kMapBytes, traits));
  RETURN_IF_ERROR(file_->CheckLastBatch());
  RETURN_IF_ERROR(RepairCaches(found));
  // LMDB opens the file by its name, which must still mean the file that was checked.
  RETURN_IF_ERROR(CheckIsAtPath(file_->fd(), file_->path()));
  ASSIGN_OR_RETURN(env_, LmdbEnv::Open(file_->path()));
  return absl::OkStatus();
}

// LMDB reads free list and caches when it writes: damage in them could crash it like any other damage.
absl::Status Store::RepairCaches(const LmdbFileSummary& found) const {
  if (found.damaged_caches.empty() && found.free_list.ok()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const FileDescriptor file, OpenRegularFile(file_->path(), O_RDWR));
  for (const auto& [table, why] : found.damaged_caches) {
    RETURN_IF_ERROR(EmptyTable(file.get(), file_->path(), table));
  }
  if (!found.free_list.ok()) RETURN_IF_ERROR(EmptyFreeList(file.get(), file_->path()));
  return absl::OkStatus();
}

// The writer lock keeps other writers away, but not other programs. If the file has become shorter, LMDB would touch
// pages of its map that are no longer there, which kills the process.
absl::Status Store::CheckUnchanged() const {
  ASSIGN_OR_RETURN(const CommitRecord stored, file_->ReadCommit());
  ASSIGN_OR_RETURN(const std::uint64_t bytes, file_->SizeBytes());
  if (bytes < size_bytes_) {
    return absl::DataLossError(absl::StrCat(file_->path(), " was cut short by somebody, from ", size_bytes_,
                                            " bytes to ", bytes, "; put it back from where the log was copied"));
  }
  if (stored == commit_) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("somebody else has written to ", file_->path(), " under this writer's lock"));
}

// A full disk leaves the file sound and the transaction out, even if it only shows in a flush: no tree reaches the
// pages of that transaction, and the next one writes its own. So the call may be repeated. After any other failure the
// outcome is unknown: the kernel may write what it was given or not, and trying again would not tell.
absl::Status Store::Append(const Addition& addition) {
  RETURN_IF_ERROR(CheckAddition(addition, commit_, name_));
  CommitRecord next = commit_;
  next.end = addition.frames.after;
  next.tail_position = addition.tail_position;
  absl::Status status = TryWrite(next, addition);
  if (!absl::IsResourceExhausted(status) || !env_) return status;
  // LMDB may refuse all further transactions after a failed commit (MDB_PANIC); then a repeated call could not succeed.
  if (!LmdbTransaction::Begin(*env_).ok()) return absl::UnavailableError(status.message());
  return absl::ResourceExhaustedError(
      absl::StrCat(status.message(),
                   "; nothing was appended and nothing is lost: free some space, or raise the limit, and try again"));
}

// Its transaction has ended when it returns; Append() begins another to see whether LMDB still can.
absl::Status Store::TryWrite(CommitRecord next, const Addition& addition) {
  RETURN_IF_ERROR(EnsureWritable());
  RETURN_IF_ERROR(CheckUnchanged());
  LogIndexer* const indexer = addition.frames.words.empty() ? nullptr : indexer_.get();
  if (indexer != nullptr) indexer->Begin(StoredLog(*file_, name_), commit_.end.sequence);
  ASSIGN_OR_RETURN(LmdbTransaction txn, LmdbTransaction::Begin(*env_));
  RETURN_IF_ERROR(PutFrames(txn, addition, indexer, next));
  RETURN_IF_ERROR(PutSnapshots(txn, addition.snapshots));
  RETURN_IF_ERROR(PruneSome(txn, addition, next));
  RETURN_IF_ERROR(Commit(std::move(txn), next));
  if (indexer != nullptr) indexer->Accept();
  return absl::OkStatus();
}

absl::Status Store::CheckPrune(const PruneRequest& request) const {
  return CheckPruneRequest(request, commit_, *file_);
}

absl::Status Store::PutFrames(const LmdbTransaction& txn, const Addition& addition, LogIndexer* indexer,
                              CommitRecord& next) {
  IndexRows rows;
  ASSIGN_OR_RETURN(const MDB_dbi events, txn.Table(kEventsTable));
  const auto add_to_index = [indexer](std::span<const std::uint64_t> frame) {
    if (indexer != nullptr) indexer->Add(frame);
  };
  for (BatchSplitter splitter(addition.frames);; ++next.batches) {
    ASSIGN_OR_RETURN(const std::optional<Batch> batch, splitter.Next(add_to_index));
    if (!batch) break;
    if (indexer != nullptr) indexer->EndBatch(rows);
    const absl::Status put = Put(txn, events, batch->first, codec_.Pack(batch->frames), MDB_APPEND, env_->path());
    // The table holds events behind the one that the commit record ends with.
    if (absl::IsAlreadyExists(put)) return absl::DataLossError(put.message());
    RETURN_IF_ERROR(put);
  }
  return PutIndex(txn, rows, env_->path());
}

absl::Status Store::PutSnapshots(const LmdbTransaction& txn, std::span<const Snapshot> added) const {
  ASSIGN_OR_RETURN(const MDB_dbi snapshots,
                   txn.Table(kSnapshotsTable, /*create=*/true));  // a damaged record of the table was emptied
  for (const Snapshot& snapshot : added) {
    const std::vector<std::uint64_t> words = ToStored(snapshot);
    const absl::Status put = Put(txn, snapshots, snapshot.at.sequence, words, MDB_NOOVERWRITE, env_->path());
    // A snapshot of that event is stored already; one is as good as the other.
    if (absl::IsAlreadyExists(put)) continue;
    RETURN_IF_ERROR(put);
  }
  return absl::OkStatus();
}

// What becomes free here, the next transaction but one can use.
absl::Status Store::PruneSome(const LmdbTransaction& txn, const Addition& addition, CommitRecord& next) {
  if (addition.prune != nullptr) {
    RETURN_IF_ERROR(PutBase(txn, *env_, *file_, *addition.prune));
    next.base = addition.prune->range.behind;
  }
  if (next.base.sequence == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Freed freed, FreeSome(txn, *env_, *file_, next, addition.freed_max));
  next.batches -= freed.batches;
  more_to_free_ = freed.more && freed.damage.ok();
  free_damage_ = freed.damage;
  return absl::OkStatus();
}

absl::Status Store::StorePolicy(const std::string& policy) {
  RETURN_IF_ERROR(EnsureWritable());
  RETURN_IF_ERROR(CheckUnchanged());
  ASSIGN_OR_RETURN(LmdbTransaction txn, LmdbTransaction::Begin(*env_));
  ASSIGN_OR_RETURN(const MDB_dbi meta, txn.Table(kMetaTable));
  RETURN_IF_ERROR(Put(txn, meta, kPolicyKey, EncodePolicy(policy), 0, env_->path()));
  return Commit(std::move(txn), commit_);
}

absl::Status Store::Commit(LmdbTransaction txn, CommitRecord next) {
  ASSIGN_OR_RETURN(const MDB_dbi meta, txn.Table(kMetaTable));
  // A failed commit may change a meta page, which is then put back. Nothing has been written to them yet.
  ASSIGN_OR_RETURN(const lmdb_file::Metas before, file_->ReadMetas());
  next.txn_id = txn.id();
  next.hash = HashOf(next);
  RETURN_IF_ERROR(LmdbStatus(txn.Put(meta, kCommitKey, &next, sizeof next), "write to", env_->path()));
  const absl::Status committed = LmdbStatus(txn.Commit(), "write to", env_->path());
  if (!committed.ok()) file_->PutBackMetas(before).IgnoreError();  // if that fails, too, the next opening copes with it
  RETURN_IF_ERROR(committed);
  commit_ = next;
  if (const auto bytes = file_->SizeBytes(); bytes.ok()) size_bytes_ = *bytes;
  return absl::OkStatus();
}

// In steps, so that neither rows nor transactions grow with the log. The first one clears the tables. Where it stops,
// the rows end before the events do, which readers see.
absl::Status Store::RebuildIndex(LogIndexer& indexer) {
  RETURN_IF_ERROR(EnsureWritable());
  RETURN_IF_ERROR(CheckUnchanged());
  const StoredLog stored(*file_, name_);
  ChainEnd behind = commit_.base;
  bool first = true;
  do {
    IndexRows rows;
    indexer.Begin(stored, behind.sequence);
    ASSIGN_OR_RETURN(behind, IndexSome(indexer, behind, rows));
    ASSIGN_OR_RETURN(LmdbTransaction txn, LmdbTransaction::Begin(*env_));
    if (first) RETURN_IF_ERROR(ClearIndex(txn, *env_, commit_.base));
    RETURN_IF_ERROR(PutIndex(txn, rows, env_->path()));
    RETURN_IF_ERROR(Commit(std::move(txn), commit_));
    indexer.Accept();
    first = false;
  } while (behind != commit_.end);
  return absl::OkStatus();
}

// Rows of the batches behind `behind`, as many as one step takes. Returns where they end.
absl::StatusOr<ChainEnd> Store::IndexSome(LogIndexer& indexer, ChainEnd behind, IndexRows& rows) const {
  while (behind != commit_.end && rows.batches.size() < kRowsInAStep) {
    ASSIGN_OR_RETURN(const FrameRun batch, file_->ReadBatch(behind));
    std::span<const std::uint64_t> rest = batch.words;
    while (const std::optional<FrameView> frame = FrameAtStartOf(rest)) {
      indexer.Add(rest.first(frame->size_words()));
      rest = rest.subspan(frame->size_words());
    }
    indexer.EndBatch(rows);
    behind = batch.after;
  }
  return behind;
}

}  // namespace foldlog
