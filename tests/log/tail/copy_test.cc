// What a page of the durable copy claims, whatever a bad sector makes of it.

#include "engine/log/tail/copy.h"

#include <cstring>

#include "tests/support/test_support.h"

namespace foldlog {
namespace {

TEST(TailCopyTest, PageThatWasNeverWrittenClaimsNothing) {
  const CopyPage page = {};
  EXPECT_EQ(ReadClaim(page, 0), TailClaim{});
  EXPECT_EQ(ReadClaim(page, 7), TailClaim{});
}

TEST(TailCopyTest, MarkIsBelievedInItsOwnPageOnly) {
  CopyPage page = {};
  const TailClaim claim{.durable = 7, .flushing = 9};
  SetClaim(page, 3, claim);
  EXPECT_EQ(ReadClaim(page, 3), claim);
  EXPECT_EQ(ReadClaim(page, 4), std::nullopt);
  page.words[5] ^= 1;
  EXPECT_EQ(ReadClaim(page, 3), claim) << "words have the hashes of their frames";
}

TEST(TailCopyTest, EveryFlippedBitOfAMarkIsNoticed) {
  CopyPage page = {};
  SetClaim(page, 3, {.durable = 7, .flushing = 9});
  constexpr std::size_t kMarkOffset = kCopyPageWords * sizeof(std::uint64_t);
  for (std::size_t bit = 0; bit < 8 * (sizeof page - kMarkOffset); ++bit) {
    CopyPage flipped = page;
    auto* const byte = reinterpret_cast<unsigned char*>(&flipped) + kMarkOffset + bit / 8;
    *byte = static_cast<unsigned char>(*byte ^ 1U << bit % 8);
    EXPECT_EQ(ReadClaim(flipped, 3), std::nullopt) << bit;
  }
}

TEST(TailCopyTest, MarkStandsInOneSector) {
  constexpr std::size_t kSectorBytes = 512;
  EXPECT_GE(offsetof(CopyPage, claim), sizeof(CopyPage) - kSectorBytes);
}

}  // namespace
}  // namespace foldlog
