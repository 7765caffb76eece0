// LMDB with owners: an environment and its write transactions. Only the writer of a log has one; readers have no need
// of LMDB (log_file.h).
//
// A damaged file can crash LMDB, or make it hide rows, so the file must have been checked (check.h) before it is
// opened here. LMDB's own locks are left out: nobody but the holder of the writer lock opens the file with it, and
// readers look after themselves. No other header includes lmdb.h.

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

namespace foldlog {

// What to call a failed LMDB operation: "cannot WHAT PATH: reason".
absl::Status LmdbStatus(int rc, std::string_view what, const std::string& path);

// Bytes of a value, or of a key, as LMDB takes and gives them.
inline MDB_val ToVal(const void* data, std::size_t bytes) { return {bytes, const_cast<void*>(data)}; }

// Invariants: the file was checked before; nobody else has it open with LMDB, for the caller holds the writer lock.
// Threads: one transaction at a time; LMDB has no lock of its own here.
class LmdbEnv {
 public:
  // Opens a file that was checked. ResourceExhausted if the process may not have the address space for a file of that
  // size.
  static absl::StatusOr<std::unique_ptr<LmdbEnv>> Open(const std::string& path);

  // Creates an empty file, with room for a few tables and records.
  static absl::StatusOr<std::unique_ptr<LmdbEnv>> Create(const std::string& path);

  // Makes all that was committed durable.
  absl::Status Sync() const;

  ~LmdbEnv();
  LmdbEnv(const LmdbEnv&) = delete;
  LmdbEnv& operator=(const LmdbEnv&) = delete;

  MDB_env* get() const { return env_; }
  const std::string& path() const { return path_; }

 private:
  LmdbEnv(MDB_env* env, std::string path);
  static absl::StatusOr<std::unique_ptr<LmdbEnv>> OpenWithMap(const std::string& path, std::uint64_t map_bytes,
                                                              std::string_view what);

  MDB_env* const env_;
  const std::string path_;
  const pid_t pid_;
};

// A write transaction that is aborted unless it was committed.
class LmdbTransaction {
 public:
  static absl::StatusOr<LmdbTransaction> Begin(const LmdbEnv& env);

  LmdbTransaction(LmdbTransaction&& other) noexcept : txn_(std::exchange(other.txn_, nullptr)), path_(other.path_) {}
  LmdbTransaction(const LmdbTransaction&) = delete;
  LmdbTransaction& operator=(const LmdbTransaction&) = delete;
  ~LmdbTransaction();

  MDB_txn* get() const { return txn_; }
  std::uint64_t id() const { return mdb_txn_id(txn_); }

  // A table of integer keys. It is made if it is not there and `create` is set.
  absl::StatusOr<MDB_dbi> Table(const char* name, bool create = false) const;

  // Stores a value; the result is LMDB's return code.
  int Put(MDB_dbi table, std::uint64_t key, const void* data, std::size_t bytes, unsigned flags = 0) const;

  int Commit();  // LMDB's return code; the transaction is gone either way

 private:
  LmdbTransaction(MDB_txn* txn, const std::string& path) : txn_(txn), path_(&path) {}

  MDB_txn* txn_;
  const std::string* path_;  // the environment's
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_LMDB_ENV_H_
