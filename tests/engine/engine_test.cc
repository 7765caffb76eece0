// The transitions, through the engine: for each guard a row that passes and one that does not.

#include <algorithm>
#include <limits>
#include <set>

#include "foldlog/replayer.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

class EngineTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = Engine::Open(NewWritableMemoryLog(), DeterministicOptions());
    ASSERT_OK(opened);
    engine_ = *std::move(opened);
  }

  OperationHandle Started() {
    auto handle = engine_->Start({.type = OperationType::kInitial, .total_files = 100});
    EXPECT_OK(handle);
    return *handle;
  }

  OperationStatus status() const { return engine_->state().status(); }
  Sequence last() const { return engine_->state().sequence; }

  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, NewLogIsIdle) {
  EXPECT_EQ(status(), OperationStatus::kIdle);
  EXPECT_EQ(engine_->state(), State{});
  EXPECT_FALSE(engine_->current_handle().has_value());
  EXPECT_FALSE(engine_->interruption().has_value());
}

TEST_F(EngineTest, StartRecordsWhatAnAuditorNeeds) {
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine_->Start({.type = OperationType::kRecovery,
                                                                     .total_files = 7,
                                                                     .roots = {"/a", "/b\xff"},
                                                                     .metadata = {{"host", "nas"}}}));
  EXPECT_EQ(handle, (OperationHandle{"op-1", 1}));
  const Operation operation = *engine_->state().operation;
  EXPECT_EQ(operation.type, OperationType::kRecovery);
  EXPECT_EQ(operation.total_files, 7);
  EXPECT_EQ(operation.roots, (std::vector<std::string>{"/a", "/b\xff"}));
  EXPECT_EQ(operation.metadata, (Metadata{{"host", "nas"}}));
  EXPECT_EQ(operation.owner.pid, getpid());
  EXPECT_EQ(operation.first_sequence, 1u);
  EXPECT_EQ(engine_->current_handle(), handle);
}

TEST_F(EngineTest, SecondStartIsRefusedAndNamesTheFirstAndItsOwner) {
  const OperationHandle handle = Started();
  EXPECT_THAT(engine_->Start({}),
              Fails(StatusCode::kFailedPrecondition, testing::AllOf(HasSubstr("op-1 (initial) is in_progress"),
                                                                    HasSubstr("process "), HasSubstr("still there"))));
  ASSERT_OK(engine_->Pause(handle));
  EXPECT_THAT(engine_->Start({}), Fails(StatusCode::kFailedPrecondition, HasSubstr("is paused; resume it")));
  ASSERT_OK(engine_->Complete(handle));
  EXPECT_OK(engine_->Start({}));
}

TEST_F(EngineTest, NegativeCountsAreRefusedAndNothingIsStored) {
  EXPECT_THAT(engine_->Start({.total_files = -1}), Fails(StatusCode::kInvalidArgument, HasSubstr("-1")));
  const OperationHandle handle = Started();
  EXPECT_THAT(engine_->Checkpoint(handle, {.files_processed = -5}),
              Fails(StatusCode::kInvalidArgument, HasSubstr("files processed is -5")));
  EXPECT_THAT(engine_->Checkpoint(handle, {.files_processed = 1, .batch_num = -1}),
              Fails(StatusCode::kInvalidArgument, HasSubstr("batch number is -1")));
  EXPECT_EQ(last(), 1u);
}

TEST_F(EngineTest, TypeThatIsNoneIsRefused) {
  EXPECT_THAT(engine_->Start({.type = static_cast<OperationType>(3)}),
              Fails(StatusCode::kInvalidArgument, HasSubstr("type")));
  EXPECT_OK(engine_->Start({.type = OperationType::kRecovery}));
}

TEST_F(EngineTest, NoCheckpointsAtAllStillTakeTheRightHandle) {
  const OperationHandle handle = Started();
  EXPECT_OK(engine_->Checkpoint(handle, std::span<const Checkpoint>()));
  EXPECT_THAT(engine_->Checkpoint({"op-1", 7}, std::span<const Checkpoint>()), Fails(StatusCode::kAborted, testing::_));
  EXPECT_EQ(last(), 1u);
}

TEST_F(EngineTest, EmptyOperationIdIsRefused) {
  EngineOptions options = DeterministicOptions();
  options.new_id = [] { return std::string(); };
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(NewWritableMemoryLog(), std::move(options)));
  EXPECT_THAT(engine->Start({}), Fails(StatusCode::kInvalidArgument, HasSubstr("empty")));
}

