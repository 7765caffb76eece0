// The geometry of a tail's ring, and a cursor over it: laps, skip marks, and what is not the next frame.

#include "engine/log/tail/cursor.h"

#include "engine/log/tail/ring.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

constexpr std::uint64_t kRing = 100;

TEST(RingGeometry, LapEndsWhereTheNextBegins) {
  EXPECT_EQ(NextLap(0, kRing), 100u);
  EXPECT_EQ(NextLap(99, kRing), 100u);
  EXPECT_EQ(NextLap(700, kRing), 800u);
}

TEST(RingGeometry, RunIsPutBehindTheLapOnlyIfItDoesNotFit) {
  EXPECT_EQ(PlaceOfRun(790, 9, kRing), 790u);
  EXPECT_EQ(PlaceOfRun(790, 10, kRing), 790u) << "it ends with the lap";
  EXPECT_EQ(PlaceOfRun(790, 11, kRing), 800u);
  EXPECT_EQ(PlaceOfRun(700, 100, kRing), 700u);
}

TEST(RingGeometry, FrameStartsBehindASkipMarkOnly) {
  EXPECT_EQ(FrameStart(kSkipMark, 790, kRing), 800u);
  EXPECT_EQ(FrameStart(kFrameMagic, 790, kRing), 790u);
  EXPECT_EQ(FrameStart(0, 790, kRing), 790u);
}

// A ring in its fourth lap, whose frames go over the end of it.
class RingCursorTest : public testing::Test {
 protected:
  RingCursorTest() {
    for (int i = 0; i < 3; ++i) ring_.Append(SpanOf(RunAfter(ring_.end().chain, {CheckpointEvent(i)})));
  }

  std::vector<std::uint64_t> words_ = std::vector<std::uint64_t>(kRing);
  const TailPosition start_{.position = 4 * kRing - 24, .chain = {100, 4711}};
  TailRing ring_{words_, start_, {.end = start_}};
};

TEST_F(RingCursorTest, StepsOverFramesAndSkipMarksToTheEndOfTheChain) {
  ASSERT_GE(ring_.end().position, 4 * kRing);
  ASSERT_NE(std::find(words_.begin(), words_.end(), kSkipMark), words_.end());
  for (const bool checked : {true, false}) {
    RingCursor cursor(words_, start_);
    const auto next = [&] { return checked ? cursor.NextOfChain() : FrameAtStartOf(cursor.Words()); };
    for (Sequence sequence = 101; sequence <= 103; ++sequence) {
      const auto frame = next();
      ASSERT_TRUE(frame.has_value()) << sequence;
      EXPECT_EQ(frame->header.sequence, sequence);
      const TailPosition before = cursor.at();
      EXPECT_EQ(cursor.Behind(*frame).chain, frame->end());
      EXPECT_EQ(cursor.at(), before) << "looking moves nothing";
      cursor.StepOver(*frame);
      EXPECT_EQ(cursor.sequence(), sequence);
    }
    EXPECT_EQ(cursor.at(), ring_.end());
    EXPECT_FALSE(next().has_value());
  }
}

TEST_F(RingCursorTest, ChangedFrameEndsTheChainAndOnlyTheChain) {
  words_[start_.position % kRing + kFrameHeaderWords] ^= 1;
  const RingCursor cursor(words_, start_);
  EXPECT_FALSE(cursor.NextOfChain().has_value());
  EXPECT_TRUE(FrameAtStartOf(cursor.Words()).has_value());
}

// What a lap has left of earlier ones is intact as well.
TEST_F(RingCursorTest, IntactFrameThatDoesNotContinueTheChainIsNotTheNext) {
  EXPECT_TRUE(RingCursor(words_, start_).NextOfChain().has_value());
  for (const ChainEnd other : {ChainEnd{100, 4712}, ChainEnd{99, 4711}}) {
    EXPECT_FALSE(RingCursor(words_, {start_.position, other}).NextOfChain().has_value());
  }
}

TEST_F(RingCursorTest, FrameThatGoesBeyondItsLapIsNone) {
  const auto frame = FrameAtStartOf(RingCursor(words_, start_).Words());
  ASSERT_TRUE(frame.has_value());
  const std::size_t at = kRing - frame->size_words() + 1;
  std::copy_n(words_.begin() + start_.position % kRing, frame->size_words() - 1,
              words_.begin() + static_cast<std::ptrdiff_t>(at));
  EXPECT_FALSE(FrameAtStartOf(RingCursor(words_, {at, start_.chain}).Words()).has_value());
}

}  // namespace
}  // namespace foldlog
