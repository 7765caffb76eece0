// The values of the table `events`: what is unpacked has the size that it claims, and comes back from its packed form.

#include <cstring>
#include <span>

#include "engine/log/frame_run.h"
#include "engine/log/store/batch.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/sample.h"
#include "tests/fuzz/target.h"

namespace foldlog::fuzz {
namespace {

using Words = std::vector<std::uint64_t>;

constexpr std::uint32_t kPackedMagic = 0x5a474c46;
constexpr std::size_t kPackedHeadWords = 2;

void CheckFrames(const Words& frames) {
  BatchCodec codec;
  if (frames.empty()) return;
  const std::span<const std::uint64_t> packed = codec.Pack(frames);
  const Words kept(packed.begin(), packed.end());
  Require(kept.size() <= frames.size() && BatchCodec::IsAsPacked(kept), "a batch is packed as it should be");
  const bool claims_to_be_packed = static_cast<std::uint32_t>(frames[0]) == kPackedMagic;
  if (kept == frames && claims_to_be_packed) return;  // no frames
  const auto again = codec.Unpack(kept);
  Require(again.ok() && Words(again->begin(), again->end()) == frames, "a batch comes back from its packed form");

  // The frames of it that are a chain, through the parts that readers and the store use.
  const Chain chain = FollowChain(frames, kStart);
  const FrameSpan run{std::span(frames).first(chain.words), kStart, chain.end};
  BatchSplitter splitter(run);
  std::size_t words = 0;
  Sequence next = kStart.sequence + 1;
  while (true) {
    Sequence events = 0;
    const auto batch = splitter.Next([&](std::span<const std::uint64_t>) { ++events; });
    Require(batch.ok(), "a chain can be cut into batches");
    if (!*batch) break;
    Require((*batch)->first == next && events > 0, "batches follow each other");
    next += events;
    words += (*batch)->frames.size();
  }
  Require(words == chain.words && next == chain.end.sequence + 1, "batches hold all of a run");
}

void Run(std::string_view input) {
  const Words stored = WordsIn(input);
  BatchCodec codec;
  const auto unpacked = codec.Unpack(stored);
  Require(unpacked.ok() || absl::IsDataLoss(unpacked.status()), "a value is unpacked, or damaged");
  if (!unpacked.ok()) return;
  const Words frames(unpacked->begin(), unpacked->end());
  Require(frames.size() * sizeof(std::uint64_t) == BatchCodec::UnpackedBytes(stored), "a batch has the size it claims");
  Words copy(frames.size());
  Require(BatchCodec::UnpackInto(stored, copy).ok() && copy == frames, "both ways to unpack agree");
  CheckFrames(frames);
  for (const Sequence from : {Sequence{1}, Sequence{3}}) {
    RunCollector collector(from, std::size_t{1} << 20);
    const absl::StatusOr<bool> more = collector.Add(frames);
    Require(more.ok() || absl::IsDataLoss(more.status()), "frames are collected, or damaged");
  }
}

std::vector<std::string> Seeds() {
  const Words& words = TheSample().run.words;
  std::vector<std::string> seeds;
  BatchCodec codec;
  std::size_t at = 0;
  for (const std::size_t count : {1, 2, 3, 5, 8, 13}) {
    std::size_t end = at;
    for (std::size_t i = 0; i < count; ++i) end += FrameAtStartOf(std::span(words).subspan(end))->size_words();
    const auto frames = std::span(words).subspan(at, end - at);
    seeds.push_back(BytesOf({frames.begin(), frames.end()}));
    const auto packed = codec.Pack(frames);
    seeds.push_back(BytesOf({packed.begin(), packed.end()}));
    at = end;
  }
  return seeds;
}

// A packed batch is given the sizes that its block has: LZ4 tells no more than whether the block fits.
void Repair(std::string& input) {
  Words words = WordsIn(input);
  if (words.size() <= kPackedHeadWords) return;
  if (static_cast<std::uint32_t>(words[0]) != kPackedMagic) {
    RepairChain(words, kStart);
    return PutBack(words, input);
  }
  const std::uint32_t block = static_cast<std::uint32_t>(words[1]);
  const std::size_t most = (words.size() - kPackedHeadWords) * sizeof(std::uint64_t);
  if (block > most) words[1] = most;
  words[0] &= ~(std::uint64_t{7} << 32);
  PutBack(words, input);
}

}  // namespace

const Target kBatchTarget = {"batch", Run, Seeds, Repair};

}  // namespace foldlog::fuzz
