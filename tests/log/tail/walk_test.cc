// What the words in a tail's ring mean to whoever finds them: where the chain ends, and what is not part of it.

#include "engine/log/tail/walk.h"

#include <xxhash.h>

#include <cstring>
#include <ctime>

#include "engine/log/tail/ring.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

constexpr std::uint64_t kRingWords = 1024;
constexpr ChainEnd kBase{100, 4711};

class TailWalkTest : public testing::Test {
 protected:
  // `count` events from `start` on, each in a frame of kFrame words.
  void Append(int count) {
    for (int i = 0; i < count; ++i) {
      starts_.push_back(ring_.end().position);
      ring_.Append(SpanOf(RunAfter(ring_.end().chain, {CheckpointEvent(i)})));
    }
  }

  // The word of the i-th frame at `offset`.
  std::uint64_t& Word(std::size_t i, std::size_t offset) { return words_[(starts_[i] + offset) % kRingWords]; }

  TailContents Scan(bool search_rest) const { return ScanTail(words_, start_, search_rest); }

  std::vector<std::uint64_t> words_ = std::vector<std::uint64_t>(kRingWords);
  TailPosition start_{.position = 5 * kRingWords - 70, .chain = kBase};  // so that the chain goes over the end of a lap
  TailRing ring_{words_, start_, {.end = start_}};
  std::vector<std::uint64_t> starts_;
};

constexpr std::size_t kPayloadWord = kFrameHeaderWords + 1;

TEST_F(TailWalkTest, EmptyTailEndsWhereItStarts) {
  for (const bool search_rest : {false, true}) {
    EXPECT_EQ(Scan(search_rest).end, start_);
    EXPECT_EQ(Scan(search_rest).discarded, 0u);
  }
}

TEST_F(TailWalkTest, ChainIsFollowedOverTheEndOfTheLap) {
  Append(20);
  EXPECT_GT(ring_.end().position, 5 * kRingWords);
  for (const bool search_rest : {false, true}) {
    EXPECT_EQ(Scan(search_rest).end, ring_.end());
    EXPECT_EQ(Scan(search_rest).discarded, 0u);
  }
}

TEST_F(TailWalkTest, TornLastFrameIsDiscarded) {
  Append(5);
  Word(4, kPayloadWord) ^= 1;
  for (const bool search_rest : {false, true}) {
    EXPECT_EQ(Scan(search_rest).end.chain.sequence, kBase.sequence + 4);
    EXPECT_EQ(Scan(search_rest).end.position, starts_[4]);
    EXPECT_EQ(Scan(search_rest).discarded, 1u);
  }
}

TEST_F(TailWalkTest, FrameWithoutAHeaderIsNone) {
  Append(5);
  Word(4, 0) = 0;
  for (const bool search_rest : {false, true}) {
    EXPECT_EQ(Scan(search_rest).end.chain.sequence, kBase.sequence + 4);
    EXPECT_EQ(Scan(search_rest).discarded, 0u);
  }
}

// As a power cut may leave them: later sectors written, an earlier one not.
TEST_F(TailWalkTest, FramesBehindATornOneAreCountedIfSearchedAndNeverTaken) {
  Append(6);
  Word(2, kPayloadWord) ^= 1;
  EXPECT_EQ(Scan(false).end.chain.sequence, kBase.sequence + 2);
  EXPECT_EQ(Scan(false).discarded, 1u);
  EXPECT_EQ(Scan(true).end.chain.sequence, kBase.sequence + 2);
  EXPECT_EQ(Scan(true).discarded, 4u);
}

TEST_F(TailWalkTest, FrameThatIsMissingAltogetherHidesWhatIsBehindIt) {
  Append(4);
  for (std::uint64_t at = starts_[1]; at < starts_[2]; ++at) words_[at % kRingWords] = 0;
  EXPECT_EQ(Scan(true).end.chain.sequence, kBase.sequence + 1);
  EXPECT_EQ(Scan(true).discarded, 2u);
}

TEST_F(TailWalkTest, FramesOfEarlierLapsAreNeitherTakenNorCounted) {
  for (int lap = 0; lap < 5; ++lap) {
    Append(60);
    ring_.Free(ring_.end());
  }
  start_ = ring_.end();
  EXPECT_EQ(Scan(true).end, start_);
  EXPECT_EQ(Scan(true).discarded, 0u);
  Append(3);
  EXPECT_EQ(Scan(true).end, ring_.end());
  EXPECT_EQ(Scan(true).discarded, 0u);
}

TEST_F(TailWalkTest, FrameOfAnotherHistoryEndsTheChain) {
  Append(2);
  const TailPosition end = ring_.end();
  const FrameRun foreign = RunAfter({end.chain.sequence, end.chain.hash ^ 1}, {CheckpointEvent(9)});
  std::copy(foreign.words.begin(), foreign.words.end(), words_.begin() + static_cast<int>(end.position % kRingWords));
  EXPECT_EQ(Scan(true).end, end);
  EXPECT_EQ(Scan(true).discarded, 1u);
}

