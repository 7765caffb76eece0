#include "engine/log/store/lmdb/env.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/address_space.h"
#include "engine/base/file_system.h"
#include "engine/base/status_macros.h"
#include "engine/base/text.h"
#include "engine/log/store/lmdb/map_bytes.h"

namespace foldlog {
namespace {

// NOLOCK: the log's writer lock takes its place. NOTLS: LMDB keeps nothing in thread-local storage.
constexpr unsigned kEnvFlags = MDB_NOSUBDIR | MDB_NOTLS | MDB_NOLOCK;
constexpr mdb_mode_t kFileMode = 0666;  // as the umask allows
constexpr unsigned kTables = 8;         // some more than a log has: a damaged name leaves an unused one

// The least room to grow that makes opening worthwhile.
constexpr std::uint64_t kGrowthBytesMin = std::uint64_t{16} << 20;

absl::StatusOr<MDB_env*> NewEnv(const std::string& path, std::uint64_t map_bytes) {
  MDB_env* env = nullptr;
  RETURN_IF_ERROR(LmdbStatus(mdb_env_create(&env), "prepare to open", path));
  int rc = mdb_env_set_mapsize(env, map_bytes);
  if (rc == 0) rc = mdb_env_set_maxdbs(env, kTables);
  if (rc == 0) return env;
  mdb_env_close(env);
  return LmdbStatus(rc, "prepare to open", path);
}

// The size of LMDB's map: that of the largest log, or what the process's address space has room for.
absl::StatusOr<std::uint64_t> ChooseMapBytes(std::uint64_t file_bytes, const std::string& path) {
  const std::uint64_t map_bytes = MapBytesWithinLimit(kMapBytes);
  if (map_bytes >= file_bytes + kGrowthBytesMin) return map_bytes;
  return absl::ResourceExhaustedError(absl::StrCat("cannot map ", path, ", of ", file_bytes,
                                                   " bytes: this process may have ", map_bytes,
                                                   " bytes of address space for it, and needs ", kGrowthBytesMin,
                                                   " more than its size; raise ulimit -v (RLIMIT_AS)"));
}

// LMDB opens its file without O_CLOEXEC, so a program that this process executes would keep it open.
void CloseOnExec(MDB_env* env) {
  int fd = -1;
  if (mdb_env_get_fd(env, &fd) == 0) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

}  // namespace

absl::Status LmdbStatus(int rc, std::string_view what, const std::string& path) {
  if (rc == 0) return absl::OkStatus();
  // LMDB reports a short write as an input/output error, whatever the cause: a full disk, a quota, a limit. The caller
  // may repeat the call after some of these, so the true cause is found out.
  if (rc == EIO && what == "write to") {
    if (const int cause = ErrnoOfWritingTo(path); cause != 0) rc = cause;
  }
  if (rc > 0) return ErrnoStatus(rc, absl::StrCat(ToAbsl(what), " ", path));
  const std::string message = absl::StrCat("cannot ", ToAbsl(what), " ", path, ": ", mdb_strerror(rc));
  switch (rc) {
    case MDB_MAP_FULL:
      return absl::ResourceExhaustedError(
          absl::StrCat(message, "; the log has grown to its limit of ", kMapBytes,
                       " bytes, start a new one; or to what ulimit -v (RLIMIT_AS) leaves for it, raise that"));
    case MDB_PANIC:
      return absl::UnavailableError(
          absl::StrCat(message, "; a write has failed before: close the log and open it anew"));
    case MDB_VERSION_MISMATCH:
      return absl::FailedPreconditionError(message);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_NOTFOUND:
    case MDB_INCOMPATIBLE:
      return absl::DataLossError(message);
    default:
      return absl::InternalError(message);
  }
}

LmdbEnv::LmdbEnv(MDB_env* env, std::string path) : env_(env), path_(std::move(path)), pid_(getpid()) {}

// A child made by fork() leaves the environment alone: the parent may have been in the middle of a transaction.
LmdbEnv::~LmdbEnv() {
  if (getpid() == pid_) mdb_env_close(env_);
}

absl::StatusOr<std::unique_ptr<LmdbEnv>> LmdbEnv::Open(const std::string& path) {
  FileFacts facts;
  if (!InspectAt(AT_FDCWD, path.c_str(), facts)) return ErrnoStatus(errno, absl::StrCat("inspect ", path));
  ASSIGN_OR_RETURN(const std::uint64_t map_bytes, ChooseMapBytes(facts.bytes, path));
  return OpenWithMap(path, map_bytes, "open");
}

absl::StatusOr<std::unique_ptr<LmdbEnv>> LmdbEnv::Create(const std::string& path) {
  return OpenWithMap(path, kGrowthBytesMin, "create");
}

// Owned before it is opened: LMDB wants even an environment that failed to open closed.
absl::StatusOr<std::unique_ptr<LmdbEnv>> LmdbEnv::OpenWithMap(const std::string& path, std::uint64_t map_bytes,
                                                              std::string_view what) {
  ASSIGN_OR_RETURN(MDB_env* const env, NewEnv(path, map_bytes));
  std::unique_ptr<LmdbEnv> opened(new LmdbEnv(env, path));
  RETURN_IF_ERROR(LmdbStatus(mdb_env_open(env, path.c_str(), kEnvFlags, kFileMode), what, path));
  CloseOnExec(env);
  return opened;
}

absl::Status LmdbEnv::Sync() const { return LmdbStatus(mdb_env_sync(env_, 1), "make durable", path_); }

// LMDB allows one write transaction at a time; the store's caller sees to that.
absl::StatusOr<LmdbTransaction> LmdbTransaction::Begin(const LmdbEnv& env) {
  MDB_txn* txn = nullptr;
  RETURN_IF_ERROR(LmdbStatus(mdb_txn_begin(env.get(), nullptr, 0, &txn), "write to", env.path()));
  return LmdbTransaction(txn, env.path());
}

absl::StatusOr<MDB_dbi> LmdbTransaction::Table(const char* name, bool create) const {
  MDB_dbi table = 0;
  const int rc = mdb_dbi_open(txn_, name, MDB_INTEGERKEY | (create ? MDB_CREATE : 0U), &table);
  RETURN_IF_ERROR(LmdbStatus(rc, create ? "create tables in" : "open the tables of", *path_));
  return table;
}

int LmdbTransaction::Put(MDB_dbi table, std::uint64_t key, const void* data, std::size_t bytes, unsigned flags) const {
  MDB_val key_val = ToVal(&key, sizeof key);
  MDB_val value = ToVal(data, bytes);
  return mdb_put(txn_, table, &key_val, &value, flags);
}

int LmdbTransaction::Delete(MDB_dbi table, std::uint64_t key) const {
  MDB_val key_val = ToVal(&key, sizeof key);
  return mdb_del(txn_, table, &key_val, nullptr);
}

LmdbTransaction::~LmdbTransaction() {
  if (txn_ != nullptr) mdb_txn_abort(txn_);
}

absl::StatusOr<LmdbCursor> LmdbCursor::Open(const LmdbTransaction& txn, MDB_dbi table, const std::string& path) {
  MDB_cursor* cursor = nullptr;
  RETURN_IF_ERROR(LmdbStatus(mdb_cursor_open(txn.get(), table, &cursor), "write to", path));
  return LmdbCursor(cursor);
}

LmdbCursor::~LmdbCursor() {
  if (cursor_ != nullptr) mdb_cursor_close(cursor_);
}

int LmdbCursor::Get(MDB_cursor_op what) {
  MDB_val key = {};
  MDB_val value = {};
  const int rc = mdb_cursor_get(cursor_, &key, &value, what);
  if (rc == 0) std::memcpy(&key_, key.mv_data, sizeof key_);
  return rc;
}

int LmdbTransaction::Commit() { return mdb_txn_commit(std::exchange(txn_, nullptr)); }

}  // namespace foldlog
