#include "engine/log/lmdb_log.h"

#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/frame.h"
#include "engine/log/frame_run.h"
#include "engine/same_process.h"
#include "engine/status_macros.h"

namespace foldlog {
namespace {

// The head of a stored snapshot; the encoded state follows. FORMAT.md has the table.
struct SnapshotHeader {
  std::uint64_t hash;  // XXH3-64 of all that follows
  std::uint64_t event_hash;
};
static_assert(sizeof(SnapshotHeader) == 16);
constexpr std::size_t kSnapshotHeaderWords = sizeof(SnapshotHeader) / sizeof(std::uint64_t);

std::uint64_t HashBehindFirstWord(std::span<const std::uint64_t> words) {
  return XXH3_64bits(words.data() + 1, (words.size() - 1) * sizeof(std::uint64_t));
}

// LMDB aligns values to 8 bytes as long as all keys and values of a table are multiples of 8 (lmdb_check verifies it).
absl::StatusOr<std::span<const std::uint64_t>> AsWords(const MDB_val& value, const std::string& path) {
  if (value.mv_size % sizeof(std::uint64_t) != 0) {
    return absl::DataLossError(
        absl::StrCat(path, ": a value of ", value.mv_size, " bytes is no whole number of words"));
  }
  return std::span(static_cast<const std::uint64_t*>(value.mv_data), value.mv_size / sizeof(std::uint64_t));
}

std::uint64_t KeyOf(const MDB_val& key) {
  std::uint64_t number = 0;
  std::memcpy(&number, key.mv_data, sizeof number);
  return number;
}

class Cursor {
 public:
  static absl::StatusOr<Cursor> Open(const LmdbTransaction& txn, MDB_dbi table, const std::string& path) {
    MDB_cursor* cursor = nullptr;
    RETURN_IF_ERROR(LmdbStatus(mdb_cursor_open(txn.get(), table, &cursor), "read", path));
    return Cursor(cursor, path);
  }

  Cursor(Cursor&& other) noexcept : cursor_(std::exchange(other.cursor_, nullptr)), path_(other.path_) {}
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;
  ~Cursor() {
    if (cursor_ != nullptr) mdb_cursor_close(cursor_);
  }

  // Moves to the last entry whose key is at most `key`. False if there is none.
  absl::StatusOr<bool> SeekAtMost(std::uint64_t key) {
    key_ = ToVal(&key, sizeof key);
    int rc = mdb_cursor_get(cursor_, &key_, &value_, MDB_SET_RANGE);
    if (rc != MDB_NOTFOUND) RETURN_IF_ERROR(LmdbStatus(rc, "read", *path_));
    if (rc == 0 && KeyOf(key_) == key) return true;
    rc = mdb_cursor_get(cursor_, &key_, &value_, rc == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
    return Found(rc);
  }

  absl::StatusOr<bool> Next() { return Found(mdb_cursor_get(cursor_, &key_, &value_, MDB_NEXT)); }

  std::uint64_t key() const { return KeyOf(key_); }
  absl::StatusOr<std::span<const std::uint64_t>> words() const { return AsWords(value_, *path_); }

 private:
  Cursor(MDB_cursor* cursor, const std::string& path) : cursor_(cursor), path_(&path) {}

  absl::StatusOr<bool> Found(int rc) const {
    if (rc == MDB_NOTFOUND) return false;
    RETURN_IF_ERROR(LmdbStatus(rc, "read", *path_));
    return true;
  }

  MDB_cursor* cursor_;
  const std::string* path_;
  MDB_val key_ = {};
  MDB_val value_ = {};
};

struct Entry {
  std::uint64_t key;
  std::span<const std::uint64_t> words;
};

// A reader steps through a batch from its start, so a batch is no larger than this unless a single frame is; and a
// transaction stays far below the 512 MB of dirty pages that LMDB can take.
constexpr std::size_t kMaxBatchWords = (std::size_t{1} << 20) / sizeof(std::uint64_t);
constexpr std::size_t kMaxAppendWords = (std::size_t{128} << 20) / sizeof(std::uint64_t);

// The run, which was checked to be a chain, cut at frame boundaries.
std::vector<Entry> SplitIntoBatches(const FrameRun& run) {
  std::vector<Entry> batches;
  std::span<const std::uint64_t> rest(run.words);
  Sequence first = run.before.sequence + 1;
  Sequence next = first;
  std::size_t size = 0;
  while (size < rest.size()) {
    const std::size_t frame = PeekFrame(rest.subspan(size))->size_words();
    if (size > 0 && size + frame > kMaxBatchWords) {
      batches.push_back({first, rest.first(size)});
      rest = rest.subspan(size);
      first = next;
      size = 0;
    }
    size += frame;
    ++next;
  }
  batches.push_back({first, rest});
  return batches;
}

LogExtent ToExtent(const CommitRecord& commit) {
  return {.base = {commit.base_sequence, commit.base_hash},
          .end = {commit.last_sequence, commit.last_hash},
          .durable_through = commit.last_sequence};
}

class LmdbLog final : public EventLog {
 public:
  LmdbLog(std::shared_ptr<LmdbEnv> env, std::unique_ptr<WriterLock> lock, std::string name, const CommitRecord& commit)
      : env_(std::move(env)), lock_(std::move(lock)), name_(std::move(name)), commit_(commit) {}

