// The creation of log.mdb: an empty log, whole and durable before the file gets its name.

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "engine/base/file_system.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"
#include "engine/log/store/base_record.h"
#include "engine/log/store/lmdb/env.h"
#include "engine/log/store/records.h"
#include "engine/log/store/restoration.h"
#include "engine/log/store/store.h"

namespace foldlog {
namespace {

std::string TemporaryName(const std::string& directory) { return PathOfLogFile(directory) + ".new"; }

FormatRecord NewFormatRecord(const LogId& log_id) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {.magic = kFormatMagic,
          .version = kFormatVersion,
          .reserved = 0,
          .log_id = log_id,
          .created_at = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()};
}

CommitRecord FirstCommit(const ChainEnd& base, std::uint64_t txn_id) {
  CommitRecord commit{.txn_id = txn_id, .base = base, .end = base, .batches = 0, .tail_position = 0, .hash = 0};
  commit.hash = HashOf(commit);
  return commit;
}

absl::Status PutPast(const LmdbTransaction& txn, const PrunedPast& past, const std::string& path) {
  const auto put = [&](MDB_dbi table, std::uint64_t key, const std::vector<std::uint64_t>& words) {
    return LmdbStatus(txn.Put(table, key, words.data(), words.size() * sizeof(std::uint64_t)), "write to", path);
  };
  ASSIGN_OR_RETURN(const MDB_dbi bases, txn.Table(kBasesTable, /*create=*/true));
  RETURN_IF_ERROR(put(bases, past.base.range.behind.sequence, EncodeBase(past.base)));
  ASSIGN_OR_RETURN(const MDB_dbi operations, txn.Table(kOperationsTable));
  for (const IndexRow& row : past.operations) RETURN_IF_ERROR(put(operations, row.key, row.words));
  return absl::OkStatus();
}

// The tables exist from the start: a file without `events` and `meta` is not taken for a log.
absl::Status FillNewLog(const LmdbEnv& env, const Store::Beginning& beginning) {
  ASSIGN_OR_RETURN(LmdbTransaction txn, LmdbTransaction::Begin(env));
  RETURN_IF_ERROR(txn.Table(kEventsTable, /*create=*/true).status());
  for (const std::string_view table : kCacheTables) {
    RETURN_IF_ERROR(txn.Table(table.data(), /*create=*/true).status());
  }
  ASSIGN_OR_RETURN(const MDB_dbi meta, txn.Table(kMetaTable, /*create=*/true));
  const FormatRecord format = NewFormatRecord(beginning.log_id);
  const CommitRecord commit = FirstCommit(beginning.base, txn.id());
  int rc = txn.Put(meta, kFormatKey, &format, sizeof format);
  if (rc == 0) rc = txn.Put(meta, kCommitKey, &commit, sizeof commit);
  if (rc == 0 && beginning.restoration) {
    const std::vector<std::uint64_t> words = EncodeRestoration(*beginning.restoration);
    rc = txn.Put(meta, kRestorationKey, words.data(), words.size() * sizeof(std::uint64_t));
  }
  RETURN_IF_ERROR(LmdbStatus(rc, "write to", env.path()));
  if (beginning.past) RETURN_IF_ERROR(PutPast(txn, *beginning.past, env.path()));
  return LmdbStatus(txn.Commit(), "write to", env.path());
}

absl::Status WriteNewLog(const std::string& path, const Store::Beginning& beginning) {
  ASSIGN_OR_RETURN(const std::unique_ptr<LmdbEnv> env, LmdbEnv::Create(path));
  RETURN_IF_ERROR(FillNewLog(*env, beginning));
  return env->Sync();
}

}  // namespace

// A power cut before the file gets its name leaves only the temporary one, which the next creation removes.
absl::StatusOr<std::string> Store::Begin(const std::string& directory, const Beginning& beginning) {
  std::string temporary = TemporaryName(directory);
  if (unlink(temporary.c_str()) != 0 && errno != ENOENT) {
    return ErrnoStatus(errno, absl::StrCat("remove the unfinished ", temporary));
  }
  const absl::Status written = WriteNewLog(temporary, beginning);
  if (written.ok()) return temporary;
  unlink(temporary.c_str());
  return written;
}

// The caller makes the entry durable.
absl::Status Store::Publish(const std::string& directory) {
  const std::string temporary = TemporaryName(directory);
  if (std::rename(temporary.c_str(), PathOfLogFile(directory).c_str()) == 0) return absl::OkStatus();
  const absl::Status renamed = ErrnoStatus(errno, absl::StrCat("rename ", temporary));
  unlink(temporary.c_str());
  return renamed;
}

// The chain of an empty log ends with the hash of its id, so no frame of another log can continue it.
absl::Status Store::Create(const std::string& directory, const LogId& log_id) {
  RETURN_IF_ERROR(Begin(directory, {.log_id = log_id, .base = {0, GenesisHash(log_id)}}).status());
  return Publish(directory);
}

}  // namespace foldlog
