#include "engine/log/store/pruning.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/log/store/base_record.h"
#include "engine/log/store/lmdb/env.h"
#include "engine/log/store/log_file.h"

namespace foldlog {
namespace {

// So many prunings are told one by one; of a log that is pruned every hour, those of the last ten days.
constexpr std::size_t kRangesMax = 256;

// Rows and snapshots are much smaller than batches, and a batch has at most a few.
constexpr std::size_t kRowsForEachBatch = 4;

absl::Status PutRow(const LmdbTransaction& txn, MDB_dbi table, const BaseRecord& record, const std::string& path) {
  const std::vector<std::uint64_t> words = EncodeBase(record);
  const int rc = txn.Put(table, record.range.behind.sequence, words.data(), words.size() * sizeof(std::uint64_t));
  return LmdbStatus(rc, "write to", path);
}

// Removes entries with keys up to `through`, at most `entries_max`. Whether more are left.
absl::StatusOr<bool> RemoveUpTo(const LmdbTransaction& txn, const LmdbEnv& env, const char* table_name,
                                std::uint64_t through, std::size_t entries_max) {
  ASSIGN_OR_RETURN(const MDB_dbi table, txn.Table(table_name, /*create=*/true));
  ASSIGN_OR_RETURN(LmdbCursor cursor, LmdbCursor::Open(txn, table, env.path()));
  for (std::size_t removed = 0;; ++removed) {
    const int rc = cursor.First();
    if (rc == MDB_NOTFOUND || (rc == 0 && cursor.key() > through)) return false;
    RETURN_IF_ERROR(LmdbStatus(rc, "write to", env.path()));
    if (removed == entries_max) return true;
    RETURN_IF_ERROR(LmdbStatus(cursor.Delete(), "write to", env.path()));
  }
}

}  // namespace

absl::Status RemoveBehind(const LmdbTransaction& txn, const LmdbEnv& env, const char* table_name, std::uint64_t base) {
  ASSIGN_OR_RETURN(const MDB_dbi table, txn.Table(table_name, /*create=*/true));
  ASSIGN_OR_RETURN(LmdbCursor cursor, LmdbCursor::Open(txn, table, env.path()));
  while (true) {
    const int rc = cursor.Last();
    if (rc == MDB_NOTFOUND || (rc == 0 && cursor.key() <= base)) return absl::OkStatus();
    RETURN_IF_ERROR(LmdbStatus(rc, "write to", env.path()));
    RETURN_IF_ERROR(LmdbStatus(cursor.Delete(), "write to", env.path()));
  }
}

absl::Status CheckPruneRequest(const PruneRequest& request, const CommitRecord& commit, const LogFile& file) {
  const PrunedRange& range = request.range;
  if (range.before != commit.base) {
    return absl::AbortedError(absl::StrCat(file.path(), " was pruned meanwhile, up to event ", commit.base.sequence));
  }
  const Sequence behind = range.behind.sequence;
  if (behind <= commit.base.sequence || behind > commit.end.sequence || request.state.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("event ", behind, " can't become the base of ", file.path(),
                                                   ", which holds events ", commit.base.sequence + 1, " to ",
                                                   commit.end.sequence));
  }
  ASSIGN_OR_RETURN(const FrameRun last, file.Read(behind, /*bytes_max=*/1));
  if (last.after == range.behind) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("event ", behind, " of ", file.path(), " is another"));
}

// Only the newest record keeps a state. Of too many, the two oldest become one.
absl::Status PutBase(const LmdbTransaction& txn, const LmdbEnv& env, const LogFile& file, const PruneRequest& request) {
  ASSIGN_OR_RETURN(const std::vector<PrunedRange> ranges, file.ReadPruned());
  ASSIGN_OR_RETURN(const MDB_dbi bases, txn.Table(kBasesTable, /*create=*/true));
  if (!ranges.empty()) RETURN_IF_ERROR(PutRow(txn, bases, {.range = ranges.back()}, env.path()));
  if (ranges.size() >= kRangesMax) {
    ASSIGN_OR_RETURN(LmdbCursor cursor, LmdbCursor::Open(txn, bases, env.path()));
    RETURN_IF_ERROR(LmdbStatus(cursor.First(), "write to", env.path()));
    RETURN_IF_ERROR(LmdbStatus(cursor.Delete(), "write to", env.path()));
    RETURN_IF_ERROR(PutRow(txn, bases, {.range = Joined(ranges[0], ranges[1])}, env.path()));
  }
  return PutRow(txn, bases, {.range = request.range, .state = request.state}, env.path());
}

absl::StatusOr<Freed> FreeSome(const LmdbTransaction& txn, const LmdbEnv& env, const LogFile& file,
                               const CommitRecord& commit, std::size_t batches_max) {
  // As of the transaction before: none of this one's batches can be dead.
  ASSIGN_OR_RETURN(const DeadBatches dead, file.FindDead(commit.base.sequence, batches_max));
  ASSIGN_OR_RETURN(const MDB_dbi events, txn.Table(kEventsTable));
  for (const Sequence key : dead.keys) {
    RETURN_IF_ERROR(LmdbStatus(txn.Delete(events, key), "write to", env.path()));
  }
  const Sequence through = dead.keys.empty() ? 0 : dead.keys.back();
  const std::size_t rows_max = (batches_max + 1) * kRowsForEachBatch;
  ASSIGN_OR_RETURN(const bool rows, RemoveUpTo(txn, env, kBatchesTable, through, rows_max));
  ASSIGN_OR_RETURN(const bool snapshots, RemoveUpTo(txn, env, kSnapshotsTable, commit.base.sequence - 1, rows_max));
  return Freed{.batches = dead.keys.size(), .more = dead.more || rows || snapshots, .damage = dead.damage};
}

}  // namespace foldlog