  ~LmdbLog() override { Close().IgnoreError(); }

  // Every commit of LMDB is durable, so both levels of durability are the same here.
  absl::Status Append(const FrameRun& run, Durability) override {
    RETURN_IF_ERROR(CheckWritable());
    RETURN_IF_ERROR(CheckContinues(run, {commit_.last_sequence, commit_.last_hash}, name_));
    if (run.empty()) return absl::OkStatus();
    if (run.words.size() > kMaxAppendWords) {
      return absl::InvalidArgumentError(absl::StrCat(
          "cannot append ", run.count(), " events of ", run.words.size() * sizeof(std::uint64_t),
          " bytes at once; the limit is ", kMaxAppendWords * sizeof(std::uint64_t), ": append fewer at a time"));
    }
    std::vector<Entry> batches = SplitIntoBatches(run);
    CommitRecord next = commit_;
    next.last_sequence = run.after.sequence;
    next.last_hash = run.after.hash;
    next.batches += batches.size();
    return Write(next, env_->events(), batches, MDB_APPEND);
  }

  absl::Status Sync(Sequence through) override {
    RETURN_IF_ERROR(CheckWritable());
    return CheckSyncable(through, ToExtent(commit_), name_);
  }

  absl::Status PutSnapshot(const Snapshot& snapshot) override {
    RETURN_IF_ERROR(CheckWritable());
    RETURN_IF_ERROR(CheckSnapshotPlace(snapshot, ToExtent(commit_), name_));
    std::vector<std::uint64_t> words(kSnapshotHeaderWords);
    words[1] = snapshot.at.hash;
    words.insert(words.end(), snapshot.words.begin(), snapshot.words.end());
    words[0] = HashBehindFirstWord(words);
    CommitRecord next = commit_;
    ++next.snapshots;
    const Entry entry{snapshot.at.sequence, words};
    return Write(next, env_->snapshots(), std::span(&entry, 1), MDB_NOOVERWRITE);
  }

  absl::StatusOr<LogExtent> Extent() const override {
    RETURN_IF_ERROR(CheckProcess());
    const std::shared_lock open(closing_);
    RETURN_IF_ERROR(CheckOpen());
    ASSIGN_OR_RETURN(const LmdbTransaction txn, LmdbTransaction::BeginRead(*env_));
    ASSIGN_OR_RETURN(const CommitRecord commit, txn.ReadCommitRecord(*env_));
    return ToExtent(commit);
  }

