#include "engine/codec/frame_search.h"

namespace foldlog {

std::optional<FoundFrame> FindFrame(std::span<const std::uint64_t> words, std::size_t at, std::size_t& words_to_hash) {
  for (; at < words.size(); ++at) {
    if (static_cast<std::uint32_t>(words[at]) != kFrameMagic) continue;
    const std::optional<FrameView> frame = FrameAtStartOf(words.subspan(at));
    if (!frame) continue;
    if (frame->size_words() > words_to_hash) break;
    if (IsIntact(*frame)) return FoundFrame{at, *frame};
    words_to_hash -= frame->size_words();
  }
  return std::nullopt;
}

}  // namespace foldlog
