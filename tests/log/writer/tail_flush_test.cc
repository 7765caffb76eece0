// The durable copy as flushes leave it: all that LMDB does not have, however the ring laps, and what each flush claims.

#include "engine/log/writer/tail_flush.h"

#include <algorithm>
#include <random>

#include "engine/base/status_macros.h"
#include "engine/log/tail/window.h"
#include "tests/support/file_bytes.h"
#include "tests/support/tail_bytes.h"
#include "tests/support/writer_parts.h"

namespace foldlog {
namespace {

class TailFlushTest : public testing::Test {
 protected:
  // The end of the chain that begins with what LMDB does not have, as the copy alone shows it.
  TailPosition EndInCopy() {
    const TailRing::Run run = parts_.ring().NextRun(parts_.ring().size_words()).value();
    TailPosition at{parts_.ring().stored_position(), run.frames.before};
    TailWindow copy(parts_.tail(), TailWindow::Sources::kCopy);
    for (auto step = copy.FrameBehind(at); step.ok() && step->has_value(); step = copy.FrameBehind(at)) {
      at = (*step)->behind;
    }
    return at;
  }

  absl::Status Flush() {
    RETURN_IF_ERROR(flush_.Flush(parts_.ring().end(), durable_));
    durable_ = parts_.ring().end_sequence();
    return absl::OkStatus();
  }

  const TempDir directory_;
  WriterParts parts_{directory_.path()};
  TailFlush flush_{parts_.tail(), parts_.ring()};
  Sequence durable_ = 0;
};

TEST_F(TailFlushTest, FlushCopiesWhatHasComeAndClaimsWhatWasDurableBefore) {
  parts_.Append(3);
  EXPECT_EQ(EndInCopy().chain.sequence, 0u);
  ASSERT_OK(Flush());
  EXPECT_EQ(EndInCopy(), parts_.ring().end());
  EXPECT_EQ(parts_.tail().ReadClaims().claim, (TailClaim{.durable = 0, .flushing = 3}));
  parts_.Append(2);
  EXPECT_EQ(EndInCopy().chain.sequence, 3u);
  ASSERT_OK(Flush());
  EXPECT_EQ(EndInCopy(), parts_.ring().end());
  EXPECT_EQ(parts_.tail().ReadClaims().claim, (TailClaim{.durable = 3, .flushing = 5}));
  EXPECT_EQ(parts_.tail().ReadClaims().damaged, 0u);
}

// A page that is written for the start of a lap still holds the end of the lap before, and the last page of the ring is
// not a whole one.
TEST_F(TailFlushTest, CopyHoldsAllThatIsNotInLmdbHoweverTheRingLaps) {
  std::mt19937_64 random(TestSeed());
  TailRing& ring = parts_.ring();
  while (ring.end().position < 40 * ring.size_words()) {
    const FrameRun run = parts_.NextRun(1 + static_cast<int>(random() % 5), random() % 900);
    while (!ring.HasRoom(run.words.size(), 0)) ring.Free(ring.NextRun(1 + random() % 3000)->end);
    ring.Append(SpanOf(run));
    if (random() % 3 != 0) continue;
    ASSERT_OK(Flush());
    ASSERT_EQ(EndInCopy(), ring.end()) << ring.end().position << " of " << ring.size_words();
  }
}

// What no flush has seen must not be in the copy either: words behind the end may be half written.
TEST_F(TailFlushTest, NothingBehindTheEndIsCopied) {
  parts_.Append(2);
  const TailPosition end = parts_.ring().end();
  parts_.Append(1);
  ASSERT_OK(flush_.Flush(end, 0));
  std::string bytes = ReadFile(directory_ / "tail");
  EXPECT_EQ(TearFrame(bytes, 2), 2);
  EXPECT_EQ(TearFrame(bytes, 3), 1);
}

TEST_F(TailFlushTest, ClaimsAreLoweredAndStayLowered) {
  parts_.Append(100, 300);
  ASSERT_OK(Flush());
  parts_.Append(1);
  ASSERT_OK(Flush());
  EXPECT_EQ(parts_.tail().ReadClaims().claim, (TailClaim{.durable = 100, .flushing = 101}));
  ASSERT_OK(parts_.tail().LowerClaims(40));
  EXPECT_EQ(parts_.tail().ReadClaims().claim, (TailClaim{.durable = 40, .flushing = 40}));
  EXPECT_EQ(EndInCopy(), parts_.ring().end()) << "the words stay as they are";
}

TEST_F(TailFlushTest, DamagedMarksAreCountedAndClaimNothing) {
  parts_.Append(1);
  ASSERT_OK(Flush());
  std::string bytes = ReadFile(directory_ / "tail");
  bytes[kTailCopyOffset + sizeof(CopyPage) - 1] ^= 1;
  WriteFile(directory_ / "tail", bytes);
  EXPECT_EQ(parts_.tail().ReadClaims().claim, TailClaim{});
  EXPECT_EQ(parts_.tail().ReadClaims().damaged, 1u);
}

}  // namespace
}  // namespace foldlog