  absl::StatusOr<FrameRun> Read(Sequence from, std::size_t bytes_max) const override {
    RETURN_IF_ERROR(CheckProcess());
    const std::shared_lock open(closing_);
    RETURN_IF_ERROR(CheckOpen());
    ASSIGN_OR_RETURN(const LmdbTransaction txn, LmdbTransaction::BeginRead(*env_));
    ASSIGN_OR_RETURN(const CommitRecord commit, txn.ReadCommitRecord(*env_));
    RETURN_IF_ERROR(CheckReadable(from, ToExtent(commit), name_));
    RunCollector collector(from, bytes_max);
    if (from > commit.last_sequence) return std::move(collector).Take();

    ASSIGN_OR_RETURN(Cursor cursor, Cursor::Open(txn, env_->events(), env_->path()));
    ASSIGN_OR_RETURN(bool more, cursor.SeekAtMost(from));
    while (more) {
      ASSIGN_OR_RETURN(const auto words, cursor.words());
      absl::StatusOr<bool> wanted = collector.Add(words);
      if (!wanted.ok()) return Damaged(cursor.key(), wanted.status());
      if (!*wanted) break;
      ASSIGN_OR_RETURN(more, cursor.Next());
    }
    FrameRun run = std::move(collector).Take();
    if (run.empty()) return Damaged(from, absl::DataLossError("its frame is missing"));
    return run;
  }

  absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence at_most) const override {
    RETURN_IF_ERROR(CheckProcess());
    const std::shared_lock open(closing_);
    RETURN_IF_ERROR(CheckOpen());
    ASSIGN_OR_RETURN(const LmdbTransaction txn, LmdbTransaction::BeginRead(*env_));
    ASSIGN_OR_RETURN(Cursor cursor, Cursor::Open(txn, env_->snapshots(), env_->path()));
    while (true) {
      ASSIGN_OR_RETURN(const bool found, cursor.SeekAtMost(at_most));
      if (!found) return std::optional<Snapshot>();
      ASSIGN_OR_RETURN(const auto words, cursor.words());
      const bool intact = words.size() > kSnapshotHeaderWords && words[0] == HashBehindFirstWord(words);
      if (intact) {
        const auto state = words.subspan(kSnapshotHeaderWords);
        return Snapshot{{cursor.key(), words[1]}, {state.begin(), state.end()}};
      }
      if (cursor.key() == 0) return std::optional<Snapshot>();
      at_most = cursor.key() - 1;  // damaged, but only a cache: an older one will do
    }
  }

  absl::Status Close() override {
    if (!CheckProcess().ok()) return absl::OkStatus();  // nothing here is the child's to close, not even the mutex
    const std::unique_lock closing(closing_);
    if (closed_) return absl::OkStatus();
    closed_ = true;
    absl::Status status = lock_ ? lock_->SignOff() : absl::OkStatus();
    env_.reset();  // before the lock, so that the next writer finds LMDB let go by this one
    lock_.reset();
    return status;
  }

  const std::string& name() const override { return name_; }

 private:
  absl::Status CheckProcess() const { return CheckSameProcess(pid_, name_); }

  absl::Status CheckOpen() const {
    return closed_ ? absl::FailedPreconditionError(absl::StrCat("the log ", name_, " is closed")) : absl::OkStatus();
  }

  absl::Status CheckWritable() const {
    RETURN_IF_ERROR(CheckProcess());
    RETURN_IF_ERROR(CheckOpen());
    if (!lock_) return absl::FailedPreconditionError(absl::StrCat("the log ", name_, " is open for reading only"));
    return poison_;
  }

  absl::Status Damaged(Sequence sequence, const absl::Status& why) const {
    return absl::DataLossError(absl::StrCat("event ", sequence, " of the log ", name_, ": ", why.message()));
  }

