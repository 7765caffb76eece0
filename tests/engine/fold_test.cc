// The fold of a log: every way to compute the state gives the same one.

#include "engine/fold.h"

#include <array>
#include <span>

#include "engine/codec/frame.h"
#include "foldlog/log_directory.h"
#include "foldlog/replayer.h"
#include "tests/support/random_driver.h"
#include "tests/support/random_events.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

State FullFold(const EventLog& log) {
  State state;
  for (const RecordedEvent& event : ReadAll(log)) EXPECT_OK(Apply(event, state));
  return state;
}

TEST(FoldProperty, FoldOfTheLogEqualsTheLiveStateAfterEveryCommand) {
  const std::uint64_t seed = TestSeed();
  int events = 0;
  for (int sequence = 0; sequence < 3000; ++sequence) {
    std::mt19937_64 random(seed + static_cast<std::uint64_t>(sequence));
    EngineOptions options = DeterministicOptions();
    options.snapshot_interval_events = 1 + random() % 8;
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(NewWritableMemoryLog(), std::move(options)));
    RandomDriver driver(*engine, random);
    State folded;
    EventReader reader(engine->log(), 1);
    for (std::uint64_t steps = 5 + random() % 20; steps > 0; --steps) {
      driver.Step();
      while (true) {
        ASSERT_OK_AND_ASSIGN(const auto event, reader.Next());
        if (!event) break;
        ASSERT_OK(Apply(*event, folded));
        ++events;
      }
      ASSERT_EQ(folded, engine->state()) << "sequence " << sequence;
    }
    ASSERT_OK_AND_ASSIGN(const Fold from_snapshot, FoldLog(engine->log()));
    ASSERT_EQ(from_snapshot.state, folded) << "sequence " << sequence;
  }
  EXPECT_GT(events, 5000);  // about 10,000, whatever the seed
}

TEST(FoldProperty, SnapshotPlusRestEqualsFullFoldAtEveryEvent) {
  std::mt19937_64 random(TestSeed());
  EngineOptions options = DeterministicOptions();
  options.snapshot_interval_events = 7;
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(NewWritableMemoryLog(), std::move(options)));
  RandomDriver driver(*engine, random);
  for (int i = 0; i < 1000; ++i) driver.Step();
  State full;
  int with_snapshot = 0;
  for (const RecordedEvent& event : ReadAll(engine->log())) {
    ASSERT_OK(Apply(event, full));
    ASSERT_OK_AND_ASSIGN(const Fold fold, FoldLog(engine->log(), event.sequence));
    ASSERT_EQ(fold.state, full);
    ASSERT_LT(event.sequence - fold.snapshot_used, 8u);
    if (fold.snapshot_used > 0) ++with_snapshot;
    ASSERT_OK_AND_ASSIGN(const State at, StateAt(engine->log(), event.sequence));
    ASSERT_EQ(at, full);
  }
  EXPECT_GT(with_snapshot, 50);  // some hundreds, whatever the seed
}

TEST(FoldProperty, ReopenedLogHasTheStateItWasClosedWith) {
  std::mt19937_64 random(TestSeed());
  const TempDir directory;
  State closed_with;
  for (int opening = 0; opening < 10; ++opening) {
    EngineOptions options = DeterministicOptions();
    options.snapshot_interval_events = 5;
    options.new_id = [opening, n = 0]() mutable { return std::to_string(opening) + "-" + std::to_string(n++); };
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(directory / "log", std::move(options)));
    ASSERT_EQ(engine->state(), closed_with);
    RandomDriver driver(*engine, random);
    for (int i = 0; i < 30; ++i) driver.Step();
    closed_with = engine->state();
    ASSERT_EQ(closed_with, FullFold(engine->log()));
  }
}

class FoldFromSnapshot : public testing::Test {
 protected:
  FoldFromSnapshot() : log_(NewMemoryLog()) {
    FrameRun run{.words = {}, .before = log_->Extent()->end, .after = log_->Extent()->end};
    EXPECT_OK(AppendFrame({1, 1, Started{.operation_id = "a"}}, run));
    EXPECT_OK(AppendFrame({2, 1, Checkpoint{.files_processed = 5}}, run));
    EXPECT_OK(log_->Append(run, Space::kUnreserved));
    events_ = ReadAll(*log_);
  }

  std::unique_ptr<EventLog> log_;
  std::vector<RecordedEvent> events_;
};

TEST_F(FoldFromSnapshot, SnapshotThatIsNoStateIsPassedOver) {
  ASSERT_OK(log_->PutSnapshot({{2, events_[1].hash}, {1, 2, 3}}));
  ASSERT_OK_AND_ASSIGN(const Fold fold, FoldLog(*log_));
  EXPECT_EQ(fold.snapshot_used, 0u);
  EXPECT_EQ(fold.state.operation->files_processed, 5);
}

TEST_F(FoldFromSnapshot, SnapshotOfAnotherHistoryIsPassedOver) {
  ASSERT_OK_AND_ASSIGN(auto other, Engine::Open(NewWritableMemoryLog(), [] {
                         EngineOptions options = DeterministicOptions();
                         options.snapshot_interval_events = 1;
                         return options;
                       }()));
  ASSERT_OK(other->Start({}));
  ASSERT_OK(other->Reset());
  ASSERT_OK_AND_ASSIGN(const auto foreign, other->log().FindSnapshot(2));
  ASSERT_OK(log_->PutSnapshot(*foreign));
  ASSERT_OK_AND_ASSIGN(const Fold fold, FoldLog(*log_));
  EXPECT_EQ(fold.snapshot_used, 0u);
  EXPECT_EQ(fold.state.operation->files_processed, 5);
}

TEST_F(FoldFromSnapshot, AskingBehindTheEndIsOutOfRange) {
  EXPECT_THAT(FoldLog(*log_, 3), Fails(StatusCode::kOutOfRange, HasSubstr("ends with event 2")));
}

}  // namespace
}  // namespace foldlog
