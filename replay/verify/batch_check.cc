#include "replay/verify/batch_check.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"
#include "engine/codec/frame_search.h"
#include "engine/log/store/lmdb/map_bytes.h"
#include "engine/log/store/moment.h"

namespace foldlog::verify {
namespace {

using lmdb_file::File;
using lmdb_file::PageHeader;
using Words = std::span<const std::uint64_t>;

constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
constexpr int kAttemptsMax = 1000;

absl::Status CheckRunHeader(const PageHeader& header, const LmdbEntry& entry, std::uint64_t page_bytes,
                            const File& file) {
  if (header.pgno == entry.page && header.flags == lmdb_file::kOverflowPage &&
      header.overflow_pages() >= lmdb_file::OverflowPagesFor(entry.bytes, page_bytes)) {
    return absl::OkStatus();
  }
  return file.Damaged("page ", entry.page, " is page ", header.pgno, " with flags 0x", absl::Hex(header.flags), " of ",
                      header.overflow_pages(), " pages by its own header");
}

lmdb_file::Tree TreeOf(const FileMoment& moment, const std::string& table) {
  const auto cache = std::find(kCacheTables.begin(), kCacheTables.end(), table);
  return cache == kCacheTables.end() ? moment.events
                                     : moment.caches.at(static_cast<std::size_t>(cache - kCacheTables.begin()));
}

// The next intact frame behind one that is damaged, if it belongs to the batch.
std::optional<FoundFrame> FindBehind(Sequence damaged, Words from, std::optional<Sequence> through,
                                     std::size_t& words_to_hash) {
  std::optional<FoundFrame> found = FindFrame(from, 1, words_to_hash);
  if (!found) return found;
  const Sequence sequence = found->frame.header.sequence;
  return sequence > damaged && sequence <= through.value_or(sequence) ? found : std::nullopt;
}

std::uint64_t Newest(const lmdb_file::Metas& metas) { return std::max(metas[0].meta.txn_id, metas[1].meta.txn_id); }

}  // namespace

// Where the survey has seen the value. A run is read together with its header.
absl::StatusOr<Words> BatchChecker::ReadAt(const LmdbEntry& entry) {
  ASSIGN_OR_RETURN(const File file, File::Open(source_->fd, source_->path));
  constexpr std::size_t kHeaderWords = sizeof(PageHeader) / kWordBytes;
  const std::size_t skip = entry.in_run ? kHeaderWords : 0;
  if (entry.offset + entry.bytes > file.bytes()) return file.Damaged("the file ends at ", file.bytes(), " bytes");
  value_.resize(skip + entry.bytes / kWordBytes);
  RETURN_IF_ERROR(file.Read(entry.offset - skip * kWordBytes,
                            {reinterpret_cast<char*>(value_.data()), value_.size() * kWordBytes}));
  if (entry.in_run) {
    const auto header = std::bit_cast<PageHeader>(std::array{value_[0], value_[1]});
    RETURN_IF_ERROR(CheckRunHeader(header, entry, source_->survey->page_bytes, file));
  }
  return Words(value_).subspan(skip);
}

// The value at the newest moment, for what has a key keeps its value.
absl::StatusOr<Words> BatchChecker::ReadAtMoment(const FileMoment& moment, const char* table, std::uint64_t key) {
  lmdb_file::TreeCursor cursor(moment.file, moment.meta(), lmdb_file::TreeKind::kTable, absl::StrCat("table ", table),
                               TreeOf(moment, table));
  ASSIGN_OR_RETURN(const bool found, cursor.SeekFloor(key));
  if (!found || cursor.key() != key) return moment.file.Damaged("entry ", key, " of table ", table, " is gone");
  return cursor.Value(value_);
}

// Nothing if the file has not changed since the survey: then what was read first is what there is.
absl::StatusOr<std::optional<Words>> BatchChecker::ReadAgain(const char* table, std::uint64_t key) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    ASSIGN_OR_RETURN(const File before, File::Open(source_->fd, source_->path));
    const absl::StatusOr<lmdb_file::Metas> metas = lmdb_file::ReadSoundMetas(before, kMapBytes);
    if (!metas.ok() || Newest(*metas) == source_->survey->txn_id) break;
    ASSIGN_OR_RETURN(const File file, File::Open(source_->fd, source_->path));
    const absl::StatusOr<FileMoment> moment = LoadFileMoment(file, *metas);
    const absl::StatusOr<Words> words =
        moment.ok() ? ReadAtMoment(*moment, table, key) : absl::StatusOr<Words>(moment.status());
    const absl::StatusOr<lmdb_file::Metas> now = lmdb_file::ReadSoundMetas(file, kMapBytes);
    if (now.ok() && Newest(*now) > Newest(*metas) + (words.ok() ? 1 : 0)) continue;
    RETURN_IF_ERROR(words.status());
    return std::optional(*words);
  }
  return std::optional<Words>();
}

