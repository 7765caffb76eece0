// The one event that comes in millions a second, encoded and decoded by hand: the very bytes that Cap'n Proto's builder
// makes of it (codec_test compares them), in a tenth of the time. For plain checkpoints, those without an error, which
// are nearly all of them; the others are event_codec's.

#ifndef FOLDLOG_CODEC_CHECKPOINT_CODEC_H_
#define FOLDLOG_CODEC_CHECKPOINT_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/codec/checkpoint_view.h"
#include "foldlog/event.h"

namespace foldlog {

inline bool IsPlain(const Checkpoint& checkpoint) { return !checkpoint.error; }

// The size of the message that EncodePlainCheckpoint() appends to `words`.
std::size_t PlainCheckpointWords(const Checkpoint& checkpoint);
void EncodePlainCheckpoint(const Moment& at, Epoch epoch, const Checkpoint& checkpoint,
                           std::vector<std::uint64_t>& words);

// The checkpoint whose message `words` is, if it lies there as the encoder above would have laid it out. Nothing for
// any other message, which may still be a checkpoint, or damage: event_codec tells. The texts are those in `words`.
std::optional<CheckpointView> DecodePlainCheckpoint(std::span<const std::uint64_t> words);

}  // namespace foldlog

#endif  // FOLDLOG_CODEC_CHECKPOINT_CODEC_H_
