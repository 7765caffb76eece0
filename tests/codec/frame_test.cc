// Frames: numbered, chained, and sealed against every change.

#include "engine/codec/frame.h"

#include <span>

#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using testing::HasSubstr;

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
  const Event event{1, 1, Failed{std::string(kMaxCommonPayloadBytes, 'x')}};
  EXPECT_THAT(AppendFrame(event, run_), Fails(absl::StatusCode::kInvalidArgument, HasSubstr("more than the")));
  EXPECT_EQ(run_.words, before.words);
  EXPECT_EQ(run_.after, before.after);
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
  EXPECT_THAT(AppendCheckpointFrame(1, 1, {.current_path = std::string(kMaxCommonPayloadBytes, 'x')}, run),
              Fails(absl::StatusCode::kInvalidArgument, testing::HasSubstr("shorten")));
  EXPECT_EQ(run, FrameRun{});
}

TEST(GenesisHash, DiffersByLog) {
  const std::vector<std::uint8_t> a = {1, 2, 3};
  const std::vector<std::uint8_t> b = {1, 2, 4};
  EXPECT_NE(GenesisHash(a), GenesisHash(b));
}

}  // namespace
}  // namespace foldlog
