#include "engine/codec/checkpoint_codec.h"

#include <cstring>
#include <optional>
#include <string>

#include "schema/event.capnp.h"

namespace foldlog {
namespace {

using namespace plain_checkpoint;

static_assert(schema::Event::_capnpPrivate::dataWordSize == kDataWords);
static_assert(schema::Event::_capnpPrivate::pointerCount == kPointers);
static_assert(schema::Event::CHECKPOINT == kTag);

std::size_t TextWords(const std::optional<std::string>& text) { return text ? WordsOf(text->size()) : 0; }

// Puts the bytes of `text` at `end` and a list pointer to them at `at`; an absent text is a null pointer. Returns the
// new end. The words must be zero before.
std::uint64_t* PutText(const std::optional<std::string>& text, std::uint64_t* at, std::uint64_t* end) {
  if (!text) return end;
  *at = PointerAt(at, end, text->size());
  std::memcpy(end, text->data(), text->size());
  return end + TextWords(text);
}

}  // namespace

std::size_t PlainCheckpointWords(const Checkpoint& checkpoint) {
  return kFixedWords + TextWords(checkpoint.current_path) + TextWords(checkpoint.last_processed_file);
}

// Absent texts and the padding stay zero.
void EncodePlainCheckpoint(const Moment& at, Epoch epoch, const Checkpoint& checkpoint, std::uint64_t* root) {
  std::uint64_t* const data = root + kRootWords;
  std::uint64_t* const pointers = data + kDataWords;
  *root = kRoot;
  data[0] = static_cast<std::uint64_t>(at.time);
  data[1] = epoch;
  data[2] = kTag | std::uint64_t{at.boot.id} << kBootShift;
  data[3] = static_cast<std::uint64_t>(checkpoint.files_processed);
  data[4] = static_cast<std::uint64_t>(checkpoint.batch_num.value_or(-1)) ^ kNoBatch;
  data[5] = static_cast<std::uint64_t>(at.boot.at);
  std::uint64_t* end = PutText(checkpoint.current_path, &pointers[0], pointers + kPointers);
  PutText(checkpoint.last_processed_file, &pointers[1], end);
}

}  // namespace foldlog
