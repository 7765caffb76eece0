#include "replay/verify/store_survey.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <span>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/log/store/lmdb/map_bytes.h"
#include "engine/log/store/moment.h"
#include "engine/log/tail/file.h"

namespace foldlog::verify {
namespace {

using lmdb_file::File;
using lmdb_file::Meta;
using lmdb_file::Metas;

// For each further attempt the writer must have committed twice during a walk over the trees, or while the walk met
// what looked like damage.
constexpr int kAttemptsMax = 200;

bool SameMetas(const Metas& a, const Metas& b) {
  const auto same = [](const Meta& x, const Meta& y) { return std::memcmp(&x, &y, sizeof x) == 0; };
  return same(a[0].meta, b[0].meta) && same(a[1].meta, b[1].meta);
}

// Takes down what the walk meets.
class Notebook final : public LmdbVisitor {
 public:
  Notebook(StoreSurvey& survey, const std::string& path) : survey_(&survey), path_(path) {}

  void OnTable(const std::string& table, const lmdb_file::Tree&) override {
    has_events_ = has_events_ || table == kEventsTable;
    has_meta_ = has_meta_ || table == kMetaTable;
    const bool is_cache = std::find(kCacheTables.begin(), kCacheTables.end(), table) != kCacheTables.end();
    if (table == kEventsTable || table == kMetaTable || table == kBasesTable || is_cache) return;
    survey_->findings.Add(
        {.part = VerifyPart::kRecord,
         .is_note = true,
         .file = path_,
         .message = absl::StrCat("there is a table that this version does not know: ", absl::CHexEscape(table))});
  }

  void OnEntry(const std::string& table, const LmdbEntry& entry) override {
    if (table == kEventsTable) survey_->batches.push_back(entry);
    if (table == kSnapshotsTable) survey_->snapshots.push_back(entry);
    if (table == kBatchesTable) survey_->batch_rows.push_back(entry.key);
    if (table == kOperationsTable) survey_->operation_rows.push_back(entry.key);
    if (table == kMetaTable) records_.push_back(entry);
  }

  void OnDamage(LmdbDamage damage) override { survey_->damages.push_back(std::move(damage)); }

  bool has_tables() const { return has_events_ && has_meta_; }

  const LmdbEntry* RecordAt(std::uint64_t key) const {
    const auto found =
        std::find_if(records_.begin(), records_.end(), [&](const auto& entry) { return entry.key == key; });
    return found == records_.end() ? nullptr : &*found;
  }

 private:
  StoreSurvey* survey_;
  const std::string& path_;
  bool has_events_ = false;
  bool has_meta_ = false;
  std::vector<LmdbEntry> records_;
};

// What lies before the base is on its way out, and not looked at; nor are the rows of batches that the base lies in,
// which may tell of the whole batch or of what is left of it.
void LeaveOutPruned(StoreSurvey& survey) {
  if (!survey.commit || survey.commit->base.sequence == 0) return;
  const Sequence base = survey.commit->base.sequence;
  auto& batches = survey.batches;
  const auto behind = std::find_if(batches.begin(), batches.end(), [&](const auto& entry) { return entry.key > base; });
  const bool cut = behind != batches.begin() &&
                   (behind == batches.end() ? survey.commit->end.sequence > base : behind->key > base + 1);
  batches.erase(batches.begin(), cut ? std::prev(behind) : behind);
  std::erase_if(survey.batch_rows, [&](Sequence key) { return key <= base + (cut ? 1 : 0); });
  std::erase_if(survey.snapshots, [&](const LmdbEntry& entry) { return entry.key <= base; });
  const auto kept = std::stable_partition(survey.operation_rows.begin(), survey.operation_rows.end(),
                                          [&](Sequence key) { return key <= base; });
  survey.rows_kept.assign(survey.operation_rows.begin(), kept);
  survey.operation_rows.erase(survey.operation_rows.begin(), kept);
}

// One look at one moment.
class Look {
 public:
  Look(const File& file, const Metas& metas, const std::string& log) : file_(file), metas_(metas), log_(log) {
    survey_.file_bytes = file.bytes();
  }

  absl::StatusOr<StoreSurvey> Run(LmdbDepth depth) {
    ASSIGN_OR_RETURN(const std::optional<std::uint64_t> slot, ChooseSlot());
    if (!slot) return std::move(survey_);
    const Meta& meta = metas_[*slot].meta;
    survey_.walked = true;
    survey_.page_bytes = meta.page_bytes();
    survey_.txn_id = meta.txn_id;
    Notebook notebook(survey_, file_.path());
    const LmdbTraits traits{.append_only = kEventsTable, .caches = kCacheTables};
    const absl::Status walked = SurveyLmdbFile(file_, meta, traits, depth, notebook);
    if (absl::IsDataLoss(walked)) {
      AddFinding(VerifyPart::kMetaPage, walked, *slot, *slot * survey_.page_bytes);
    } else {
      RETURN_IF_ERROR(walked);
    }
    RETURN_IF_ERROR(TakeRecords(notebook));
    LeaveOutPruned(survey_);
    return std::move(survey_);
  }

 private:
  void AddFinding(VerifyPart part, const absl::Status& status, std::optional<std::uint64_t> page,
                  std::optional<std::uint64_t> offset) {
    survey_.findings.Add({.part = part,
                          .file = file_.path(),
                          .page = page,
                          .offset = offset,
                          .message = Sentence(status, file_.path()),
                          .next = Restore(log_)});
  }

