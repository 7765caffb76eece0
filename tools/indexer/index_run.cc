// See index_run.h.

#include "tools/indexer/index_run.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "tools/indexer/paths.h"

namespace foldlog::indexer {
namespace {

// However few or large the files, so much work at most is lost to a kill.
constexpr std::chrono::seconds kBatchTime{1};
constexpr std::int64_t kBatchBytes = std::int64_t{1} << 30;

// A skipped file costs two lookups instead of a read: a batch of nothing else may hold this many times more of them
// before a flush to the disk is worth it.
constexpr std::int64_t kSkipsForOneRead = 20;

// Of a machine's mount points that were left out, so many are named.
constexpr std::size_t kLeftOutMax = 20;

// How often progress is shown within a file.
constexpr std::chrono::milliseconds kShowInterval{100};

std::string Text(std::string_view bytes) { return std::string(bytes); }

std::int64_t Nanoseconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

// A path that is longer is not told to the log, which takes 4 MiB an event: the catalog has it.
constexpr std::size_t kPathInLogBytesMax = std::size_t{64} << 10;

FileError ForLog(const FileError& error) {
  if (error.path.size() <= kPathInLogBytesMax) return error;
  return {.path = error.path.substr(0, kPathInLogBytesMax),
          .message = absl::StrCat(error.message, " (the path is ", error.path.size(), " bytes long and was cut)")};
}

// The row as the log tells it: the errors first, so that a reader who sees the progress has seen them.
std::vector<Checkpoint> CheckpointsFor(const RunRow& row, const std::string& last_file_before) {
  std::vector<Checkpoint> checkpoints;
  for (const FileError& error : row.errors) {
    Checkpoint checkpoint;
    checkpoint.files_processed = row.counters.files;
    checkpoint.error = ForLog(error);
    checkpoints.push_back(std::move(checkpoint));
  }
  Checkpoint progress;
  progress.files_processed = row.counters.files;
  progress.batch_num = row.batch_num;
  if (row.last_file != last_file_before && row.last_file.size() <= kPathInLogBytesMax) {
    progress.current_path = Text(DirectoryOf(row.last_file));
    progress.last_processed_file = row.last_file;
  }
  checkpoints.push_back(std::move(progress));
  return checkpoints;
}

bool IsAsRecorded(const WalkEntry& entry, const FileRow& row) {
  struct stat facts {};
  if (fstatat(entry.directory_fd, entry.name, &facts, AT_SYMLINK_NOFOLLOW) != 0) return false;
  return S_ISREG(facts.st_mode) && FactsOf(facts) == row.facts;
}

}  // namespace

IndexRun::IndexRun(RunContext context) : context_(std::move(context)) {
  committed_.operation_id = context_.handle.operation_id;
  batch_.run = committed_;
}

absl::StatusOr<bool> IndexRun::CatchUp() {
  const State state = context_.engine.state();
  if (!state.operation || state.operation->operation_id != context_.handle.operation_id) {
    return absl::AbortedError(absl::StrCat("operation ", context_.handle.operation_id,
                                           " is no longer on the log's row: somebody else took it off; stop"));
  }
  const Operation& operation = *state.operation;
  files_total_ = operation.total_files;
  durable_batch_ = operation.batch_num;  // it stands before the start or resumption, which is always synced
  ASSIGN_OR_RETURN(std::vector<RunRow> rows, context_.catalog.LoadRuns(operation.operation_id, operation.batch_num));
  const bool claims_hold = operation.batch_num == 0 ||  // nothing was claimed yet
                           (!rows.empty() && rows.front().batch_num == operation.batch_num);
  if (!claims_hold) {
    RETURN_IF_ERROR(StartOver(operation));
    return false;
  }
  for (RunRow& row : rows) {
    if (row.batch_num > operation.batch_num) {
      if (row.batch_num != committed_.batch_num + 1) break;  // what follows a gap follows from nothing
      RETURN_IF_ERROR(Claim(row));
    }
    committed_ = std::move(row);
  }
  committed_.errors.clear();
  batch_.run = committed_;
  session_files_start_ = committed_.counters.files;
  session_elapsed_start_ns_ = committed_.elapsed_ns;
  return true;
}

absl::Status IndexRun::StartOver(const Operation& operation) {
  // Rows of other batches, as an old copy of the catalog would have them, must not be taken for this one's later on.
  RETURN_IF_ERROR(context_.catalog.ForgetRuns(operation.operation_id));
  committed_.batch_num = operation.batch_num;
  committed_.last_file = operation.last_processed_file.value_or("");
  NoteProblem(context_.job.catalog_path, absl::StrCat("the catalog does not hold batch ", operation.batch_num,
                                                      ", which the log claims: it was "
                                                      "deleted or replaced. All files are visited again"));
  return Commit();
}

absl::StatusOr<bool> IndexRun::Run() {
  RETURN_IF_ERROR(LoadPlaces());
  ASSIGN_OR_RETURN(last_directory_id_, context_.catalog.tree().LastDirectoryId(batch_.run.operation_id));
  if (committed_.phase == RunPhase::kWalk) {
    RETURN_IF_ERROR(Walk());
  } else {
    BeginSweep();
  }
  if (!Stopped()) RETURN_IF_ERROR(Sweep());
  if (!Stopped()) RETURN_IF_ERROR(LookAgain());
  if (!Stopped()) RETURN_IF_ERROR(ConcludePlaces());
  const bool finished = !Stopped();
  RETURN_IF_ERROR(Commit());
  return finished;
}

absl::Status IndexRun::Walk() {
  TreeWalk walk({.roots = context_.job.roots,
                 .after = committed_.last_file,
                 .exclusions = context_.exclusions,
                 .one_file_system = context_.job.one_file_system,
                 .pseudo_file_systems = context_.job.pseudo_file_systems,
                 .directories = true,
                 .stop = &context_.stop});
  while (const std::optional<WalkEntry> entry = walk.Next()) {
    RETURN_IF_ERROR(VisitEntry(*entry));
    if (BatchIsFull()) RETURN_IF_ERROR(Commit());
  }
  if (Stopped()) return absl::OkStatus();
  for (FileError& error : directory_errors_) NoteError(error.path, error.message);
  directory_errors_.clear();
  batch_.run.phase = RunPhase::kSweep;
  BeginSweep();
  return absl::OkStatus();
}

absl::Status IndexRun::VisitEntry(const WalkEntry& entry) {
  switch (entry.kind) {
    case WalkEntry::Kind::kFile:
      return VisitFile(entry);
    case WalkEntry::Kind::kUnreadableDirectory:
      if (entry.entered) RETURN_IF_ERROR(RecordDirectory(entry));
      return NoteUnreadableDirectory(entry);
    case WalkEntry::Kind::kLeftOut:
      NoteLeftOut(entry);
      return absl::OkStatus();
    case WalkEntry::Kind::kDirectory:
      NotePlace(entry);
      return RecordDirectory(entry);
  }
  return absl::OkStatus();
}

// One that the walk enters.
absl::Status IndexRun::RecordDirectory(const WalkEntry& entry) {
  directory_ids_.resize(entry.depth);
  const bool is_root = entry.depth == 0;
  const std::string_view name = is_root ? entry.path : entry.path.substr(entry.path.rfind('/') + 1);
  ASSIGN_OR_RETURN(DirectoryRecord record, RecordOf(is_root ? 0 : directory_ids_.back(), name, entry));
  directory_ids_.push_back(record.id);
  batch_.directories.push_back(std::move(record));
  return absl::OkStatus();
}

// A directory keeps its id as long as there is one of its name where it is.
absl::StatusOr<DirectoryRecord> IndexRun::RecordOf(std::int64_t parent, std::string_view name, const WalkEntry& entry) {
  ASSIGN_OR_RETURN(const std::optional<DirectoryRecord> known,
                   context_.catalog.tree().FindDirectory(batch_.run.operation_id, parent, name));
  DirectoryRecord record{.id = known ? known->id : ++last_directory_id_, .parent = parent, .name = Text(name)};
  if (entry.partial) return record;  // which does not replace the one there is
  record.version = entry.facts.version;
  record.listed_at_ns = entry.listed_at_ns;
  return record;
}

absl::Status IndexRun::VisitFile(const WalkEntry& entry) {
  ASSIGN_OR_RETURN(const std::optional<FileRow> row, context_.catalog.Find(entry.path));
  if (context_.job.type == OperationType::kIncremental && row && IsAsRecorded(entry, *row)) {
    ++batch_.run.counters.skipped;
    FinishFile(entry.path);
    return absl::OkStatus();
  }
  const absl::StatusOr<HashedFile> file = Hash(entry);
  if (absl::IsCancelled(file.status())) return absl::OkStatus();  // abandoned: it has its turn when resumed
  if (absl::IsResourceExhausted(file.status())) return file.status();
  if (file.ok()) {
    NoteContent(entry.path, row, *file);
  } else {
    NoteError(entry.path, std::string(file.status().message()));
  }
  FinishFile(entry.path);
  return absl::OkStatus();
}

absl::StatusOr<HashedFile> IndexRun::Hash(const WalkEntry& entry) {
  absl::StatusOr<HashedFile> file = hasher_.Hash(entry.directory_fd, entry.name, [&](std::int64_t bytes_read) {
    if (bytes_read > 0 && Clock::now() - shown_at_ >= kShowInterval) {
      ShowProgress(Progress::Stage::kIndexing, entry.path, bytes_read);
    }
    return !Stopped();
  });
  if (!absl::IsResourceExhausted(file.status())) return file;
  return absl::ResourceExhaustedError(absl::StrCat(Quoted(entry.path), ": ", file.status().message()));
}

void IndexRun::NoteContent(std::string_view path, const std::optional<FileRow>& row, const HashedFile& file) {
  RunCounters& counters = batch_.run.counters;
  ++counters.hashed;
  counters.bytes_hashed += file.facts.size;
  FileRow found{.facts = file.facts, .xxh3 = file.xxh3};
  if (row == found) return;
  const bool recovery = context_.job.type == OperationType::kRecovery;
  const bool facts_equal = row && row->facts == found.facts;
  std::int64_t& counter = recovery ? (!row          ? counters.missing
                                      : facts_equal ? counters.differing
                                                    : counters.changed)
                                   : (row ? counters.changed : counters.added);
  ++counter;
  if (recovery) {
    const std::string what = !row          ? "is missing from the catalog; added"
                             : facts_equal ? absl::StrCat("differs: the catalog has ", row->xxh3, ", the file is ",
                                                          found.xxh3, " of the same size and time; corrected")
                                           : "has changed since the catalog was written; updated";
    context_.sink.Report(absl::StrCat(Quoted(path), " ", what));
  }
  batch_.files.push_back({.path = Text(path), .row = std::move(found)});
}

absl::Status IndexRun::NoteUnreadableDirectory(const WalkEntry& entry) {
  const std::string message = absl::StrCat("cannot read directory: ", ErrnoText(entry.error));
  if (entry.error == EMFILE || entry.error == ENFILE || entry.error == ENOMEM) {
    return absl::ResourceExhaustedError(absl::StrCat(Quoted(entry.path), ": ", message));
  }
  const std::vector<std::string>& roots = context_.job.roots;
  const bool accepted = context_.accept_removed && entry.error == ENOENT &&
                        std::find(roots.begin(), roots.end(), entry.path) != roots.end();
  if (!accepted) directory_errors_.push_back({.path = Text(entry.path), .message = message});
  return absl::OkStatus();
}

void IndexRun::NoteError(std::string_view path, const std::string& message) {
  ++batch_.run.counters.errors;
  NoteProblem(Text(path), message);
}

// For what may be met more than once in an operation. What the current batch holds was not met before: each stage and
// each pass begins with a commit.
absl::Status IndexRun::NoteErrorOnce(std::string_view path, const std::string& message) {
  ASSIGN_OR_RETURN(const bool known, context_.catalog.HasError(batch_.run.operation_id, {Text(path), message}));
  if (!known) NoteError(path, message);
  return absl::OkStatus();
}

void IndexRun::NoteLeftOut(const WalkEntry& entry) {
  if (left_out_.size() < kLeftOutMax) left_out_.push_back(absl::StrCat(Quoted(entry.path), " (", entry.reason, ")"));
}

void IndexRun::NoteProblem(const std::string& path, const std::string& message) {
  batch_.run.errors.push_back({.path = path, .message = message});
}

void IndexRun::FinishFile(std::string_view path) {
  for (FileError& error : directory_errors_) NoteError(error.path, error.message);
  directory_errors_.clear();
  ++batch_.run.counters.files;
  batch_.run.last_file = path;
  ShowProgress(Progress::Stage::kIndexing, path);
}

bool IndexRun::BatchIsFull() const {
  const RunCounters& now = batch_.run.counters;
  const RunCounters& then = committed_.counters;
  const std::int64_t skipped = now.skipped - then.skipped;
  const std::int64_t work = now.files - then.files - skipped + skipped / kSkipsForOneRead + now.removed - then.removed;
  return work >= context_.batch_files || now.bytes_hashed - then.bytes_hashed >= kBatchBytes ||
         Clock::now() - batch_start_ >= kBatchTime;
}

absl::Status IndexRun::Commit() {
  const Clock::time_point now = Clock::now();
  batch_start_ = now;
  const bool tree_only = batch_.run == committed_;
  const bool nothing = batch_.directories.empty() && batch_.forgotten_directories.empty() && batch_.places.empty() &&
                       batch_.forgotten_places.empty();
  if (tree_only && nothing) return absl::OkStatus();
  if (!tree_only) {
    batch_.run.batch_num = committed_.batch_num + 1;
    batch_.run.elapsed_ns = session_elapsed_start_ns_ + Nanoseconds(now - session_start_);
  }
  batch_.forget_runs_before = ForgettableBefore();
  RETURN_IF_ERROR(context_.catalog.Commit(batch_));
  if (!tree_only) RETURN_IF_ERROR(Claim(batch_.run));  // what is remembered of directories is no progress
  ClearBatch();
  return absl::OkStatus();
}

void IndexRun::ClearBatch() {
  batch_.files.clear();
  batch_.removed.clear();
  batch_.directories.clear();
  batch_.forgotten_directories.clear();
  batch_.places.clear();
  batch_.forgotten_places.clear();
  batch_.run.errors.clear();
  committed_ = batch_.run;
}

absl::Status IndexRun::Claim(const RunRow& row) {
  RETURN_IF_ERROR(context_.engine.Checkpoint(context_.handle, CheckpointsFor(row, committed_.last_file),
                                             Durability::kInterval, Decrease::kAllowed));
  claimed_.push_back({.batch_num = row.batch_num, .sequence = context_.engine.state().sequence});
  return absl::OkStatus();
}

// After a power cut the log may end before what it has now, but not before what is durable. The rows from there on are
// what it would be brought up from.
std::int64_t IndexRun::ForgettableBefore() {
  const Sequence durable_through = context_.engine.durable_through();
  while (!claimed_.empty() && claimed_.front().sequence <= durable_through) {
    durable_batch_ = claimed_.front().batch_num;
    claimed_.pop_front();
  }
  return durable_batch_;
}

double IndexRun::duration_s() const { return static_cast<double>(context_.engine.active_ns()) / 1e9; }

void IndexRun::ShowProgress(Progress::Stage stage, std::string_view path, std::int64_t bytes_in_file) {
  shown_at_ = Clock::now();
  const RunCounters& counters = batch_.run.counters;
  const double session_s = std::chrono::duration<double>(shown_at_ - session_start_).count();
  const double session_files = static_cast<double>(counters.files - session_files_start_);
  context_.sink.Update({.stage = stage,
                        .files_done = counters.files,
                        .files_total = files_total_,
                        .bytes_hashed = counters.bytes_hashed + bytes_in_file,
                        .errors = counters.errors,
                        .current_path = path,
                        .files_per_s = session_s > 0 ? session_files / session_s : 0.0});
}

}  // namespace foldlog::indexer