TEST_F(EngineTest, EveryCommandTakesTimeAndIdFromItsContextIfGiven) {
  constexpr TimeNs kGiven = 42;
  const CommandContext context{.now = kGiven, .new_id = "given"};
  ASSERT_OK_AND_ASSIGN(OperationHandle handle, engine_->Start({}, context));
  EXPECT_EQ(handle.operation_id, "given");
  ASSERT_OK(engine_->Checkpoint(handle, {.files_processed = 1}, Durability::kSync, Decrease::kRefused, context));
  ASSERT_OK(engine_->Advance(handle, {}, Durability::kInterval, context));
  ASSERT_OK(engine_->Pause(handle, "", context));
  ASSERT_OK_AND_ASSIGN(handle, engine_->Resume("given", "", context));
  ASSERT_OK_AND_ASSIGN(handle, engine_->RecoverByForce("given", "a test", context));
  ASSERT_OK(engine_->Complete(handle, {}, context));
  ASSERT_OK(engine_->Clear(context));
  ASSERT_OK_AND_ASSIGN(handle, engine_->Start({}, context));
  ASSERT_OK(engine_->Fail(handle, "a test", context));
  ASSERT_OK(engine_->Reset("", context));
  for (const RecordedEvent& event : ReadAll(engine_->log())) EXPECT_EQ(event.event.time, kGiven) << event.sequence;
  ASSERT_OK(engine_->Reset());
  EXPECT_NE(ReadAll(engine_->log()).back().event.time, kGiven);
}

TEST_F(EngineTest, CheckpointChangesOnlyWhatItNames) {
  const OperationHandle handle = Started();
  ASSERT_OK(engine_->Checkpoint(
      handle, {.files_processed = 10, .current_path = "/p", .last_processed_file = "f", .batch_num = 2}));
  ASSERT_OK(engine_->Checkpoint(handle, {.files_processed = 20, .error = FileError{"/p/x", "permission denied"}}));
  const Operation operation = *engine_->state().operation;
  EXPECT_EQ(operation.files_processed, 20);
  EXPECT_EQ(operation.current_path, "/p");
  EXPECT_EQ(operation.last_processed_file, "f");
  EXPECT_EQ(operation.batch_num, 2);
  EXPECT_EQ(operation.error_count, 1);
  EXPECT_EQ(operation.checkpoints, 2);
  EXPECT_GT(operation.rate, 0);
}

TEST_F(EngineTest, SeveralCheckpointsAreAppendedTogetherOrNotAtAll) {
  const OperationHandle handle = Started();
  const std::vector<Checkpoint> good = {{.files_processed = 1}, {.files_processed = 2}};
  ASSERT_OK(engine_->Checkpoint(handle, good));
  EXPECT_EQ(last(), 3u);
  const std::vector<Checkpoint> bad = {{.files_processed = 3}, {.files_processed = -1}};
  EXPECT_THAT(engine_->Checkpoint(handle, bad), Fails(StatusCode::kInvalidArgument, testing::_));
  EXPECT_EQ(last(), 3u);
  EXPECT_EQ(engine_->state().operation->files_processed, 2);
}

TEST_F(EngineTest, CountThatIsLessLeavesTheCountAsItIsAndTheRestIsRecorded) {
  const OperationHandle handle = Started();
  ASSERT_OK(engine_->Checkpoint(handle, {.files_processed = 5, .last_processed_file = "e"}));
  ASSERT_OK(engine_->Checkpoint(handle, {.files_processed = 3, .last_processed_file = "c"}));
  ASSERT_OK(engine_->Checkpoint(handle, {.error = FileError{"x", "unreadable"}}));
  const Operation operation = *engine_->state().operation;
  EXPECT_EQ(operation.files_processed, 5);
  EXPECT_EQ(operation.last_processed_file, "c");
  EXPECT_EQ(operation.error_count, 1);
  const std::vector<Checkpoint> some = {{.files_processed = 4}, {.files_processed = 8}, {.files_processed = 7}};
  ASSERT_OK(engine_->Checkpoint(handle, some));
  std::vector<std::int64_t> counts;
  for (const RecordedEvent& event : ReadAll(engine_->log(), 2)) {
    counts.push_back(std::get<Checkpoint>(event.event.body).files_processed);
  }
  EXPECT_THAT(counts, testing::ElementsAre(5, 5, 5, 5, 8, 8));
  EXPECT_EQ(*StateAt(engine_->log()), engine_->state());
}

