// What is cut stays readable, and fits.

#include "engine/shorten.h"

#include "engine/codec/event_codec.h"
#include "tests/support/random_events.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using testing::EndsWith;
using testing::StartsWith;

TEST(ShortenText, LeavesWhatFits) {
  EXPECT_EQ(ShortenText(std::string(100, 'x'), 100), std::string(100, 'x'));
  EXPECT_EQ(ShortenText("", 64), "");
}

TEST(ShortenText, CutsBetweenCharactersAndSaysHowMuchThereWas) {
  for (const std::string character : {"x", "é", "€", "😀"}) {
    std::string text;
    while (text.size() < 1000) text += character;
    for (std::size_t limit = 64; limit < 80; ++limit) {
      const std::string cut = ShortenText(text, limit);
      EXPECT_LE(cut.size(), limit);
      EXPECT_GT(cut.size() + character.size(), limit);
      EXPECT_THAT(cut, StartsWith(character));
      EXPECT_THAT(cut, EndsWith(character + " … [cut, of " + std::to_string(text.size()) + " bytes]"));
    }
  }
}

TEST(ShortenText, BytesThatAreNoTextAreCutAsWell) { EXPECT_LE(ShortenText(std::string(1000, '\x80'), 64).size(), 64u); }

TEST(ShortenStats, NumbersAreKeptWhereTextsAreCut) {
  const Stats stats = {{"log", std::string(5000, 'x')}, {"files", std::int64_t{7}}, {"rate", 1.5}};
  const Stats cut = ShortenStats(stats, 1000);
  ASSERT_EQ(cut.size(), 3u);
  EXPECT_THAT(std::get<std::string>(cut[0].second), EndsWith("[cut, of 5000 bytes]"));
  EXPECT_EQ(cut[1], stats[1]);
  EXPECT_EQ(cut[2], stats[2]);
  EXPECT_EQ(ShortenStats(cut, 1000), cut);
}

TEST(Shorten, WhatIsCutFitsWhateverItWas) {
  std::mt19937_64 random(TestSeed());
  Randomizer any(random);
  const auto text = [&] { return RandomBytes(random, std::size_t{1} << any.Number(13)); };
  for (int i = 0; i < 3000; ++i) {
    const std::size_t bytes_max = 256 + any.Number(4000);
    Stats stats(any.Number(60));
    for (auto& [name, value] : stats) {
      name = text();
      if (any.Number(2) == 0) value = text();
    }
    for (const EventBody& body : {EventBody(Completed{stats}), EventBody(Failed{text()}), EventBody(Paused{text()}),
                                  EventBody(Reset{text()})}) {
      const Event event = Shorten({1, 1, body}, bytes_max);
      std::vector<std::uint64_t> words;
      ASSERT_OK(EncodeEvent(event, words));
      constexpr std::size_t kOtherBytes = 256;
      ASSERT_LE(words.size() * sizeof(std::uint64_t), bytes_max + kOtherBytes) << KindName(body);
      ASSERT_OK(DecodeEvent(words));
    }
  }
}

}  // namespace
}  // namespace foldlog
