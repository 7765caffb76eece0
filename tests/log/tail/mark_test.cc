// What a tail claims of itself: the newer of two marks, whatever a power cut or a bad sector makes of one.

#include "engine/log/tail/mark.h"

#include <algorithm>
#include <array>

#include "tests/support/test_support.h"

namespace foldlog {
namespace {

TEST(TailMarkTest, EveryTornOrFlippedMarkLeavesTheOneBeforeAndNeverClaimsMore) {
  std::array<std::byte, kTailMarkBytes> page = {};
  EXPECT_EQ(ReadTailClaim(page), TailClaim{});
  TailMark mark(page);
  EXPECT_EQ(ReadTailClaim(page), TailClaim{}) << "an opening writes nothing";
  mark.NoteFlushing(7);
  mark.NoteFlushed(7);
  const TailClaim before{.durable = 7, .flushing = 7};
  EXPECT_EQ(ReadTailClaim(page), before);
  std::array<std::byte, kTailMarkBytes> older = page;
  mark.NoteFlushing(9);
  const TailClaim now{.durable = 7, .flushing = 9};
  EXPECT_EQ(ReadTailClaim(page), now);
  EXPECT_EQ(ReadTailClaim(older), before);
  for (std::size_t bit = 0; bit < 8 * 1024; ++bit) {
    auto flipped = page;
    flipped[bit / 8] ^= std::byte{1} << bit % 8;
    const TailClaim claim = ReadTailClaim(flipped);
    EXPECT_TRUE(claim == now || claim == before) << bit;
  }
  for (std::size_t torn = 0; torn <= 1024; ++torn) {
    auto half = older;
    std::copy_n(page.begin(), torn, half.begin());
    const TailClaim claim = ReadTailClaim(half);
    EXPECT_TRUE(claim == now || claim == before) << torn;
  }
  TailMark next(page);
  next.Reset(3);
  EXPECT_EQ(ReadTailClaim(page), (TailClaim{.durable = 3, .flushing = 3}));
}

TEST(TailMarkTest, ClaimsGrowAndAreTakenBackOnlyByAReset) {
  std::array<std::byte, kTailMarkBytes> page = {};
  TailMark mark(page);
  mark.NoteFlushing(9);
  mark.NoteFlushed(7);
  mark.NoteFlushing(8);
  mark.NoteFlushed(5);
  EXPECT_EQ(ReadTailClaim(page), (TailClaim{.durable = 7, .flushing = 9})) << "two flushes end in any order";
  TailMark next(page);
  next.NoteFlushed(8);
  EXPECT_EQ(ReadTailClaim(page).durable, 8u) << "the next writer goes on with what is claimed";
  next.Reset(3);
  EXPECT_EQ(ReadTailClaim(page), (TailClaim{.durable = 3, .flushing = 3}));
}

}  // namespace
}  // namespace foldlog