TEST_F(EngineTest, CountThatGoesBackIsRefusedOrAllowedOnRequest) {
  const OperationHandle handle = Started();
  ASSERT_OK(engine_->Checkpoint(handle, {.files_processed = 5}));
  EXPECT_THAT(engine_->Checkpoint(handle, {.files_processed = 3}, Durability::kInterval, Decrease::kRefused),
              Fails(StatusCode::kInvalidArgument,
                    testing::AllOf(HasSubstr("is 3"), HasSubstr("stands at 5"), HasSubstr("Advance()"))));
  EXPECT_OK(engine_->Checkpoint(handle, {.files_processed = 5}, Durability::kInterval, Decrease::kRefused));
  EXPECT_EQ(last(), 3u);
  EXPECT_OK(engine_->Checkpoint(handle, {.files_processed = 3}, Durability::kSync, Decrease::kAllowed));
  EXPECT_EQ(engine_->state().operation->files_processed, 3);
  const std::vector<Checkpoint> back = {{.files_processed = 7}, {.files_processed = 6}};
  EXPECT_THAT(engine_->Checkpoint(handle, back, Durability::kInterval, Decrease::kRefused),
              Fails(StatusCode::kInvalidArgument, HasSubstr("stands at 7")));
  EXPECT_EQ(last(), 4u);
}

TEST_F(EngineTest, AdvanceAddsToWhatThereIs) {
  const OperationHandle handle = Started();
  ASSERT_OK(engine_->Checkpoint(handle, {.files_processed = 5}));
  ASSERT_OK_AND_ASSIGN(std::int64_t total, engine_->Advance(handle, {.last_processed_file = "f"}));
  EXPECT_EQ(total, 6);
  ASSERT_OK_AND_ASSIGN(
      total, engine_->Advance(handle, {.files_added = 10, .current_path = "/p", .batch_num = 2}, Durability::kSync));
  EXPECT_EQ(total, 16);
  EXPECT_EQ(engine_->durable_through(), last());
  ASSERT_OK_AND_ASSIGN(total, engine_->Advance(handle, {.files_added = 0, .error = FileError{"x", "unreadable"}}));
  EXPECT_EQ(total, 16);
  const Operation operation = *engine_->state().operation;
  EXPECT_EQ(operation.files_processed, 16);
  EXPECT_EQ(operation.last_processed_file, "f");
  EXPECT_EQ(operation.current_path, "/p");
  EXPECT_EQ(operation.batch_num, 2);
  EXPECT_EQ(operation.error_count, 1);
  EXPECT_EQ(operation.checkpoints, 4);
}

TEST_F(EngineTest, AdvanceIsRefusedWhereACheckpointIs) {
  EXPECT_THAT(engine_->Advance({"op-1", 1}, {}), Fails(StatusCode::kFailedPrecondition, HasSubstr("no operation")));
  const OperationHandle handle = Started();
  EXPECT_THAT(engine_->Advance(handle, {.files_added = -1}), Fails(StatusCode::kInvalidArgument, HasSubstr("-1")));
  EXPECT_THAT(engine_->Advance({"op-1", 7}, {}), Fails(StatusCode::kAborted, testing::_));
  ASSERT_OK(engine_->Checkpoint(handle, {.files_processed = std::numeric_limits<std::int64_t>::max()}));
  EXPECT_THAT(engine_->Advance(handle, {}), Fails(StatusCode::kInvalidArgument, HasSubstr("64 bits")));
  EXPECT_OK(engine_->Advance(handle, {.files_added = 0}));
  EXPECT_EQ(last(), 3u);
}

TEST_F(EngineTest, CheckpointIsAllowedWhilePausedAndNotWithoutAnOperation) {
  const OperationHandle handle = Started();
  ASSERT_OK(engine_->Pause(handle, "lunch"));
  EXPECT_OK(engine_->Checkpoint(handle, {.files_processed = 1}));
  EXPECT_EQ(status(), OperationStatus::kPaused);
  ASSERT_OK(engine_->Complete(handle));
  EXPECT_THAT(engine_->Checkpoint(handle, {.files_processed = 2}),
              Fails(StatusCode::kFailedPrecondition, HasSubstr("is completed")));
  ASSERT_OK(engine_->Clear());
  EXPECT_THAT(engine_->Checkpoint(handle, {.files_processed = 2}),
              Fails(StatusCode::kFailedPrecondition, HasSubstr("no operation")));
}