absl::StatusOr<Words> BatchChecker::ReadValue(const char* table, const LmdbEntry& entry,
                                              const std::function<bool(Words)>& is_sound) {
  const absl::StatusOr<Words> words = ReadAt(entry);
  if (words.ok() && is_sound(*words)) return words;
  ASSIGN_OR_RETURN(const std::optional<Words> again, ReadAgain(table, entry.key));
  return again ? absl::StatusOr<Words>(*again) : ReadAt(entry);
}

absl::StatusOr<CheckedBatch> BatchChecker::Check(const LmdbEntry& entry, std::optional<Sequence> through) {
  absl::StatusOr<Words> stored = ReadAt(entry);
  CheckedBatch checked = Look(entry, through, stored);
  if (checked.whole()) return checked;
  const absl::StatusOr<std::optional<Words>> again = ReadAgain(kEventsTable, entry.key);
  if (!again.ok()) stored = again.status();
  if (!stored.ok() && !absl::IsDataLoss(stored.status())) return stored.status();
  if (again.ok() && !*again) return checked;
  return Look(entry, through, again.ok() ? absl::StatusOr<Words>(**again) : stored);
}

VerifyFinding BatchChecker::Finding(VerifyPart part, std::uint64_t offset, Sequence from,
                                    std::optional<Sequence> through, std::string message) const {
  return {.part = part,
          .file = source_->path,
          .page = offset / source_->survey->page_bytes,
          .offset = offset,
          .hides_from = from,
          .hides_through = through.value_or(from),
          .message = std::move(message),
          .next = ReadBehind(source_->log, through.value_or(from))};
}

CheckedBatch BatchChecker::Look(const LmdbEntry& entry, std::optional<Sequence> through,
                                const absl::StatusOr<Words>& stored) {
  CheckedBatch checked;
  absl::StatusOr<Words> frames = stored.ok() ? codec_.Unpack(*stored) : stored;
  if (frames.ok() && frames->empty()) frames = absl::DataLossError("it is empty");
  if (!frames.ok()) {
    checked.findings.Add(Finding(
        VerifyPart::kBatch, entry.offset, entry.key, through,
        absl::StrCat("the batch of event ", entry.key, " can't be read: ", Sentence(frames.status(), source_->path))));
    return checked;
  }
  if (!BatchCodec::IsAsPacked(*stored)) {
    VerifyFinding odd =
        Finding(VerifyPart::kBatch, entry.offset, entry.key, through,
                absl::StrCat("the batch of event ", entry.key,
                             " ends with bytes that no writer leaves; its events do not depend on them"));
    odd.is_note = true;
    odd.hides_from.reset(), odd.hides_through.reset();
    odd.next.clear();
    checked.findings.Add(std::move(odd));
  }
  checked.frames = *frames;
  Walk(entry, through, frames->data() != stored->data(), checked);
  return checked;
}

// Steps over a damaged frame if its size still leads to the next one.
void BatchChecker::Walk(const LmdbEntry& entry, std::optional<Sequence> through, bool packed,
                        CheckedBatch& checked) const {
  const Words all = checked.frames;
  Sequence next = entry.key;
  bool linked = false;  // the last run ends with the frame before
  std::size_t words_to_hash = kHashedInVainMax * all.size();
  for (Words rest = all; !rest.empty(); ++next) {
    const std::uint64_t at = packed ? 0 : (all.size() - rest.size()) * kWordBytes;
    const auto add = [&](VerifyPart part, std::optional<Sequence> hidden, std::string message) {
      checked.findings.Add(Finding(part, entry.offset + at, next, hidden, std::move(message)));
    };
    const std::optional<FrameView> frame = FrameAtStartOf(rest);
    if (!frame) {
      const std::optional<FoundFrame> found = FindBehind(next, rest, through, words_to_hash);
      add(VerifyPart::kBatch, found ? found->frame.header.sequence - 1 : through,
          absl::StrCat("the frame of event ", next, " is damaged, and does not tell where the next one begins: ",
                       Sentence(PeekFrame(rest).status(), source_->path)));
      if (!found) return;
      rest = rest.subspan(found->at);
      next = found->frame.header.sequence - 1;
      linked = false;
      continue;
    }
    rest = rest.subspan(frame->size_words());
    if (!IsIntact(*frame)) {
      add(VerifyPart::kBatch, next,
          absl::StrCat("the frame of event ", next, " is damaged: its bytes do not match its hash"));
      linked = false;
      continue;
    }
    if (frame->header.sequence != next) {
      return add(VerifyPart::kChain, through,
                 absl::StrCat("there is event ", frame->header.sequence, " where event ", next, " belongs"));
    }
    if (next <= source_->survey->base()) {
      checked.frames = rest;
      continue;
    }
    linked = linked && frame->header.previous_hash == checked.runs.back().after.hash;
    if (!linked) checked.runs.push_back({{next - 1, frame->header.previous_hash}, {}});
    checked.runs.back().after = frame->end();
    linked = true;
  }
}

}  // namespace foldlog::verify
