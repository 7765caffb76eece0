#include "engine/log/store/batch.h"

#include <lz4.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"

namespace foldlog {
namespace {

// The head of a packed batch; an LZ4 block follows, and zeros up to a whole word.
struct PackedHeader {
  std::uint32_t magic;
  std::uint32_t frames_bytes;  // unpacked
  std::uint32_t block_bytes;
  std::uint32_t reserved;
};
static_assert(sizeof(PackedHeader) == 16);

constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
constexpr std::size_t kHeaderWords = sizeof(PackedHeader) / kWordBytes;
// These two bound the memory that a damaged header can ask for.
constexpr std::size_t kUnpackedBytesMax = std::max(kBatchBytesMax, kMaxPayloadBytes + sizeof(FrameHeader));

// How far LZ4 jumps where it finds nothing. Frames repeat each other, so they pack as small as with 1, and sooner.
constexpr int kAcceleration = 8;

// No block of LZ4's becomes more than so many times its size: a byte stands for 255 at most.
constexpr std::size_t kExpansionMax = 255;

// The first word tells packed from plain: a frame begins with kFrameMagic.
std::optional<PackedHeader> HeaderOf(std::span<const std::uint64_t> stored) {
  PackedHeader header = {};
  if (stored.size() < kHeaderWords) return std::nullopt;
  std::memcpy(&header, stored.data(), sizeof header);
  return header.magic == kPackedMagic ? std::optional(header) : std::nullopt;
}

// The sizes come from the disk.
absl::Status CheckHeader(const PackedHeader& header, std::span<const std::uint64_t> stored) {
  if (header.frames_bytes % kWordBytes == 0 && header.frames_bytes <= kUnpackedBytesMax &&
      header.block_bytes <= stored.subspan(kHeaderWords).size_bytes() &&
      header.frames_bytes / kExpansionMax <= header.block_bytes) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat("the packed batch that holds it claims to be ", header.block_bytes,
                                          " bytes, and ", header.frames_bytes, " unpacked"));
}

}  // namespace

absl::Status BatchSplitter::NoChain() { return absl::InvalidArgumentError("the frames to append are no chain"); }

// The buffer only grows, and is not cleared: its caller overwrites it.
std::span<std::uint64_t> BatchCodec::Room(std::size_t words) {
  if (words > buffer_words_) {
    buffer_ = std::make_unique_for_overwrite<std::uint64_t[]>(words);
    buffer_words_ = words;
  }
  return {buffer_.get(), words};
}

std::span<const std::uint64_t> BatchCodec::Pack(std::span<const std::uint64_t> frames) {
  const std::size_t words_max = frames.size() - 1;  // no larger, or it is not worth it
  if (words_max <= kHeaderWords) return frames;
  const std::span<std::uint64_t> room = Room(words_max);
  const int block_bytes = LZ4_compress_fast(
      reinterpret_cast<const char*>(frames.data()), reinterpret_cast<char*>(&room[kHeaderWords]),
      static_cast<int>(frames.size_bytes()), static_cast<int>((words_max - kHeaderWords) * kWordBytes), kAcceleration);
  // LZ4 had no room: packed, the batch would be no smaller, so it is stored as it is.
  if (block_bytes <= 0) return frames;
  const std::size_t words = kHeaderWords + (static_cast<std::size_t>(block_bytes) + kWordBytes - 1) / kWordBytes;
  const PackedHeader header{.magic = kPackedMagic,
                            .frames_bytes = static_cast<std::uint32_t>(frames.size_bytes()),
                            .block_bytes = static_cast<std::uint32_t>(block_bytes),
                            .reserved = 0};
  std::memcpy(room.data(), &header, sizeof header);
  char* const block_end = reinterpret_cast<char*>(&room[kHeaderWords]) + block_bytes;
  // The last word is padded with zeros, so that equal frames give equal bytes.
  std::memset(block_end, 0, words * kWordBytes - sizeof header - static_cast<std::size_t>(block_bytes));
  return room.first(words);
}

std::size_t BatchCodec::UnpackedBytes(std::span<const std::uint64_t> stored) {
  const std::optional<PackedHeader> header = HeaderOf(stored);
  return header ? header->frames_bytes : stored.size_bytes();
}

std::optional<std::size_t> BatchCodec::PackedWords(std::span<const std::uint64_t> words) {
  const std::optional<PackedHeader> header = HeaderOf(words);
  const bool plausible = header && header->frames_bytes > 0 && header->frames_bytes % kWordBytes == 0 &&
                         header->frames_bytes <= kUnpackedBytesMax && header->block_bytes > 0 &&
                         header->block_bytes < header->frames_bytes &&
                         header->frames_bytes / kExpansionMax <= header->block_bytes;
  if (!plausible) return std::nullopt;
  return kHeaderWords + (header->block_bytes + kWordBytes - 1) / kWordBytes;
}

bool BatchCodec::IsAsPacked(std::span<const std::uint64_t> stored) {
  const std::optional<PackedHeader> header = HeaderOf(stored);
  if (!header) return true;
  const auto block = std::as_bytes(stored.subspan(kHeaderWords));
  if (header->reserved != 0 || header->block_bytes > block.size() || block.size() - header->block_bytes >= kWordBytes) {
    return false;
  }
  const auto rest = block.subspan(header->block_bytes);
  return std::all_of(rest.begin(), rest.end(), [](std::byte byte) { return byte == std::byte{0}; });
}

// What a damaged header says is checked before it is allocated.
absl::StatusOr<std::span<const std::uint64_t>> BatchCodec::Unpack(std::span<const std::uint64_t> stored) {
  const std::optional<PackedHeader> header = HeaderOf(stored);
  if (!header) return stored;
  RETURN_IF_ERROR(CheckHeader(*header, stored));
  const std::span<std::uint64_t> frames = Room(header->frames_bytes / kWordBytes);
  if (clears_) std::fill(frames.begin(), frames.end(), 0);
  RETURN_IF_ERROR(UnpackInto(stored, frames));
  return frames;
}

// LZ4_decompress_safe() stays within both buffers.
absl::Status BatchCodec::UnpackInto(std::span<const std::uint64_t> stored, std::span<std::uint64_t> frames) {
  const std::optional<PackedHeader> header = HeaderOf(stored);
  if (!header) {
    std::copy(stored.begin(), stored.end(), frames.begin());
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(CheckHeader(*header, stored));
  const int bytes =
      LZ4_decompress_safe(reinterpret_cast<const char*>(&stored[kHeaderWords]), reinterpret_cast<char*>(frames.data()),
                          static_cast<int>(header->block_bytes), static_cast<int>(header->frames_bytes));
  if (bytes < 0 || static_cast<std::uint32_t>(bytes) != header->frames_bytes) {
    return absl::DataLossError("the packed batch that holds it can't be unpacked");
  }
  return absl::OkStatus();
}

}  // namespace foldlog
