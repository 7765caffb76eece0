#include "engine/log/lmdb_env.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/frame.h"
#include "engine/log/lmdb_check.h"
#include "engine/status_macros.h"
#include "engine/text.h"

namespace foldlog {
namespace {

constexpr unsigned kEnvFlags = MDB_NOSUBDIR | MDB_NOTLS;
constexpr mdb_mode_t kFileMode = 0666;  // as the umask allows
constexpr unsigned kTables = 3;
constexpr unsigned kMaxReaders = 254;  // slots for read transactions at one moment, in all processes together
constexpr const char* kTemporaryName = "log.mdb.new";

// The head of a meta page that LMDB writes: of the page, and MDB_meta.
constexpr std::size_t kMetaBytes = 152;

// How often to look for a snapshot to check while a writer keeps committing. An attempt is lost to two whole commits
// between two system calls, or to reading a meta page in the middle of its being written, which looks like damage.
constexpr int kAttemptsWhenOvertaken = 100;
constexpr int kAttemptsWhenDamaged = 3;

// A process that was killed while it prepared the lock file leaves it naming transaction 0, or none, to those who
// waited for it. Closed by all of them, it is prepared again. Who is alone with such a file has waited in vain, 60 ms.
constexpr int kAttemptsWhenUnprepared = 7;
constexpr std::chrono::milliseconds kFirstDelayWhenUnprepared{1};

struct FileId {
  dev_t device;
  ino_t inode;
  auto operator<=>(const FileId&) const = default;
};

// The registry that LMDB forces on us. Counts change, and environments open and close, under its lock only, so that a
// second one of the same file can never appear.
struct Registry {
  struct Entry {
    LmdbEnv* env = nullptr;
    int users = 0;
  };

  std::mutex mutex;
  std::map<FileId, Entry> entries;

  // A child made by fork() starts without environments: those of its parent do not work there, and are left alone.
  Registry() {
    pthread_atfork([] { TheRegistry().mutex.lock(); }, [] { TheRegistry().mutex.unlock(); },
                   [] {
                     TheRegistry().entries.clear();
                     TheRegistry().mutex.unlock();
                   });
  }

