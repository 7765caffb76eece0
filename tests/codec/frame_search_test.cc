#include "engine/codec/frame_search.h"

#include <cstring>
#include <vector>

#include "tests/support/test_support.h"

namespace foldlog {
namespace {

std::vector<std::uint64_t> WordsOf(int events) {
  std::vector<Event> list;
  for (int i = 1; i <= events; ++i) list.push_back(CheckpointEvent(i));
  return RunAfter({}, list).words;
}

TEST(FrameSearchTest, FindsEachIntactFrameWhereverItBegins) {
  std::vector<std::uint64_t> words(3, 0x31474c46);  // look like frames, and are none
  const std::vector<std::uint64_t> frames = WordsOf(3);
  words.insert(words.end(), frames.begin(), frames.end());
  std::size_t words_to_hash = 1000;
  std::size_t at = 0;
  for (Sequence sequence = 1; sequence <= 3; ++sequence) {
    const auto found = FindFrame(words, at, words_to_hash);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->frame.header.sequence, sequence);
    at = found->at + found->frame.size_words();
  }
  EXPECT_FALSE(FindFrame(words, at, words_to_hash));
}

TEST(FrameSearchTest, DamagedFrameIsPassedOver) {
  std::vector<std::uint64_t> words = WordsOf(2);
  words[5] ^= 1;
  std::size_t words_to_hash = 1000;
  const auto found = FindFrame(words, 0, words_to_hash);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->frame.header.sequence, 2U);
}

// A frame that claims to be large at each word would cost the square of the size.
TEST(FrameSearchTest, WhatIsHashedInVainIsBounded) {
  std::vector<std::uint64_t> words(2000);
  for (std::size_t i = 0; i + 1 < words.size(); ++i) words[i] = std::uint64_t{8'000} << 32 | 0x31474c46;
  const std::vector<std::uint64_t> frames = WordsOf(1);
  words.insert(words.end(), frames.begin(), frames.end());
  std::size_t words_to_hash = 100'000;
  EXPECT_FALSE(FindFrame(words, 0, words_to_hash));
  EXPECT_LT(words_to_hash, 1100U);
  words_to_hash = 10'000'000;
  EXPECT_TRUE(FindFrame(words, 0, words_to_hash));
}

}  // namespace
}  // namespace foldlog
