#include "replay/salvage/search.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"
#include "engine/codec/frame_search.h"
#include "engine/log/tail/copy.h"

namespace foldlog::salvage {
namespace {

using Words = std::span<const std::uint64_t>;

constexpr std::uint64_t kWordBytes = sizeof(std::uint64_t);
constexpr std::uint64_t kWindowWords = std::uint64_t{1} << 20;
constexpr std::uint64_t kPageWords = 512;
constexpr std::uint64_t kCopyPage = 1;  // where the copy begins in the tail, behind the header
// Pieces of the ring are no longer than a batch: who needs one event of a piece reads all of it.
constexpr std::size_t kPieceWordsMax = kBatchBytesMax / kWordBytes;

// The records are in leaves: a node of LMDB with a key of 8 bytes, the key, the value.
constexpr std::uint64_t NodeOf(std::uint64_t value_bytes) { return std::uint64_t{8} << 48 | value_bytes; }
constexpr std::uint64_t kFormatNode = NodeOf(sizeof(FormatRecord));
constexpr std::uint64_t kCommitNode = NodeOf(sizeof(CommitRecord));
constexpr std::size_t kNodeWords = 2;
constexpr std::size_t kRecordWordsMax = kNodeWords + sizeof(CommitRecord) / kWordBytes;

bool MayBegin(std::uint64_t word) {
  const auto low = static_cast<std::uint32_t>(word);
  return low == kFrameMagic || low == kPackedMagic || word == kFormatNode || word == kCommitNode;
}

// The run of linked frames at the start of `words`, the first of which is intact and of `first_words` words.
Piece RunAt(Words words, const FrameView& first) {
  Piece piece{.first = first.header.sequence, .last = first.header.sequence};
  piece.before = first.header.previous_hash;
  piece.after = first.header.hash;
  std::size_t size = first.size_words();
  while (size < kPieceWordsMax) {
    const std::optional<FrameView> next = FrameBehind({piece.last, piece.after}, words.subspan(size));
    if (!next) break;
    piece.last = next->header.sequence;
    piece.after = next->header.hash;
    size += next->size_words();
  }
  piece.frame_words = static_cast<std::uint32_t>(size);
  return piece;
}

class Searcher {
 public:
  Searcher(const SearchedFile& file, std::uint32_t number, Found& found)
      : file_(&file),
        number_(number),
        found_(&found),
        in_vain_(static_cast<std::int64_t>(kHashedInVainMax * file.words())) {}

  void Run(const std::function<void(std::uint64_t)>& tell) {
    std::uint64_t told = 0;
    for (std::uint64_t word = 0; word < file_->words();) {
      const Words words = From(word, kRecordWordsMax);
      const auto begin = std::find_if(words.begin(), words.end(), MayBegin);
      word += static_cast<std::uint64_t>(begin - words.begin());
      if (begin != words.end()) word += Take(word);
      if (word - told < kWindowWords) continue;
      tell(word - told);
      told = word;
    }
    tell(file_->words() - told);
    if (in_vain_ <= 0) found_->given_up.push_back(file_->path());
  }

 private:
  // At least `count` words from `word` on, as far as the file has them.
  Words From(std::uint64_t word, std::uint64_t count) {
    count = std::min(count, file_->words() - word);
    if (word < at_ || word + count > at_ + window_.size()) {
      window_.resize(std::min(std::max(count, kWindowWords), file_->words() - word));
      at_ = word;
      file_->Read(word, window_);
    }
    return Words(window_).subspan(word - at_);
  }

  // What begins there, and how many words to step over.
  std::uint64_t Take(std::uint64_t word) {
    const Words words = From(word, kRecordWordsMax);
    if (words[0] == kFormatNode || words[0] == kCommitNode) return TakeRecord(words);
    if (in_vain_ <= 0) return 1;
    return static_cast<std::uint32_t>(words[0]) == kPackedMagic ? TakePacked(word) : TakePlain(word);
  }

  std::uint64_t TakeRecord(Words words) {
    const Words value = words.subspan(std::min(kNodeWords, words.size()));
    FormatRecord format = {};
    CommitRecord commit = {};
    if (words[0] == kFormatNode && value.size_bytes() >= sizeof format && words[1] == kFormatKey) {
      std::memcpy(&format, value.data(), sizeof format);
      if (format.magic == kFormatMagic && format.version == kFormatVersion) found_->formats.push_back(format);
    }
    if (words[0] == kCommitNode && value.size_bytes() >= sizeof commit && words[1] == kCommitKey) {
      std::memcpy(static_cast<void*>(&commit), value.data(), sizeof commit);
      if (commit.hash == HashOf(commit)) found_->commits.push_back(commit);
    }
    return 1;
  }

  std::uint64_t TakePlain(std::uint64_t word) {
    const Words head = From(word, kFrameHeaderWords);
    if (head.size() < kFrameHeaderWords) return 1;
    FrameHeader header = {};
    std::memcpy(&header, head.data(), sizeof header);
    const std::uint64_t size = kFrameHeaderWords + header.payload_bytes / kWordBytes;
    if (header.payload_bytes > kMaxPayloadBytes || size > file_->words() - word) return 1;
    const Words words = From(word, size);
    const std::optional<FrameView> frame = FrameAtStartOf(words);
    if (!frame) return 1;
    if (!IsIntact(*frame)) {
      in_vain_ -= static_cast<std::int64_t>(size);
      return 1;
    }
    Piece piece = RunAt(words, *frame);
    piece.word = word;
    Add(piece);
    return piece.frame_words;
  }

