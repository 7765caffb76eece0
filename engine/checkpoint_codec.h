// The one event that comes in millions a second, encoded by hand: the very bytes that Cap'n Proto's builder makes of it
// (codec_test compares them), in a tenth of the time. For plain checkpoints, those without an error, which are nearly all
// of them; the others, and all decoding, are event_codec's.

#ifndef FOLDLOG_CHECKPOINT_CODEC_H_
#define FOLDLOG_CHECKPOINT_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "foldlog/event.h"

namespace foldlog {

inline bool IsPlain(const Checkpoint& checkpoint) { return !checkpoint.error; }

// The size of the message that EncodePlainCheckpoint() appends to `words`.
std::size_t PlainCheckpointWords(const Checkpoint& checkpoint);
void EncodePlainCheckpoint(TimeNs time, Epoch epoch, const Checkpoint& checkpoint, std::vector<std::uint64_t>& words);

}  // namespace foldlog

#endif  // FOLDLOG_CHECKPOINT_CODEC_H_
