// Events, frames and states as bytes: what goes in comes out, and no bytes do harm.

#include "engine/codec/event_codec.h"

#include <cstring>
#include <limits>
#include <span>

#include "engine/codec/checkpoint_codec.h"
#include "engine/codec/frame.h"
#include "engine/codec/state_codec.h"
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

class FrameTest : public testing::Test {
 protected:
  FrameTest() {
    run_.before = run_.after = {7, 70};
    EXPECT_OK(AppendFrame(CheckpointAt(1), run_));
    EXPECT_OK(AppendFrame(CheckpointAt(2), run_));
  }

  static Event CheckpointAt(TimeNs time) { return {time, 1, Checkpoint{.files_processed = 3, .current_path = "/a"}}; }

  FrameRun run_;
};

TEST_F(FrameTest, FramesAreNumberedAndChained) {
  ASSERT_OK_AND_ASSIGN(const FrameView first, PeekFrame(run_.words));
  ASSERT_OK_AND_ASSIGN(const FrameView second, PeekFrame(std::span(run_.words).subspan(first.size_words())));
  EXPECT_EQ(first.header.sequence, 8u);
  EXPECT_EQ(first.header.previous_hash, 70u);
  EXPECT_EQ(second.header.sequence, 9u);
  EXPECT_EQ(second.header.previous_hash, first.header.hash);
  EXPECT_EQ(run_.after, second.end());
  EXPECT_OK(CheckFrameHash(first));
  EXPECT_OK(CheckFrameHash(second));
}

TEST_F(FrameTest, EveryFlippedBitIsFound) {
  const std::size_t first_words = PeekFrame(run_.words)->size_words();
  for (std::size_t bit = 0; bit < first_words * 64; ++bit) {
    std::vector<std::uint64_t> words = run_.words;
    words[bit / 64] ^= std::uint64_t{1} << (bit % 64);
    const auto frame = PeekFrame(words);
    EXPECT_FALSE(frame.ok() && CheckFrameHash(*frame).ok()) << "bit " << bit;
  }
}

TEST_F(FrameTest, EveryCutIsFound) {
  const std::size_t first_words = PeekFrame(run_.words)->size_words();
  for (std::size_t words = 0; words < first_words; ++words) {
    EXPECT_THAT(PeekFrame(std::span(run_.words).first(words)), Fails(absl::StatusCode::kDataLoss, testing::_));
  }
}

TEST_F(FrameTest, TooLargeAnEventIsRefusedAndTheRunIsAsBefore) {
  const FrameRun before = run_;
  const Event event{1, 1, Failed{std::string(kMaxPayloadBytes, 'x')}};
  EXPECT_THAT(AppendFrame(event, run_), Fails(absl::StatusCode::kInvalidArgument, HasSubstr("more than the")));
  EXPECT_EQ(run_.words, before.words);
  EXPECT_EQ(run_.after, before.after);
}

TEST(CheckpointCodec, WritesTheBytesThatTheBuilderWrites) {
  std::mt19937_64 random(TestSeed());
  Randomizer make(random);
  for (int i = 0; i < 20'000; ++i) {
    const Checkpoint checkpoint{.files_processed = make.Count(),
                                .current_path = make.Maybe([&] { return make.Bytes(); }),
                                .last_processed_file = make.Maybe([&] { return make.Bytes(); }),
                                .batch_num = make.Maybe([&] { return make.Count(); })};
    const Moment at{static_cast<TimeNs>(random()), make.AnyBoot()};
    const Epoch epoch = random();
    std::vector<std::uint64_t> by_hand = {7};  // what was there stays
    EncodePlainCheckpoint(at, epoch, checkpoint, by_hand);
    std::vector<std::uint64_t> by_builder = {7};
    ASSERT_OK(EncodeEvent({at.time, epoch, checkpoint, at.boot}, by_builder));
    ASSERT_EQ(by_hand, by_builder) << "round " << i;
  }
}

// Of a checkpoint, or of what a few flipped bits made of one, either decoder makes the same.
TEST(CheckpointCodec, ReadsWhatTheGeneralDecoderReads) {
  std::mt19937_64 random(TestSeed());
  int by_hand = 0;
  for (int i = 0; i < 200'000; ++i) {
    const Event original = RandomEvent(random);
    if (!std::holds_alternative<Checkpoint>(original.body)) continue;
    std::vector<std::uint64_t> words;
    ASSERT_OK(EncodeEvent(original, words));
    for (std::uint64_t flips = random() % 3; flips > 0; --flips) {
      words[random() % words.size()] ^= std::uint64_t{1} << random() % 64;
    }
    if (DecodePlainCheckpoint(words)) ++by_hand;
    const auto expected = DecodeAnyEvent(words);
    const auto event = DecodeEvent(words);
    ASSERT_EQ(event.status(), expected.status()) << "round " << i;
    if (expected.ok()) {
      ASSERT_EQ(*event, *expected) << "round " << i;
    }
  }
  EXPECT_GT(by_hand, 1000);
}

TEST_F(FrameTest, CheckpointsHaveTheSameFramesByEitherWay) {
  Checkpoint checkpoint{.files_processed = 1, .last_processed_file = "a"};
  for (int round = 0; round < 2; ++round) {
    FrameRun fast{.words = {}, .before = {4, 5}, .after = {4, 5}};
    FrameRun plain = fast;
    for (int i = 0; i < 3; ++i) {
      ASSERT_OK(AppendCheckpointFrame(8, 9, checkpoint, fast));
      ASSERT_OK(AppendFrame({8, 9, checkpoint}, plain));
    }
    EXPECT_EQ(fast, plain);
    checkpoint.error = FileError{"p", "m"};  // goes the plain way in both
  }
  FrameRun run;
  EXPECT_THAT(AppendCheckpointFrame(1, 1, {.current_path = std::string(kMaxPayloadBytes, 'x')}, run),
              Fails(absl::StatusCode::kInvalidArgument, testing::HasSubstr("shorten")));
  EXPECT_EQ(run, FrameRun{});
}

TEST(GenesisHash, DiffersByLog) {
  const std::vector<std::uint8_t> a = {1, 2, 3};
  const std::vector<std::uint8_t> b = {1, 2, 4};
  EXPECT_NE(GenesisHash(a), GenesisHash(b));
}

TEST(StateCodec, EveryStateComesBackAsItWas) {
  std::mt19937_64 random(TestSeed());
  for (int i = 0; i < 1000; ++i) {
    const State state = RandomState(random);
    std::vector<std::uint64_t> words;
    ASSERT_OK(EncodeState(state, words));
    ASSERT_OK_AND_ASSIGN(const State decoded, DecodeState(words));
    ASSERT_EQ(decoded, state);
  }
}

TEST(StateCodec, NoBytesCrashTheDecoder) {
  std::mt19937_64 random(TestSeed());
  for (int i = 0; i < 5000; ++i) {
    std::vector<std::uint64_t> words;
    ASSERT_OK(EncodeState(RandomState(random), words));
    words[random() % words.size()] ^= std::uint64_t{1} << (random() % 64);
    DecodeState(words).IgnoreError();
  }
}

TEST(StateCodec, AnotherFoldVersionIsRefused) {
  std::vector<std::uint64_t> words;
  ASSERT_OK(EncodeState(State{}, words));
  ASSERT_EQ(words[1] & 0xffffffff, kFoldVersion);
  ++words[1];
  EXPECT_THAT(DecodeState(words), Fails(absl::StatusCode::kDataLoss, HasSubstr("fold version 4")));
}

}  // namespace
}  // namespace foldlog
