// Checkpoints by hand: the same bytes, and the same events, as by the general codec.

#include "engine/codec/checkpoint_codec.h"

#include "engine/codec/event_codec.h"
#include "tests/support/random_events.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

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
    std::vector<std::uint64_t> by_hand(PlainCheckpointWords(checkpoint));
    EncodePlainCheckpoint(at, epoch, checkpoint, by_hand.data());
    std::vector<std::uint64_t> by_builder;
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
    CheckpointView plain;
    if (DecodePlainCheckpoint(words, plain)) ++by_hand;
    const std::optional<Moment> moment = MomentOfPlainCheckpoint(words);
    const auto expected = DecodeAnyEvent(words);
    if (expected.ok() && moment) {
      ASSERT_EQ(*moment, Moment(expected->time, expected->boot));
      ASSERT_TRUE(std::holds_alternative<Checkpoint>(expected->body)) << "round " << i;
      ASSERT_FALSE(std::get<Checkpoint>(expected->body).error) << "round " << i;
    }
    const auto event = DecodeEvent(words);
    ASSERT_EQ(event.status(), expected.status()) << "round " << i;
    if (expected.ok()) {
      ASSERT_EQ(*event, *expected) << "round " << i;
    }
  }
  EXPECT_GT(by_hand, 1000);
}

}  // namespace
}  // namespace foldlog
