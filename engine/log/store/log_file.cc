#include "engine/log/store/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
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
#include "engine/base/text.h"
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

constexpr std::uint64_t kBlockBytes = 512;  // of stat()

// The head of a stored snapshot; the encoded state follows. FORMAT.md has the table.
struct SnapshotHeader {
  std::uint64_t hash;  // XXH3-64 of all that follows
  std::uint64_t event_hash;
};
static_assert(sizeof(SnapshotHeader) == 16);
constexpr std::size_t kSnapshotHeaderWords = sizeof(SnapshotHeader) / sizeof(std::uint64_t);

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
    absl::StatusOr<FileMoment> moment = LoadFileMoment(file, metas);
    if (moment.ok()) {
      auto shared = std::make_shared<const FileMoment>(*std::move(moment));
      const std::lock_guard lock(mutex_);
      return newest_ = std::move(shared);
    }
    // Apparent damage may be a commit that went on meanwhile; it is real if the metas are still the same.
    ASSIGN_OR_RETURN(const Metas now, ReadMetas());
    if (SameMetas(now, metas) || attempt == kAttemptsMax) return moment.status();
  }
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
  // Of the batch that the base lies in, what is behind that. All batches of a log without events are about to go.
  const Sequence first = any ? std::max(cursor.key(), commit.base.sequence + 1) : 0;
  if (commit.end == commit.base && first == commit.end.sequence + 1) return absl::OkStatus();
  if (any && first <= commit.end.sequence) {
    FrameRun run;
    RETURN_IF_ERROR(ReadAt(*moment, first, std::numeric_limits<std::size_t>::max(), run));
    if (FindEnd(run).ok() && run.before.sequence + 1 == first && run.after == commit.end) {
      return absl::OkStatus();
    }
  }
  return moment->file.Damaged("the last batch is that of event ", first, ", and does not end with event ",
                              commit.end.sequence, ", as the commit record does");
}

