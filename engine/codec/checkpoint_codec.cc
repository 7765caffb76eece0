#include "engine/codec/checkpoint_codec.h"

#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "engine/codec/frame.h"
#include "schema/event.capnp.h"

namespace foldlog {
namespace {

// The layout is that of https://capnproto.org/encoding.html; schema/FORMAT.md has an example.
constexpr std::size_t kRootWords = 1;
constexpr std::size_t kDataWords = 6;
constexpr std::size_t kPointers = 3;
static_assert(schema::Event::_capnpPrivate::dataWordSize == kDataWords);
static_assert(schema::Event::_capnpPrivate::pointerCount == kPointers);
constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
constexpr std::uint64_t kRoot = std::uint64_t{kDataWords} << 32 | std::uint64_t{kPointers} << 48;
constexpr int kBootShift = 32;  // the boot lies in the word of the union's tag, behind it
constexpr std::uint64_t kListPointer = 1;
constexpr std::uint64_t kBytes = 2;
constexpr std::uint64_t kNoBatch = ~std::uint64_t{0};  // stored numbers are XORed with their default, here -1

std::size_t TextWords(const std::optional<std::string>& text) {
  return text ? (text->size() + kWordBytes - 1) / kWordBytes : 0;
}

// Puts the bytes of `text` at `end` and a list pointer to them at `at`; an absent text is a null pointer. Returns the
// new end. The words must be zero before.
std::uint64_t* PutText(const std::optional<std::string>& text, std::uint64_t* at, std::uint64_t* end) {
  if (!text) return end;
  const auto offset = static_cast<std::uint64_t>(end - at - 1);
  *at = kListPointer | offset << 2 | kBytes << 32 | static_cast<std::uint64_t>(text->size()) << 35;
  std::memcpy(end, text->data(), text->size());
  return end + TextWords(text);
}

// Reads the text that the pointer at `at` leads to and moves `end` behind it. False if pointer or text are not exactly
// where PutText() would have put them.
bool TakeText(const std::uint64_t* at, std::span<const std::uint64_t> words, std::size_t& end,
              std::optional<std::string_view>& text) {
  if (*at == 0) return true;
  const std::uint64_t* const begin = words.data() + end;
  const std::uint64_t bytes = *at >> 35;
  const auto offset = static_cast<std::uint64_t>(begin - at - 1);
  if (*at != (kListPointer | offset << 2 | kBytes << 32 | bytes << 35)) return false;
  const std::uint64_t text_words = (bytes + kWordBytes - 1) / kWordBytes;
  if (text_words > words.size() - end) return false;
  text.emplace(reinterpret_cast<const char*>(begin), bytes);
  end += text_words;
  return true;
}

}  // namespace

std::size_t PlainCheckpointWords(const Checkpoint& checkpoint) {
  return kRootWords + kDataWords + kPointers + TextWords(checkpoint.current_path) +
         TextWords(checkpoint.last_processed_file);
}

// resize() gives zeros, which absent texts and the padding rely on.
void EncodePlainCheckpoint(const Moment& at, Epoch epoch, const Checkpoint& checkpoint,
                           std::vector<std::uint64_t>& words) {
  const std::size_t start = words.size();
  words.resize(start + PlainCheckpointWords(checkpoint));
  std::uint64_t* const root = words.data() + start;
  std::uint64_t* const data = root + kRootWords;
  std::uint64_t* const pointers = data + kDataWords;
  *root = kRoot;
  data[0] = static_cast<std::uint64_t>(at.time);
  data[1] = epoch;
  data[2] = schema::Event::CHECKPOINT | std::uint64_t{at.boot.id} << kBootShift;
  data[3] = static_cast<std::uint64_t>(checkpoint.files_processed);
  data[4] = static_cast<std::uint64_t>(checkpoint.batch_num.value_or(-1)) ^ kNoBatch;
  data[5] = static_cast<std::uint64_t>(at.boot.at);
  std::uint64_t* end = PutText(checkpoint.current_path, &pointers[0], pointers + kPointers);
  PutText(checkpoint.last_processed_file, &pointers[1], end);
}

// Every word is compared or used: a message that passes is byte for byte what the encoder makes of the result, except
// for the padding of texts.
std::optional<CheckpointView> DecodePlainCheckpoint(std::span<const std::uint64_t> words) {
  std::size_t end = kRootWords + kDataWords + kPointers;
  if (words.size() < end || words.size_bytes() > kMaxCommonPayloadBytes || words[0] != kRoot) return std::nullopt;
  const std::uint64_t* const data = words.data() + kRootWords;
  const std::uint64_t* const pointers = data + kDataWords;
  if (static_cast<std::uint32_t>(data[2]) != schema::Event::CHECKPOINT || pointers[2] != 0) return std::nullopt;
  const Boot boot{.at = static_cast<TimeNs>(data[5]), .id = static_cast<std::uint32_t>(data[2] >> kBootShift)};
  CheckpointView view{.at = {static_cast<TimeNs>(data[0]), boot},
                      .epoch = data[1],
                      .files_processed = static_cast<std::int64_t>(data[3])};
  if (data[4] != 0) view.batch_num = static_cast<std::int64_t>(data[4] ^ kNoBatch);
  // Negative counts are damage, which event_codec reports with words.
  if (view.files_processed < 0 || view.batch_num.value_or(0) < 0) return std::nullopt;
  if (!TakeText(&pointers[0], words, end, view.current_path)) return std::nullopt;
  if (!TakeText(&pointers[1], words, end, view.last_processed_file)) return std::nullopt;
  return end == words.size() ? std::optional(view) : std::nullopt;
}

}  // namespace foldlog
