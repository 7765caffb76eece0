// The creation of log.mdb: an empty log, whole and durable before the file gets its name.

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "engine/base/file_system.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"
#include "engine/log/store/lmdb/env.h"
#include "engine/log/store/records.h"
#include "engine/log/store/store.h"

namespace foldlog {
namespace {

FormatRecord NewFormatRecord(const LogId& log_id) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {.magic = kFormatMagic,
          .version = kFormatVersion,
          .reserved = 0,
          .log_id = log_id,
          .created_at = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()};
}

// The chain of an empty log ends with the hash of its id, so no frame of another log can continue it.
CommitRecord FirstCommit(const LogId& log_id, std::uint64_t txn_id) {
  const ChainEnd genesis{0, GenesisHash(log_id)};
  CommitRecord commit{.txn_id = txn_id, .base = genesis, .end = genesis, .batches = 0, .tail_position = 0, .hash = 0};
  commit.hash = HashOf(commit);
  return commit;
}

// The tables exist from the start: a file without `events` and `meta` is not taken for a log.
absl::Status FillNewLog(const LmdbEnv& env, const LogId& log_id) {
  ASSIGN_OR_RETURN(LmdbTransaction txn, LmdbTransaction::Begin(env));
  RETURN_IF_ERROR(txn.Table(kEventsTable, /*create=*/true).status());
  for (const std::string_view table : kCacheTables) {
    RETURN_IF_ERROR(txn.Table(table.data(), /*create=*/true).status());
  }
  ASSIGN_OR_RETURN(const MDB_dbi meta, txn.Table(kMetaTable, /*create=*/true));
  const FormatRecord format = NewFormatRecord(log_id);
  const CommitRecord commit = FirstCommit(log_id, txn.id());
  int rc = txn.Put(meta, kFormatKey, &format, sizeof format);
  if (rc == 0) rc = txn.Put(meta, kCommitKey, &commit, sizeof commit);
  if (rc == 0) rc = txn.Commit();
  return LmdbStatus(rc, "write to", env.path());
}

absl::Status WriteNewLog(const std::string& path, const LogId& log_id) {
  ASSIGN_OR_RETURN(const std::unique_ptr<LmdbEnv> env, LmdbEnv::Create(path));
  RETURN_IF_ERROR(FillNewLog(*env, log_id));
  return env->Sync();
}

}  // namespace

// A power cut before the rename leaves only the temporary file, which the next creation removes. The caller makes the
// entry durable.
absl::Status Store::Create(const std::string& directory, const LogId& log_id) {
  const std::string path = PathOfLogFile(directory);
  const std::string temporary = path + ".new";
  if (unlink(temporary.c_str()) != 0 && errno != ENOENT) {
    return ErrnoStatus(errno, absl::StrCat("remove the unfinished ", temporary));
  }
  absl::Status status = WriteNewLog(temporary, log_id);
  if (status.ok() && std::rename(temporary.c_str(), path.c_str()) != 0) {
    status = ErrnoStatus(errno, absl::StrCat("rename ", temporary));
  }
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

}  // namespace foldlog
