#include "engine/checkpoint_codec.h"

#include <cstring>
#include <optional>
#include <string>

#include "schema/event.capnp.h"

namespace foldlog {
namespace {

// The layout is that of https://capnproto.org/encoding.html; schema/FORMAT.md has an example.
constexpr std::size_t kRootWords = 1;
constexpr std::size_t kDataWords = 5;
constexpr std::size_t kPointers = 3;
static_assert(schema::Event::_capnpPrivate::dataWordSize == kDataWords);
static_assert(schema::Event::_capnpPrivate::pointerCount == kPointers);
constexpr std::size_t kWordBytes = sizeof(std::uint64_t);

std::size_t TextWords(const std::optional<std::string>& text) {
  return text ? (text->size() + kWordBytes - 1) / kWordBytes : 0;
}

// A list of bytes at `end`, with a pointer to it at `at`; an absent one is a null pointer. Returns the new end. The
// words are zeros before.
std::uint64_t* PutText(const std::optional<std::string>& text, std::uint64_t* at, std::uint64_t* end) {
  if (!text) return end;
  constexpr std::uint64_t kListPointer = 1;
  constexpr std::uint64_t kBytes = 2;
  const auto offset = static_cast<std::uint64_t>(end - at - 1);
  *at = kListPointer | offset << 2 | kBytes << 32 | static_cast<std::uint64_t>(text->size()) << 35;
  std::memcpy(end, text->data(), text->size());
  return end + TextWords(text);
}

}  // namespace

std::size_t PlainCheckpointWords(const Checkpoint& checkpoint) {
  return kRootWords + kDataWords + kPointers + TextWords(checkpoint.current_path) +
         TextWords(checkpoint.last_processed_file);
}

void EncodePlainCheckpoint(TimeNs time, Epoch epoch, const Checkpoint& checkpoint, std::vector<std::uint64_t>& words) {
  const std::size_t start = words.size();
  words.resize(start + PlainCheckpointWords(checkpoint));
  std::uint64_t* const root = words.data() + start;
  std::uint64_t* const data = root + kRootWords;
  std::uint64_t* const pointers = data + kDataWords;
  *root = std::uint64_t{kDataWords} << 32 | std::uint64_t{kPointers} << 48;
  data[0] = static_cast<std::uint64_t>(time);
  data[1] = epoch;
  data[2] = schema::Event::CHECKPOINT;
  data[3] = static_cast<std::uint64_t>(checkpoint.files_processed);
  data[4] = static_cast<std::uint64_t>(checkpoint.batch_num.value_or(-1)) ^ ~std::uint64_t{0};  // its default is -1
  std::uint64_t* end = PutText(checkpoint.current_path, &pointers[0], pointers + kPointers);
  PutText(checkpoint.last_processed_file, &pointers[1], end);
}

}  // namespace foldlog
