// States as Cap'n Proto messages: the words of a snapshot. Threads: any; the functions are pure.

#ifndef FOLDLOG_CODEC_STATE_CODEC_H_
#define FOLDLOG_CODEC_STATE_CODEC_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/state.h"

namespace foldlog {

// Changes whenever Apply() or state.capnp does, so that a snapshot of another fold is not taken for one of this.
inline constexpr std::uint32_t kFoldVersion = 4;

absl::Status EncodeState(const State& state, std::vector<std::uint64_t>& words);

// The state in `words`. DataLoss if the bytes are no state of this fold version, Unimplemented if there is something in
// it that only a newer one knows; the caller then folds from the events.
absl::StatusOr<State> DecodeState(std::span<const std::uint64_t> words);

}  // namespace foldlog

#endif  // FOLDLOG_CODEC_STATE_CODEC_H_
