// The ring of a tail with any words: recovery finds the end that a plain walk along the chain finds, in bounds and in
// time; and a page of marks never claims more than an intact mark does.

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>

#include "engine/log/tail/cursor.h"
#include "engine/log/tail/mark.h"
#include "engine/log/tail/ring.h"
#include "engine/log/tail/walk.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/sample.h"
#include "tests/fuzz/target.h"

namespace foldlog::fuzz {
namespace {

using Words = std::vector<std::uint64_t>;

// The walk as FORMAT.md tells it.
TailPosition PlainWalk(const Words& ring, const TailPosition& start) {
  TailPosition at = start;
  while (true) {
    std::uint64_t index = at.position % ring.size();
    std::uint64_t position = at.position;
    if (ring[index] == kSkipMark) {
      position += ring.size() - index;
      index = 0;
    }
    const auto frame = FrameBehind(at.chain, std::span(ring).subspan(index));
    if (!frame || position + frame->size_words() - start.position > ring.size()) return at;
    at = {position + frame->size_words(), frame->end()};
  }
}

void CheckScan(const Words& ring, const TailPosition& start) {
  const TailPosition end = PlainWalk(ring, start);
  for (const bool search_rest : {false, true}) {
    const TailContents contents = ScanTail(ring, start, search_rest);
    Require(contents.end == end, "recovery ends where the chain does");
    std::uint64_t before = start.position;
    for (const TailPosition& mark : contents.marks) {
      Require(mark.position >= before && mark.position <= end.position, "marks rise, and are within what was found");
      Require(mark.chain.sequence <= end.chain.sequence, "a mark is of an event that was found");
      before = mark.position;
    }
  }
}

// The last page of the input, if it has one, as a page of marks.
void CheckMarks(std::string_view input) {
  std::array<std::byte, kTailMarkBytes> page = {};
  std::memcpy(page.data(), input.data(), std::min(input.size(), page.size()));
  const TailClaim claim = ReadTailClaim(page);
  Require(claim.durable <= claim.flushing, "a flush goes no less far than what was flushed");
  Require(CountTornSlots(page) <= 2, "there are two marks");
  TailMark mark(page);
  mark.NoteFlushing(claim.flushing);
  Require(ReadTailClaim(page) == claim, "a mark that is written anew claims what it did");
}

// The first word says where the walk starts; the others are the ring.
void Run(std::string_view input) {
  const Words words = WordsIn(input);
  CheckMarks(input);
  if (words.size() < 2) return;
  const Words ring(words.begin() + 1, words.end());
  CheckScan(ring, {words[0] % (std::uint64_t{1} << 62), kStart});
}

std::vector<std::string> Seeds() {
  const Words& words = TheSample().run.words;
  std::vector<std::string> seeds;
  for (const std::size_t start : {0, 5, 290}) {
    Words ring(300);
    TailRing tail(ring, {start, kStart}, {.end = {start, kStart}});
    std::size_t at = 0;
    while (true) {
      const FrameView frame = *FrameAtStartOf(std::span(words).subspan(at));
      const FrameSpan run{std::span(words).subspan(at, frame.size_words()),
                          {frame.header.sequence - 1, frame.header.previous_hash},
                          frame.end()};
      if (tail.end().position + 2 * frame.size_words() > start + ring.size()) break;
      tail.Append(run);
      at += frame.size_words();
    }
    ring.insert(ring.begin(), start);
    seeds.push_back(BytesOf(ring));
  }
  std::array<std::byte, kTailMarkBytes> page = {};
  TailMark mark(page);
  mark.NoteFlushing(7);
  mark.NoteFlushed(7);
  seeds.emplace_back(reinterpret_cast<const char*>(page.data()), 640);
  return seeds;
}

// The marks, and the chain from the start on.
void Repair(std::string& input) {
  constexpr std::size_t kMarkDistance = 512;
  constexpr std::size_t kMarkHashed = 24;
  for (std::size_t at = 0; at <= kMarkDistance && at + kMarkHashed + 8 <= input.size(); at += kMarkDistance) {
    const std::uint64_t hash = XXH3_64bits(&input[at], kMarkHashed);
    std::memcpy(&input[at + kMarkHashed], &hash, sizeof hash);
  }
  Words words = WordsIn(input);
  if (words.size() < 2) return;
  const std::span<std::uint64_t> ring = std::span(words).subspan(1);
  const std::uint64_t start = words[0] % (std::uint64_t{1} << 62) % ring.size();
  const std::size_t taken = RepairChain(ring.subspan(start), kStart);
  const std::uint64_t behind = start + taken;
  if (behind < ring.size() && ring[behind] == kSkipMark) {
    RepairChain(ring.first(start), FollowChain(ring.subspan(start), kStart).end);
  }
  PutBack(words, input);
}

}  // namespace

const Target kTailTarget = {"tail", Run, Seeds, Repair};

}  // namespace foldlog::fuzz
