// Events as bytes: what goes in comes out, and no bytes do harm.

#include "engine/codec/event_codec.h"

#include <limits>

#include "tests/support/random_events.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using testing::HasSubstr;

std::vector<std::uint64_t> Encoded(const Event& event) {
  std::vector<std::uint64_t> words;
  EXPECT_OK(EncodeEvent(event, words));
  return words;
}

TEST(EventCodec, EveryKindComesBackAsItWas) {
  const std::uint64_t seed = TestSeed();
  std::mt19937_64 random(seed);
  std::vector<int> seen(std::variant_size_v<EventBody>);
  for (int i = 0; i < 3000; ++i) {
    const Event event = RandomEvent(random);
    ++seen[event.body.index()];
    ASSERT_OK_AND_ASSIGN(const Event decoded, DecodeEvent(Encoded(event)));
    ASSERT_EQ(decoded, event) << "kind " << KindName(event.body);
  }
  EXPECT_THAT(seen, testing::Each(testing::Gt(0)));
}

TEST(EventCodec, AbsentAndEmptyPathsAreToldApart) {
  const Event absent{1, 1, Checkpoint{.files_processed = 1}};
  const Event empty{1, 1, Checkpoint{.files_processed = 1, .current_path = "", .last_processed_file = ""}};
  EXPECT_EQ(*DecodeEvent(Encoded(absent)), absent);
  EXPECT_EQ(*DecodeEvent(Encoded(empty)), empty);
}

TEST(EventCodec, ExtremesComeBack) {
  const Event event{std::numeric_limits<TimeNs>::min(), std::numeric_limits<Epoch>::max(),
                    Completed{{{"least", std::numeric_limits<std::int64_t>::min()},
                               {"small", std::numeric_limits<double>::denorm_min()},
                               {"bytes", std::string("\0\xff", 2)}}}};
  EXPECT_EQ(*DecodeEvent(Encoded(event)), event);
}

// Only damage or forgery has it, but what is decoded comes back whatever it is.
TEST(EventCodec, AnOwnersIdsComeBackWithAZeroByte) {
  const std::string id("a\0b", 3);
  const Event event{1, 1, Resumed{.owner = {.instance = id, .machine_id = id, .boot_id = id}}};
  EXPECT_EQ(*DecodeEvent(Encoded(event)), event);
}

// Fields are only added: what was written before there were boots is read, by the general decoder.
TEST(EventCodec, BytesWithoutABootAreStillRead) {
  const std::vector<std::uint64_t> stored = {
      0x0003000500000000, 0x0000000000000005, 0x0000000000000007, 0x0000000000000001,
      0x000000000000002a, 0xfffffffffffffffc, 0x0000000a00000009, 0x0000000a00000009,
      0x0000000000000000, 0x0000000000000061, 0x0000000000000062,
  };
  ASSERT_OK_AND_ASSIGN(const Event event, DecodeEvent(stored));
  const Event expected{
      5, 7, Checkpoint{.files_processed = 42, .current_path = "a", .last_processed_file = "b", .batch_num = 3}};
  EXPECT_EQ(event, expected);
}

TEST(EventCodec, OnlyAnImportIsLarge) {
  std::vector<std::uint64_t> large = Encoded({1, 1, Imported{.source = std::string(kMaxCommonPayloadBytes, 'x')}});
  ASSERT_GT(large.size() * sizeof(std::uint64_t), kMaxCommonPayloadBytes);
  EXPECT_OK(DecodeEvent(large));
  for (const EventBody& body : {EventBody(Failed{"x"}), EventBody(Checkpoint{.current_path = "/a"})}) {
    std::vector<std::uint64_t> other = Encoded({1, 1, body});
    other.resize(large.size());
    EXPECT_THAT(DecodeEvent(other), Fails(absl::StatusCode::kDataLoss, HasSubstr("no import"))) << KindName(body);
  }
}

// As many errors as one word can claim, each of no bytes.
TEST(EventCodec, ErrorsThatTakeNoRoomAreRefused) {
  std::vector<std::uint64_t> words = Encoded({1, 1, Imported{.errors = {{1, {"p", "m"}}}}});
  const std::uint64_t one_of_two_words = std::uint64_t{1} << 2 | std::uint64_t{1} << 32 | std::uint64_t{1} << 48;
  const auto tag = std::find(words.begin(), words.end(), one_of_two_words);
  ASSERT_NE(tag, words.end());
  *tag = std::uint64_t{900} << 2;
  EXPECT_THAT(DecodeEvent(words), Fails(absl::StatusCode::kDataLoss, HasSubstr("that is none")));
}

TEST(EventCodec, NewerKindIsRefusedByName) {
  std::vector<std::uint64_t> words = Encoded({1, 1, Cleared{}});
  // The discriminant of the union is a 16-bit number in the data section: find it by encoding two kinds.
  const std::vector<std::uint64_t> other = Encoded({1, 1, Checkpoint{}});
  std::size_t at = 0;
  while (words[at] == other[at]) ++at;
  words[at] = 99;
  EXPECT_THAT(DecodeEvent(words), Fails(absl::StatusCode::kUnimplemented, HasSubstr("kind 99")));
}

TEST(EventCodec, NegativeCountsAreDamage) {
  for (const Event& event : {Event{1, 1, Checkpoint{.files_processed = -1}}, Event{1, 1, Checkpoint{.batch_num = -2}},
                             Event{1, 1, Started{.total_files = -2}}}) {
    EXPECT_THAT(DecodeEvent(Encoded(event)), Fails(absl::StatusCode::kDataLoss, HasSubstr("negative")));
  }
}

TEST(EventCodec, NoBytesCrashTheDecoder) {
  std::mt19937_64 random(TestSeed());
  int refused = 0;
  for (int i = 0; i < 20000; ++i) {
    std::vector<std::uint64_t> words = Encoded(RandomEvent(random));
    for (std::uint64_t flips = 1 + random() % 3; flips > 0; --flips) {
      words[random() % words.size()] ^= std::uint64_t{1} << (random() % 64);
    }
    if (random() % 4 == 0) words.resize(random() % words.size());
    if (!DecodeEvent(words).ok()) ++refused;
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace foldlog
