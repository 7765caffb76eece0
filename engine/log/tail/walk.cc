#include "engine/log/tail/walk.h"

#include <cstring>

#include "engine/codec/frame.h"

namespace foldlog {
namespace {

// Frames that are intact in themselves but newer than the end of the chain. Any word can be the first of one, for what
// lies before it may be torn. What only looks like frames, each as long as can be, must not cost more than a ring full
// of true ones: there is an end to what is hashed in vain, and then some may go uncounted.
std::uint64_t CountNewer(std::span<const std::uint64_t> ring, Sequence end) {
  const Sequence newest = end + ring.size() / kFrameHeaderWords;  // more do not fit in
  std::uint64_t count = 0;
  std::size_t in_vain = 0;
  for (std::size_t at = 0; at < ring.size();) {
    std::size_t step = 1;
    if (static_cast<std::uint32_t>(ring[at]) == kFrameMagic) {
      const auto frame = FrameAtStartOf(ring.subspan(at));
      const bool newer = frame && frame->header.sequence > end && frame->header.sequence <= newest;
      if (newer && in_vain < ring.size()) {
        if (IsIntact(*frame)) {
          ++count;
          step = frame->size_words();
        } else {
          in_vain += frame->size_words();
        }
      }
    }
    at += step;
  }
  return count;
}

// The next frame, begun and not finished.
bool IsTornFrameBehind(const ChainEnd& end, std::span<const std::uint64_t> words) {
  FrameHeader header = {};
  if (words.size() < kFrameHeaderWords) return false;
  std::memcpy(&header, words.data(), sizeof header);
  return header.magic == kFrameMagic && header.sequence == end.sequence + 1 && header.previous_hash == end.hash;
}

}  // namespace

TailContents ScanTail(std::span<const std::uint64_t> ring, const TailPosition& start, bool search_rest) {
  constexpr Sequence kMarkEvery = 1024;
  TailContents contents;
  RingCursor cursor(ring, start);
  for (auto frame = cursor.NextOfChain(); frame; frame = cursor.NextOfChain()) {
    // A chain cannot be longer than the ring, whatever the words say.
    if (cursor.Behind(*frame).position - start.position > ring.size()) break;
    cursor.StepOver(*frame);
    if (cursor.sequence() % kMarkEvery == 0) contents.marks.push_back(cursor.at());
  }
  contents.end = cursor.at();
  if (search_rest) contents.discarded = CountNewer(ring, cursor.sequence());
  if (IsTornFrameBehind(cursor.at().chain, cursor.Words())) ++contents.discarded;
  return contents;
}

}  // namespace foldlog
