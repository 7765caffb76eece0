#include "engine/log/lmdb_store.h"

#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/frame.h"
#include "engine/log/batch.h"
#include "engine/log/word_hash.h"
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

// Far below the 512 MB of dirty pages that a transaction of LMDB's can take.
constexpr std::size_t kMaxAppendWords = (std::size_t{128} << 20) / sizeof(std::uint64_t);

// The words of a snapshot as they are stored.
std::vector<std::uint64_t> ToStored(const Snapshot& snapshot) {
  std::vector<std::uint64_t> words(kSnapshotHeaderWords);
  words[1] = snapshot.at.hash;
  words.insert(words.end(), snapshot.words.begin(), snapshot.words.end());
  words[0] = HashBehindFirstWord(words);
  return words;
}

absl::Status CheckAddition(const LmdbStore::Addition& addition, const CommitRecord& commit, const std::string& name) {
  const FrameSpan& frames = addition.frames;
  RETURN_IF_ERROR(CheckStartsAt(frames, {commit.last_sequence, commit.last_hash}, name));
  if (frames.words.size() > kMaxAppendWords) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cannot append ", frames.count(), " events of ", frames.words.size_bytes(), " bytes at once; the limit is ",
        kMaxAppendWords * sizeof(std::uint64_t), ": append fewer at a time"));
  }
  const LogExtent extent{.base = {commit.base_sequence, commit.base_hash}, .end = frames.after};
  for (const Snapshot& snapshot : addition.snapshots) RETURN_IF_ERROR(CheckSnapshotPlace(snapshot, extent, name));
  return absl::OkStatus();
}

absl::Status Put(const LmdbTransaction& txn, MDB_dbi table, const Entry& entry, unsigned flags,
                 const std::string& path) {
  MDB_val key = ToVal(&entry.key, sizeof entry.key);
  MDB_val value = ToVal(entry.words.data(), entry.words.size_bytes());
  const int rc = mdb_put(txn.get(), table, &key, &value, flags);
  if (rc != MDB_KEYEXIST) return LmdbStatus(rc, "write to", path);
  return absl::AlreadyExistsError(absl::StrCat(path, " holds something for event ", entry.key, " already"));
}

}  // namespace

LogExtent ToExtent(const CommitRecord& commit) {
  return {.base = {commit.base_sequence, commit.base_hash},
          .end = {commit.last_sequence, commit.last_hash},
          .durable_through = commit.last_sequence,
          .stored_through = commit.last_sequence};
}

LmdbStore::LmdbStore(std::shared_ptr<LmdbEnv> env, std::string name, const CommitRecord& commit)
    : env_(std::move(env)), name_(std::move(name)), commit_(commit) {}

absl::StatusOr<std::unique_ptr<LmdbStore>> LmdbStore::Open(std::shared_ptr<LmdbEnv> env, std::string name) {
  ASSIGN_OR_RETURN(const LmdbTransaction txn, LmdbTransaction::BeginRead(*env));
  ASSIGN_OR_RETURN(const CommitRecord commit, txn.ReadCommitRecord(*env));
  return std::unique_ptr<LmdbStore>(new LmdbStore(std::move(env), std::move(name), commit));
}

absl::StatusOr<CommitRecord> LmdbStore::ReadCommit() const {
  ASSIGN_OR_RETURN(const LmdbTransaction txn, LmdbTransaction::BeginRead(*env_));
  return txn.ReadCommitRecord(*env_);
}

// A full disk leaves the transaction out and the file sound, even if it shows in a flush only: the pages of that
// transaction belong to nobody, and the next one writes its own again. So the call may be repeated. After any other
// failure the outcome is unknown: what was given to the kernel may reach the disk or not, and asking again would not
// tell.
absl::Status LmdbStore::Append(const Addition& addition) {
  RETURN_IF_ERROR(CheckAddition(addition, commit_, name_));
  CommitRecord next = commit_;
  next.last_sequence = addition.frames.after.sequence;
  next.last_hash = addition.frames.after.hash;
  next.tail_position = addition.tail_position;
  ASSIGN_OR_RETURN(const std::vector<Batch> batches, SplitIntoBatches(addition.frames));
  absl::Status status = TryWrite(next, batches, addition);
  if (!absl::IsResourceExhausted(status)) return status;
  if (!LmdbTransaction::BeginWrite(*env_).ok()) return absl::UnavailableError(status.message());
  return absl::ResourceExhaustedError(
      absl::StrCat(status.message(),
                   "; nothing was appended and nothing is lost: free some space, or raise the limit, and try again"));
}