  std::uint64_t TakePacked(std::uint64_t word) {
    const std::optional<std::size_t> size = BatchCodec::PackedWords(From(word, kRecordWordsMax));
    if (!size || *size > file_->words() - word) return 1;
    const Words stored = From(word, *size).first(*size);
    const absl::StatusOr<Words> frames = codec_.Unpack(stored);
    if (!frames.ok()) {
      in_vain_ -= static_cast<std::int64_t>(BatchCodec::UnpackedBytes(stored) / kWordBytes);
      return 1;
    }
    std::size_t words_to_hash = kHashedInVainMax * frames->size();
    std::size_t taken = 0;
    std::size_t at = 0;
    while (const std::optional<FoundFrame> frame = FindFrame(*frames, at, words_to_hash)) {
      Piece piece = RunAt(frames->subspan(frame->at), frame->frame);
      piece.word = word;
      piece.packed_words = static_cast<std::uint32_t>(*size);
      piece.at = static_cast<std::uint32_t>(frame->at);
      Add(piece);
      taken += piece.frame_words;
      at = frame->at + piece.frame_words;
    }
    in_vain_ -= static_cast<std::int64_t>(frames->size() - taken);
    return taken > 0 ? *size : 1;
  }

  void Add(Piece piece) {
    piece.file = number_;
    // An event's number never wraps.
    if (piece.first > 0 && piece.last < kSequenceMax) found_->pieces.push_back(piece);
  }

  static constexpr Sequence kSequenceMax = Sequence{1} << 62;

  const SearchedFile* file_;
  const std::uint32_t number_;
  Found* found_;
  std::int64_t in_vain_;  // words that may still be hashed or unpacked in vain
  std::vector<std::uint64_t> window_;
  std::uint64_t at_ = 0;  // where the window begins
  BatchCodec codec_{BatchCodec::Buffer::kCleared};
};

}  // namespace

absl::StatusOr<SearchedFile> SearchedFile::Open(const std::string& path) {
  ASSIGN_OR_RETURN(FileDescriptor file, OpenRegularFile(path, O_RDONLY));
  struct stat info = {};
  if (fstat(file.get(), &info) != 0) return ErrnoStatus(errno, absl::StrCat("inspect ", path));
  return SearchedFile(std::move(file), path, static_cast<std::uint64_t>(info.st_size) / kWordBytes, /*is_copy=*/false);
}

absl::StatusOr<SearchedFile> SearchedFile::OpenCopy(const std::string& path) {
  ASSIGN_OR_RETURN(SearchedFile file, Open(path));
  const std::uint64_t pages = file.words_ * kWordBytes / sizeof(CopyPage);
  return SearchedFile(std::move(file.file_), path, (std::max(pages, kCopyPage) - kCopyPage) * kCopyPageWords,
                      /*is_copy=*/true);
}

void SearchedFile::ReadCopy(std::uint64_t word, std::span<std::uint64_t> into) const {
  while (!into.empty()) {
    const std::uint64_t within = word % kCopyPageWords;
    const auto some = into.first(std::min<std::size_t>(into.size(), kCopyPageWords - within));
    const std::uint64_t offset = (kCopyPage + word / kCopyPageWords) * sizeof(CopyPage) + within * kWordBytes;
    if (!ReadFully(fd(), std::as_writable_bytes(some), offset, path_).ok()) std::fill(some.begin(), some.end(), 0);
    word += some.size();
    into = into.subspan(some.size());
  }
}

void SearchedFile::Read(std::uint64_t word, std::span<std::uint64_t> into) const {
  if (is_copy_) return ReadCopy(word, into);
  if (ReadFully(fd(), std::as_writable_bytes(into), word * kWordBytes, path_).ok()) return;
  for (std::size_t at = 0; at < into.size(); at += kPageWords) {
    const auto page = into.subspan(at, std::min<std::size_t>(kPageWords, into.size() - at));
    if (ReadFully(fd(), std::as_writable_bytes(page), (word + at) * kWordBytes, path_).ok()) continue;
    std::fill(page.begin(), page.end(), 0);
  }
}

void Search(const SearchedFile& file, std::uint32_t number, const std::function<void(std::uint64_t)>& tell,
            Found& found) {
  Searcher(file, number, found).Run(tell);
}

absl::StatusOr<std::span<const std::uint64_t>> PieceReader::Load(const Piece& piece) {
  const SearchedFile& file = (*files_)[piece.file];
  const bool same = cached_.packed_words != 0 && cached_.packed_words == piece.packed_words &&
                    cached_.file == piece.file && cached_.word == piece.word;
  if (!same) {
    cached_ = {};
    stored_.resize(piece.packed_words != 0 ? piece.packed_words : piece.at + piece.frame_words);
    file.Read(piece.word, stored_);
    ASSIGN_OR_RETURN(frames_, codec_.Unpack(stored_));
    cached_ = piece;
  }
  const absl::Status changed = absl::DataLossError(absl::StrCat(file.path(), " has changed while it was salvaged"));
  if (frames_.size() < std::size_t{piece.at} + piece.frame_words) return changed;
  const Words frames = frames_.subspan(piece.at, piece.frame_words);
  ChainEnd end{piece.first - 1, piece.before};
  for (Words rest = frames; !rest.empty();) {
    const std::optional<FrameView> frame = FrameBehind(end, rest);
    if (!frame) return changed;
    end = frame->end();
    rest = rest.subspan(frame->size_words());
  }
  return end == ChainEnd{piece.last, piece.after} ? absl::StatusOr<Words>(frames) : changed;
}

}  // namespace foldlog::salvage
