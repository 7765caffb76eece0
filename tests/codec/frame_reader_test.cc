// The frame reader: every frame in order, checked on the way, and a message that says what to do about a bad one.

#include "engine/codec/frame_reader.h"

#include "engine/codec/damage_advice.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class FrameReaderTest : public testing::Test {
 protected:
  FrameReaderTest() { Append(RunAfter(log_->Extent()->end, {CheckpointEvent(1), CheckpointEvent(2)})); }

  void Append(const FrameRun& run) { ASSERT_OK(log_->Append(run, Space::kUnreserved)); }

  // What the reader gives until it has no more.
  static std::vector<Sequence> Sequences(FrameReader& reader) {
    std::vector<Sequence> sequences;
    while (true) {
      const auto frame = reader.Peek();
      EXPECT_OK(frame);
      if (!frame.ok() || !*frame) return sequences;
      sequences.push_back((*frame)->header.sequence);
      reader.StepOver(**frame);
    }
  }

  std::unique_ptr<EventLog> log_ = NewMemoryLog();
};

TEST_F(FrameReaderTest, GivesEveryFrameAndThenThoseThatWereAppendedMeanwhile) {
  FrameReader reader(*log_, 1);
  EXPECT_THAT(Sequences(reader), testing::ElementsAre(1, 2));
  EXPECT_EQ(reader.position(), log_->Extent()->end);
  EXPECT_THAT(Sequences(reader), testing::IsEmpty());
  Append(RunAfter(log_->Extent()->end, {CheckpointEvent(3)}));
  EXPECT_THAT(Sequences(reader), testing::ElementsAre(3));
}

TEST_F(FrameReaderTest, StaysBeforeAFrameUntilItIsTold) {
  FrameReader reader(*log_, 2);
  for (int i = 0; i < 2; ++i) EXPECT_EQ((*reader.Peek())->header.sequence, 2u);
  EXPECT_EQ(reader.position().sequence, 1u);
}

TEST_F(FrameReaderTest, FirstLinkIsCheckedOnlyIfTheEndBeforeItIsKnown) {
  FrameReader on_trust(*log_, 2);
  ASSERT_OK(on_trust.Peek());
  const ChainEnd first = on_trust.position();
  FrameReader known(*log_, first);
  EXPECT_THAT(Sequences(known), testing::ElementsAre(2));
  FrameReader of_another(*log_, ChainEnd{first.sequence, first.hash + 1});
  EXPECT_THAT(of_another.Peek(), Fails(StatusCode::kDataLoss, HasSubstr("the chain is broken: found event 2")));
}

TEST_F(FrameReaderTest, DamagedFrameIsRefusedByNameAndCanBeReadPast) {
  FrameRun run = RunAfter(log_->Extent()->end, {CheckpointEvent(3), CheckpointEvent(4)});
  run.words[kFrameHeaderWords] ^= 1;
  Append(run);
  FrameReader reader(*log_, 2);
  reader.StepOver(**reader.Peek());
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(reader.Peek(),
                Fails(StatusCode::kDataLoss, AllOf(HasSubstr("event 3 of the log (memory)"),
                                                   HasSubstr("read on behind it with events --from 4"))));
  }
  FrameReader behind(*log_, 4);
  EXPECT_THAT(Sequences(behind), testing::ElementsAre(4));
}

TEST_F(FrameReaderTest, ReaderThatIsRestartedGivesWhatANewOneDoes) {
  Append(RunAfter(log_->Extent()->end, {CheckpointEvent(3), CheckpointEvent(4)}));
  FrameReader reader(*log_, 1);
  ASSERT_OK(reader.Peek());
  for (const Sequence from : std::vector<Sequence>{4, 1, 3, 5}) {
    for (const Sequence batch : std::vector<Sequence>{from, 1}) {
      reader.Restart(from, batch);
      FrameReader fresh(*log_, from);
      ASSERT_OK(fresh.Peek());
      ASSERT_OK(reader.Peek());
      EXPECT_EQ(reader.position().sequence, from - 1);
      EXPECT_TRUE(from == 5 || reader.position() == fresh.position());
      EXPECT_EQ(Sequences(reader), Sequences(fresh));
    }
  }
  const ChainEnd end = log_->Extent()->end;
  reader.Restart(ChainEnd{2, end.hash});
  EXPECT_THAT(reader.Peek(), Fails(StatusCode::kDataLoss, HasSubstr("the chain is broken: found event 3")));
}

TEST_F(FrameReaderTest, RestartWithinABatchDoesNotCheckTheFramesBefore) {
  FrameRun run = RunAfter(log_->Extent()->end, {CheckpointEvent(3), CheckpointEvent(4)});
  run.words[kFrameHeaderWords] ^= 1;
  Append(run);
  FrameReader reader(*log_, 1);
  reader.Restart(4, 1);
  EXPECT_THAT(Sequences(reader), testing::ElementsAre(4));
  reader.Restart(3, 1);
  EXPECT_THAT(reader.Peek(), Fails(StatusCode::kDataLoss, HasSubstr("event 3 of the log")));
}

TEST_F(FrameReaderTest, FramesAreSteppedOverWhileTheyAreWantedInOrderAndIntact) {
  FrameRun run = RunAfter(log_->Extent()->end, {CheckpointEvent(3), CheckpointEvent(4), CheckpointEvent(5)});
  Append(run);
  const auto through = [&](Sequence last, Sequence unwanted) {
    FrameReader reader(*log_, 1);
    EXPECT_OK(reader.Peek());
    Sequence next = 1;
    reader.StepOverWhile(last, [&](std::span<const std::uint64_t>) { return next++ != unwanted; });
    return reader.position().sequence;
  };
  EXPECT_EQ(through(9, 0), 5u);
  EXPECT_EQ(through(3, 0), 3u);
  EXPECT_EQ(through(9, 3), 2u);
  FrameRun damaged = RunAfter(log_->Extent()->end, {CheckpointEvent(6), CheckpointEvent(7)});
  damaged.words[kFrameHeaderWords + 1] ^= 1;
  Append(damaged);
  EXPECT_EQ(through(9, 0), 5u);
}

TEST_F(FrameReaderTest, AdviceIsGivenForDamageAndOnce) {
  const FrameReader reader(*log_, 2);
  const std::string advice = "restore the last backup";
  EXPECT_THAT(reader.InContext(absl::DataLossError("a")), Fails(StatusCode::kDataLoss, HasSubstr(advice)));
  EXPECT_THAT(reader.InContext(absl::UnavailableError("a")),
              Fails(StatusCode::kUnavailable, AllOf(HasSubstr("event 2 of"), Not(HasSubstr(advice)))));
  const absl::Status advised = absl::DataLossError(WithDamageAdvice("a"));
  EXPECT_THAT(reader.InContext(advised),
              Fails(StatusCode::kDataLoss, testing::EndsWith(std::string(advised.message()))));
}

}  // namespace
}  // namespace foldlog
