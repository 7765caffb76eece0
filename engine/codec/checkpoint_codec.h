// Checkpoints come by millions a second, so they are encoded and decoded by hand: into the same bytes that Cap'n
// Proto's builder makes (the codec's tests compare them), in a tenth of the time. Only for plain checkpoints, those
// without an error, which are nearly all of them; event_codec does the others.

#ifndef FOLDLOG_CODEC_CHECKPOINT_CODEC_H_
#define FOLDLOG_CODEC_CHECKPOINT_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "engine/checkpoint_view.h"
#include "engine/codec/frame.h"
#include "foldlog/event.h"

namespace foldlog {

inline bool IsPlain(const Checkpoint& checkpoint) { return !checkpoint.error; }

// The size of its message in words.
std::size_t PlainCheckpointWords(const Checkpoint& checkpoint);

// Writes the message to `words`, which are zero and have room for it.
void EncodePlainCheckpoint(const Moment& at, Epoch epoch, const Checkpoint& checkpoint, std::uint64_t* words);

// The layout, which is that of https://capnproto.org/encoding.html; schema/FORMAT.md has an example. The decoder is
// inlined where millions are read, so that the view stays in registers.
namespace plain_checkpoint {
inline constexpr std::size_t kRootWords = 1;
inline constexpr std::size_t kDataWords = 6;
inline constexpr std::size_t kPointers = 3;
inline constexpr std::size_t kFixedWords = kRootWords + kDataWords + kPointers;
inline constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
inline constexpr std::uint64_t kRoot = std::uint64_t{kDataWords} << 32 | std::uint64_t{kPointers} << 48;
inline constexpr std::uint32_t kTag = 1;  // of a checkpoint, in the union of kinds
inline constexpr int kBootShift = 32;     // the boot lies in the word of the union's tag, behind it
inline constexpr std::uint64_t kListPointer = 1;
inline constexpr std::uint64_t kBytes = 2;
inline constexpr std::uint64_t kNoBatch = ~std::uint64_t{0};  // stored numbers are XORed with their default, here -1

constexpr std::size_t WordsOf(std::uint64_t text_bytes) { return (text_bytes + kWordBytes - 1) / kWordBytes; }

// The list pointer at `at` to a text of so many bytes at `text`.
inline std::uint64_t PointerAt(const std::uint64_t* at, const std::uint64_t* text, std::uint64_t bytes) {
  return kListPointer | static_cast<std::uint64_t>(text - at - 1) << 2 | kBytes << 32 | bytes << 35;
}

// Reads the text that the pointer at `at` leads to and moves `end` behind it. False if pointer or text are not exactly
// where the encoder would have put them.
inline bool TakeText(const std::uint64_t* at, std::span<const std::uint64_t> words, std::size_t& end,
                     std::string_view& text) {
  text = {};
  if (*at == 0) return true;
  const std::uint64_t* const begin = words.data() + end;
  const std::uint64_t bytes = *at >> 35;
  if (*at != PointerAt(at, begin, bytes) || WordsOf(bytes) > words.size() - end) return false;
  text = {reinterpret_cast<const char*>(begin), bytes};
  end += WordsOf(bytes);
  return true;
}
}  // namespace plain_checkpoint

// Whether `words` are a plain checkpoint that lies there as the encoder lays it out. Then it is in `view`, all of it;
// its texts are views into `words`. Of any other message, event_codec tells whether it is a checkpoint
// of another layout, another event, or damage; `view` then holds nothing of use.
//
// Every word is compared or used: a message that passes is byte for byte what the encoder makes of the result, except
// for the padding of texts.
inline bool DecodePlainCheckpoint(std::span<const std::uint64_t> words, CheckpointView& view) {
  using namespace plain_checkpoint;
  if (words.size() < kFixedWords || words.size_bytes() > kMaxCommonPayloadBytes || words[0] != kRoot) return false;
  const std::uint64_t* const data = words.data() + kRootWords;
  const std::uint64_t* const pointers = data + kDataWords;
  if (static_cast<std::uint32_t>(data[2]) != kTag || pointers[2] != 0) return false;
  view.at.time = static_cast<TimeNs>(data[0]);
  view.at.boot = {.at = static_cast<TimeNs>(data[5]), .id = static_cast<std::uint32_t>(data[2] >> kBootShift)};
  view.epoch = data[1];
  view.files_processed = static_cast<std::int64_t>(data[3]);
  const auto batch_num = static_cast<std::int64_t>(data[4] ^ kNoBatch);
  view.batch_num.reset();
  if (data[4] != 0) view.batch_num.emplace(batch_num);
  view.has_error = false;
  // Negative counts are damage, which event_codec reports with words.
  if (view.files_processed < 0 || (data[4] != 0 && batch_num < 0)) return false;
  std::size_t end = kFixedWords;
  return TakeText(&pointers[0], words, end, view.current_path) &&
         TakeText(&pointers[1], words, end, view.last_processed_file) && end == words.size();
}

// The clocks of a plain checkpoint in the encoder's layout, whose other words are not looked at: for who passes over
// such events. Nothing if `words` are of anything else.
inline std::optional<Moment> MomentOfPlainCheckpoint(std::span<const std::uint64_t> words) {
  using namespace plain_checkpoint;
  if (words.size() < kFixedWords || words[0] != kRoot) return std::nullopt;
  const std::uint64_t* const data = words.data() + kRootWords;
  const std::uint64_t* const pointers = data + kDataWords;
  if (static_cast<std::uint32_t>(data[2]) != kTag || pointers[2] != 0) return std::nullopt;
  return Moment{static_cast<TimeNs>(data[0]),
                {.at = static_cast<TimeNs>(data[5]), .id = static_cast<std::uint32_t>(data[2] >> kBootShift)}};
}

}  // namespace foldlog

#endif  // FOLDLOG_CODEC_CHECKPOINT_CODEC_H_
