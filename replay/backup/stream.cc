#include "replay/backup/stream.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"

namespace foldlog::backup {
namespace {

struct Head {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t reserved;
  LogId log_id;
  ChainEnd base;
  ChainEnd end;
  std::int64_t made_at;
  std::uint64_t hash;  // XXH3-64 of all before it
};
static_assert(sizeof(Head) == 80 && std::is_trivially_copyable_v<Head>);

// Before each batch, and before the end.
struct BlockHeader {
  std::uint32_t magic;
  std::uint32_t bytes;  // of what follows
  std::uint64_t hash;   // XXH3-64 of that
};
static_assert(sizeof(BlockHeader) == 16);

struct EndRecord {
  std::uint64_t events;
  ChainEnd end;
};
static_assert(sizeof(EndRecord) == 24);

constexpr std::uint64_t kStreamMagic = 0x4b434142474c46;  // "FLGBACK"
constexpr std::uint32_t kStreamVersion = 1;
constexpr std::uint32_t kBatchMagic = 0x44474c46;  // "FLGD"
constexpr std::uint32_t kEndMagic = 0x45474c46;    // "FLGE"

constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
constexpr std::size_t kBatchBytesLimit = kMaxPayloadBytes + sizeof(FrameHeader);

// So much memory is taken on the word of a header; more when so much has come.
constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

std::uint64_t HashOf(const Head& head) { return XXH3_64bits(&head, offsetof(Head, hash)); }

}  // namespace

absl::Status StreamWriter::Begin(const StreamHead& head) {
  head_ = head;
  at_ = head.base;
  Head bytes{.magic = kStreamMagic,
             .version = kStreamVersion,
             .reserved = 0,
             .log_id = head.log_id,
             .base = head.base,
             .end = head.end,
             .made_at = head.made_at,
             .hash = 0};
  bytes.hash = HashOf(bytes);
  return sink_(std::as_bytes(std::span(&bytes, 1)));
}

absl::Status StreamWriter::Add(const FrameRun& run) {
  BatchSplitter splitter(SpanOf(run));
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<Batch> batch, splitter.Next([](auto) {}));
    if (!batch) break;
    RETURN_IF_ERROR(Put(kBatchMagic, codec_.Pack(batch->frames)));
  }
  at_ = run.after;
  return absl::OkStatus();
}

absl::Status StreamWriter::End() {
  if (at_ != head_.end) return absl::InternalError("the stream does not end where its head says");
  const std::array<std::uint64_t, 3> words = {at_.sequence - head_.base.sequence, at_.sequence, at_.hash};
  return Put(kEndMagic, words);
}

absl::Status StreamWriter::Put(std::uint32_t magic, std::span<const std::uint64_t> words) {
  const BlockHeader header{.magic = magic,
                           .bytes = static_cast<std::uint32_t>(words.size_bytes()),
                           .hash = XXH3_64bits(words.data(), words.size_bytes())};
  RETURN_IF_ERROR(sink_(std::as_bytes(std::span(&header, 1))));
  return sink_(std::as_bytes(words));
}

absl::Status StreamReader::Damaged(const char* what) const {
  return absl::DataLossError(absl::StrCat("the stream of the backup ", what, ", near byte ", offset_));
}

// As much as there is.
absl::StatusOr<std::size_t> StreamReader::Fill(std::span<std::byte> into) {
  std::size_t filled = 0;
  while (filled < into.size()) {
    ASSIGN_OR_RETURN(const std::size_t got, source_(into.subspan(filled)));
    if (got == 0) break;
    filled += got;
  }
  offset_ += filled;
  return filled;
}

absl::Status StreamReader::Take(std::span<std::byte> into) {
  ASSIGN_OR_RETURN(const std::size_t filled, Fill(into));
  return filled == into.size() ? absl::OkStatus() : Damaged("was cut short");
}

absl::StatusOr<StreamHead> StreamReader::Begin() {
  Head head = {};
  ASSIGN_OR_RETURN(const std::size_t filled, Fill(std::as_writable_bytes(std::span(&head, 1))));
  if (filled < sizeof head.magic || head.magic != kStreamMagic) {
    return absl::InvalidArgumentError("what is to be restored is no stream of a foldlog backup");
  }
  if (filled < sizeof head) return Damaged("was cut short");
  if (head.hash != HashOf(head)) return Damaged("has a damaged head");
  if (head.version != kStreamVersion) {
    return absl::FailedPreconditionError(absl::StrCat("the stream of the backup has format version ", head.version,
                                                      "; this foldlog knows version ", kStreamVersion));
  }
  if (head.end.sequence < head.base.sequence) return Damaged("ends before it begins");
  if (head.base.sequence == 0 && head.base.hash != GenesisHash(head.log_id))
    return Damaged("begins with no log's hash");
  head_ = {.log_id = head.log_id, .base = head.base, .end = head.end, .made_at = head.made_at};
  at_ = head_.base;
  return head_;
}

// Memory grows with what has come, not with what a header says.
absl::Status StreamReader::Next(FrameRun& run) {
  BlockHeader header = {};
  RETURN_IF_ERROR(Take(std::as_writable_bytes(std::span(&header, 1))));
  const bool is_end = header.magic == kEndMagic;
  if (!is_end && header.magic != kBatchMagic) return Damaged("has something else where a batch should be");
  if (header.bytes % kWordBytes != 0 || header.bytes == 0 || header.bytes > kBatchBytesLimit) {
    return Damaged("has a batch of a size that there is not");
  }
  words_.clear();
  for (std::size_t left = header.bytes; left > 0;) {
    const std::size_t piece = std::min(left, kPieceBytes);
    const std::size_t before = words_.size();
    words_.resize(before + piece / kWordBytes);
    RETURN_IF_ERROR(Take(std::as_writable_bytes(std::span(words_).subspan(before))));
    left -= piece;
  }
  if (XXH3_64bits(words_.data(), header.bytes) != header.hash) return Damaged("has a damaged batch");
  run.words.clear();
  run.before = run.after = at_;
  if (is_end) return CheckEnd(words_);
  if (BatchCodec::UnpackedBytes(words_) > kBatchBytesLimit) return Damaged("has a batch that is too large");
  const absl::StatusOr<std::span<const std::uint64_t>> frames = codec_.Unpack(words_);
  if (!frames.ok()) return Damaged("has a batch that can't be unpacked");
  for (std::span<const std::uint64_t> rest = *frames; !rest.empty();) {
    const std::optional<FrameView> frame = FrameBehind(run.after, rest);
    if (!frame || frame->header.sequence > head_.end.sequence) return Damaged("has frames that do not follow");
    run.after = frame->end();
    rest = rest.subspan(frame->size_words());
  }
  run.words.assign(frames->begin(), frames->end());
  at_ = run.after;
  return run.empty() ? Damaged("has an empty batch") : absl::OkStatus();
}

absl::Status StreamReader::CheckEnd(std::span<const std::uint64_t> words) {
  EndRecord record = {};
  if (words.size_bytes() != sizeof record) return Damaged("has a damaged end");
  std::memcpy(static_cast<void*>(&record), words.data(), sizeof record);
  if (record.end != at_ || at_ != head_.end || record.events != at_.sequence - head_.base.sequence) {
    return Damaged("lacks some of its events");
  }
  std::array<std::byte, 1> more = {};
  ASSIGN_OR_RETURN(const std::size_t got, Fill(more));
  return got == 0 ? absl::OkStatus() : Damaged("goes on behind its end");
}

}  // namespace foldlog::backup
