// Checkpoints come by millions a second, so they are encoded and decoded by hand: into the same bytes that Cap'n
// Proto's builder makes (the codec's tests compare them), in a tenth of the time. Only for plain checkpoints, those
// without an error, which are nearly all of them; event_codec does the others.

#ifndef FOLDLOG_CODEC_CHECKPOINT_CODEC_H_
#define FOLDLOG_CODEC_CHECKPOINT_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/checkpoint_view.h"
#include "foldlog/event.h"

namespace foldlog {

inline bool IsPlain(const Checkpoint& checkpoint) { return !checkpoint.error; }

// The size in words of the message that EncodePlainCheckpoint() appends to `words`.
std::size_t PlainCheckpointWords(const Checkpoint& checkpoint);
void EncodePlainCheckpoint(const Moment& at, Epoch epoch, const Checkpoint& checkpoint,
                           std::vector<std::uint64_t>& words);

// The checkpoint in the message `words`, if it lies there as the encoder lays it out; its texts are views into `words`.
// Nothing for any other message: event_codec tells whether that is a checkpoint of another layout, another event, or
// damage.
std::optional<CheckpointView> DecodePlainCheckpoint(std::span<const std::uint64_t> words);

}  // namespace foldlog

#endif  // FOLDLOG_CODEC_CHECKPOINT_CODEC_H_
