#include "engine/log/store/log_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/base/word_hash.h"
#include "engine/codec/frame.h"
#include "engine/log/store/lmdb/map_bytes.h"

namespace foldlog {
namespace {

using lmdb_file::File;
using lmdb_file::Meta;
using lmdb_file::Metas;
using lmdb_file::Tree;
using lmdb_file::TreeCursor;
using lmdb_file::TreeKind;

// How often a read begins anew while the writer goes on committing. For each, the writer must have committed twice
// during one read.
constexpr int kAttemptsMax = 10'000;

// The head of a stored snapshot; the encoded state follows. FORMAT.md has the table.
struct SnapshotHeader {
  std::uint64_t hash;  // XXH3-64 of all that follows
  std::uint64_t event_hash;
};
static_assert(sizeof(SnapshotHeader) == 16);
constexpr std::size_t kSnapshotHeaderWords = sizeof(SnapshotHeader) / sizeof(std::uint64_t);

// The tables of a transaction, as the main database lists them.
struct Tables {
  std::optional<Tree> events;
  std::optional<Tree> snapshots;
  std::optional<Tree> meta;
  std::uint64_t count = 0;
};

absl::StatusOr<Tables> FindTables(const File& file, const Meta& meta) {
  Tables tables;
  TreeCursor main(file, meta, TreeKind::kMain, "the main database", meta.main);
  ASSIGN_OR_RETURN(bool more, main.First());
  for (; more; ++tables.count) {
    const lmdb_file::Node node = main.node();
    const absl::StatusOr<Tree> tree = lmdb_file::ParseTableRecord(node);
    if (node.key == kSnapshotsTable) {
      tables.snapshots = tree.ok() ? *tree : Tree{};  // only a cache
    } else if (!tree.ok()) {
      return main.Damaged(absl::StrCat("table ", absl::CHexEscape(node.key), " ", tree.status().message()));
    }
    if (node.key == kEventsTable) tables.events = *tree;
    if (node.key == kMetaTable) tables.meta = *tree;
    ASSIGN_OR_RETURN(more, main.Next());
  }
  return tables;
}

// The record under `key` of the table `meta`. It may be longer than this version knows.
template <typename Record>
absl::StatusOr<Record> ReadRecord(const File& file, const Meta& meta, const Tree& table, std::uint64_t key) {
  TreeCursor cursor(file, meta, TreeKind::kTable, absl::StrCat("table ", kMetaTable), table);
  ASSIGN_OR_RETURN(const bool found, cursor.SeekFloor(key));
  if (!found || cursor.key() != key) return file.Damaged("record ", key, " is missing");
  std::vector<std::uint64_t> words;
  ASSIGN_OR_RETURN(const auto value, cursor.Value(words));
  if (value.size_bytes() < sizeof(Record)) return file.Damaged("record ", key, " is too short");
  Record record;
  std::memcpy(static_cast<void*>(&record), value.data(), sizeof record);
  return record;
}

// The hash tells a torn record from a true one before any of its numbers is used.
absl::StatusOr<CommitRecord> ReadCommitRecord(const File& file, const Meta& meta, const Tree& table) {
  ASSIGN_OR_RETURN(const auto commit, ReadRecord<CommitRecord>(file, meta, table, kCommitKey));
  if (commit.hash == HashOf(commit)) return commit;
  return file.Damaged("the commit record does not match its hash (transaction ", meta.txn_id, ")");
}

// LMDB writes meta page and record at different times; a torn or lost write shows as a contradiction between them.
absl::Status CheckCommit(const CommitRecord& commit, const Meta& meta, const Tree& events, const File& file) {
  if (commit.txn_id != meta.txn_id) {
    return file.Damaged("the commit record is of transaction ", commit.txn_id, ", but its meta page says ", meta.txn_id,
                        "; a commit was lost or torn");
  }
  if (commit.batches != events.entries || commit.end.sequence < commit.base.sequence) {
    return file.Damaged("the commit record tells of ", commit.batches, " batches up to event ", commit.end.sequence,
                        ", but there are ", events.entries, "; a commit was lost or torn");
  }
  if (commit.tail_position > kTailPositionMax) {
    return file.Damaged("the commit record names a place in the tail, ", commit.tail_position,
                        ", that no log has come to");
  }
  return absl::OkStatus();
}

// Byte by byte: any difference means a commit in between.
bool SameMetas(const Metas& a, const Metas& b) {
  const auto same = [](const Meta& x, const Meta& y) { return std::memcmp(&x, &y, sizeof x) == 0; };
  return same(a[0].meta, b[0].meta) && same(a[1].meta, b[1].meta);
}

// Every hash is checked here: it is the proof that pages which the writer may have reused were still those of the run.
bool IsChain(const FrameRun& run) {
  ChainEnd end = run.before;
  for (std::span<const std::uint64_t> rest = run.words; !rest.empty();) {
    const std::optional<FrameView> frame = FrameBehind(end, rest);
    if (!frame) return false;
    end = frame->end();
    rest = rest.subspan(frame->size_words());
  }
  return true;
}

}  // namespace

std::vector<std::uint64_t> ToStored(const Snapshot& snapshot) {
  std::vector<std::uint64_t> words(kSnapshotHeaderWords);
  words[1] = snapshot.at.hash;
  words.insert(words.end(), snapshot.words.begin(), snapshot.words.end());
  words[0] = HashBehindFirstWord(words);
  return words;
}

LogExtent ToExtent(const CommitRecord& commit) {
  return {.base = commit.base,
          .end = commit.end,
          .durable_through = commit.end.sequence,
          .stored_through = commit.end.sequence};
}

LogFile::LogFile(FileDescriptor file, std::string path, std::string log_name)
    : file_(std::move(file)), path_(std::move(path)), log_name_(std::move(log_name)) {}

absl::StatusOr<std::unique_ptr<LogFile>> LogFile::Open(const std::string& path, std::string log_name) {
  ASSIGN_OR_RETURN(FileDescriptor fd, OpenRegularFile(path, O_RDONLY));
  // Batches lie one behind the other: reading ahead saves a scan from waiting for each.
  posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  std::unique_ptr<LogFile> file(new LogFile(std::move(fd), path, std::move(log_name)));
  ASSIGN_OR_RETURN(const SharedMoment newest, file->Newest());
  file->log_id_ = newest->format.log_id;
  return file;
}

absl::StatusOr<Metas> LogFile::ReadMetas() const {
  ASSIGN_OR_RETURN(const File file, File::Open(file_.get(), path_));
  return lmdb_file::ReadSoundMetas(file, kMapBytes);
}

// The newest moment. If the meta pages are those seen last, nothing else is read. No lock is held during reads of the
// file, so threads may load the same moment at once; each result is right.
absl::StatusOr<LogFile::SharedMoment> LogFile::Newest() const {
  for (int attempt = 1;; ++attempt) {
    ASSIGN_OR_RETURN(const Metas metas, ReadMetas());
    {
      const std::lock_guard lock(mutex_);
      if (newest_ && SameMetas(newest_->metas, metas)) return newest_;
    }
    // Its length is read after the metas: the writer may first have made the file longer and then named the new pages.
    ASSIGN_OR_RETURN(const File file, File::Open(file_.get(), path_));
    absl::StatusOr<Moment> moment = Load(file, metas);
    if (moment.ok()) {
      auto shared = std::make_shared<const Moment>(*std::move(moment));
      const std::lock_guard lock(mutex_);
      return newest_ = std::move(shared);
    }
    // Apparent damage may be a commit that went on meanwhile; it is real if the metas are still the same.
    ASSIGN_OR_RETURN(const Metas now, ReadMetas());
    if (SameMetas(now, metas) || attempt == kAttemptsMax) return moment.status();
  }
}

absl::StatusOr<LogFile::Moment> LogFile::Load(const File& file, const Metas& metas) const {
  ASSIGN_OR_RETURN(const std::uint64_t slot, lmdb_file::NewestSlot(file, metas));
  Moment moment{.file = file, .metas = metas, .slot = slot};
  RETURN_IF_ERROR(LoadRecords(moment));
  LookAtOlder(moment);
  return moment;
}

absl::Status LogFile::LoadRecords(Moment& moment) const {
  const File& file = moment.file;
  const Meta& meta = moment.meta();
  ASSIGN_OR_RETURN(const Tables tables, FindTables(file, meta));
  // Every transaction of a log has tables. One without any is what a torn meta page shows.
  if (tables.count == 0) return file.Damaged("the file has lost all its tables");
  if (!tables.meta || !tables.events) {
    return absl::InvalidArgumentError(absl::StrCat(path_, " is an LMDB file, but not of a foldlog log"));
  }
  ASSIGN_OR_RETURN(moment.format, ReadRecord<FormatRecord>(file, meta, *tables.meta, kFormatKey));
  RETURN_IF_ERROR(CheckFormat(moment.format));
  ASSIGN_OR_RETURN(moment.commit, ReadCommitRecord(file, meta, *tables.meta));
  moment.events = *tables.events;
  moment.snapshots = tables.snapshots.value_or(Tree{});
  return CheckCommit(moment.commit, meta, moment.events, file);
}

// If the number of the newest transaction is damaged, the one before it passes as the newest, with its own true commit
// record. But the tree of the other meta page still leads to the newer commit record. LMDB leaves the same picture when
// it fails to write a meta page: it puts back the number and the last page of the transaction before, but not the
// trees. No other damage of the older meta page matters, so it is ignored.
void LogFile::LookAtOlder(Moment& moment) const {
  Meta older = moment.metas[1 - moment.slot].meta;
  if (older.main.root == lmdb_file::kNoRoot) return;
  // Its last page may have been put back, too, while its tree uses pages behind that.
  older.last_page = std::max(older.last_page, moment.file.bytes() / older.page_bytes());
  const absl::StatusOr<Tables> tables = FindTables(moment.file, older);
  if (!tables.ok() || !tables->meta) return;
  const absl::StatusOr<CommitRecord> commit = ReadCommitRecord(moment.file, older, *tables->meta);
  if (commit.ok() && commit->txn_id > moment.commit.txn_id) moment.beyond = *commit;
}

absl::Status LogFile::CheckNothingIsMissing(const ChainEnd& end) const {
  ASSIGN_OR_RETURN(const SharedMoment moment, Newest());
  if (!moment->beyond || moment->beyond->end.sequence <= end.sequence) return absl::OkStatus();
  return moment->file.Damaged("events ", end.sequence + 1, " to ", moment->beyond->end.sequence,
                              " are missing: they were stored by transaction ", moment->beyond->txn_id,
                              ", but the number in its meta page is ", moment->metas[1 - moment->slot].meta.txn_id,
                              "; a commit was lost or torn");
}

absl::Status LogFile::CheckLastBatch() const {
  ASSIGN_OR_RETURN(const SharedMoment moment, Newest());
  const CommitRecord& commit = moment->commit;
  TreeCursor cursor(moment->file, moment->meta(), TreeKind::kTable, absl::StrCat("table ", kEventsTable),
                    moment->events);
  // The last batch is read as a whole: its frames must end with the record's sequence number and hash.
  ASSIGN_OR_RETURN(const bool any, cursor.SeekFloor(std::numeric_limits<Sequence>::max()));
  if (!any && commit.end.sequence == commit.base.sequence) return absl::OkStatus();
  const Sequence first = any ? cursor.key() : 0;
  if (first > commit.base.sequence && first <= commit.end.sequence) {
    ASSIGN_OR_RETURN(const FrameRun run, ReadAt(*moment, first, std::numeric_limits<std::size_t>::max()));
    if (run.before.sequence + 1 == first && run.after == commit.end) {
      return absl::OkStatus();
    }
  }
  return moment->file.Damaged("the last batch is that of event ", first, ", and does not end with event ",
                              commit.end.sequence, ", as the commit record does");
}

absl::Status LogFile::CheckFormat(const FormatRecord& format) const {
  if (format.magic != kFormatMagic) {
    return absl::DataLossError(absl::StrCat(path_, ": the record of the format is damaged", kDamageAdvice));
  }
  if (format.version == kFormatVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(path_, " has format version ", format.version, "; this foldlog knows version ", kFormatVersion,
                   format.version > kFormatVersion ? ": use a newer foldlog" : ": use an older foldlog"));
}

// Whether the writer may have reused pages of that moment by now.
bool LogFile::HasMovedOn(const Moment& moment) const {
  const absl::StatusOr<SharedMoment> now = Newest();
  return now.ok() && (*now)->meta().txn_id > moment.meta().txn_id + 1;
}

absl::StatusOr<CommitRecord> LogFile::ReadCommit() const {
  ASSIGN_OR_RETURN(const SharedMoment moment, Newest());
  return moment->commit;
}

absl::StatusOr<std::uint64_t> LogFile::SizeBytes() const {
  ASSIGN_OR_RETURN(const File file, File::Open(file_.get(), path_));
  return file.bytes();
}

// Readers share a moment for as long as they need it, while newer ones replace it.
LogFile::SharedMoment LogFile::Seen() const {
  const std::lock_guard lock(mutex_);
  return newest_;
}

Sequence LogFile::LastSeen() const { return Seen()->commit.end.sequence; }

// Reads at the moment seen last, which spares a look at the meta pages, and afterwards checks that its pages were not
// reused. A run that proves to be a chain counts even then.
absl::StatusOr<FrameRun> LogFile::Read(Sequence from, std::size_t bytes_max) const {
  SharedMoment moment = Seen();
  for (int attempt = 1; attempt <= kAttemptsMax; ++attempt) {
    if (attempt > 1 || from > moment->commit.end.sequence) {
      ASSIGN_OR_RETURN(moment, Newest());
    }
    absl::StatusOr<FrameRun> run = ReadAt(*moment, from, bytes_max);
    if (!HasMovedOn(*moment) || (run.ok() && IsChain(*run))) return run;
  }
  return absl::UnavailableError(
      absl::StrCat("the writer of the log ", log_name_, " is faster than this reader; try again"));
}

// The scratch memory is taken out of the object, so that another thread's read makes its own.
absl::StatusOr<FrameRun> LogFile::ReadAt(const Moment& moment, Sequence from, std::size_t bytes_max) const {
  RETURN_IF_ERROR(CheckReadable(from, ToExtent(moment.commit), log_name_));
  RunCollector collector(from, bytes_max);
  if (from > moment.commit.end.sequence) return std::move(collector).Take();
  std::unique_ptr<Scratch> scratch = TakeScratch();
  const absl::Status collected = Collect(moment, from, *scratch, collector);
  {
    const std::lock_guard lock(mutex_);
    scratch_ = std::move(scratch);
  }
  FrameRun run = std::move(collector).Take();
  if (!run.empty()) return run;  // damage behind it is reported by the call that asks for it
  RETURN_IF_ERROR(collected);
  return Damaged(from, absl::DataLossError("its frame is missing"));
}

absl::Status LogFile::Collect(const Moment& moment, Sequence from, Scratch& scratch, RunCollector& collector) const {
  TreeCursor cursor(moment.file, moment.meta(), TreeKind::kTable, absl::StrCat("table ", kEventsTable), moment.events);
  absl::StatusOr<bool> more = cursor.SeekFloor(from);
  for (; more.ok() && *more; more = cursor.Next()) {
    const Sequence first = cursor.key();
    if (!collector.HasRoom(cursor.node().data_bytes)) return absl::OkStatus();  // it would not fit unpacked either
    const auto stored = cursor.Value(scratch.value);
    if (!stored.ok()) return Damaged(first, stored.status());
    // A further batch is taken as a whole or not at all; otherwise the next call would unpack it again.
    if (!collector.HasRoom(BatchCodec::UnpackedBytes(*stored))) return absl::OkStatus();
    const auto frames = scratch.codec.Unpack(*stored);
    if (!frames.ok()) return Damaged(first, frames.status());
    const absl::StatusOr<bool> wanted = collector.Add(*frames);
    if (!wanted.ok()) return Damaged(first, wanted.status());
    if (!*wanted) return absl::OkStatus();
  }
  return more.ok() ? absl::OkStatus() : Damaged(from, more.status());
}

absl::StatusOr<std::optional<Snapshot>> LogFile::FindSnapshot(Sequence at_most) const {
  ASSIGN_OR_RETURN(const SharedMoment moment, Newest());
  absl::StatusOr<std::optional<Snapshot>> found = FindSnapshotAt(*moment, at_most);
  // A cache: if it is damaged, or changes during the read, the caller folds from an older snapshot.
  return absl::IsDataLoss(found.status()) ? std::optional<Snapshot>() : found;
}

absl::StatusOr<std::optional<Snapshot>> LogFile::FindSnapshotAt(const Moment& moment, Sequence at_most) const {
  TreeCursor cursor(moment.file, moment.meta(), TreeKind::kTable, absl::StrCat("table ", kSnapshotsTable),
                    moment.snapshots);
  std::vector<std::uint64_t> buffer;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, cursor.SeekFloor(at_most));
    if (!found) return std::optional<Snapshot>();
    const auto words = cursor.Value(buffer);
    if (words.ok() && words->size() > kSnapshotHeaderWords && (*words)[0] == HashBehindFirstWord(*words)) {
      const auto state = words->subspan(kSnapshotHeaderWords);
      return Snapshot{{cursor.key(), (*words)[1]}, {state.begin(), state.end()}};
    }
    if (cursor.key() == 0) return std::optional<Snapshot>();
    at_most = cursor.key() - 1;  // an older snapshot will do
  }
}

