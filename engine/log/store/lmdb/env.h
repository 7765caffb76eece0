// The LMDB environment of a log's one writer, and the creation of its file. Readers have no need of LMDB (log_file.h).
//
// A damaged file can crash LMDB, or make it hide rows, so the file must have been checked (check.h) before it is
// opened here. LMDB's own locks are left out: nobody but the holder of the writer lock opens the file with it, and
// readers look after themselves. lmdb.h is included by this file's users only; no public header shows its types.

#ifndef FOLDLOG_LOG_STORE_LMDB_ENV_H_
#define FOLDLOG_LOG_STORE_LMDB_ENV_H_

#include <lmdb.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/codec/log_id.h"

namespace foldlog {

// What to call a failed LMDB operation: "cannot WHAT PATH: reason".
absl::Status LmdbStatus(int rc, std::string_view what, const std::string& path);

// Bytes of a value, or of a key, as LMDB takes and gives them.
inline MDB_val ToVal(const void* data, std::size_t bytes) { return {bytes, const_cast<void*>(data)}; }

class LmdbEnv {
 public:
  // Opens a file that was checked. ResourceExhausted if the process may not have the address space for a file of that
  // size.
  static absl::StatusOr<std::unique_ptr<LmdbEnv>> Open(const std::string& path);

  // Creates the file of the empty log `log_id`, complete and durable, or leaves none: it is built under a temporary
  // name. Its entry in the directory is for the caller to make durable.
  static absl::Status Create(const std::string& directory, const std::string& path, const LogId& log_id);

  ~LmdbEnv();
  LmdbEnv(const LmdbEnv&) = delete;
  LmdbEnv& operator=(const LmdbEnv&) = delete;

  MDB_env* get() const { return env_; }
  const std::string& path() const { return path_; }

 private:
  LmdbEnv(MDB_env* env, std::string path);

  MDB_env* const env_;
  const std::string path_;
  const pid_t pid_;
};

// A write transaction that is aborted unless it was committed.
class LmdbTransaction {
 public:
  static absl::StatusOr<LmdbTransaction> Begin(const LmdbEnv& env);

  LmdbTransaction(LmdbTransaction&& other) noexcept
      : txn_(std::exchange(other.txn_, nullptr)), tables_(other.tables_) {}
  LmdbTransaction(const LmdbTransaction&) = delete;
  LmdbTransaction& operator=(const LmdbTransaction&) = delete;
  ~LmdbTransaction();

  MDB_txn* get() const { return txn_; }
  MDB_dbi events() const { return tables_.events; }
  MDB_dbi snapshots() const { return tables_.snapshots; }  // made anew if it has got lost
  MDB_dbi meta() const { return tables_.meta; }
  int Commit();  // LMDB's return code; the transaction is gone either way

 private:
  struct Tables {
    MDB_dbi events;
    MDB_dbi snapshots;
    MDB_dbi meta;
  };
  explicit LmdbTransaction(MDB_txn* txn) : txn_(txn) {}

  MDB_txn* txn_;
  Tables tables_ = {};
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_LMDB_ENV_H_