  // Both meta pages must be sound, and neighbours. If they are not, the newer of those that pass is walked.
  absl::StatusOr<std::optional<std::uint64_t>> ChooseSlot() {
    const absl::StatusOr<std::uint64_t> newest = lmdb_file::NewestSlot(file_, metas_);
    if (newest.ok()) return std::optional(*newest);
    if (absl::IsInvalidArgument(newest.status()) && !TailFile::LooksLikeOne(log_)) {
      return absl::FailedPreconditionError(absl::StrCat(newest.status().message(), "; name the directory of a log"));
    }
    std::optional<std::uint64_t> passing;
    std::optional<std::uint64_t> damaged;
    for (std::uint64_t slot = 0; slot < metas_.size(); ++slot) {
      if (!metas_[slot].status.ok()) {
        damaged = slot;
      } else if (!passing || metas_[slot].meta.txn_id > metas_[*passing].meta.txn_id) {
        passing = slot;
      }
    }
    const std::uint64_t page_bytes = passing ? metas_[*passing].meta.page_bytes() : survey_.page_bytes;
    const std::uint64_t page = passing ? damaged.value_or(1 - *passing) : 0;
    AddFinding(VerifyPart::kMetaPage, newest.status(), page, page * page_bytes);
    return passing;
  }

  // A record with a right hash is taken, whatever contradicts it.
  absl::Status TakeRecords(const Notebook& notebook) {
    Take(notebook.RecordAt(kFormatKey), survey_.format);
    Take(notebook.RecordAt(kCommitKey), survey_.commit);
    if (survey_.format && survey_.format->magic != kFormatMagic) survey_.format.reset();
    if (survey_.commit && survey_.commit->hash != HashOf(*survey_.commit)) survey_.commit.reset();
    if (!metas_[0].status.ok() || !metas_[1].status.ok()) return absl::OkStatus();
    absl::StatusOr<FileMoment> moment = LoadFileMoment(file_, metas_);
    if (moment.ok()) {
      survey_.format = moment->format;
      survey_.commit = moment->commit;
      survey_.beyond = moment->beyond;
      return absl::OkStatus();
    }
    if (absl::IsInvalidArgument(moment.status()) && !TailFile::LooksLikeOne(log_)) {
      return absl::FailedPreconditionError(absl::StrCat(moment.status().message(), "; name the directory of a log"));
    }
    if (!absl::IsDataLoss(moment.status()) && !absl::IsInvalidArgument(moment.status())) return moment.status();
    // Damage of the pages in which the records are was told by the walk.
    if (survey_.IsDamaged("") || survey_.IsDamaged(kMetaTable)) return absl::OkStatus();
    const LmdbEntry* const entry = notebook.RecordAt(survey_.format ? kCommitKey : kFormatKey);
    const auto offset = entry != nullptr ? std::optional(entry->offset) : std::nullopt;
    const auto page = entry != nullptr ? std::optional(entry->page) : std::nullopt;
    AddFinding(VerifyPart::kRecord, moment.status(), page, offset);
    return absl::OkStatus();
  }

  template <typename Record>
  void Take(const LmdbEntry* entry, std::optional<Record>& record) const {
    if (entry == nullptr || entry->bytes < sizeof(Record)) return;
    const absl::StatusOr<Record> read = file_.ReadStruct<Record>(entry->offset);
    if (read.ok()) record = *read;
  }

  const File& file_;
  const Metas& metas_;
  const std::string& log_;
  StoreSurvey survey_;
};

bool IsClean(const StoreSurvey& survey) { return survey.damages.empty() && !survey.findings.has_damage(); }

// Whether the writer may have used pages of that moment again.
bool HasMovedOn(const StoreSurvey& survey, const Metas& now) {
  return std::max(now[0].meta.txn_id, now[1].meta.txn_id) > survey.txn_id + 1;
}

// Sound ones if a few reads show any, for a commit may be writing one of them.
absl::StatusOr<Metas> ReadMetas(const File& file) {
  absl::StatusOr<Metas> metas = lmdb_file::ReadSoundMetas(file, kMapBytes);
  return metas.ok() ? metas : lmdb_file::ReadMetas(file, kMapBytes);
}

StoreSurvey TooShort(const File& file, const absl::Status& why, const std::string& log) {
  StoreSurvey survey;
  survey.file_bytes = file.bytes();
  survey.findings.Add({.part = VerifyPart::kMetaPage,
                       .file = file.path(),
                       .page = 0,
                       .offset = 0,
                       .message = Sentence(why, file.path()),
                       .next = Restore(log)});
  return survey;
}

}  // namespace

bool StoreSurvey::IsDamaged(const char* table) const {
  return std::any_of(damages.begin(), damages.end(), [&](const LmdbDamage& damage) { return damage.table == table; });
}

absl::StatusOr<StoreSurvey> SurveyStore(int fd, const std::string& path, const std::string& log, LmdbDepth depth) {
  for (int attempt = 1; attempt <= kAttemptsMax; ++attempt) {
    ASSIGN_OR_RETURN(const File before, File::Open(fd, path));
    const absl::StatusOr<Metas> metas = ReadMetas(before);
    if (absl::IsDataLoss(metas.status())) return TooShort(before, metas.status(), log);
    RETURN_IF_ERROR(metas.status());
    // Its length is read after the metas: the writer may first have made the file longer and then named the new pages.
    ASSIGN_OR_RETURN(const File file, File::Open(fd, path));
    absl::StatusOr<StoreSurvey> survey = Look(file, *metas, log).Run(depth);
    const absl::StatusOr<Metas> now = ReadMetas(file);
    if (!now.ok() || SameMetas(*metas, *now)) return survey;
    if (survey.ok() && IsClean(*survey) && !HasMovedOn(*survey, *now)) return survey;
  }
  return absl::UnavailableError(
      absl::StrCat("the writer of the log ", log, " is faster than this check; try again when it does less"));
}

}  // namespace foldlog::verify