TEST_F(TailWalkTest, FrameOfAnotherNumberEndsTheChain) {
  Append(2);
  const TailPosition end = ring_.end();
  const FrameRun gap = RunAfter({end.chain.sequence + 1, end.chain.hash}, {CheckpointEvent(9)});
  std::copy(gap.words.begin(), gap.words.end(), words_.begin() + static_cast<int>(end.position % kRingWords));
  EXPECT_EQ(Scan(true).end, end);
}

TEST_F(TailWalkTest, FrameThatClaimsToGoBeyondTheRingEndsTheChain) {
  start_ = {.position = kRingWords - kFrameHeaderWords, .chain = kBase};
  const FrameRun run = RunAfter(kBase, {CheckpointEvent(1)});
  std::copy(run.words.begin(), run.words.begin() + kFrameHeaderWords, words_.end() - kFrameHeaderWords);
  EXPECT_EQ(Scan(true).end, start_);
  EXPECT_EQ(Scan(true).discarded, 1u);  // it does look like the next one, begun
}

TEST_F(TailWalkTest, HeaderAtTheVeryEndOfTheRingIsNotReadBeyond) {
  for (std::uint64_t left = 1; left < kFrameHeaderWords; ++left) {
    start_ = {.position = kRingWords - left, .chain = kBase};
    std::uint64_t magic = kFrameMagic;
    words_[kRingWords - left] = magic;
    const std::vector<std::uint64_t> exact(words_);  // the sanitizer watches its end
    EXPECT_EQ(ScanTail(exact, start_, true).end, start_);
  }
}

// A last frame whose payload is the first frame, in place: intact, next in the chain, and impossible.
TEST_F(TailWalkTest, ChainLongerThanTheRingEnds) {
  const FrameRun first = RunAfter(kBase, {CheckpointEvent(1)});
  const std::size_t frame = first.words.size();
  std::vector<std::uint64_t> words(kFrameHeaderWords + 3 * frame);
  start_ = {.position = kFrameHeaderWords, .chain = kBase};
  TailRing ring(words, start_, {.end = start_});
  for (int i = 1; i <= 3; ++i) ring.Append(SpanOf(RunAfter(ring.end().chain, {CheckpointEvent(i)})));
  ASSERT_EQ(ring.end().position, words.size());
  EXPECT_EQ(ScanTail(words, start_, false).end, ring.end());

  FrameHeader header{.magic = kFrameMagic,
                     .payload_bytes = static_cast<std::uint32_t>(frame * sizeof(std::uint64_t)),
                     .hash = 0,
                     .previous_hash = ring.end().chain.hash,
                     .sequence = ring.end().chain.sequence + 1};
  std::memcpy(words.data(), &header, sizeof header);
  header.hash = XXH3_64bits(words.data() + 2, (2 + frame) * sizeof(std::uint64_t));
  std::memcpy(words.data(), &header, sizeof header);
  ASSERT_TRUE(FrameBehind(ring.end().chain, words).has_value());
  EXPECT_EQ(ScanTail(words, start_, false).end, ring.end());
}

TEST_F(TailWalkTest, AnyWordsAreWalkedWithoutHarm) {
  std::mt19937_64 random(TestSeed());
  const ChainEnd other{kBase.sequence, kBase.hash ^ 1};  // which no frame in the ring continues
  const std::vector<std::uint64_t> likely = {kSkipMark,  kFrameMagic,        kFrameMagic | (std::uint64_t{64} << 32),
                                             other.hash, other.sequence + 1, ~std::uint64_t{0},
                                             0};
  for (int i = 0; i < 2000; ++i) {
    Append(1);
    ring_.Free(ring_.end());
    std::vector<std::uint64_t> words = words_;
    for (std::uint64_t hits = random() % 200; hits > 0; --hits) {
      words[random() % words.size()] = random() % 2 == 0 ? random() : likely[random() % likely.size()];
    }
    const TailPosition place{random(), other};
    EXPECT_EQ(ScanTail(words, place, true).end, place);
  }
}

// As a hostile tail may be: at each word what could be a newer frame of the greatest size, and nothing of it is.
TEST_F(TailWalkTest, WordsThatOnlyLookLikeLargeFramesCostNoMoreThanTrueOnes) {
  constexpr std::size_t kLargeRingWords = (std::size_t{8} << 20) / sizeof(std::uint64_t);
  std::vector<std::uint64_t> ring(kLargeRingWords);
  for (std::size_t at = 0; at + kFrameHeaderWords <= ring.size(); at += kFrameHeaderWords) {
    const FrameHeader header{.magic = kFrameMagic,
                             .payload_bytes = kMaxCommonPayloadBytes,
                             .hash = 1,
                             .previous_hash = 2,
                             .sequence = kBase.sequence + 2};
    std::memcpy(&ring[at], &header, sizeof header);
  }
  const std::clock_t before = std::clock();
  EXPECT_EQ(ScanTail(ring, {.position = 0, .chain = kBase}, /*search_rest=*/true).end.chain, kBase);
  // Of the processor's time, so that others may have it too; before there was an end it took 40 s.
  EXPECT_LT(std::clock() - before, 10 * CLOCKS_PER_SEC);
}

}  // namespace
}  // namespace foldlog
