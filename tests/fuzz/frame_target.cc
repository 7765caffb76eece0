// Frames of any words: one that is accepted has the right hash and comes back from its payload, and the readers of a
// log give no event that is not in an intact frame of the chain.

#include <xxhash.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "engine/codec/frame.h"
#include "foldlog/event_reader.h"
#include "foldlog/event_view.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/sample.h"
#include "tests/fuzz/target.h"

namespace foldlog::fuzz {
namespace {

void CheckOne(std::span<const std::uint64_t> words, const FrameView& frame) {
  const std::size_t size = frame.size_words();
  const bool right = XXH3_64bits(&words[2], (size - 2) * sizeof(std::uint64_t)) == frame.header.hash;
  Require(IsIntact(frame) == right && CheckFrameHash(frame).ok() == right, "a frame is intact if its hash is right");
  const ChainEnd before{frame.header.sequence - 1, frame.header.previous_hash};
  Require(FrameBehind(before, words).has_value() == right, "an intact frame is behind the one that it names");
  Require(!FrameBehind({before.sequence, before.hash ^ 1}, words), "a frame is behind no other hash");
  Require(!FrameBehind({before.sequence + 1, before.hash}, words), "a frame is behind no other number");
  FrameRun run{.words = {}, .before = before, .after = before};
  Require(AppendPayload(frame.payload, run).ok(), "the payload of a frame fits into a frame");
  Require(!right || std::equal(run.words.begin(), run.words.end(), words.begin(), words.begin() + size),
          "an intact frame is what its payload gives");
}

// The events that both readers of a log give: as many as there are intact frames in the chain.
void CheckReaders(const std::vector<std::uint64_t>& words) {
  const Chain chain = FollowChain(words, kStart);
  const WordsLog log(words, chain.end.sequence, chain.end.hash);
  EventReader events(log, kStart);
  ViewReader views(log, kStart);
  std::size_t steps = 0;
  while (true) {
    Require(++steps <= words.size() + 1, "a reader comes to an end");
    const ChainEnd before = events.position();
    const auto event = events.Next();
    const auto view = views.Next();
    Require(event.status() == view.status(), "both readers give the same errors");
    Require(events.position() == views.position(), "both readers are at the same place");
    if (!event.ok() && events.position() == before) return;  // a kind that this version does not know
    if (!event.ok()) continue;                               // a frame without an event
    Require(event->has_value() == (*view != nullptr), "both readers give the same events");
    if (!*event) break;
    Require((*event)->sequence == before.sequence + 1, "an event is the next one of the chain");
    const RecordedEvent copy = CopyOf(**view);
    Require(copy.hash == (*event)->hash && (*view)->previous_hash == before.hash &&
                copy.event.body.index() == (*event)->event.body.index(),
            "a view is of the same event");
  }
  Require(events.position() == chain.end, "the readers end where the chain does");
}

void Run(std::string_view input) {
  const std::vector<std::uint64_t> words = WordsIn(input);
  std::span<const std::uint64_t> rest = words;
  while (true) {
    const std::optional<FrameView> frame = FrameAtStartOf(rest);
    Require(PeekFrame(rest).ok() == frame.has_value(), "both ways to see a frame agree");
    if (!frame) break;
    CheckOne(rest, *frame);
    rest = rest.subspan(frame->size_words());
  }
  CheckReaders(words);
}

std::vector<std::string> Seeds() {
  const std::vector<std::uint64_t>& words = TheSample().run.words;
  std::vector<std::string> seeds;
  std::size_t at = 0;
  for (int i = 0; i < 24 && at < words.size(); ++i) {
    std::size_t end = at;
    for (int frames = 0; frames < 1 + i % 4 && end < words.size(); ++frames) {
      end += FrameAtStartOf(std::span(words).subspan(end))->size_words();
    }
    seeds.push_back(
        BytesOf({words.begin() + static_cast<std::ptrdiff_t>(at), words.begin() + static_cast<std::ptrdiff_t>(end)}));
    at = end;
  }
  return seeds;
}

void Repair(std::string& input) {
  std::vector<std::uint64_t> words = WordsIn(input);
  RepairChain(words, kStart);
  PutBack(words, input);
}

}  // namespace

const Target kFrameTarget = {"frame", Run, Seeds, Repair};

}  // namespace foldlog::fuzz
