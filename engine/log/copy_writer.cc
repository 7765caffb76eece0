#include "engine/log/copy_writer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/file_system.h"
#include "engine/base/status_macros.h"
#include "engine/log/log_files.h"

namespace foldlog {
namespace {

using Create = LogDirectoryOptions::Create;

// The first transactions are as the drain's. Later ones are longer, for each waits for two flushes: those of 8 MiB took
// two thirds of the time on a busy disk.
constexpr std::size_t kTransactionWords = (std::size_t{8} << 20) / sizeof(std::uint64_t);
constexpr std::size_t kTransactionWordsMax = 4 * kTransactionWords;

// So many events may lie behind the newest snapshot, as where the engine takes them. More than that and an opening
// takes longer; one snapshot a transaction is enough otherwise.
constexpr std::uint64_t kSnapshotIntervalEvents = 4096;

absl::StatusOr<std::unique_ptr<WriterLock>> Lock(const std::string& directory, std::chrono::milliseconds wait) {
  return WriterLock::Acquire(directory, DescribeThisProcess(NewUuid()), {.use = WriterUse::kCopy, .wait = wait});
}

bool Exists(const std::string& path) {
  struct stat info = {};
  return lstat(path.c_str(), &info) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<CopyWriter>> CopyWriter::Create(const std::string& given, const NewLog& log,
                                                               std::shared_ptr<LogIndexer> indexer) {
  const FileSizeSignalBlocked blocked;
  const std::string directory = WithoutTrailingSlashes(given);
  const bool makes_directory = !Exists(directory);
  RETURN_IF_ERROR(PrepareDirectory(directory, Create::kMustBeNew).status());
  auto lock = Lock(directory, {});
  if (!lock.ok() && makes_directory) rmdir(directory.c_str());
  RETURN_IF_ERROR(lock.status());
  std::unique_ptr<CopyWriter> copy(new CopyWriter(directory, *std::move(lock), std::move(indexer)));
  // Once more, under the lock: another process may have made one meanwhile.
  RETURN_IF_ERROR(PrepareDirectory(directory, Create::kMustBeNew).status());
  copy->is_new_ = true;
  copy->made_directory_ = makes_directory;
  RETURN_IF_ERROR(copy->BeginFiles(log));
  return copy;
}

absl::StatusOr<std::unique_ptr<CopyWriter>> CopyWriter::OpenToExtend(const std::string& given,
                                                                     std::shared_ptr<LogIndexer> indexer,
                                                                     std::chrono::milliseconds lock_wait) {
  const FileSizeSignalBlocked blocked;
  const std::string directory = WithoutTrailingSlashes(given);
  RETURN_IF_ERROR(PrepareDirectory(directory, Create::kNever).status());
  ASSIGN_OR_RETURN(auto lock, Lock(directory, lock_wait));
  std::unique_ptr<CopyWriter> copy(new CopyWriter(directory, std::move(lock), std::move(indexer)));
  RETURN_IF_ERROR(copy->OpenFiles());
  return copy;
}

CopyWriter::~CopyWriter() {
  if (finished_) return;
  store_.reset();
  if (is_new_) RemoveFiles();
}

// Only what this creation made, and what a killed one would have left.
void CopyWriter::RemoveFiles() const {
  for (const char* name : {"/log.mdb.new", "/tail.new", "/tail"}) unlink((directory_ + name).c_str());
  if (!made_directory_) return;
  unlink((directory_ + "/writer.lock").c_str());
  rmdir(directory_.c_str());
}

// As OpenLogForWriting() creates a log: tail and entries are durable before log.mdb gets its name.
absl::Status CopyWriter::BeginFiles(const NewLog& log) {
  RETURN_IF_ERROR(TailFile::Create(directory_, log.log_id, log.tail_bytes));
  RETURN_IF_ERROR(SyncDirectory(directory_));
  ASSIGN_OR_RETURN(
      const std::string path,
      foldlog::Store::Begin(
          directory_, {.log_id = log.log_id, .base = log.base, .restoration = log.restoration, .past = log.past}));
  ASSIGN_OR_RETURN(std::unique_ptr<LogFile> file, LogFile::Open(path, directory_));
  ASSIGN_OR_RETURN(store_, foldlog::Store::Open(std::move(file), directory_, indexer_));
  base_ = stored_ = end_ = log.base;
  snapshot_at_ = log.base.sequence;
  return absl::OkStatus();
}

absl::Status CopyWriter::OpenFiles() {
  RETURN_IF_ERROR(SyncDirectory(directory_));
  ASSIGN_OR_RETURN(std::unique_ptr<LogFile> file, OpenLogFile(directory_));
  ASSIGN_OR_RETURN(tail_, OpenTail(directory_, file->log_id(), TailFile::Access::kWrite));
  ASSIGN_OR_RETURN(store_, foldlog::Store::Open(std::move(file), directory_, indexer_));
  ASSIGN_OR_RETURN(const RecoveredLog recovered,
                   Recover({.file = store_->file(),
                            .tail = *tail_,
                            .durable_by_shared = TailShared::OpenForReading(directory_).durable(*tail_),
                            .previous = lock_->previous(),
                            .self = lock_->self(),
                            .is_new = false,
                            .accept_loss = false}));
  RETURN_IF_ERROR(lock_->NoteRecovery(recovered.report));
  base_ = recovered.base;
  stored_ = recovered.stored.chain;
  tail_position_ = recovered.stored.position;
  if (recovered.found.end != recovered.stored) tail_end_ = recovered.found.end;
  end_ = recovered.found.end.chain;
  durable_ = recovered.durable;
  ASSIGN_OR_RETURN(const std::optional<Snapshot> snapshot, store_->file().FindSnapshot(stored_.sequence));
  snapshot_at_ = snapshot ? snapshot->at.sequence : base_.sequence;
  return absl::OkStatus();
}

absl::Status CopyWriter::PrepareToExtend() {
  if (is_new_ || watched_) return absl::OkStatus();
  ASSIGN_OR_RETURN(watched_, WatchedFiles::In(directory_));
  ASSIGN_OR_RETURN(shared_, TailShared::OpenForWriting(directory_, *tail_, durable_));
  return MoveTail();
}

// Frames that another writer has left in the tail come before all that is appended here.
absl::Status CopyWriter::MoveTail() {
  if (!tail_end_) return absl::OkStatus();
  RingCursor cursor(tail_->ring(), {tail_position_, stored_});
  while (cursor.at() != *tail_end_) {
    FrameRun run{.words = {}, .before = cursor.at().chain, .after = cursor.at().chain};
    while (cursor.at() != *tail_end_ && run.words.size() < kTransactionWords) {
      const std::optional<FrameView> frame = cursor.NextOfChain();
      if (!frame) return absl::DataLossError(absl::StrCat(tail_->path(), " was changed by somebody else"));
      const auto words = cursor.Words().first(frame->size_words());
      run.words.insert(run.words.end(), words.begin(), words.end());
      cursor.StepOver(*frame);
      run.after = cursor.at().chain;
    }
    RETURN_IF_ERROR(Store(SpanOf(run), cursor.at().position));
  }
  tail_end_.reset();
  return absl::OkStatus();
}

absl::Status CopyWriter::Append(const FrameSpan& frames) {
  RETURN_IF_ERROR(CheckStartsAt(frames, end_, directory_));
  Sequence damaged = 0;
  RETURN_IF_ERROR(WalkChain(frames, [&](const FrameView& frame) {
    if (damaged == 0 && !IsIntact(frame)) damaged = frame.header.sequence;
  }));
  if (damaged != 0)
    return absl::InvalidArgumentError(absl::StrCat("event ", damaged, " of those to append is damaged"));
  end_ = frames.after;
  pending_.insert(pending_.end(), frames.words.begin(), frames.words.end());
  const std::size_t enough = std::clamp(words_stored_, kTransactionWords, kTransactionWordsMax);
  return pending_.size() < enough ? absl::OkStatus() : Flush();
}

absl::Status CopyWriter::Flush() {
  if (pending_.empty()) return absl::OkStatus();
  const FileSizeSignalBlocked blocked;
  RETURN_IF_ERROR(PrepareToExtend());
  RETURN_IF_ERROR(Store({pending_, stored_, end_}, tail_position_));
  pending_.clear();
  return absl::OkStatus();
}

// The snapshot is of what was stored before: the fold of these frames is known only behind their transaction.
absl::Status CopyWriter::Store(const FrameSpan& frames, std::uint64_t tail_position) {
  Snapshot snapshot{.at = stored_, .words = {}};
  const bool is_due = stored_.sequence - snapshot_at_ >= kSnapshotIntervalEvents && indexer_ != nullptr;
  const bool has_snapshot = is_due && indexer_->EncodeFold(snapshot.words);
  const std::span<const Snapshot> snapshots(&snapshot, has_snapshot ? 1 : 0);
  RETURN_IF_ERROR(store_->Append({frames, tail_position, snapshots}));
  if (has_snapshot) snapshot_at_ = snapshot.at.sequence;
  stored_ = frames.after;
  words_stored_ += frames.words.size();
  tail_position_ = tail_position;
  if (is_new_) return absl::OkStatus();
  RETURN_IF_ERROR(watched_->Check());
  durable_ = std::max(durable_, stored_.sequence);
  shared_->SetDurable(durable_);
  shared_->Wake();
  return absl::OkStatus();
}

absl::Status CopyWriter::Finish() {
  const FileSizeSignalBlocked blocked;
  RETURN_IF_ERROR(Flush());
  if (stored_.sequence - snapshot_at_ >= kSnapshotIntervalEvents && (is_new_ || watched_)) {
    RETURN_IF_ERROR(Store({{}, stored_, stored_}, tail_position_));
  }
  store_.reset();  // before the lock: the next writer must be alone with LMDB's file
  if (is_new_) {
    RETURN_IF_ERROR(foldlog::Store::Publish(directory_));
    finished_ = true;
    RETURN_IF_ERROR(SyncDirectory(directory_));
    RETURN_IF_ERROR(SyncEntryOf(directory_));
  }
  finished_ = true;
  RETURN_IF_ERROR(lock_->MarkCleanClose());
  lock_.reset();
  return absl::OkStatus();
}

}  // namespace foldlog