  static Registry& TheRegistry() {
    static Registry& registry = *new Registry;  // never destroyed: logs may be closed during exit
    return registry;
  }
};

std::string Temporary(const std::string& directory) { return absl::StrCat(directory, "/", kTemporaryName); }

absl::Status PutRecord(MDB_txn* txn, MDB_dbi table, std::uint64_t key, const void* record, std::size_t bytes,
                       const std::string& path) {
  MDB_val key_val = ToVal(&key, sizeof key);
  MDB_val value = ToVal(record, bytes);
  return LmdbStatus(mdb_put(txn, table, &key_val, &value, 0), "write to", path);
}

FormatRecord NewFormatRecord(const LogId& log_id) {
  FormatRecord format{
      .magic = kFormatMagic, .version = kFormatVersion, .reserved = 0, .log_id = log_id, .created_at = 0};
  format.created_at =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  return format;
}

absl::Status FillNewLog(MDB_env* env, const std::string& path, const LogId& log_id) {
  MDB_txn* txn = nullptr;
  RETURN_IF_ERROR(LmdbStatus(mdb_txn_begin(env, nullptr, 0, &txn), "write to", path));
  MDB_dbi events = 0;
  MDB_dbi snapshots = 0;
  MDB_dbi meta = 0;
  const unsigned flags = MDB_CREATE | MDB_INTEGERKEY;
  int rc = mdb_dbi_open(txn, "events", flags, &events);
  if (rc == 0) rc = mdb_dbi_open(txn, "snapshots", flags, &snapshots);
  if (rc == 0) rc = mdb_dbi_open(txn, "meta", flags, &meta);
  absl::Status status = LmdbStatus(rc, "create tables in", path);
  const FormatRecord format = NewFormatRecord(log_id);
  CommitRecord commit{.txn_id = mdb_txn_id(txn),
                      .base_sequence = 0,
                      .base_hash = GenesisHash(format.log_id),
                      .last_sequence = 0,
                      .last_hash = GenesisHash(format.log_id),
                      .batches = 0,
                      .snapshots = 0,
                      .tail_position = 0,
                      .hash = 0};
  commit.hash = HashOf(commit);
  if (status.ok()) status = PutRecord(txn, meta, kFormatKey, &format, sizeof format, path);
  if (status.ok()) status = PutRecord(txn, meta, kCommitKey, &commit, sizeof commit, path);
  if (!status.ok()) {
    mdb_txn_abort(txn);
    return status;
  }
  return LmdbStatus(mdb_txn_commit(txn), "write to", path);
}

absl::StatusOr<MDB_env*> NewEnv(const std::string& path) {
  MDB_env* env = nullptr;
  RETURN_IF_ERROR(LmdbStatus(mdb_env_create(&env), "prepare to open", path));
  int rc = mdb_env_set_mapsize(env, kMapBytes);
  if (rc == 0) rc = mdb_env_set_maxdbs(env, kTables);
  if (rc == 0) rc = mdb_env_set_maxreaders(env, kMaxReaders);
  if (rc == 0) return env;
  mdb_env_close(env);
  return LmdbStatus(rc, "prepare to open", path);
}

// LMDB maps its lock file without having written it: on a full disk, touching such a page kills the process. So the
// pages are given to the file before. Where the directory or the file cannot be written, LMDB finds that out by itself.
absl::Status AllocateLockFile(const std::string& path) {
  constexpr off_t kBytesForHead = 128;    // MDB_txninfo
  constexpr off_t kBytesForAReader = 64;  // MDB_reader, a cache line
  const std::string lock_path = path + "-lock";
  const FileDescriptor file(open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, kFileMode));
  if (!file.valid()) return absl::OkStatus();
  const int error = posix_fallocate(file.get(), 0, kBytesForHead + kMaxReaders * kBytesForAReader);
  if (error == ENOSPC || error == EDQUOT) return ErrnoStatus(error, absl::StrCat("make room for ", lock_path));
  return absl::OkStatus();
}

// LMDB leaves its data file open across exec().
void CloseOnExec(MDB_env* env) {
  int fd = -1;
  if (mdb_env_get_fd(env, &fd) == 0) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

}  // namespace

std::uint64_t HashOf(const CommitRecord& commit) { return XXH3_64bits(&commit, offsetof(CommitRecord, hash)); }

absl::Status LmdbStatus(int rc, std::string_view what, const std::string& path) {
  if (rc == 0) return absl::OkStatus();
  // LMDB reports a write that came short as an input/output error, whatever the cause: a full disk, a quota, a limit.
  if (rc == EIO && what == "write to") {
    if (const int cause = ErrnoOfWritingTo(path); cause != 0) rc = cause;
  }
  if (rc > 0) return ErrnoStatus(rc, absl::StrCat(ToAbsl(what), " ", path));
  const std::string message = absl::StrCat("cannot ", ToAbsl(what), " ", path, ": ", mdb_strerror(rc));
  switch (rc) {
    case MDB_MAP_FULL:
      return absl::ResourceExhaustedError(
          absl::StrCat(message, "; the log has grown to its limit of ", kMapBytes, " bytes, start a new one"));
    case MDB_READERS_FULL:
      return absl::UnavailableError(absl::StrCat(message, "; ", kMaxReaders, " readers are at work, try again later"));
    case MDB_PANIC:
      return absl::UnavailableError(absl::StrCat(message,
                                                 "; a write has failed before: close the log and all its readers "
                                                 "in this process, then open it anew"));
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

LmdbEnv::LmdbEnv(std::string path) : path_(std::move(path)), pid_(getpid()) {}

LmdbEnv::~LmdbEnv() {
  if (env_ != nullptr) mdb_env_close(env_);
}

absl::StatusOr<std::shared_ptr<LmdbEnv>> LmdbEnv::Open(const std::string& path, Access access) {
  std::chrono::milliseconds delay = kFirstDelayWhenUnprepared;
  for (int attempt = 1;; ++attempt, delay *= 2) {
    bool lock_is_prepared = true;
    absl::StatusOr<std::shared_ptr<LmdbEnv>> env = TryOpen(path, access, lock_is_prepared);
    if (lock_is_prepared || attempt == kAttemptsWhenUnprepared) return env;
    std::this_thread::sleep_for(delay);
  }
}

absl::StatusOr<std::shared_ptr<LmdbEnv>> LmdbEnv::TryOpen(const std::string& path, Access access,
                                                          bool& lock_is_prepared) {
  Registry& registry = Registry::TheRegistry();
  const std::lock_guard lock(registry.mutex);

  std::unique_ptr<LmdbEnv> env(new LmdbEnv(path));
  env->file_ = FileDescriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  if (!env->file_.valid()) return ErrnoStatus(errno, absl::StrCat("open ", path));
  struct stat info = {};
  if (fstat(env->file_.get(), &info) != 0) return ErrnoStatus(errno, absl::StrCat("inspect ", path));
  if (!S_ISREG(info.st_mode)) return absl::FailedPreconditionError(absl::StrCat(path, " is not a regular file"));

  const FileId id{info.st_dev, info.st_ino};
  if (!registry.entries.contains(id)) {
    if (access == Access::kRead) RETURN_IF_ERROR(env->MakeDurable());
    const absl::Status opened = env->OpenFile();
    lock_is_prepared = env->lock_is_prepared_;
    RETURN_IF_ERROR(opened);
    registry.entries[id] = {env.release(), 0};
  }
  Registry::Entry& entry = registry.entries[id];
  ++entry.users;
  return std::shared_ptr<LmdbEnv>(entry.env, Release);
}

void LmdbEnv::Release(LmdbEnv* env) {
  if (getpid() != env->pid_) return;  // in a child made by fork() it is not ours to close
  Registry& registry = Registry::TheRegistry();
  const std::lock_guard lock(registry.mutex);
  for (auto& [id, entry] : registry.entries) {
    if (entry.env != env) continue;
    if (--entry.users == 0) {
      registry.entries.erase(id);
      delete env;
    }
    return;
  }
}

// After a kill the page cache may hold a meta page whose write to the disk never finished. Nothing read from here on
// shall be less durable than it looks.
absl::Status LmdbEnv::MakeDurable() const {
  if (fdatasync(file_.get()) == 0 || errno == EROFS || errno == EINVAL) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("make durable ", path_));
}

// For the same reason, but without waiting for the many pages of a commit that was interrupted and counts for nothing:
// of a commit whose meta page was written LMDB has flushed everything else before.
absl::Status LmdbEnv::RewriteNewestMeta() const {
  std::array<std::byte, kMetaBytes> meta;
  const std::uint64_t offset = checked_txn_id_ % 2 * page_bytes_;
  RETURN_IF_ERROR(ReadFully(file_.get(), meta, offset, path_));
  const FileDescriptor file(open(path_.c_str(), O_WRONLY | O_DSYNC | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return ErrnoStatus(errno, absl::StrCat("open ", path_));
  return WriteFully(file.get(), meta, offset, path_);
}

absl::Status LmdbEnv::OpenFile() {
  RETURN_IF_ERROR(CheckLmdbMetas(file_.get(), path_, kMapBytes).status());
  RETURN_IF_ERROR(AllocateLockFile(path_));
  ASSIGN_OR_RETURN(env_, NewEnv(path_));
  read_only_ = access(path_.c_str(), W_OK) != 0;
  const int rc = mdb_env_open(env_, path_.c_str(), kEnvFlags | (read_only_ ? MDB_RDONLY : 0), kFileMode);
  if (rc == EACCES) {
    return absl::PermissionDeniedError(absl::StrCat("cannot open ", path_, " and ", path_,
                                                    "-lock: readers, too, need write permission for the latter"));
  }
  lock_is_prepared_ = rc != MDB_INVALID;
  RETURN_IF_ERROR(LmdbStatus(rc, "open", path_));
  CloseOnExec(env_);
  int stale_readers = 0;
  mdb_reader_check(env_, &stale_readers);
  const absl::Status sound = CheckNewestSnapshot({});
  lock_is_prepared_ = !absl::IsAborted(sound);
  RETURN_IF_ERROR(sound);

  ASSIGN_OR_RETURN(LmdbTransaction txn, LmdbTransaction::BeginRead(*this));
  RETURN_IF_ERROR(OpenTables(txn.get()));
  RETURN_IF_ERROR(CheckFormat(txn.get()));
  RETURN_IF_ERROR(txn.ReadCommitRecord(*this).status());
  return LmdbStatus(txn.Commit(), "open the tables of", path_);  // a commit keeps the table handles
}

// Going back from the end, each step checks several times as much as it needs, so that many small ones cost no more
// than checking all at once.
absl::Status LmdbEnv::EnsureReadable(MDB_dbi table, std::uint64_t from) {
  constexpr std::uint64_t kAhead = 4;
  const std::lock_guard lock(checking_);
  Checked wanted = checked_;
  std::optional<std::uint64_t>& known = table == events_ ? wanted.events : wanted.snapshots;
  if (known && from >= *known) return absl::OkStatus();
  const std::uint64_t step = known ? *known - from : 0;
  known = step < from / kAhead ? from - kAhead * step : 0;
  return CheckNewestSnapshot(wanted);
}

absl::Status LmdbEnv::EnsureWritable() {
  const std::lock_guard lock(checking_);
  return checked_.for_writing ? absl::OkStatus()
                              : CheckNewestSnapshot({.events = 0, .snapshots = 0, .for_writing = true});
}

absl::Status LmdbEnv::CheckNewestSnapshot(const Checked& wanted) {
  const LmdbScope scope{.append_only = {{"events", wanted.events}, {"snapshots", wanted.snapshots}},
                        .for_writing = wanted.for_writing};
  for (int attempt = 1;; ++attempt) {
    ASSIGN_OR_RETURN(const LmdbTransaction txn, LmdbTransaction::BeginRead(*this));
    const std::uint64_t txn_id = mdb_txn_id(txn.get());
    const absl::StatusOr<LmdbFileSummary> summary = CheckLmdbSnapshot(file_.get(), path_, kMapBytes, txn_id, scope);
    absl::Status sound = summary.status();
    if (!sound.ok() && attempt < (absl::IsAborted(sound) ? kAttemptsWhenOvertaken : kAttemptsWhenDamaged)) continue;
    if (sound.ok()) {
      checked_txn_id_ = txn_id;
      checked_ = wanted;
      page_bytes_ = summary->page_bytes;
    }
    return sound;
  }
}

absl::Status LmdbEnv::PrepareForWriting() {
  if (read_only_) return absl::PermissionDeniedError(absl::StrCat(path_, " is not writable for this user"));
  RETURN_IF_ERROR(CheckOneName(file_.get(), path_));
  { RETURN_IF_ERROR(LmdbTransaction::BeginWrite(*this).status()); }  // repairs what a killed writer left, and ends
  const std::lock_guard lock(checking_);
  std::uint64_t txn_id = 0;
  {
    ASSIGN_OR_RETURN(const LmdbTransaction newest, LmdbTransaction::BeginRead(*this));
    txn_id = mdb_txn_id(newest.get());
  }
  if (txn_id != checked_txn_id_) RETURN_IF_ERROR(CheckNewestSnapshot(checked_));
  return RewriteNewestMeta();
}

absl::Status LmdbEnv::OpenTables(MDB_txn* txn) {
  int rc = mdb_dbi_open(txn, "events", MDB_INTEGERKEY, &events_);
  if (rc == 0) rc = mdb_dbi_open(txn, "snapshots", MDB_INTEGERKEY, &snapshots_);
  if (rc == 0) rc = mdb_dbi_open(txn, "meta", MDB_INTEGERKEY, &meta_);
  if (rc == MDB_NOTFOUND) {
    MDB_stat main = {};
    MDB_dbi main_table = 0;
    // Every transaction of a log has tables. One without any is what a torn meta page shows.
    if (mdb_dbi_open(txn, nullptr, 0, &main_table) == 0) mdb_stat(txn, main_table, &main);
    if (main.ms_entries == 0) {
      lock_is_prepared_ = false;
      return absl::DataLossError(absl::StrCat(path_, " has lost all its tables"));
    }
    return absl::FailedPreconditionError(absl::StrCat(path_, " is an LMDB file, but not of a foldlog log"));
  }
  return LmdbStatus(rc, "open the tables of", path_);
}

absl::Status LmdbEnv::CheckFormat(MDB_txn* txn) {
  std::uint64_t key = kFormatKey;
  MDB_val key_val = ToVal(&key, sizeof key);
  MDB_val value = {};
  const int rc = mdb_get(txn, meta_, &key_val, &value);
  FormatRecord format = {};
  if (rc == 0 && value.mv_size >= sizeof format) std::memcpy(&format, value.mv_data, sizeof format);
  if (format.magic != kFormatMagic) {
    return absl::DataLossError(absl::StrCat(path_, ": the record of the format is missing or damaged"));
  }
  if (format.version != kFormatVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat(path_, " has format version ", format.version, "; this foldlog knows version ", kFormatVersion,
                     format.version > kFormatVersion ? ": use a newer foldlog" : ": use an older foldlog"));
  }
  log_id_ = format.log_id;
  return absl::OkStatus();
}

absl::Status LmdbEnv::Create(const std::string& directory, const std::string& path, const LogId& log_id) {
  const std::string temporary = Temporary(directory);
  if (unlink(temporary.c_str()) != 0 && errno != ENOENT) {
    return ErrnoStatus(errno, absl::StrCat("remove the unfinished ", temporary));
  }
  ASSIGN_OR_RETURN(MDB_env * env, NewEnv(temporary));
  // Nobody else knows the file yet, so it needs no lock file beside it.
  absl::Status status =
      LmdbStatus(mdb_env_open(env, temporary.c_str(), kEnvFlags | MDB_NOLOCK, kFileMode), "create", temporary);
  if (status.ok()) status = FillNewLog(env, temporary, log_id);
  if (status.ok()) status = LmdbStatus(mdb_env_sync(env, 1), "make durable", temporary);
  mdb_env_close(env);
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    status = ErrnoStatus(errno, absl::StrCat("rename ", temporary));
  }
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

absl::StatusOr<LmdbTransaction> LmdbTransaction::BeginRead(const LmdbEnv& env) {
  MDB_txn* txn = nullptr;
  RETURN_IF_ERROR(LmdbStatus(mdb_txn_begin(env.get(), nullptr, MDB_RDONLY, &txn), "read", env.path()));
  return LmdbTransaction(txn, env.path());
}

absl::StatusOr<LmdbTransaction> LmdbTransaction::BeginWrite(const LmdbEnv& env) {
  MDB_txn* txn = nullptr;
  RETURN_IF_ERROR(LmdbStatus(mdb_txn_begin(env.get(), nullptr, 0, &txn), "write to", env.path()));
  return LmdbTransaction(txn, env.path());
}

LmdbTransaction::~LmdbTransaction() {
  if (txn_ != nullptr) mdb_txn_abort(txn_);
}

int LmdbTransaction::Commit() { return mdb_txn_commit(std::exchange(txn_, nullptr)); }

absl::Status LmdbTransaction::ReadRecord(MDB_dbi table, std::uint64_t key, std::span<std::byte> record) const {
  MDB_val key_val = ToVal(&key, sizeof key);
  MDB_val value = {};
  const int rc = mdb_get(txn_, table, &key_val, &value);
  if (rc == MDB_NOTFOUND || (rc == 0 && value.mv_size < record.size())) {
    return absl::DataLossError(absl::StrCat(*path_, ": record ", key, " is missing or too short"));
  }
  RETURN_IF_ERROR(LmdbStatus(rc, "read", *path_));
  std::memcpy(record.data(), value.mv_data, record.size());
  return absl::OkStatus();
}

absl::StatusOr<CommitRecord> LmdbTransaction::ReadCommitRecord(const LmdbEnv& env, Kind kind) const {
  CommitRecord commit = {};
  RETURN_IF_ERROR(ReadRecord(env.meta(), kCommitKey, std::as_writable_bytes(std::span(&commit, 1))));
  if (commit.hash != HashOf(commit)) {
    return absl::DataLossError(
        absl::StrCat(*path_, ": the commit record does not match its hash; put back a copy of the log"));
  }
  MDB_stat events = {};
  MDB_stat snapshots = {};
  mdb_stat(txn_, env.events(), &events);
  mdb_stat(txn_, env.snapshots(), &snapshots);
  const std::uint64_t newest = mdb_txn_id(txn_) - (kind == Kind::kWrite ? 1 : 0);
  if (commit.txn_id != newest || commit.batches != events.ms_entries || commit.snapshots != snapshots.ms_entries ||
      commit.last_sequence < commit.base_sequence) {
    return absl::DataLossError(
        absl::StrCat(*path_, ": the commit record is of transaction ", commit.txn_id, " with ", commit.batches,
                     " batches and ", commit.snapshots, " snapshots, but the file is at transaction ", newest, " with ",
                     events.ms_entries, " and ", snapshots.ms_entries, "; a commit was lost or torn"));
  }
  if (commit.tail_position > kTailPositionMax) {
    return absl::DataLossError(absl::StrCat(*path_, ": the commit record names a place in the tail, ",
                                            commit.tail_position, ", that no log has come to; put back a copy of it"));
  }
  return commit;
}

}  // namespace foldlog
