// What a reader sees of a tail through pread: the chain as the writer left it, and no harm from anything else.

#include "engine/log/tail/window.h"

#include <unistd.h>

#include <cstring>
#include <fstream>

#include "engine/log/tail/ring.h"
#include "engine/log/writer/tail_flush.h"
#include "tests/support/file_bytes.h"
#include "tests/support/tail_bytes.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

constexpr ChainEnd kBase{100, 4711};

class TailWindowTest : public testing::Test {
 protected:
  TailWindowTest() {
    EXPECT_OK(TailFile::Create(directory_.path(), kId, kTailBytesMin));
    auto tail = TailFile::Open(directory_.path(), kId, TailFile::Access::kWrite);
    EXPECT_OK(tail);
    written_ = *std::move(tail);
    tail = TailFile::Open(directory_.path(), kId, TailFile::Access::kRead);
    EXPECT_OK(tail);
    tail_ = *std::move(tail);
    words_ = written_->ring();
    start_ = {.position = 5 * words_.size() - 300, .chain = kBase};  // so that the chain goes over the end of a lap
    ring_ = std::make_unique<TailRing>(words_, start_, TailContents{.end = start_});
  }

  void Append(int count) {
    for (int i = 0; i < count; ++i) ring_->Append(SpanOf(RunAfter(ring_->end().chain, {CheckpointEvent(i)})));
  }

  // How many frames the chain has from `at` on, which is moved behind them.
  static int Follow(TailWindow& window, TailPosition& at) {
    int count = 0;
    for (auto step = window.FrameBehind(at); step.ok() && step->has_value(); step = window.FrameBehind(at)) {
      EXPECT_EQ(PeekFrame((*step)->frame)->size_words(), (*step)->frame.size());
      at = (*step)->behind;
      ++count;
    }
    return count;
  }

  static constexpr LogId kId = {1, 2, 3};
  TempDir directory_;
  std::unique_ptr<TailFile> written_;
  std::unique_ptr<TailFile> tail_;
  std::span<std::uint64_t> words_;
  TailPosition start_;
  std::unique_ptr<TailRing> ring_;
};

TEST_F(TailWindowTest, ChainIsFollowedOverTheEndOfTheLapAndWhenItGrows) {
  TailWindow window(*tail_, TailWindow::Sources::kRing);
  TailPosition at = start_;
  EXPECT_EQ(Follow(window, at), 0);
  Append(60);
  EXPECT_EQ(Follow(window, at), 60);
  EXPECT_EQ(at, ring_->end());
  Append(1);
  EXPECT_EQ(Follow(window, at), 1);
  EXPECT_EQ(at, ring_->end());
}

TEST_F(TailWindowTest, FrameThatIsNotIntactOrNotTheNextIsNone) {
  Append(2);
  const auto found = [&](const TailPosition& at) {
    return (*TailWindow(*tail_, TailWindow::Sources::kRing).FrameBehind(at)).has_value();
  };
  EXPECT_TRUE(found(start_));
  TailPosition wrong = start_;
  wrong.chain.hash ^= 1;
  EXPECT_FALSE(found(wrong));
  wrong = start_;
  --wrong.chain.sequence;
  EXPECT_FALSE(found(wrong));
  wrong = start_;
  ++wrong.position;
  EXPECT_FALSE(found(wrong));
  words_[(start_.position + kFrameHeaderWords + 1) % words_.size()] ^= 1;
  EXPECT_FALSE(found(start_));
}

TEST_F(TailWindowTest, AnyWordsEndTheChainAndNothingElse) {
  std::mt19937_64 random(TestSeed());
  Append(60);
  const std::vector<std::uint64_t> sound(words_.begin(), words_.end());
  const std::vector<std::uint64_t> likely = {kSkipMark, kFrameMagic, kFrameMagic | (std::uint64_t{4} << 52), ~0ULL, 0};
  for (int round = 0; round < 300; ++round) {
    std::copy(sound.begin(), sound.end(), words_.begin());
    for (std::uint64_t hits = 1 + random() % 20; hits > 0; --hits) {
      words_[random() % words_.size()] = random() % 2 == 0 ? random() : likely[random() % likely.size()];
    }
    TailWindow window(*tail_, TailWindow::Sources::kRing);
    TailPosition at = start_;
    EXPECT_LE(Follow(window, at), 60);
    EXPECT_OK(window.FrameBehind({random(), kBase}));
  }
}

// Each frame may be in one place or in both.
TEST_F(TailWindowTest, WhatTheRingLacksIsTakenFromTheCopy) {
  Append(60);
  TailFlush flush(*written_, *ring_);
  ASSERT_OK(flush.Flush(ring_->end(), kBase.sequence));
  std::mt19937_64 random(TestSeed());
  for (std::uint64_t hits = 20; hits > 0; --hits) words_[(start_.position + random() % 900) % words_.size()] ^= 1;
  TailPosition at = start_;
  TailWindow ring(*tail_, TailWindow::Sources::kRing);
  EXPECT_LT(Follow(ring, at), 60);
  TailWindow both(*tail_, TailWindow::Sources::kCopyAndRing);
  TailWindow copy(*tail_, TailWindow::Sources::kCopy);
  for (TailWindow* const window : {&both, &copy}) {
    at = start_;
    EXPECT_EQ(Follow(*window, at), 60);
    EXPECT_EQ(at, ring_->end());
  }
}

// A map of it would kill whoever touches it.
TEST_F(TailWindowTest, TailThatIsCutShortIsDamageWhereItIsCut) {
  start_.position = 5 * words_.size();
  ring_ = std::make_unique<TailRing>(words_, start_, TailContents{.end = start_});
  Append(60);
  ring_.reset();
  written_.reset();
  ASSERT_EQ(
      truncate((directory_ / "tail").c_str(), static_cast<off_t>(TailRingOffset(ReadFile(directory_ / "tail")) + 4096)),
      0);
  TailWindow window(*tail_, TailWindow::Sources::kRing);
  TailPosition at = start_;
  const int before = Follow(window, at);
  EXPECT_GT(before, 5);
  EXPECT_LT(before, 60);
  EXPECT_THAT(window.FrameBehind(at), Fails(StatusCode::kDataLoss, HasSubstr("cut short")));
}

}  // namespace
}  // namespace foldlog
