#include "engine/log/tail/walk.h"

#include <cstring>

#include "engine/codec/frame.h"

namespace foldlog {
namespace {

// Counts frames that are intact in themselves but newer than the end of the chain. Any word can be the first of one,
// for the words before it may be torn. Words that only look like frames could make each word cost the hash of a largest
// frame; so after hashing a ring full of words in vain, CountNewer() stops looking, and some frames may go uncounted.
std::uint64_t CountNewer(std::span<const std::uint64_t> ring, Sequence end) {
  const Sequence newest = end + ring.size() / kFrameHeaderWords;  // more frames do not fit
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

// Whether `words` begin with the header of the next frame of the chain. The caller has found that the frame is not
// intact.
bool IsTornFrameBehind(const ChainEnd& end, std::span<const std::uint64_t> words) {
  FrameHeader header = {};
  if (words.size() < kFrameHeaderWords) return false;
  std::memcpy(&header, words.data(), sizeof header);
  return header.magic == kFrameMagic && header.sequence == end.sequence + 1 && header.previous_hash == end.hash;
}

}  // namespace

TailContents ScanTail(std::span<const std::uint64_t> ring, const TailPosition& start, bool search_rest) {
  TailContents contents;
  std::uint64_t marked = start.position;
  RingCursor cursor(ring, start);
  for (auto frame = cursor.NextOfChain(); frame; frame = cursor.NextOfChain()) {
    // A chain longer than the ring would run through its own start: the words are forged.
    if (cursor.Behind(*frame).position - start.position > ring.size()) break;
    const bool begins_lap = cursor.Words().size() == ring.size();
    if (begins_lap || cursor.at().position - marked >= MarkDistance(ring.size())) {
      contents.marks.push_back(cursor.at());
      marked = cursor.at().position;
    }
    cursor.StepOver(*frame);
  }
  contents.end = cursor.at();
  if (search_rest) contents.discarded = CountNewer(ring, cursor.sequence());
  if (IsTornFrameBehind(cursor.at().chain, cursor.Words())) ++contents.discarded;
  return contents;
}

}  // namespace foldlog
