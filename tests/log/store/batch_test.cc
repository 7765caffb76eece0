// Batches as they are stored: split, packed and unpacked.

#include "engine/log/store/batch.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "engine/codec/frame.h"
#include "tests/support/random_events.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using Words = std::vector<std::uint64_t>;

FrameRun RandomRun(std::mt19937_64& random, int events) {
  FrameRun run{.words = {}, .before = {7, 8}, .after = {7, 8}};
  for (int i = 0; i < events; ++i) EXPECT_OK(AppendFrame(RandomEvent(random), run));
  return run;
}

Words Copy(std::span<const std::uint64_t> words) { return {words.begin(), words.end()}; }

Words Incompressible(std::mt19937_64& random, std::size_t size) {
  Words words(size);
  for (std::uint64_t& word : words) word = random();
  return words;
}

absl::StatusOr<std::vector<Batch>> Split(const FrameRun& run) {
  BatchSplitter splitter(SpanOf(run));
  std::vector<Batch> batches;
  while (true) {
    Words used;
    const absl::StatusOr<std::optional<Batch>> batch = splitter.Next(
        [&](std::span<const std::uint64_t> frame) { used.insert(used.end(), frame.begin(), frame.end()); });
    if (!batch.ok()) return batch.status();
    if (!*batch) return batches;
    EXPECT_EQ(used, Copy((*batch)->frames));
    batches.push_back(**batch);
  }
}

TEST(Batch, RunIsSplitAtFramesAndNothingIsLost) {
  std::mt19937_64 random(TestSeed());
  FrameRun run = RandomRun(random, 3000);
  const Event huge{1, 1, Failed{std::string(kBatchBytesMax + 1, 'x')}};
  ASSERT_OK(AppendFrame(huge, run));
  ASSERT_OK(AppendFrame(huge, run));
  ASSERT_OK(AppendFrame(CheckpointEvent(1), run));
  ASSERT_OK_AND_ASSIGN(const auto batches, Split(run));
  ASSERT_GT(batches.size(), 4u);
  Words joined;
  Sequence next = run.before.sequence + 1;
  for (const Batch& batch : batches) {
    EXPECT_EQ(batch.first, next);
    std::uint64_t frames = 0;
    for (auto rest = batch.frames; !rest.empty(); ++frames) rest = rest.subspan(PeekFrame(rest)->size_words());
    EXPECT_TRUE(frames == 1 || batch.frames.size_bytes() <= kBatchBytesMax);
    next += frames;
    joined.insert(joined.end(), batch.frames.begin(), batch.frames.end());
  }
  EXPECT_EQ(joined, run.words);
  EXPECT_EQ(next, run.after.sequence + 1);
}

TEST(Batch, RunThatIsNoChainIsRefused) {
  std::mt19937_64 random(TestSeed());
  FrameRun run = RandomRun(random, 10);
  run.after.hash ^= 1;
  EXPECT_THAT(Split(run), Fails(absl::StatusCode::kInvalidArgument, testing::_));
  run.after.hash ^= 1;
  run.words[0] ^= 1;
  EXPECT_THAT(Split(run), Fails(absl::StatusCode::kInvalidArgument, testing::_));
}

TEST(Batch, UnpacksToWhatWasPacked) {
  std::mt19937_64 random(TestSeed());
  BatchCodec codec;
  for (int round = 0; round < 300; ++round) {
    const FrameRun run = RandomRun(random, 1 + static_cast<int>(random() % 200));
    const Words stored = Copy(codec.Pack(run.words));
    EXPECT_LE(stored.size(), run.words.size());
    EXPECT_EQ(BatchCodec::UnpackedBytes(stored), run.words.size() * sizeof(std::uint64_t));
    ASSERT_OK_AND_ASSIGN(const auto frames, codec.Unpack(stored));
    ASSERT_EQ(Copy(frames), run.words);
  }
}

TEST(Batch, FramesOfOneKindShrinkAndNoiseStaysAsItIs) {
  FrameRun run;
  for (int i = 0; i < 1000; ++i) ASSERT_OK(AppendFrame(CheckpointEvent(i), run));
  BatchCodec codec;
  EXPECT_LT(codec.Pack(run.words).size(), run.words.size() / 2);
  std::mt19937_64 random(TestSeed());
  for (const std::size_t size : {1, 2, 3, 4, 1000}) {
    const Words noise = Incompressible(random, size);
    EXPECT_EQ(codec.Pack(noise).data(), noise.data());
  }
}

// A value of one page must not make a reader take memory for the largest frame.
TEST(Batch, NoMoreIsTakenForABatchThanItsBlockCanBecome) {
  const Words zeros((std::size_t{1} << 20) / sizeof(std::uint64_t));
  BatchCodec codec;
  Words stored = Copy(codec.Pack(zeros));
  ASSERT_OK(codec.Unpack(stored));
  const std::uint64_t magic = stored[0] & 0xffffffff;
  stored[0] = magic | std::uint64_t{kMaxPayloadBytes} << 32;
  EXPECT_THAT(codec.Unpack(stored), Fails(absl::StatusCode::kDataLoss, testing::HasSubstr("claims to be")));
}

// Whatever a disk brings: refused, or unpacked to as many bytes as it says; never read or written beyond. (The
// sanitizers look on.)
TEST(Batch, AnyBytesAreUnpackedWithoutHarm) {
  std::mt19937_64 random(TestSeed());
  BatchCodec codec;
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    const FrameRun run = RandomRun(random, 1 + static_cast<int>(random() % 20));
    Words stored = Copy(codec.Pack(run.words));
    if (stored.size() == run.words.size()) continue;
    for (std::uint64_t flips = 1 + random() % 4; flips > 0; --flips) {
      const std::size_t word = random() % (round % 2 == 0 ? 2 : stored.size());
      stored[word] ^= std::uint64_t{1} << random() % 64;
    }
    if (random() % 8 == 0) stored.resize(random() % stored.size());
    const auto frames = codec.Unpack(stored);
    if (!frames.ok()) {
      ++refused;
      EXPECT_EQ(frames.status().code(), absl::StatusCode::kDataLoss);
    } else {
      EXPECT_EQ(frames->size_bytes(), BatchCodec::UnpackedBytes(stored));
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace foldlog