TEST_F(EngineTest, PauseOnlyFromInProgress) {
  const OperationHandle handle = Started();
  ASSERT_OK(engine_->Pause(handle, "lunch"));
  EXPECT_EQ(engine_->state().operation->pause_reason, "lunch");
  EXPECT_THAT(engine_->Pause(handle), Fails(StatusCode::kFailedPrecondition, HasSubstr("paused already")));
}

TEST_F(EngineTest, ResumeOfAPausedOperationGivesANewEpoch) {
  const OperationHandle old_handle = Started();
  ASSERT_OK(engine_->Pause(old_handle));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine_->Resume("op-1", "back"));
  EXPECT_EQ(handle.epoch, 2u);
  EXPECT_EQ(status(), OperationStatus::kInProgress);
  EXPECT_EQ(engine_->state().operation->pause_reason, "");
  EXPECT_OK(engine_->Checkpoint(handle, {.files_processed = 1}));
}

TEST_F(EngineTest, ResumeIsRefusedWhereThereIsNothingToResume) {
  EXPECT_THAT(engine_->Resume("op-1"), Fails(StatusCode::kFailedPrecondition, HasSubstr("no operation")));
  const OperationHandle handle = Started();
  EXPECT_THAT(engine_->Resume("op-1"), Fails(StatusCode::kFailedPrecondition, HasSubstr("still there")));
  EXPECT_THAT(engine_->Resume("op-9"),
              Fails(StatusCode::kFailedPrecondition, HasSubstr("the active one is operation op-1")));
  ASSERT_OK(engine_->Fail(handle, "x"));
  EXPECT_THAT(engine_->Resume("op-1"), Fails(StatusCode::kFailedPrecondition, HasSubstr("is failed")));
}

TEST_F(EngineTest, StaleHandleIsRefusedAfterResume) {
  const OperationHandle stale = Started();
  ASSERT_OK(engine_->Pause(stale));
  ASSERT_OK(engine_->Resume("op-1"));
  const auto refused = Fails(StatusCode::kAborted, testing::AllOf(HasSubstr("stale"), HasSubstr("epoch 2")));
  EXPECT_THAT(engine_->Checkpoint(stale, {.files_processed = 1}), refused);
  EXPECT_THAT(engine_->Pause(stale), refused);
  EXPECT_THAT(engine_->Complete(stale), refused);
  EXPECT_THAT(engine_->Fail(stale, "x"), refused);
}

TEST_F(EngineTest, HandleThatWasNeverGivenOutIsRefused) {
  const OperationHandle handle = Started();
  EXPECT_THAT(engine_->Checkpoint({handle.operation_id, handle.epoch + 1}, {.files_processed = 1}),
              Fails(StatusCode::kAborted, HasSubstr("no handle of epoch 2 was ever given out")));
}

TEST_F(EngineTest, HandleOfAnEarlierOperationIsRefused) {
  const OperationHandle earlier = Started();
  ASSERT_OK(engine_->Complete(earlier));
  Started();
  EXPECT_THAT(engine_->Checkpoint(earlier, {.files_processed = 1}),
              Fails(StatusCode::kAborted, HasSubstr("the active one is operation op-2")));
}

TEST_F(EngineTest, RecoveryByForceNeedsAReasonAndFencesTheFormerHandle) {
  EXPECT_THAT(engine_->RecoverByForce("op-1", "x"), Fails(StatusCode::kFailedPrecondition, HasSubstr("no operation")));
  const OperationHandle former = Started();
  EXPECT_THAT(engine_->RecoverByForce("op-1", ""), Fails(StatusCode::kInvalidArgument, HasSubstr("reason")));
  EXPECT_THAT(engine_->RecoverByForce("op-2", "x"), Fails(StatusCode::kFailedPrecondition, HasSubstr("op-1")));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine_->RecoverByForce("op-1", "it hangs"));
  EXPECT_THAT(engine_->Checkpoint(former, {.files_processed = 1}), Fails(StatusCode::kAborted, HasSubstr("stale")));
  EXPECT_OK(engine_->Checkpoint(handle, {.files_processed = 1}));
  EXPECT_EQ(engine_->state().operation->interruptions(), 1);
  ASSERT_OK(engine_->Pause(handle));
  EXPECT_THAT(engine_->RecoverByForce("op-1", "x"),
              Fails(StatusCode::kFailedPrecondition, HasSubstr("resume it instead")));
}

