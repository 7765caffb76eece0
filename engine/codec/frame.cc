#include "engine/codec/frame.h"

// XXH3 is inlined, because every frame is hashed when it is written and when it is read.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/codec/checkpoint_codec.h"
#include "engine/codec/event_codec.h"

namespace foldlog {
namespace {

constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
constexpr std::size_t kHashedFromWord = offsetof(FrameHeader, previous_hash) / kWordBytes;

// Covers one piece of memory, from previous_hash to the end of the payload, so that a frame is checked in place. The
// payload's size is covered as the length of that piece.
std::uint64_t HashFrame(const std::uint64_t* frame, std::size_t size_words) {
  return XXH3_64bits(frame + kHashedFromWord, (size_words - kHashedFromWord) * kWordBytes);
}

// Writes the header of the frame at word `start`, whose payload ends the run, and makes it the run's end.
void Seal(std::size_t start, FrameRun& run) {
  std::uint64_t* const frame = run.words.data() + start;
  const std::size_t size_words = run.words.size() - start;
  FrameHeader header{.magic = kFrameMagic,
                     .payload_bytes = static_cast<std::uint32_t>((size_words - kFrameHeaderWords) * kWordBytes),
                     .hash = 0,
                     .previous_hash = run.after.hash,
                     .sequence = run.after.sequence + 1};
  std::memcpy(frame, &header, sizeof header);
  // Hashed where it lies: the other fields must be in place first. The header is then written as a whole again, for who
  // reads it as a whole at once waits for the processor to put two stores together.
  header.hash = HashFrame(frame, size_words);
  std::memcpy(frame, &header, sizeof header);
  run.after = {header.sequence, header.hash};
}

absl::Status CheckSize(std::size_t payload_words, std::size_t bytes_max) {
  if (payload_words * kWordBytes <= bytes_max) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the event takes ", payload_words * kWordBytes,
                                                 " bytes, more than the ", bytes_max,
                                                 " allowed; shorten its paths or texts, or give fewer"));
}

}  // namespace

std::uint64_t GenesisHash(std::span<const std::uint8_t> log_id) { return XXH3_64bits(log_id.data(), log_id.size()); }

absl::Status AppendFrame(const Event& event, FrameRun& run) {
  // The payload is encoded directly behind the room for its header. If that fails, the run shrinks back to what it was.
  const std::size_t start = run.words.size();
  run.words.resize(start + kFrameHeaderWords);
  absl::Status encoded = EncodeEvent(event, run.words);
  const std::size_t payload_words = run.words.size() - start - kFrameHeaderWords;
  if (encoded.ok()) encoded = CheckSize(payload_words, MaxBytesOf(event.body));
  if (!encoded.ok()) {
    run.words.resize(start);
    return encoded;
  }
  Seal(start, run);
  return absl::OkStatus();
}

// The size is known beforehand, so nothing has to be undone.
absl::Status AppendPayload(std::span<const std::uint64_t> payload, FrameRun& run) {
  if (payload.empty()) return absl::InvalidArgumentError("a frame without a payload");
  RETURN_IF_ERROR(CheckSize(payload.size(), kMaxPayloadBytes));
  const std::size_t start = run.words.size();
  run.words.resize(start + kFrameHeaderWords);
  run.words.insert(run.words.end(), payload.begin(), payload.end());
  Seal(start, run);
  return absl::OkStatus();
}

absl::Status AppendCheckpointFrame(const Moment& at, Epoch epoch, const Checkpoint& checkpoint, FrameRun& run) {
  if (!IsPlain(checkpoint)) return AppendFrame({at.time, epoch, checkpoint, at.boot}, run);
  const std::size_t payload_words = PlainCheckpointWords(checkpoint);
  if (payload_words * kWordBytes > kMaxCommonPayloadBytes) return CheckSize(payload_words, kMaxCommonPayloadBytes);
  const std::size_t start = run.words.size();
  run.words.resize(start + kFrameHeaderWords + payload_words);
  EncodePlainCheckpoint(at, epoch, checkpoint, &run.words[start + kFrameHeaderWords]);
  Seal(start, run);
  return absl::OkStatus();
}

// The good case first; the rest only finds words for what is wrong.
absl::StatusOr<FrameView> PeekFrame(std::span<const std::uint64_t> words) {
  if (const std::optional<FrameView> frame = FrameAtStartOf(words)) return *frame;
  if (words.size() < kFrameHeaderWords) return absl::DataLossError("the frame header is cut short");
  FrameHeader header = {};
  std::memcpy(&header, words.data(), sizeof header);
  if (header.magic != kFrameMagic) return absl::DataLossError("no frame starts here: wrong magic number");
  return absl::DataLossError(absl::StrCat("the frame claims a payload of ", header.payload_bytes, " bytes"));
}

bool IsIntact(const FrameView& frame) {
  return HashFrame(frame.payload.data() - kFrameHeaderWords, frame.size_words()) == frame.header.hash;
}

std::optional<FrameView> FrameBehind(const ChainEnd& end, std::span<const std::uint64_t> words) {
  const auto frame = FrameAtStartOf(words);
  const bool next = frame && frame->header.sequence == end.sequence + 1 && frame->header.previous_hash == end.hash;
  return next && IsIntact(*frame) ? frame : std::nullopt;
}

absl::Status CheckFrameHash(const FrameView& frame) {
  return IsIntact(frame) ? absl::OkStatus() : absl::DataLossError("the frame's bytes do not match its hash");
}

}  // namespace foldlog