  // One transaction: the entries and the commit record.
  absl::Status Write(const CommitRecord& next, MDB_dbi table, std::span<const Entry> entries, unsigned flags) {
    const absl::Status status = TryWrite(next, table, entries, flags);
    return status.ok() ? status : Failed(status);
  }

  // Has ended its transaction when it returns: LMDB's write lock is taken again by Failed().
  absl::Status TryWrite(CommitRecord next, MDB_dbi table, std::span<const Entry> entries, unsigned flags) {
    ASSIGN_OR_RETURN(LmdbTransaction txn, LmdbTransaction::BeginWrite(*env_));
    ASSIGN_OR_RETURN(const CommitRecord stored, txn.ReadCommitRecord(*env_, LmdbTransaction::Kind::kWrite));
    if (stored != commit_) {
      return absl::DataLossError(
          absl::StrCat("somebody else has written to ", env_->path(), " under this writer's lock"));
    }
    next.txn_id = mdb_txn_id(txn.get());
    for (const auto& [key, words] : entries) {
      MDB_val key_val = ToVal(&key, sizeof key);
      MDB_val value = ToVal(words.data(), words.size_bytes());
      const int rc = mdb_put(txn.get(), table, &key_val, &value, flags);
      if (rc == MDB_KEYEXIST && flags == MDB_NOOVERWRITE) return absl::OkStatus();  // the snapshot is there already
      RETURN_IF_ERROR(LmdbStatus(rc, "write to", env_->path()));
    }
    std::uint64_t commit_key = kCommitKey;
    MDB_val key_val = ToVal(&commit_key, sizeof commit_key);
    MDB_val value = ToVal(&next, sizeof next);
    RETURN_IF_ERROR(LmdbStatus(mdb_put(txn.get(), env_->meta(), &key_val, &value, 0), "write to", env_->path()));
    RETURN_IF_ERROR(LmdbStatus(txn.Commit(), "write to", env_->path()));
    commit_ = next;
    return absl::OkStatus();
  }

  // A full disk leaves the transaction out and the file sound, even if it shows in a flush only: the pages of that
  // transaction belong to nobody, and the next one writes its own again. So the call may be repeated. After any other
  // failure the outcome is unknown: what was given to the kernel may reach the disk or not, and asking again would not
  // tell. So the writer stops, and the next opening looks.
  absl::Status Failed(const absl::Status& cause) {
    if (absl::IsResourceExhausted(cause) && LmdbTransaction::BeginWrite(*env_).ok()) {
      return absl::ResourceExhaustedError(
          absl::StrCat(cause.message(), "; nothing was appended and nothing is lost: free some space and try again"));
    }
    poison_ = absl::UnavailableError(
        absl::StrCat("the log ", name_, " stopped after event ", commit_.last_sequence, ": ", cause.message(),
                     "; whether the last append is stored is not known: close the log and its readers in this process, "
                     "mend the cause and open it anew"));
    return poison_;
  }

  const pid_t pid_ = getpid();
  std::shared_ptr<LmdbEnv> env_;
  std::unique_ptr<WriterLock> lock_;  // nothing for readers
  const std::string name_;
  CommitRecord commit_;  // the writer's own last one
  absl::Status poison_;
  bool closed_ = false;
  mutable std::shared_mutex closing_;  // held shared by reads, so that closing waits for them
};

}  // namespace

absl::StatusOr<std::unique_ptr<EventLog>> NewLmdbLog(std::shared_ptr<LmdbEnv> env, std::unique_ptr<WriterLock> lock,
                                                     std::string name) {
  if (lock) RETURN_IF_ERROR(env->PrepareForWriting());
  CommitRecord commit = {};
  {
    ASSIGN_OR_RETURN(const LmdbTransaction txn, LmdbTransaction::BeginRead(*env));
    ASSIGN_OR_RETURN(commit, txn.ReadCommitRecord(*env));
  }
  return std::make_unique<LmdbLog>(std::move(env), std::move(lock), std::move(name), commit);
}

}  // namespace foldlog
