// LMDB with owners: an environment and its write transactions. Only the writer of a log has one; readers do without
// LMDB (log_file.h).
//
// A damaged file can crash LMDB, or make it hide rows, so the file must have been checked (check.h) before it is opened
// here. LMDB's own locks are off: only the holder of the writer lock opens the file with LMDB, and readers prove what
// they read. No other header includes lmdb.h.

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

// The status for LMDB's return code: "cannot WHAT PATH: reason", or OK for 0.
absl::Status LmdbStatus(int rc, std::string_view what, const std::string& path);

// Bytes of a key or value in LMDB's type, which is used for input and output alike and so is not const.
inline MDB_val ToVal(const void* data, std::size_t bytes) { return {bytes, const_cast<void*>(data)}; }

// Invariants: the file was checked before; no other environment has it open, for the caller holds the writer lock.
// Threads: one transaction at a time; LMDB has no lock of its own here.
class LmdbEnv {
 public:
  // Opens a file that was checked. ResourceExhausted if the process lacks the address space for a file of its size.
  static absl::StatusOr<std::unique_ptr<LmdbEnv>> Open(const std::string& path);

  // Creates an empty file, whose small map has room for a few tables and records.
  static absl::StatusOr<std::unique_ptr<LmdbEnv>> Create(const std::string& path);

  // Makes durable all that was committed.
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

// A write transaction, aborted by the destructor unless it was committed. Threads: one.
class LmdbTransaction {
 public:
  static absl::StatusOr<LmdbTransaction> Begin(const LmdbEnv& env);

  LmdbTransaction(LmdbTransaction&& other) noexcept : txn_(std::exchange(other.txn_, nullptr)), path_(other.path_) {}
  LmdbTransaction(const LmdbTransaction&) = delete;
  LmdbTransaction& operator=(const LmdbTransaction&) = delete;
  ~LmdbTransaction();

  MDB_txn* get() const { return txn_; }
  std::uint64_t id() const { return mdb_txn_id(txn_); }

  // A table of integer keys. If it does not exist, `create` makes it; DataLoss without `create`.
  absl::StatusOr<MDB_dbi> Table(const char* name, bool create = false) const;

  // Stores a value. The result is LMDB's return code, for the caller to judge.
  int Put(MDB_dbi table, std::uint64_t key, const void* data, std::size_t bytes, unsigned flags = 0) const;

  // Removes an entry that is there. LMDB trusts the header of the run of pages that holds its value. Returns its code.
  int Delete(MDB_dbi table, std::uint64_t key) const;

  // Removes all entries of a table. Returns LMDB's code.
  int Clear(MDB_dbi table) const { return mdb_drop(txn_, table, 0); }

  int Commit();  // LMDB's return code; the transaction has ended either way

 private:
  LmdbTransaction(MDB_txn* txn, const std::string& path) : txn_(txn), path_(&path) {}

  MDB_txn* txn_;
  const std::string* path_;  // the environment's
};

// A place in a table of integer keys. It must go before its transaction ends. The functions return LMDB's code.
// Threads: one.
class LmdbCursor {
 public:
  static absl::StatusOr<LmdbCursor> Open(const LmdbTransaction& txn, MDB_dbi table, const std::string& path);

  LmdbCursor(LmdbCursor&& other) noexcept : cursor_(std::exchange(other.cursor_, nullptr)) {}
  LmdbCursor(const LmdbCursor&) = delete;
  LmdbCursor& operator=(const LmdbCursor&) = delete;
  ~LmdbCursor();

  // Moves to the first entry, or the last; MDB_NOTFOUND if there is none.
  int First() { return Get(MDB_FIRST); }
  int Last() { return Get(MDB_LAST); }
  std::uint64_t key() const { return key_; }

  // Removes the entry.
  int Delete() { return mdb_cursor_del(cursor_, 0); }

 private:
  explicit LmdbCursor(MDB_cursor* cursor) : cursor_(cursor) {}
  int Get(MDB_cursor_op what);

  MDB_cursor* cursor_;
  std::uint64_t key_ = 0;
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_LMDB_ENV_H_
