// Frames: an event's payload with a header that numbers it, seals it with a hash, and chains it to the frame before.
// schema/FORMAT.md has the layout; the same bytes are used wherever events are stored or sent.

#ifndef FOLDLOG_CODEC_FRAME_H_
#define FOLDLOG_CODEC_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event_log.h"

namespace foldlog {

struct FrameHeader {
  std::uint32_t magic;
  std::uint32_t payload_bytes;
  std::uint64_t hash;
  std::uint64_t previous_hash;
  std::uint64_t sequence;
};
static_assert(sizeof(FrameHeader) == 32);
static_assert(offsetof(FrameHeader, hash) == 8);
static_assert(offsetof(FrameHeader, previous_hash) == 16);
static_assert(offsetof(FrameHeader, sequence) == 24);

inline constexpr std::uint32_t kFrameMagic = 0x31474c46;  // "FLG1"
inline constexpr std::size_t kFrameHeaderWords = sizeof(FrameHeader) / sizeof(std::uint64_t);

// Of an import, which carries a whole operation with all its errors. What the tail's ring does not take goes to the
// store directly, and a transaction there takes several times as much.
inline constexpr std::size_t kMaxPayloadBytes = std::size_t{64} << 20;

// Of every other event: holds a path of 1 MiB several times over, and keeps the state, which is stored again with each
// snapshot, small.
inline constexpr std::size_t kMaxCommonPayloadBytes = std::size_t{4} << 20;

// A frame inside a larger buffer, which must outlive it.
struct FrameView {
  FrameHeader header;
  std::span<const std::uint64_t> payload;

  std::size_t size_words() const { return kFrameHeaderWords + payload.size(); }
  ChainEnd end() const { return {header.sequence, header.hash}; }
};

// The hash that the first frame of a log names as its predecessor's. It is that of the log's id, so no frame of another
// log can continue this one.
std::uint64_t GenesisHash(std::span<const std::uint8_t> log_id);

// Appends `event` to `run` as its next frame. InvalidArgument if it is larger than such an event may be; `run` is then
// unchanged.
absl::Status AppendFrame(const Event& event, FrameRun& run);

// Appends what may be an event, as it is. InvalidArgument if no frame could hold it.
absl::Status AppendPayload(std::span<const std::uint64_t> payload, FrameRun& run);

// AppendFrame() for a checkpoint: the same bytes, faster, and without an Event.
absl::Status AppendCheckpointFrame(const Moment& at, Epoch epoch, const Checkpoint& checkpoint, FrameRun& run);

// The frame at the start of `words`, which may go on behind it. Checks size and magic only: enough to step over it.
inline std::optional<FrameView> FrameAtStartOf(std::span<const std::uint64_t> words) {
  FrameView frame;
  if (words.size() < kFrameHeaderWords) return std::nullopt;
  std::memcpy(&frame.header, words.data(), sizeof frame.header);
  const std::size_t payload_words = frame.header.payload_bytes / sizeof(std::uint64_t);
  const bool plausible = frame.header.magic == kFrameMagic && payload_words > 0 &&
                         frame.header.payload_bytes % sizeof(std::uint64_t) == 0 &&
                         frame.header.payload_bytes <= kMaxPayloadBytes &&
                         payload_words <= words.size() - kFrameHeaderWords;
  if (!plausible) return std::nullopt;
  frame.payload = words.subspan(kFrameHeaderWords, payload_words);
  return frame;
}

// FrameAtStartOf(), with DataLoss that says what is wrong.
absl::StatusOr<FrameView> PeekFrame(std::span<const std::uint64_t> words);

// Whether the hash of `frame` is right. It covers all but magic and size, which FrameAtStartOf() has checked.
bool IsIntact(const FrameView& frame);

// The frame at the start of `words` if it is whole, intact, and the next of the chain that ends with `end`.
std::optional<FrameView> FrameBehind(const ChainEnd& end, std::span<const std::uint64_t> words);

// IsIntact(), with DataLoss.
absl::Status CheckFrameHash(const FrameView& frame);

}  // namespace foldlog

#endif  // FOLDLOG_CODEC_FRAME_H_
