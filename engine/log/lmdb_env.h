// One LMDB environment for each file and process: opening, checking, creating, and its tables.
//
// LMDB breaks if a process opens the same file twice (closing one copy drops the locks of the other), so environments
// are shared through a registry; and a damaged file can crash it, so every page is checked before LMDB sees it. lmdb.h
// is included by this file's users only; no public header shows its types.

#ifndef FOLDLOG_LOG_LMDB_ENV_H_
#define FOLDLOG_LOG_LMDB_ENV_H_

#include <lmdb.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/log/file_system.h"
#include "engine/log/log_id.h"
#include "foldlog/event_log.h"

namespace foldlog {

// The two records of the table `meta`, as FORMAT.md lays them out.
struct FormatRecord {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t reserved;
  LogId log_id;
  std::int64_t created_at;
};
static_assert(sizeof(FormatRecord) == 40);

// Written by every write transaction, and naming it: if a torn write of LMDB's meta page lets an older transaction
// reappear, or half of one, this record tells.
struct CommitRecord {
  std::uint64_t txn_id;
  std::uint64_t base_sequence;
  std::uint64_t base_hash;
  std::uint64_t last_sequence;
  std::uint64_t last_hash;
  std::uint64_t batches;        // entries of the table `events`
  std::uint64_t snapshots;      // entries of the table `snapshots`
  std::uint64_t tail_position;  // where in the tail the frame behind last_sequence is, or will be
  std::uint64_t hash;           // XXH3-64 of all before it
  bool operator==(const CommitRecord&) const = default;
};
static_assert(sizeof(CommitRecord) == 72);

std::uint64_t HashOf(const CommitRecord& commit);

// More words than a log can have had, at any speed, in all the time there is: what is beyond was not written by a log,
// and counting on from there could wrap.
inline constexpr std::uint64_t kTailPositionMax = std::uint64_t{1} << 62;

inline constexpr std::uint64_t kFormatMagic = 0x474f4c444c4f46;  // "FOLDLOG"
inline constexpr std::uint32_t kFormatVersion = 4;
inline constexpr std::uint64_t kFormatKey = 1;
inline constexpr std::uint64_t kCommitKey = 2;

// The largest file a log can grow to. Address space is free and resizing a map unmaps live readers, so it is huge; one
// process can have dozens of logs open, and sanitizers leave room for it.
inline constexpr std::uint64_t kMapBytes = std::uint64_t{256} << 30;

// What to call a failed LMDB operation: "cannot WHAT PATH: reason".
absl::Status LmdbStatus(int rc, std::string_view what, const std::string& path);

// Bytes of a value, or of a key, as LMDB takes and gives them.
inline MDB_val ToVal(const void* data, std::size_t bytes) { return {bytes, const_cast<void*>(data)}; }

class LmdbEnv {
 public:
  // The environment of this process for the file `path`, opened and checked if it is not open yet. It stays open as
  // long as one of the pointers given out lives. NotFound, PermissionDenied, DataLoss, or FailedPrecondition for a
  // newer format.
  // For readers, what the file shows is made durable first, for a writer PrepareForWriting() does that.
  enum class Access { kRead, kWrite };
  static absl::StatusOr<std::shared_ptr<LmdbEnv>> Open(const std::string& path, Access access);

  // Creates the file of the empty log `log_id`, complete and durable, or leaves none: it is built under a temporary
  // name. Its entry in the directory is for the caller to make durable.
  static absl::Status Create(const std::string& directory, const std::string& path, const LogId& log_id);

  ~LmdbEnv();
  LmdbEnv(const LmdbEnv&) = delete;
  LmdbEnv& operator=(const LmdbEnv&) = delete;

  MDB_env* get() const { return env_; }
  MDB_dbi events() const { return events_; }
  MDB_dbi snapshots() const { return snapshots_; }
  MDB_dbi meta() const { return meta_; }
  const std::string& path() const { return path_; }
  const LogId& log_id() const { return log_id_; }

  // Makes sure that LMDB may read the table from the key `from` on, or that it may write. What was checked before is
  // not checked again. DataLoss if the file is damaged there. Any thread.
  absl::Status EnsureReadable(MDB_dbi table, std::uint64_t from);
  absl::Status EnsureWritable();

  // To be called by a new writer before it reads anything. A writer that was killed in the middle of a commit may have
  // left a newer transaction in the file than the one LMDB shows to readers; only taking LMDB's own write lock brings
  // the two together. PermissionDenied if the file cannot be written, FailedPrecondition if it has another name
  // somewhere.
  absl::Status PrepareForWriting();

 private:
  explicit LmdbEnv(std::string path);

  static absl::StatusOr<std::shared_ptr<LmdbEnv>> TryOpen(const std::string& path, Access access,
                                                          bool& lock_is_prepared);
  static void Release(LmdbEnv* env);
  absl::Status OpenFile();
  absl::Status MakeDurable() const;
  // From where on the long tables were checked; nothing: not at all.
  struct Checked {
    std::optional<std::uint64_t> events;
    std::optional<std::uint64_t> snapshots;
    bool for_writing = false;
  };
  absl::Status CheckNewestSnapshot(const Checked& wanted);
  absl::Status RewriteNewestMeta() const;
  absl::Status OpenTables(MDB_txn* txn);
  absl::Status CheckFormat(MDB_txn* txn);

  const std::string path_;
  const pid_t pid_;
  FileDescriptor file_;  // for checking; closing it harms no lock of LMDB's, which are on another file
  std::mutex checking_;  // of the next three
  std::uint64_t checked_txn_id_ = 0;
  Checked checked_;
  std::uint64_t page_bytes_ = 0;
  MDB_env* env_ = nullptr;
  LogId log_id_ = {};
  bool read_only_ = false;
  bool lock_is_prepared_ = true;  // as far as can be seen
  MDB_dbi events_ = 0;
  MDB_dbi snapshots_ = 0;
  MDB_dbi meta_ = 0;
};

// A transaction that is aborted unless it was committed.
class LmdbTransaction {
 public:
  enum class Kind { kRead, kWrite };

  static absl::StatusOr<LmdbTransaction> BeginRead(const LmdbEnv& env);
  static absl::StatusOr<LmdbTransaction> BeginWrite(const LmdbEnv& env);

  LmdbTransaction(LmdbTransaction&& other) noexcept : txn_(std::exchange(other.txn_, nullptr)), path_(other.path_) {}
  LmdbTransaction(const LmdbTransaction&) = delete;
  LmdbTransaction& operator=(const LmdbTransaction&) = delete;
  ~LmdbTransaction();

  MDB_txn* get() const { return txn_; }
  int Commit();  // LMDB's return code; the transaction is gone either way

  // The record under `key` of a table of fixed-size records. DataLoss if it is missing or too short.
  absl::Status ReadRecord(MDB_dbi table, std::uint64_t key, std::span<std::byte> record) const;

  // DataLoss unless it is of the newest transaction (of which a write transaction is the successor) and of as many
  // entries as there are.
  absl::StatusOr<CommitRecord> ReadCommitRecord(const LmdbEnv& env, Kind kind = Kind::kRead) const;

 private:
  LmdbTransaction(MDB_txn* txn, const std::string& path) : txn_(txn), path_(&path) {}

  MDB_txn* txn_;
  const std::string* path_;
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_LMDB_ENV_H_