TEST_F(EngineTest, CompleteKeepsTheStatistics) {
  const OperationHandle handle = Started();
  const Stats stats = {{"files", std::int64_t{3}}, {"rate", 1.5}, {"note", std::string("fine")}};
  ASSERT_OK(engine_->Complete(handle, stats));
  EXPECT_EQ(status(), OperationStatus::kCompleted);
  EXPECT_EQ(engine_->state().operation->stats, stats);
  EXPECT_TRUE(engine_->state().operation->completed_at.has_value());
  EXPECT_THAT(engine_->Complete(handle), Fails(StatusCode::kFailedPrecondition, HasSubstr("is completed")));
}

TEST_F(EngineTest, FailKeepsTheError) {
  const OperationHandle handle = Started();
  ASSERT_OK(engine_->Fail(handle, "disk on fire"));
  EXPECT_EQ(status(), OperationStatus::kFailed);
  EXPECT_EQ(engine_->state().operation->failure, "disk on fire");
  EXPECT_EQ(engine_->state().operation->error_count, 1);
  EXPECT_FALSE(engine_->state().operation->completed_at.has_value());
  EXPECT_THAT(engine_->Fail(handle, "again"), Fails(StatusCode::kFailedPrecondition, HasSubstr("is failed")));
}

TEST_F(EngineTest, ClearOnlyAfterTheEnd) {
  EXPECT_THAT(engine_->Clear(), Fails(StatusCode::kFailedPrecondition, HasSubstr("no operation")));
  const OperationHandle handle = Started();
  EXPECT_THAT(engine_->Clear(), Fails(StatusCode::kFailedPrecondition, HasSubstr("complete or fail it first")));
  ASSERT_OK(engine_->Complete(handle));
  ASSERT_OK(engine_->Clear());
  EXPECT_EQ(status(), OperationStatus::kIdle);
  EXPECT_EQ(engine_->state().epoch, 1u);
}

TEST_F(EngineTest, ResetWorksInEveryStateAndFencesEveryHandle) {
  ASSERT_OK(engine_->Reset("nothing there"));
  const OperationHandle handle = Started();
  ASSERT_OK(engine_->Reset("maintenance"));
  EXPECT_EQ(status(), OperationStatus::kIdle);
  EXPECT_THAT(engine_->Checkpoint(handle, {.files_processed = 1}),
              Fails(StatusCode::kFailedPrecondition, HasSubstr("no operation")));
  const OperationHandle next = Started();
  EXPECT_GT(next.epoch, handle.epoch);
}

TEST_F(EngineTest, ClosedEngineRefusesCommandsAndKeepsAnswering) {
  const OperationHandle handle = Started();
  ASSERT_OK(engine_->Close());
  EXPECT_OK(engine_->Close());
  const auto refused = Fails(StatusCode::kFailedPrecondition, HasSubstr("closed"));
  EXPECT_THAT(engine_->Checkpoint(handle, {.files_processed = 1}), refused);
  EXPECT_THAT(engine_->Start({}), refused);
  EXPECT_THAT(engine_->Flush(), refused);
  EXPECT_EQ(status(), OperationStatus::kInProgress);
}

TEST_F(EngineTest, WhatIsAppendedIsDurable) {
  const OperationHandle handle = Started();
  EXPECT_EQ(engine_->durable_through(), 1u);
  ASSERT_OK(engine_->Checkpoint(handle, {.files_processed = 1}));
  ASSERT_OK(engine_->Flush());
  EXPECT_EQ(engine_->durable_through(), 2u);
}

TEST_F(EngineTest, TooLargeAnEventIsRefusedAndTheEngineGoesOn) {
  const OperationHandle handle = Started();
  const std::string path(std::size_t{5} << 20, 'x');
  EXPECT_THAT(engine_->Checkpoint(handle, {.files_processed = 1, .current_path = path}),
              Fails(StatusCode::kInvalidArgument, HasSubstr("shorten")));
  EXPECT_OK(engine_->Checkpoint(handle, {.files_processed = 1, .current_path = path.substr(0, 1 << 20)}));
}