// Whether the writer may have reused pages of that moment by now.
bool LogFile::HasMovedOn(const FileMoment& moment) const {
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
absl::Status LogFile::ReadInto(Sequence from, std::size_t bytes_max, FrameRun& run) const {
  SharedMoment moment = Seen();
  for (int attempt = 1; attempt <= kAttemptsMax; ++attempt) {
    if (attempt > 1 || from > moment->commit.end.sequence) {
      ASSIGN_OR_RETURN(moment, Newest());
    }
    const absl::Status read = ReadAt(*moment, from, bytes_max, run);
    if (!HasMovedOn(*moment) || (read.ok() && IsChain(run))) return read;
  }
  return TooFast();
}

absl::Status LogFile::TooFast() const {
  return absl::UnavailableError(
      absl::StrCat("the writer of the log ", log_name_, " is faster than this reader; try again"));
}

absl::StatusOr<FrameRun> LogFile::Read(Sequence from, std::size_t bytes_max) const {
  FrameRun run;
  RETURN_IF_ERROR(ReadInto(from, bytes_max, run));
  if (const absl::Status found = FindEnd(run); !found.ok()) return Damaged(from, found);
  return run;
}

// The scratch memory is taken out of the object, so that another thread's read makes its own.
absl::Status LogFile::ReadAt(const FileMoment& moment, Sequence from, std::size_t bytes_max, FrameRun& run) const {
  RunCollector collector(from, bytes_max, std::exchange(run, {}));
  RETURN_IF_ERROR(CheckIsThere(moment, from));
  if (from > moment.commit.end.sequence) {
    run = std::move(collector).Take();
    return absl::OkStatus();
  }
  std::unique_ptr<Scratch> scratch = TakeScratch();
  const absl::Status collected = Collect(moment, from, *scratch, collector);
  {
    const std::lock_guard lock(mutex_);
    scratch_ = std::move(scratch);
  }
  run = std::move(collector).Take();
  if (!run.empty()) return absl::OkStatus();  // damage behind it is reported by the call that asks for it
  RETURN_IF_ERROR(collected);
  return Damaged(from, absl::DataLossError("its frame is missing"));
}

// Who asks for events that were pruned is told when they were.
absl::Status LogFile::CheckIsThere(const FileMoment& moment, Sequence from) const {
  const LogExtent extent = ToExtent(moment.commit);
  if (from == 0 || from > extent.base.sequence) return CheckReadable(from, extent, log_name_);
  const absl::StatusOr<std::vector<PrunedRange>> ranges = ReadPrunedAt(moment);
  return WasPruned(from, extent, ranges.ok() ? *ranges : std::vector<PrunedRange>(), log_name_);
}

absl::Status LogFile::Collect(const FileMoment& moment, Sequence from, Scratch& scratch,
                              RunCollector& collector) const {
  TreeCursor cursor(moment.file, moment.meta(), TreeKind::kTable, absl::StrCat("table ", kEventsTable), moment.events);
  absl::StatusOr<bool> more = cursor.SeekFloor(from);
  for (; more.ok() && *more; more = cursor.Next()) {
    const Sequence first = cursor.key();
    // Unpacked it is larger still, and most batches are as long as they may be: one that is unlikely to fit is not
    // read.
    if (!collector.HasRoom(std::max<std::size_t>(cursor.node().data_bytes, kBatchBytesMax / 2))) {
      return absl::OkStatus();
    }
    const auto stored = cursor.Value(scratch.value);
    if (!stored.ok()) return Damaged(first, stored.status());
    // A further batch is taken as a whole or not at all; otherwise the next call would unpack it again.
    const std::size_t bytes = BatchCodec::UnpackedBytes(*stored);
    if (!collector.HasRoom(bytes)) return absl::OkStatus();
    if (bytes <= kBatchBytesMax && collector.WantsAll(first, bytes)) {
      const std::span<std::uint64_t> room = collector.Room(bytes / sizeof(std::uint64_t));
      if (const absl::Status unpacked = BatchCodec::UnpackInto(*stored, room); !unpacked.ok()) {
        return Damaged(first, unpacked);
      }
      const std::optional<FrameView> frame = FrameAtStartOf(room);
      if (frame && frame->header.sequence != first) return Damaged(first, absl::DataLossError("its frame is missing"));
      collector.AddRoom(room.size());
      continue;
    }
    const auto frames = scratch.codec.Unpack(*stored);
    if (!frames.ok()) return Damaged(first, frames.status());
    const absl::StatusOr<bool> wanted = collector.Add(*frames);
    if (!wanted.ok()) return Damaged(first, wanted.status());
    if (!*wanted) return absl::OkStatus();
  }
  return more.ok() ? absl::OkStatus() : Damaged(from, more.status());
}

absl::StatusOr<FrameRun> LogFile::ReadBatch(const ChainEnd& behind) const {
  ASSIGN_OR_RETURN(const SharedMoment moment, Newest());
  const Sequence first = behind.sequence + 1;
  TreeCursor cursor(moment->file, moment->meta(), TreeKind::kTable, absl::StrCat("table ", kEventsTable),
                    moment->events);
  ASSIGN_OR_RETURN(const bool found, cursor.SeekFloor(first));
  const bool begins = found && (cursor.key() == first || behind == moment->commit.base);
  if (!begins) return Damaged(first, absl::DataLossError("no batch begins with it"));
  Scratch scratch;
  RunCollector collector(first, std::numeric_limits<std::size_t>::max());
  ASSIGN_OR_RETURN(const auto stored, cursor.Value(scratch.value));
  ASSIGN_OR_RETURN(const auto frames, scratch.codec.Unpack(stored));
  RETURN_IF_ERROR(collector.Add(frames).status());
  FrameRun batch = std::move(collector).Take();
  if (!FindEnd(batch).ok() || batch.before != behind || !IsChain(batch)) {
    return Damaged(first, absl::DataLossError("the batch that begins with it is damaged"));
  }
  return batch;
}

// The table is a cache: if it is damaged, or changes during the read, the caller folds from an older snapshot.
absl::StatusOr<std::optional<Snapshot>> LogFile::FindSnapshot(Sequence at_most) const {
  ASSIGN_OR_RETURN(const SharedMoment moment, Newest());
  absl::StatusOr<std::optional<Snapshot>> found = FindSnapshotAt(*moment, at_most);
  if (absl::IsDataLoss(found.status())) found = std::optional<Snapshot>();
  if (!found.ok() || found->has_value() || at_most < moment->commit.base.sequence) return found;
  return ReadBase();
}

absl::StatusOr<std::optional<Snapshot>> LogFile::FindSnapshotAt(const FileMoment& moment, Sequence at_most) const {
  TreeCursor cursor(moment.file, moment.meta(), TreeKind::kTable, absl::StrCat("table ", kSnapshotsTable),
                    moment.caches[kSnapshotsCache]);
  std::vector<std::uint64_t> buffer;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, cursor.SeekFloor(at_most));
    if (!found || cursor.key() < moment.commit.base.sequence) return std::optional<Snapshot>();
    const auto words = cursor.Value(buffer);
    if (words.ok() && words->size() > kSnapshotHeaderWords && (*words)[0] == HashBehindFirstWord(*words)) {
      const auto state = words->subspan(kSnapshotHeaderWords);
      return Snapshot{{cursor.key(), (*words)[1]}, {state.begin(), state.end()}};
    }
    if (cursor.key() == 0) return std::optional<Snapshot>();
    at_most = cursor.key() - 1;  // an older snapshot will do
  }
}

