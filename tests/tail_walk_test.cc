// What the words in a tail's ring mean to whoever finds them: where the chain ends, and what is not part of it.

#include "engine/log/tail_walk.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include <cstring>

#include "engine/log/tail_ring.h"
#include "tests/test_support.h"

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
      ring_.Append(SpanOf(RunAfter(ring_.end().end, {CheckpointEvent(i)})));
    }
  }

  // The word of the i-th frame at `offset`.
  std::uint64_t& Word(std::size_t i, std::size_t offset) { return words_[(starts_[i] + offset) % kRingWords]; }

  TailContents Scan(bool search_rest) const { return ScanTail(words_, start_, search_rest); }

  std::vector<std::uint64_t> words_ = std::vector<std::uint64_t>(kRingWords);
  TailPlace start_{.position = 5 * kRingWords - 70, .end = kBase};  // so that the chain goes over the end of a lap
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
    EXPECT_EQ(Scan(search_rest).end.end.sequence, kBase.sequence + 4);
    EXPECT_EQ(Scan(search_rest).end.position, starts_[4]);
    EXPECT_EQ(Scan(search_rest).discarded, 1u);
  }
}

TEST_F(TailWalkTest, FrameWithoutAHeaderIsNone) {
  Append(5);
  Word(4, 0) = 0;
  for (const bool search_rest : {false, true}) {
    EXPECT_EQ(Scan(search_rest).end.end.sequence, kBase.sequence + 4);
    EXPECT_EQ(Scan(search_rest).discarded, 0u);
  }
}

// As a power cut may leave them: later sectors written, an earlier one not.
TEST_F(TailWalkTest, FramesBehindATornOneAreCountedIfSearchedAndNeverTaken) {
  Append(6);
  Word(2, kPayloadWord) ^= 1;
  EXPECT_EQ(Scan(false).end.end.sequence, kBase.sequence + 2);
  EXPECT_EQ(Scan(false).discarded, 1u);
  EXPECT_EQ(Scan(true).end.end.sequence, kBase.sequence + 2);
  EXPECT_EQ(Scan(true).discarded, 4u);
}

TEST_F(TailWalkTest, FrameThatIsMissingAltogetherHidesWhatIsBehindIt) {
  Append(4);
  for (std::uint64_t at = starts_[1]; at < starts_[2]; ++at) words_[at % kRingWords] = 0;
  EXPECT_EQ(Scan(true).end.end.sequence, kBase.sequence + 1);
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
  const TailPlace end = ring_.end();
  const FrameRun foreign = RunAfter({end.end.sequence, end.end.hash ^ 1}, {CheckpointEvent(9)});
  std::copy(foreign.words.begin(), foreign.words.end(), words_.begin() + static_cast<int>(end.position % kRingWords));
  EXPECT_EQ(Scan(true).end, end);
  EXPECT_EQ(Scan(true).discarded, 1u);
}

TEST_F(TailWalkTest, FrameOfAnotherNumberEndsTheChain) {
  Append(2);
  const TailPlace end = ring_.end();
  const FrameRun gap = RunAfter({end.end.sequence + 1, end.end.hash}, {CheckpointEvent(9)});
  std::copy(gap.words.begin(), gap.words.end(), words_.begin() + static_cast<int>(end.position % kRingWords));
  EXPECT_EQ(Scan(true).end, end);
}

TEST_F(TailWalkTest, FrameThatClaimsToGoBeyondTheRingEndsTheChain) {
  start_ = {.position = kRingWords - kFrameHeaderWords, .end = kBase};
  const FrameRun run = RunAfter(kBase, {CheckpointEvent(1)});
  std::copy(run.words.begin(), run.words.begin() + kFrameHeaderWords, words_.end() - kFrameHeaderWords);
  EXPECT_EQ(Scan(true).end, start_);
  EXPECT_EQ(Scan(true).discarded, 1u);  // it does look like the next one, begun
}