// However much there is to say at the end, the end is recorded.
TEST_F(EngineTest, EndsAreRecordedHoweverLongTheirTexts) {
  const std::string euros = [] {
    std::string text;
    for (int i = 0; i < 2'000'000; ++i) text += "€";
    return text;
  }();
  OperationHandle handle = Started();
  ASSERT_OK(engine_->Pause(handle, euros));
  EXPECT_THAT(engine_->state().operation->pause_reason, testing::EndsWith("€ … [cut, of 6000000 bytes]"));
  ASSERT_OK_AND_ASSIGN(handle, engine_->Resume("op-1"));
  ASSERT_OK(engine_->Fail(handle, euros));
  EXPECT_THAT(engine_->state().operation->failure, testing::EndsWith("€ … [cut, of 6000000 bytes]"));
  EXPECT_GT(engine_->state().operation->failure.size(), std::size_t{4'000'000});
  ASSERT_OK(engine_->Reset(euros));

  handle = Started();
  ASSERT_OK(engine_->Complete(handle, {{"log", euros}, {euros, 1.5}, {"files", std::int64_t{7}}}));
  const Stats stats = engine_->state().operation->stats;
  ASSERT_EQ(stats.size(), 3u);
  EXPECT_THAT(std::get<std::string>(stats[0].second), testing::EndsWith("€ … [cut, of 6000000 bytes]"));
  EXPECT_EQ(stats[2].second, StatValue(std::int64_t{7}));
  ASSERT_OK_AND_ASSIGN(const State folded, StateAt(engine_->log()));
  EXPECT_EQ(folded, engine_->state());
}

TEST_F(EngineTest, StatisticsThatAreTooManyAreCounted) {
  const OperationHandle handle = Started();
  Stats stats;
  for (std::int64_t i = 0; i < 300'000; ++i) stats.emplace_back("figure " + std::to_string(i), i);
  ASSERT_OK(engine_->Complete(handle, stats));
  const Stats kept = engine_->state().operation->stats;
  ASSERT_GT(kept.size(), 50'000u);
  EXPECT_EQ(kept.back().first, "statistics_left_out");
  EXPECT_EQ(kept.back().second, StatValue(static_cast<std::int64_t>(stats.size() - (kept.size() - 1))));
  EXPECT_TRUE(std::equal(kept.begin(), kept.end() - 1, stats.begin()));
}

TEST_F(EngineTest, TextsThatEndNothingAreRefusedAndTheLimitIsNamed) {
  const std::string text(std::size_t{5} << 20, 'x');
  const auto refused = Fails(StatusCode::kInvalidArgument, HasSubstr("4194304"));
  EXPECT_THAT(engine_->Start({.roots = {text}}), refused);
  EXPECT_THAT(engine_->Start({.metadata = {{"note", text}}}), refused);
  EXPECT_THAT(engine_->Start({.metadata = Metadata(4'000'000)}), refused);
  const OperationHandle handle = Started();
  EXPECT_THAT(engine_->Checkpoint(handle, {.last_processed_file = text}), refused);
  EXPECT_THAT(engine_->Checkpoint(handle, {.error = FileError{"f", text}}), refused);
  EXPECT_THAT(engine_->Checkpoint(handle, {.error = FileError{"f", std::string(std::size_t{600} << 20, 'x')}}),
              refused);
  ASSERT_OK(engine_->Pause(handle));
  EXPECT_THAT(engine_->Resume(handle.operation_id, text), refused);
  EXPECT_EQ(last(), 2u);
}

// A clock that jumps must not upset the fold.
TEST_F(EngineTest, ClockThatGoesBackwardsLeavesTheRateAlone) {
  std::vector<TimeNs> times = {1000, 500, std::numeric_limits<TimeNs>::max(), std::numeric_limits<TimeNs>::min()};
  EngineOptions options = DeterministicOptions();
  options.clock = [&times, next = 0u]() mutable { return times.at(next++); };
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(NewWritableMemoryLog(), std::move(options)));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
  ASSERT_OK(engine->Checkpoint(handle, {.files_processed = 10}));
  EXPECT_EQ(engine->state().operation->rate, 0);
  ASSERT_OK(engine->Checkpoint(handle, {.files_processed = 10}));
  EXPECT_GT(engine->state().operation->rate, 0);
  ASSERT_OK(engine->Checkpoint(handle, {.files_processed = 10}));
}

TEST(EngineDefaults, RealClockAndRandomIds) {
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(NewWritableMemoryLog()));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
  EXPECT_EQ(handle.operation_id.size(), 36u);
  constexpr TimeNs kYear2020 = 1'577'836'800'000'000'000;
  EXPECT_GT(engine->state().operation->started_at, kYear2020);
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(NewUuid());
  EXPECT_EQ(ids.size(), 1000u);
}

}  // namespace
}  // namespace foldlog
