// Finds intact frames where nothing tells where they begin: by the magic number, the bounds and the hash. For words
// that may be anything, as those of a damaged file.

#ifndef FOLDLOG_CODEC_FRAME_SEARCH_H_
#define FOLDLOG_CODEC_FRAME_SEARCH_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "engine/codec/frame.h"

namespace foldlog {

struct FoundFrame {
  std::size_t at = 0;  // word
  FrameView frame = {};
};

// Words that only look like frames could make each word cost the hash of a largest frame. So a search, of all calls
// together, may hash in vain so many times the words that it goes through.
inline constexpr std::size_t kHashedInVainMax = 16;

// The first intact frame at or behind word `at`; nothing if there is none. What is hashed in vain is taken off
// `words_to_hash`; where that is used up, nothing more is found.
std::optional<FoundFrame> FindFrame(std::span<const std::uint64_t> words, std::size_t at, std::size_t& words_to_hash);

}  // namespace foldlog

#endif  // FOLDLOG_CODEC_FRAME_SEARCH_H_
