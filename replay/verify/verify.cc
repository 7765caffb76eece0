#include "foldlog/verify.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/file_system.h"
#include "engine/base/status_macros.h"
#include "engine/log/store/lmdb/map_bytes.h"
#include "engine/log/store/log_file.h"
#include "engine/log/store/moment.h"
#include "engine/log/store/snapshot_cache.h"
#include "engine/log/store/stored_log.h"
#include "foldlog/log_directory.h"
#include "replay/processors.h"
#include "replay/verify/base_check.h"
#include "replay/verify/batch_check.h"
#include "replay/verify/chain_check.h"
#include "replay/verify/derived_check.h"
#include "replay/verify/findings.h"
#include "replay/verify/part_check.h"
#include "replay/verify/store_survey.h"
#include "replay/verify/tail_check.h"

namespace foldlog {
namespace {

using verify::Findings;
using verify::SnapshotPlace;
using verify::StoreSource;
using verify::StoreSurvey;

constexpr int kLooksMax = 50;
constexpr std::chrono::milliseconds kLookDelay{2};

// The calls that look at a log, one after the other, and what they find.
class Verification {
 public:
  Verification(std::string directory, const VerifyOptions& options) : options_(options) {
    source_.log = std::move(directory);
    source_.path = PathOfLogFile(source_.log);
  }

  absl::StatusOr<VerifyReport> Run(const std::function<void(const VerifyProgress&)>& progress) {
    ASSIGN_OR_RETURN(const bool there, IsThere());
    if (!there) return std::move(report_);
    ASSIGN_OR_RETURN(const FileDescriptor file, OpenRegularFile(source_.path, O_RDONLY));
    source_.fd = file.get();
    const bool full = options_.depth == VerifyOptions::Depth::kFull;
    ASSIGN_OR_RETURN(survey_, verify::SurveyStore(file.get(), source_.path, source_.log,
                                                  full ? LmdbDepth::kAll : LmdbDepth::kBranches));
    source_.survey = &survey_;
    absl::StatusOr<std::unique_ptr<LogFile>> log_file = LogFile::Open(source_.path, source_.log);
    // Meta pages of no LMDB file are a finding of the survey, if the tail shows that there was a log.
    const bool is_damaged = absl::IsDataLoss(log_file.status()) || absl::IsInvalidArgument(log_file.status());
    if (!log_file.ok() && !is_damaged) return log_file.status();
    if (log_file.ok()) source_.file = log_file->get();
    if (log_file.ok()) NoteDamagedRestoration(**log_file);
    RETURN_IF_ERROR(full ? CheckAll(progress) : CheckQuickly());
    ASSIGN_OR_RETURN(base_, verify::CheckBase(source_));
    return Finish();
  }

 private:
  // Whether there is a log.mdb. A log that has lost it is damaged; a directory without a log is an error.
  absl::StatusOr<bool> IsThere() {
    const absl::Status opened = ReadLogId(source_.log).status();
    if (!opened.ok() && !absl::IsDataLoss(opened)) return opened;
    struct stat info = {};
    if (lstat(source_.path.c_str(), &info) == 0) return true;
    report_.findings.push_back(
        {.part = VerifyPart::kMetaPage,
         .file = source_.path,
         .message = "the file is missing, and with it all events but the newest",
         .next = absl::StrCat("put it back from where ", source_.log, " was copied; foldlog salvage --log ",
                              source_.log, " --out NEW makes a new log of what is intact")});
    return false;
  }

  // It hides no event, and nothing depends on it.
  void NoteDamagedRestoration(const LogFile& file) {
    const absl::Status read = file.ReadRestoration().status();
    if (!absl::IsDataLoss(read)) return;
    others_.Add({.part = VerifyPart::kRecord,
                 .file = source_.path,
                 .message = verify::Sentence(read, source_.path),
                 .next = absl::StrCat("foldlog backup DEST --log ", source_.log, ", and restore that")});
  }

  absl::Status CheckAll(const std::function<void(const VerifyProgress&)>& progress) {
    const std::vector<SnapshotPlace> snapshots = Snapshots();
    const Sequence stored = survey_.commit ? survey_.commit->end.sequence : std::numeric_limits<Sequence>::max();
    const auto in_tail =
        std::find_if(snapshots.begin(), snapshots.end(), [&](const auto& place) { return place.at > stored; });
    const int jobs = options_.jobs > 0 ? options_.jobs : ProcessorsAllowed();
    ASSIGN_OR_RETURN(parts_, verify::CheckParts(source_, {snapshots.begin(), in_tail}, jobs, progress));
    if (survey_.batches.empty() && survey_.commit && survey_.commit->base == survey_.commit->end) {
      RETURN_IF_ERROR(FoldAtBase());
    }
    return EndWithTail(parts_.end, {in_tail, snapshots.end()});
  }

