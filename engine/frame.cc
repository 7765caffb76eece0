#include "engine/frame.h"

#include <xxhash.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "engine/event_codec.h"
#include "engine/status_macros.h"

namespace foldlog {
namespace {

constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
constexpr std::size_t kHashedFromWord = offsetof(FrameHeader, previous_hash) / kWordBytes;

// From the previous hash to the end of the payload: one stretch, so that it can be checked in place. The payload's size
// is in it as the length of the stretch.
std::uint64_t HashFrame(const std::uint64_t* frame, std::size_t size_words) {
  return XXH3_64bits(frame + kHashedFromWord, (size_words - kHashedFromWord) * kWordBytes);
}

}  // namespace

std::uint64_t GenesisHash(std::span<const std::uint8_t> log_id) { return XXH3_64bits(log_id.data(), log_id.size()); }

absl::Status AppendFrame(const Event& event, FrameRun& run) {
  const std::size_t start = run.words.size();
  run.words.resize(start + kFrameHeaderWords);
  absl::Status encoded = EncodeEvent(event, run.words);
  const std::size_t size_words = run.words.size() - start;
  const std::size_t payload_bytes = (size_words - kFrameHeaderWords) * kWordBytes;
  if (encoded.ok() && payload_bytes > kMaxPayloadBytes) {
    encoded = absl::InvalidArgumentError(absl::StrCat("the event takes ", payload_bytes, " bytes, more than the ",
                                                      kMaxPayloadBytes, " allowed; shorten its paths or texts"));
  }
  if (!encoded.ok()) {
    run.words.resize(start);
    return encoded;
  }
  FrameHeader header{.magic = kFrameMagic,
                     .payload_bytes = static_cast<std::uint32_t>(payload_bytes),
                     .hash = 0,
                     .previous_hash = run.after.hash,
                     .sequence = run.after.sequence + 1};
  std::uint64_t* frame = run.words.data() + start;
  std::memcpy(frame, &header, sizeof header);
  header.hash = HashFrame(frame, size_words);
  std::memcpy(frame, &header, sizeof header);
  run.after = {header.sequence, header.hash};
  return absl::OkStatus();
}

absl::StatusOr<FrameView> PeekFrame(std::span<const std::uint64_t> words) {
  if (words.size() < kFrameHeaderWords) return absl::DataLossError("the frame header is cut short");
  FrameView frame;
  std::memcpy(&frame.header, words.data(), sizeof frame.header);
  if (frame.header.magic != kFrameMagic) return absl::DataLossError("no frame starts here: wrong magic number");
  const std::size_t payload_bytes = frame.header.payload_bytes;
  if (payload_bytes == 0 || payload_bytes % kWordBytes != 0 || payload_bytes > kMaxPayloadBytes ||
      payload_bytes / kWordBytes > words.size() - kFrameHeaderWords) {
    return absl::DataLossError(absl::StrCat("the frame claims a payload of ", payload_bytes, " bytes"));
  }
  frame.payload = words.subspan(kFrameHeaderWords, payload_bytes / kWordBytes);
  return frame;
}

absl::Status CheckFrameHash(const FrameView& frame) {
  const std::uint64_t* start = frame.payload.data() - kFrameHeaderWords;
  if (HashFrame(start, frame.size_words()) != frame.header.hash) {
    return absl::DataLossError("the frame's bytes do not match its hash");
  }
  return absl::OkStatus();
}

}  // namespace foldlog
