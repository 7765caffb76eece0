// The ring of a tail with any words: recovery finds the end that a plain walk along the chain finds, in bounds and in
// time; and a page of the copy claims nothing that its hash does not cover.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>

#include "engine/log/tail/copy.h"
#include "engine/log/tail/cursor.h"
#include "engine/log/tail/ring.h"
#include "engine/log/tail/walk.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/sample.h"
#include "tests/fuzz/target.h"

namespace foldlog::fuzz {
namespace {

using Words = std::vector<std::uint64_t>;

constexpr std::size_t kMarkBytes = sizeof(CopyPage) - offsetof(CopyPage, claim);

std::span<char> MarkOf(CopyPage& page) {
  return std::span(reinterpret_cast<char*>(&page), sizeof page).last(kMarkBytes);
}

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

// The last words of the input as the mark of a page.
void CheckMark(std::string_view input) {
  CopyPage page = {};
  const std::size_t bytes = std::min(input.size(), kMarkBytes);
  std::memcpy(MarkOf(page).data(), input.data() + input.size() - bytes, bytes);
  const std::optional<TailClaim> claim = ReadClaim(page, 0);
  if (!claim) return;
  Require(claim->durable <= claim->flushing, "a flush goes no less far than what was flushed");
  Require(*claim == TailClaim{} || !ReadClaim(page, 1), "a mark is of its own page");
  SetClaim(page, 0, *claim);
  Require(ReadClaim(page, 0) == claim, "a mark that is written anew claims what it did");
}

// The first word says where the walk starts; the others are the ring.
void Run(std::string_view input) {
  const Words words = WordsIn(input);
  CheckMark(input);
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
  CopyPage page = {};
  SetClaim(page, 0, {.durable = 5, .flushing = 7});
  seeds.emplace_back(MarkOf(page).data(), kMarkBytes);
  return seeds;
}

// The mark, in an input that is nothing else; and the chain from the start on.
void Repair(std::string& input) {
  if (input.size() == kMarkBytes) {
    CopyPage page = {};
    std::memcpy(MarkOf(page).data(), input.data(), kMarkBytes);
    SetClaim(page, 0, page.claim);
    std::memcpy(input.data(), MarkOf(page).data(), kMarkBytes);
    return;
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