// Has ended its transaction when it returns: LMDB's write lock is taken again by Append().
absl::Status LmdbStore::TryWrite(CommitRecord next, std::span<const Batch> batches, const Addition& addition) {
  RETURN_IF_ERROR(env_->EnsureWritable());
  ASSIGN_OR_RETURN(LmdbTransaction txn, LmdbTransaction::BeginWrite(*env_));
  ASSIGN_OR_RETURN(const CommitRecord stored, txn.ReadCommitRecord(*env_, LmdbTransaction::Kind::kWrite));
  if (stored != commit_) {
    return absl::DataLossError(
        absl::StrCat("somebody else has written to ", env_->path(), " under this writer's lock"));
  }
  next.txn_id = mdb_txn_id(txn.get());
  for (const Batch& batch : batches) {
    const Entry entry{batch.first, codec_.Pack(batch.frames)};
    const absl::Status put = Put(txn, env_->events(), entry, MDB_APPEND, env_->path());
    // The commit record says that it ends before.
    if (absl::IsAlreadyExists(put)) return absl::DataLossError(put.message());
    RETURN_IF_ERROR(put);
    ++next.batches;
  }
  for (const Snapshot& snapshot : addition.snapshots) {
    const std::vector<std::uint64_t> words = ToStored(snapshot);
    const absl::Status put = Put(txn, env_->snapshots(), {snapshot.at.sequence, words}, MDB_NOOVERWRITE, env_->path());
    if (absl::IsAlreadyExists(put)) continue;
    RETURN_IF_ERROR(put);
    ++next.snapshots;
  }
  next.hash = HashOf(next);
  const Entry record{kCommitKey, std::span(reinterpret_cast<const std::uint64_t*>(&next), sizeof next / 8)};
  RETURN_IF_ERROR(Put(txn, env_->meta(), record, 0, env_->path()));
  RETURN_IF_ERROR(LmdbStatus(txn.Commit(), "write to", env_->path()));
  commit_ = next;
  return absl::OkStatus();
}

absl::StatusOr<FrameRun> LmdbStore::Read(Sequence from, std::size_t bytes_max) const {
  ASSIGN_OR_RETURN(const LmdbTransaction txn, LmdbTransaction::BeginRead(*env_));
  ASSIGN_OR_RETURN(const CommitRecord commit, txn.ReadCommitRecord(*env_));
  RETURN_IF_ERROR(CheckReadable(from, ToExtent(commit), name_));
  RunCollector collector(from, bytes_max);
  if (from > commit.last_sequence) return std::move(collector).Take();

  RETURN_IF_ERROR(env_->EnsureReadable(env_->events(), from));
  ASSIGN_OR_RETURN(Cursor cursor, Cursor::Open(txn, env_->events(), env_->path()));
  ASSIGN_OR_RETURN(bool more, cursor.SeekAtMost(from));
  BatchCodec codec;
  while (more) {
    ASSIGN_OR_RETURN(const auto stored, cursor.words());
    // A further batch is taken whole or not at all: else it would be unpacked twice.
    if (!collector.HasRoom(BatchCodec::UnpackedBytes(stored))) break;
    const absl::StatusOr<std::span<const std::uint64_t>> frames = codec.Unpack(stored);
    if (!frames.ok()) return Damaged(cursor.key(), frames.status());
    const absl::StatusOr<bool> wanted = collector.Add(*frames);
    if (!wanted.ok()) return Damaged(cursor.key(), wanted.status());
    if (!*wanted) break;
    ASSIGN_OR_RETURN(more, cursor.Next());
  }
  FrameRun run = std::move(collector).Take();
  if (run.empty()) return Damaged(from, absl::DataLossError("its frame is missing"));
  return run;
}

absl::StatusOr<std::optional<Snapshot>> LmdbStore::FindSnapshot(Sequence at_most) const {
  ASSIGN_OR_RETURN(const LmdbTransaction txn, LmdbTransaction::BeginRead(*env_));
  ASSIGN_OR_RETURN(Cursor cursor, Cursor::Open(txn, env_->snapshots(), env_->path()));
  while (true) {
    // Only a cache: where it is damaged, there is none.
    const absl::Status readable = env_->EnsureReadable(env_->snapshots(), at_most);
    if (absl::IsDataLoss(readable)) return std::optional<Snapshot>();
    RETURN_IF_ERROR(readable);
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

absl::Status LmdbStore::Damaged(Sequence sequence, const absl::Status& why) const {
  return absl::DataLossError(absl::StrCat("event ", sequence, " of the log ", name_, ": ", why.message()));
}

}  // namespace foldlog