// What has a hash may be good and of another place, if the writer used its page again: so the moment must not have
// passed.
template <typename Look>
auto LogFile::AtOneMoment(const Look& look) const -> decltype(look(std::declval<const FileMoment&>())) {
  for (int attempt = 1; attempt <= kAttemptsMax; ++attempt) {
    ASSIGN_OR_RETURN(const SharedMoment moment, Newest());
    auto result = look(*moment);
    if (!HasMovedOn(*moment)) return result;
  }
  return TooFast();
}

absl::StatusOr<std::vector<IndexRow>> LogFile::ReadIndex(IndexTable table, Sequence from, EventLog::IndexOrder order,
                                                         std::size_t rows_max) const {
  return AtOneMoment([&](const FileMoment& moment) { return ReadIndexAt(moment, table, from, order, rows_max); });
}

absl::StatusOr<std::optional<Restoration>> LogFile::ReadRestoration() const {
  return AtOneMoment([](const FileMoment& moment) { return LoadRestoration(moment); });
}

absl::StatusOr<std::vector<PrunedRange>> LogFile::ReadPruned() const {
  return AtOneMoment([](const FileMoment& moment) { return ReadPrunedAt(moment); });
}

absl::StatusOr<std::optional<Snapshot>> LogFile::ReadBase() const {
  return AtOneMoment([](const FileMoment& moment) { return ReadBaseState(moment); });
}

absl::StatusOr<std::vector<StoredBatch>> LogFile::ReadBatches(Sequence from, std::size_t batches_max) const {
  return AtOneMoment([&](const FileMoment& moment) { return ReadBatchesAt(moment, from, batches_max); });
}

absl::StatusOr<DeadBatches> LogFile::FindDead(Sequence base, std::size_t batches_max) const {
  return AtOneMoment([&](const FileMoment& moment) { return FindDeadBatches(moment, base, batches_max); });
}

absl::StatusOr<std::string> LogFile::ReadPolicy() const {
  return AtOneMoment([](const FileMoment& moment) { return ReadPolicyAt(moment); });
}

absl::StatusOr<LogSpace> LogFile::ReadSpace() const {
  ASSIGN_OR_RETURN(LogSpace space, AtOneMoment([](const FileMoment& moment) { return ReadSpaceAt(moment); }));
  struct stat info = {};
  if (fstat(file_.get(), &info) != 0) return ErrnoStatus(errno, absl::StrCat("inspect ", path_));
  space.file_bytes = static_cast<std::uint64_t>(info.st_size);
  space.disk_bytes = static_cast<std::uint64_t>(info.st_blocks) * kBlockBytes;
  return space;
}

absl::StatusOr<LogSpace> ReadSpaceOf(const LogFile& file, const std::string& directory) {
  ASSIGN_OR_RETURN(LogSpace space, file.ReadSpace());
  for (const char* name : {"/tail", "/snapshots", "/tail-shm", "/writer.lock"}) {
    struct stat info = {};
    if (stat((directory + name).c_str(), &info) == 0) {
      space.other_bytes += static_cast<std::uint64_t>(info.st_blocks) * kBlockBytes;
    }
  }
  return space;
}

absl::Status LogFile::PunchUnusedPages() const {
  ASSIGN_OR_RETURN(const SharedMoment moment, Newest());
  ASSIGN_OR_RETURN(const std::vector<PageRun> runs, FindUnusedPages(*moment));
  ASSIGN_OR_RETURN(const FileDescriptor file, OpenRegularFile(path_, O_RDWR));
  const std::uint64_t page_bytes = moment->meta().page_bytes();
  for (const PageRun& run : runs) {
    RETURN_IF_ERROR(PunchHole(file.get(), run.first * page_bytes, run.count * page_bytes, path_));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<IndexRow>> LogFile::ReadIndexAt(const FileMoment& moment, IndexTable table, Sequence from,
                                                           EventLog::IndexOrder order, std::size_t rows_max) const {
  const std::size_t cache = table == IndexTable::kBatches ? kBatchesCache : kOperationsCache;
  TreeCursor cursor(moment.file, moment.meta(), TreeKind::kTable, absl::StrCat("table ", ToAbsl(kCacheTables[cache])),
                    moment.caches[cache]);
  const bool rising = order == EventLog::IndexOrder::kRising;
  std::vector<IndexRow> rows;
  std::vector<std::uint64_t> buffer;
  ASSIGN_OR_RETURN(bool more, cursor.SeekFloor(from));
  if (!more && rising) {
    ASSIGN_OR_RETURN(more, cursor.First());
  }
  while (more && rows.size() < rows_max) {
    ASSIGN_OR_RETURN(const auto words, cursor.Value(buffer));
    rows.push_back({cursor.key(), {words.begin(), words.end()}});
    ASSIGN_OR_RETURN(more, rising ? cursor.Next() : cursor.Previous());
  }
  return rows;
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