absl::Status LogFile::MakeDurable() const {
  // A file system that is mounted read-only has nothing to flush.
  if (fdatasync(file_.get()) == 0 || errno == EROFS || errno == EINVAL) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("make durable ", path_));
}

// One write, and so one flush. The bytes between the two metas are written as they are.
absl::Status LogFile::RewriteMetas() const {
  ASSIGN_OR_RETURN(const SharedMoment moment, Newest());
  std::vector<std::byte> bytes(moment->meta().page_bytes() + sizeof(Meta));
  RETURN_IF_ERROR(ReadFully(file_.get(), bytes, 0, path_));
  ASSIGN_OR_RETURN(const FileDescriptor file, OpenRegularFile(path_, O_WRONLY | O_DSYNC));
  return WriteFully(file.get(), bytes, 0, path_);
}

// Only the metas that differ are written: a good one must not be at risk of a torn write.
absl::Status LogFile::PutBackMetas(const Metas& before) const {
  const absl::StatusOr<Metas> now = ReadMetas();
  if (now.ok() && SameMetas(*now, before)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const FileDescriptor file, OpenRegularFile(path_, O_WRONLY));
  for (std::uint64_t slot = 0; slot < before.size(); ++slot) {
    const Meta& meta = before[slot].meta;
    if (now.ok() && std::memcmp(&(*now)[slot].meta, &meta, sizeof meta) == 0) continue;
    RETURN_IF_ERROR(WriteFully(file.get(), std::as_bytes(std::span(&meta, 1)), slot * meta.page_bytes(), path_));
  }
  return absl::OkStatus();
}

std::unique_ptr<LogFile::Scratch> LogFile::TakeScratch() const {
  const std::lock_guard lock(mutex_);
  return scratch_ ? std::move(scratch_) : std::make_unique<Scratch>();
}

// Adds the event and the advice to errors about damage; others pass unchanged.
absl::Status LogFile::Damaged(Sequence sequence, const absl::Status& why) const {
  if (!absl::IsDataLoss(why)) return why;
  return absl::DataLossError(
      WithDamageAdvice(absl::StrCat("event ", sequence, " of the log ", log_name_, ": ", why.message())));
}

}  // namespace foldlog