TEST_F(TailWalkTest, HeaderAtTheVeryEndOfTheRingIsNotReadBeyond) {
  for (std::uint64_t left = 1; left < kFrameHeaderWords; ++left) {
    start_ = {.position = kRingWords - left, .end = kBase};
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
  start_ = {.position = kFrameHeaderWords, .end = kBase};
  TailRing ring(words, start_, {.end = start_});
  for (int i = 1; i <= 3; ++i) ring.Append(SpanOf(RunAfter(ring.end().end, {CheckpointEvent(i)})));
  ASSERT_EQ(ring.end().position, words.size());
  EXPECT_EQ(ScanTail(words, start_, false).end, ring.end());

  FrameHeader header{.magic = kFrameMagic,
                     .payload_bytes = static_cast<std::uint32_t>(frame * sizeof(std::uint64_t)),
                     .hash = 0,
                     .previous_hash = ring.end().end.hash,
                     .sequence = ring.end().end.sequence + 1};
  std::memcpy(words.data(), &header, sizeof header);
  header.hash = XXH3_64bits(words.data() + 2, (2 + frame) * sizeof(std::uint64_t));
  std::memcpy(words.data(), &header, sizeof header);
  ASSERT_TRUE(FrameBehind(ring.end().end, words).has_value());
  EXPECT_EQ(ScanTail(words, start_, false).end, ring.end());
}

TEST_F(TailWalkTest, CopyIsTheFrameAndItsPlaceIsBehindIt) {
  Append(20);
  TailPlace at = start_;
  std::vector<std::uint64_t> copy;
  for (int i = 0; i < 20; ++i) {
    const auto next = CopyFrameBehind(words_, at, copy);
    ASSERT_TRUE(next.has_value()) << i;
    EXPECT_EQ(next->end.sequence, kBase.sequence + static_cast<Sequence>(i) + 1);
    EXPECT_EQ(PeekFrame(copy)->size_words(), copy.size());
    at = *next;
  }
  EXPECT_EQ(at, ring_.end());
  EXPECT_FALSE(CopyFrameBehind(words_, at, copy).has_value());
}

TEST_F(TailWalkTest, FrameThatIsNotIntactOrNotTheNextIsNotCopied) {
  Append(2);
  std::vector<std::uint64_t> copy;
  ASSERT_TRUE(CopyFrameBehind(words_, start_, copy).has_value());
  TailPlace wrong = start_;
  wrong.end.hash ^= 1;
  EXPECT_FALSE(CopyFrameBehind(words_, wrong, copy).has_value());
  wrong = start_;
  --wrong.end.sequence;
  EXPECT_FALSE(CopyFrameBehind(words_, wrong, copy).has_value());
  wrong = start_;
  ++wrong.position;
  EXPECT_FALSE(CopyFrameBehind(words_, wrong, copy).has_value());
  Word(0, kPayloadWord) ^= 1;
  EXPECT_FALSE(CopyFrameBehind(words_, start_, copy).has_value());
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
    const TailPlace place{random(), other};
    EXPECT_EQ(ScanTail(words, place, true).end, place);
    std::vector<std::uint64_t> copy;
    EXPECT_FALSE(CopyFrameBehind(words, place, copy).has_value());
  }
}

// In a private map a page that was stored to is no page of the file any more, which /proc tells.
bool IsOfTheFile(const void* page) {
  const int fd = open("/proc/self/pagemap", O_RDONLY);
  std::uint64_t entry = 0;
  const auto offset = static_cast<off_t>(reinterpret_cast<std::uintptr_t>(page) / 4096 * sizeof entry);
  EXPECT_EQ(pread(fd, &entry, sizeof entry, offset), static_cast<ssize_t>(sizeof entry));
  close(fd);
  constexpr int kFilePageBit = 61;
  return (entry >> kFilePageBit & 1) != 0;
}

TEST_F(TailWalkTest, WhatWasFoundIsStoredAnewPageByPageAndDoesNotChange) {
  constexpr std::uint64_t kPages = 8;
  constexpr std::uint64_t kPageWords = 512;
  const TempDir directory;
  const std::string path = directory / "ring";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT, 0600);
  const std::string bytes(kPages * 4096, 'x');
  ASSERT_EQ(write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  void* const map = mmap(nullptr, bytes.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  close(fd);
  ASSERT_NE(map, MAP_FAILED);
  const std::span ring(static_cast<std::uint64_t*>(map), kPages * kPageWords);
  volatile std::uint64_t sum = 0;
  for (std::uint64_t page = 0; page < kPages; ++page) sum = sum + ring[page * kPageWords];

  const TailPlace drained{.position = 16 * kPages * kPageWords + 6 * kPageWords + 511, .end = kBase};
  const TailPlace end{.position = 17 * kPages * kPageWords + kPageWords + 1, .end = {kBase.sequence + 9, 1}};
  TailRing(ring, drained, {.end = end}).StoreFoundAnew();
  std::vector<bool> stored;
  for (std::uint64_t page = 0; page < kPages; ++page) stored.push_back(!IsOfTheFile(&ring[page * kPageWords]));
  EXPECT_EQ(stored, (std::vector<bool>{true, true, false, false, false, false, true, true}));
  EXPECT_EQ(std::memcmp(map, bytes.data(), bytes.size()), 0);
  munmap(map, bytes.size());
}

}  // namespace
}  // namespace foldlog