  // What the tail's events are folded into if nothing is stored.
  absl::Status FoldAtBase() {
    if (source_.file == nullptr) return absl::OkStatus();
    const StoredLog stored(*source_.file, source_.log);
    absl::StatusOr<EventIndexer::Progress> progress =
        EventIndexer::ProgressBehind(stored, survey_.commit->base.sequence);
    if (progress.ok()) parts_.end = *std::move(progress);
    return absl::OkStatus();
  }

  absl::Status CheckQuickly() {
    RETURN_IF_ERROR(CheckLastBatch());
    return EndWithTail(std::nullopt, {});
  }

  absl::Status EndWithTail(std::optional<EventIndexer::Progress> fold, const std::vector<SnapshotPlace>& snapshots) {
    const bool full = options_.depth == VerifyOptions::Depth::kFull;
    ASSIGN_OR_RETURN(tail_, verify::CheckTail(source_, std::move(fold), snapshots, /*search_rest=*/full));
    return absl::OkStatus();
  }

  // Those in log.mdb and in the file `snapshots`, by event.
  std::vector<SnapshotPlace> Snapshots() {
    std::vector<SnapshotPlace> places;
    for (const LmdbEntry& entry : survey_.snapshots) {
      // Each is stored together with its event, or later.
      if (survey_.commit && entry.key > survey_.commit->end.sequence) {
        others_.Add({.part = VerifyPart::kSnapshot,
                     .is_note = true,
                     .file = source_.path,
                     .page = entry.page,
                     .offset = entry.offset,
                     .message = absl::StrCat("a snapshot is of event ", entry.key, ", which log.mdb does not hold")});
        continue;
      }
      places.push_back({.at = entry.key, .entry = entry, .file = source_.path, .offset = entry.offset});
    }
    const std::string path = source_.log + "/snapshots";
    const SnapshotCache cache(source_.log, SnapshotCache::Access::kRead);
    std::vector<SnapshotCache::Slot> slots = cache.Slots();
    // The writer may be replacing one.
    const auto torn = [](const auto& slot) { return !slot.is_empty && !slot.snapshot; };
    for (int looks = 1; looks < kLooksMax / 10 && std::any_of(slots.begin(), slots.end(), torn); ++looks) {
      std::this_thread::sleep_for(kLookDelay);
      slots = cache.Slots();
    }
    for (SnapshotCache::Slot& slot : slots) {
      if (torn(slot)) {
        others_.Add({.part = VerifyPart::kSnapshot,
                     .is_note = true,
                     .file = path,
                     .offset = slot.offset,
                     .message = "a snapshot does not match its hash and is passed over, as a power cut may leave it"});
      }
      if (!slot.snapshot) continue;
      const Sequence at = slot.snapshot->at.sequence;
      places.push_back({.at = at, .cached = std::move(slot.snapshot), .file = path, .offset = slot.offset});
    }
    std::stable_sort(places.begin(), places.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
    return places;
  }

  // The last batch of the newest moment. Beside a writer there may soon be another.
  absl::Status CheckLastBatch() {
    if (source_.file == nullptr || !survey_.commit || survey_.commit->end == survey_.commit->base)
      return absl::OkStatus();
    ASSIGN_OR_RETURN(std::optional<LmdbEntry> last, FindLast());
    if (!last || !survey_.commit) return absl::OkStatus();
    verify::BatchChecker checker(source_);
    ASSIGN_OR_RETURN(verify::CheckedBatch checked, checker.Check(*last, survey_.commit->end.sequence));
    parts_.findings.Append(std::move(checked.findings));
    parts_.runs = std::move(checked.runs);
    survey_.batches = {*last};
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<LmdbEntry>> FindLast() {
    using lmdb_file::File;
    for (int looks = 1;; ++looks) {
      ASSIGN_OR_RETURN(const File before, File::Open(source_.fd, source_.path));
      ASSIGN_OR_RETURN(const lmdb_file::Metas metas, lmdb_file::ReadSoundMetas(before, kMapBytes));
      ASSIGN_OR_RETURN(const File file, File::Open(source_.fd, source_.path));
      const absl::StatusOr<FileMoment> moment = LoadFileMoment(file, metas);
      absl::Status status = moment.status();
      if (moment.ok()) {
        lmdb_file::TreeCursor cursor(file, moment->meta(), lmdb_file::TreeKind::kTable,
                                     absl::StrCat("table ", kEventsTable), moment->events);
        const absl::StatusOr<bool> found = cursor.SeekFloor(std::numeric_limits<std::uint64_t>::max());
        status = found.status();
        if (found.ok() && *found) return NoteLast(cursor, *moment);
        if (found.ok()) return std::optional<LmdbEntry>();
      }
      if (looks < kLooksMax) continue;
      if (!absl::IsDataLoss(status)) return status;
      parts_.findings.Add({.part = VerifyPart::kPage,
                           .file = source_.path,
                           .message = verify::Sentence(status, source_.path),
                           .next = verify::Restore(source_.log)});
      return std::optional<LmdbEntry>();
    }
  }

  // What is checked from now on is of that moment.
  std::optional<LmdbEntry> NoteLast(const lmdb_file::TreeCursor& cursor, const FileMoment& moment) {
    survey_.commit = moment.commit;
    survey_.beyond = moment.beyond;
    survey_.txn_id = moment.meta().txn_id;
    const lmdb_file::Node node = cursor.node();
    LmdbEntry entry{.key = cursor.key(), .bytes = node.data_bytes};
    entry.in_run = node.flags == lmdb_file::kBigData;
    entry.offset = entry.in_run ? lmdb_file::LoadU64(node.data) * survey_.page_bytes + sizeof(lmdb_file::PageHeader)
                                : cursor.value_offset();
    entry.page = entry.offset / survey_.page_bytes;
    return entry;
  }

  // Everything in the order of the files.
  VerifyReport Finish() {
    Findings all = std::move(survey_.findings);
    const bool full = options_.depth == VerifyOptions::Depth::kFull;
    all.Append(verify::ToFindings(source_, parts_.runs, full));
    all.Append(std::move(parts_.findings));
    if (survey_.walked) all.Append(verify::CheckChain(source_, parts_.runs, full, all));
    all.Append(std::move(base_));
    all.Append(std::move(parts_.derived.findings));
    if (full) all.Append(verify::CheckRowKeys(source_, parts_));
    all.Append(std::move(others_));
    all.Append(std::move(tail_.findings));
    report_.findings_left_out = all.left_out();
    report_.damages_left_out = all.damages_left_out();
    report_.findings = std::move(all.list());
    report_.file_bytes = survey_.file_bytes;
    const std::optional<CommitRecord>& commit = survey_.commit;
    report_.batches = full ? survey_.batches.size() : commit ? commit->batches : 0;
    if (commit) report_.base = commit->base, report_.end = commit->end;
    if (tail_.end) report_.end = *tail_.end;
    report_.events = tail_.events;
    for (const verify::Run& run : parts_.runs) report_.events += full ? run.after.sequence - run.before.sequence : 0;
    if (!full && commit) report_.events += commit->end.sequence - commit->base.sequence;
    return std::move(report_);
  }

  const VerifyOptions options_;
  StoreSource source_;
  StoreSurvey survey_;
  verify::PartsResult parts_;
  verify::TailResult tail_;
  Findings base_;
  Findings others_;
  VerifyReport report_;
};

}  // namespace

namespace {

constexpr int kAttemptsMax = 10;

absl::StatusOr<ChainEnd> BaseOf(const std::string& directory) {
  ASSIGN_OR_RETURN(const auto file, LogFile::Open(PathOfLogFile(directory), directory));
  ASSIGN_OR_RETURN(const CommitRecord commit, file->ReadCommit());
  return commit.base;
}

}  // namespace

std::string_view Name(VerifyPart part) {
  constexpr std::array<std::string_view, 9> kNames = {"meta page", "page",  "record",   "batch", "chain",
                                                      "tail",      "index", "snapshot", "mirror"};
  return kNames.at(static_cast<std::size_t>(part));
}

bool VerifyReport::sound() const {
  return damages_left_out == 0 &&
         std::all_of(findings.begin(), findings.end(), [](const VerifyFinding& finding) { return finding.is_note; });
}

absl::StatusOr<VerifyReport> Verify(const std::string& directory, const VerifyOptions& options,
                                    const std::function<void(const VerifyProgress&)>& progress) {
  const std::string log = WithoutTrailingSlashes(directory);
  for (int attempt = 1;; ++attempt) {
    const absl::StatusOr<ChainEnd> base = BaseOf(log);
    absl::StatusOr<VerifyReport> report = Verification(log, options).Run(progress);
    if ((report.ok() && report->sound()) || attempt == kAttemptsMax || !base.ok()) return report;
    // Events that a writer has pruned meanwhile look as if they were missing.
    const absl::StatusOr<ChainEnd> now = BaseOf(log);
    if (!now.ok() || *now == *base) return report;
  }
}

}  // namespace foldlog
