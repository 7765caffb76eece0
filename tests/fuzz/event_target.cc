// The payload of a frame: what is decoded comes back from what it is encoded to, the short way for checkpoints agrees
// with the long one, and folding many events at once with folding them one by one.

#include <optional>
#include <utility>

#include "engine/codec/checkpoint_codec.h"
#include "engine/codec/event_codec.h"
#include "engine/codec/frame.h"
#include "engine/codec/state_codec.h"
#include "engine/lazy_fold.h"
#include "foldlog/state.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/sample.h"
#include "tests/fuzz/target.h"

namespace foldlog::fuzz {
namespace {

using Words = std::vector<std::uint64_t>;

// Nothing if an event of that size may not be written.
std::optional<Words> Encoded(const Event& event) {
  Words words;
  const absl::Status encoded = EncodeEvent(event, words);
  Require(encoded.ok() || absl::IsInvalidArgument(encoded), "an event is encoded, or too large");
  return encoded.ok() ? std::optional(std::move(words)) : std::nullopt;
}

// Numbers that are none are not even the same as themselves: an event with one is the same as any.
bool AreSame(const Event& one, const Event& other) {
  const Event copy = one;
  return copy != one || one == other;
}

void CheckRoundTrip(const Event& event) {
  const std::optional<Words> words = Encoded(event);
  if (!words) return;
  const absl::StatusOr<Event> again = DecodeEvent(*words);
  Require(again.ok(), "what was encoded can be decoded");
  Require(AreSame(event, *again), "an event comes back from its bytes");
  Require(Encoded(*again) == words, "an event has one encoding");
}

Words StateWords(const State& state) {
  Words words;
  Require(EncodeState(state, words).ok() || words.empty(), "a state is encoded, or too large");
  return words;
}

State StartedState() {
  State state;
  const RecordedEvent start{.sequence = 1, .hash = 1, .event = {1, 1, Started{.operation_id = "op"}, {}}};
  Require(ApplyRecorded(start, state).ok(), "a start is folded");
  return state;
}

// The event behind a start, folded in both ways.
void CheckFolds(const Words& payload, const absl::StatusOr<Event>& event) {
  State one = StartedState();
  LazyFold many(one, "(fuzz)");
  FrameRun run{.words = {}, .before = {one.sequence, 1}, .after = {one.sequence, 1}};
  if (!AppendPayload(payload, run).ok()) return;
  const std::optional<FrameView> frame = FrameAtStartOf(run.words);
  const absl::Status added = many.Add(*frame);
  Require(added.ok() == (event.ok() || absl::IsDataLoss(event.status())), "the fold passes over what is no event");
  if (!added.ok()) return;
  if (event.ok()) {
    const RecordedEvent recorded{.sequence = frame->header.sequence, .hash = frame->header.hash, .event = *event};
    Require(ApplyRecorded(recorded, one).ok(), "an event with the next number is folded");
  } else {
    NoteMisfit(many.Settled().misfit ? many.Settled().misfit->why : "", one);
  }
  Require(StateWords(many.Settled()) == StateWords(one), "both folds give the same state");
}

void Run(std::string_view input) {
  const Words words = WordsIn(input);
  const absl::StatusOr<Event> event = DecodeEvent(words);
  const absl::StatusOr<Event> slow = DecodeAnyEvent(words);
  Require(event.ok() == slow.ok(), "the short way decodes what the long way does");
  Require(event.ok() || absl::IsDataLoss(event.status()) || absl::IsUnimplemented(event.status()),
          "what is no event is damage, or of a newer version");
  if (event.ok()) {
    Require(AreSame(*event, *slow), "the short way decodes the same");
    CheckRoundTrip(*event);
  }
  CheckFolds(words, event);
}

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds;
  const Words& words = TheSample().run.words;
  std::vector<int> seen(20);
  for (std::size_t at = 0; at < words.size();) {
    const FrameView frame = *FrameAtStartOf(std::span(words).subspan(at));
    const Event event = *DecodeEvent(frame.payload);
    if (++seen.at(event.body.index()) <= 3) seeds.push_back(BytesOf({frame.payload.begin(), frame.payload.end()}));
    at += frame.size_words();
  }
  return seeds;
}

}  // namespace

const Target kEventTarget = {"event", Run, Seeds, nullptr};

}  // namespace foldlog::fuzz
