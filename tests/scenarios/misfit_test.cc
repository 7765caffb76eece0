// Events that do not follow from those before them: none is ever appended, and one that a log holds nevertheless stops
// nobody from reading it, nor from going on after a reset.

#include <xxhash.h>

#include <array>
#include <cstring>

#include "engine/checkpoint_view.h"
#include "engine/codec/frame.h"
#include "engine/codec/state_codec.h"
#include "engine/transition.h"
#include "foldlog/history.h"
#include "foldlog/replayer.h"
#include "tests/support/random_events.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

// Such as no engine would ever make, but near enough that most commands are accepted.
State AnyStateToDecideOn(std::mt19937_64& random) {
  Randomizer any(random);
  State state = RandomState(random);
  state.sequence >>= 1;
  state.epoch >>= 1;
  if (any.Number(8) == 0) state.misfit = Misfit{any.Number(state.sequence + 1), "a test"};
  if (!state.operation) return state;
  Operation& operation = *state.operation;
  if (any.Number(2) == 0) operation.epoch = state.epoch;
  operation.error_count = operation.checkpoints = 0;
  operation.interruptions_by = {};
  return state;
}

// Everything that a command may lead to, in `state`, with the handle that is valid there.
std::vector<absl::StatusOr<Event>> Decisions(const State& state, Randomizer& any) {
  const OperationHandle handle = state.operation
                                     ? OperationHandle{state.operation->operation_id, state.operation->epoch}
                                     : OperationHandle{"none", 0};
  const Actor actor{.now = any.Count(), .owner = any.AnyOwner()};
  const auto fate = static_cast<OwnerFate>(any.Number(6));
  return {DecideStart(state, {.type = any.Type()}, "new", fate, actor),
          DecidePause(state, handle, "", any.Count()),
          DecideResume(state, handle.operation_id, "", fate, actor),
          DecideRecoverByForce(state, handle.operation_id, "why", fate, actor),
          DecideComplete(state, handle, any.AnyStats(), any.Count()),
          DecideFail(state, handle, "why", any.Count()),
          DecideClear(state, any.Count()),
          DecideImport(state, any.AnyImported(), "new", actor),
          DecideReset(state, "", any.Count())};
}

TEST(Decisions, CheckpointThatIsDecidedCanBeFolded) {
  std::mt19937_64 random(TestSeed());
  Randomizer any(random);
  int accepted = 0;
  for (int i = 0; i < 50'000; ++i) {
    State state = AnyStateToDecideOn(random);
    OperationHandle handle{any.Bytes(), any.Number(4)};
    if (state.operation && any.Number(4) != 0) handle = {state.operation->operation_id, state.operation->epoch};
    const auto checkpoint = std::get<Checkpoint>(any.Body(EventBody(Checkpoint{}).index()));
    if (!CheckCheckpoint(state, handle, checkpoint).ok()) continue;
    ++accepted;
    const State before = state;
    ASSERT_OK(ApplyCheckpoint(state.sequence + 1, ViewOf(any.Count(), state.epoch, checkpoint), state));
    ASSERT_EQ(state.operation->files_processed, checkpoint.files_processed) << "counted for something else";
    ASSERT_EQ(state.sequence, before.sequence + 1);
  }
  EXPECT_GT(accepted, 1000);
}

TEST(Decisions, WhateverIsDecidedCanBeFolded) {
  std::mt19937_64 random(TestSeed());
  Randomizer any(random);
  std::array<int, 9> accepted = {};
  for (int i = 0; i < 5'000; ++i) {
    const State state = AnyStateToDecideOn(random);
    const auto decisions = Decisions(state, any);
    for (std::size_t kind = 0; kind < decisions.size(); ++kind) {
      if (!decisions[kind].ok()) continue;
      ++accepted.at(kind);
      State after = state;
      ASSERT_OK(Apply({state.sequence + 1, 0, *decisions[kind]}, after)) << KindName(decisions[kind]->body);
    }
  }
  EXPECT_THAT(accepted, testing::Each(testing::Gt(50)));
}

// A log as a program with a fault, or a forger, would have written it.
WritableLog LogOf(const std::vector<Event>& events) {
  WritableLog log = NewWritableMemoryLog();
  EXPECT_OK(log.log->Append(RunAfter(log.log->Extent()->end, events), Space::kUnreserved));
  return log;
}

// Gives the one frame of `run` the hash that its bytes have now.
void SealAgain(FrameRun& run) {
  FrameHeader header = {};
  std::memcpy(&header, run.words.data(), sizeof header);
  constexpr std::size_t kHashedFrom = offsetof(FrameHeader, previous_hash);
  const std::span<const std::byte> bytes = std::as_bytes(std::span(run.words)).subspan(kHashedFrom);
  header.hash = XXH3_64bits(bytes.data(), bytes.size());
  std::memcpy(run.words.data(), &header, sizeof header);
  run.after.hash = header.hash;
}

std::unique_ptr<Engine> Opened(const std::vector<Event>& events) {
  auto engine = Engine::Open(LogOf(events), DeterministicOptions());
  EXPECT_OK(engine);
  return *std::move(engine);
}

std::vector<Event> WithMisfit() {
  return {{1, 1, Started{.operation_id = "a"}},
          {2, 1, Checkpoint{.files_processed = 5}},
          {3, 7, Checkpoint{.files_processed = 6}},  // under an epoch that nobody was given
          {4, 1, Checkpoint{.files_processed = 7}},
          {5, 1, Completed{}}};
}

TEST(LogWithAMisfit, IsReadUpToItAndSaysWhatIsWrong) {
  const auto engine = Opened(WithMisfit());
  const State state = engine->state();
  EXPECT_EQ(state.sequence, 5u);
  EXPECT_EQ(state.operation->files_processed, 5);
  EXPECT_EQ(state.status(), OperationStatus::kInProgress);
  ASSERT_TRUE(state.misfit.has_value());
  EXPECT_EQ(state.misfit->sequence, 3u);
  EXPECT_THAT(state.misfit->why, HasSubstr("event 3 (checkpoint)"));
  EXPECT_EQ(ReadAll(engine->log()).size(), 5u);
}

TEST(LogWithAMisfit, RefusesEverythingButAResetAndNamesThat) {
  const auto engine = Opened(WithMisfit());
  const OperationHandle handle{"a", 1};
  const auto refused = Fails(StatusCode::kDataLoss, testing::AllOf(HasSubstr("event 3"), HasSubstr("foldlog reset")));
  EXPECT_THAT(engine->Checkpoint(handle, {.files_processed = 8}), refused);
  EXPECT_THAT(engine->Start({}), refused);
  EXPECT_THAT(engine->Pause(handle), refused);
  EXPECT_THAT(engine->Resume("a"), refused);
  EXPECT_THAT(engine->RecoverByForce("a", "x"), refused);
  EXPECT_THAT(engine->Complete(handle), refused);
  EXPECT_THAT(engine->Fail(handle, "x"), refused);
  EXPECT_THAT(engine->Clear(), refused);
  EXPECT_THAT(Import(*engine, {"initial", "in_progress", "{}", 5, 6, {}}), refused);
  EXPECT_EQ(engine->state().sequence, 5u);
}

TEST(LogWithAMisfit, GoesOnAfterAResetAndKeepsEveryEvent) {
  const auto engine = Opened(WithMisfit());
  ASSERT_OK(engine->Reset("event 3 is none"));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
  ASSERT_OK(engine->Checkpoint(handle, {.files_processed = 1}));
  ASSERT_OK_AND_ASSIGN(const State folded, StateAt(engine->log()));
  EXPECT_EQ(folded, engine->state());
  EXPECT_FALSE(folded.misfit.has_value());
  EXPECT_EQ(ReadAll(engine->log()).size(), 8u);
  ASSERT_OK_AND_ASSIGN(const auto history, ReadHistory(engine->log()));
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].operation.files_processed, 5);
  EXPECT_EQ(history[0].reset_by, 6u);
  EXPECT_EQ(history[1].operation.operation_id, handle.operation_id);
}

TEST(LogWithAMisfit, ReplayedStatesAreThoseOfTheFold) {
  const auto engine = Opened(WithMisfit());
  ASSERT_OK(engine->Reset("on"));
  ASSERT_OK_AND_ASSIGN(Replayer replayer, Replayer::From(engine->log(), 1));
  for (Sequence at = 1; at <= 6; ++at) {
    ASSERT_OK(replayer.Next());
    ASSERT_OK_AND_ASSIGN(const State state, StateAt(engine->log(), at));
    EXPECT_EQ(replayer.state(), state) << at;
    EXPECT_EQ(state.misfit.has_value(), at >= 3 && at <= 5) << at;
  }
}

TEST(LogWithAMisfit, EveryEventBelongsToTheOperationThatItStartsOrFindsOnTheRow) {
  const auto engine =
      Opened({{1, 1, Started{.operation_id = "a"}}, {2, 1, Started{.operation_id = "misfit"}}, {3, 1, Checkpoint{}}});
  ASSERT_OK(engine->Reset());
  ASSERT_OK(engine->Reset("nothing left"));
  ASSERT_OK_AND_ASSIGN(Replayer replayer, Replayer::From(engine->log(), 1));
  for (const char* id : {"a", "misfit", "a", "a", ""}) {
    ASSERT_OK(replayer.Next());
    EXPECT_EQ(replayer.operation_id(), id) << replayer.state().sequence;
  }
  ASSERT_OK_AND_ASSIGN(Replayer behind, Replayer::From(engine->log(), 4));
  ASSERT_OK(behind.Next());
  EXPECT_EQ(behind.operation_id(), "a") << "told by the events before";
}

// A snapshot is a cache: one whose bytes are right and whose state is not must not make a misfit of a good event.
TEST(LogWithAMisfit, SnapshotThatContradictsTheEventsIsPassedOver) {
  WritableLog log = LogOf({{1, 1, Started{.operation_id = "a"}}, {2, 1, Checkpoint{.files_processed = 5}}});
  const std::vector<RecordedEvent> events = ReadAll(*log.log);
  Snapshot snapshot{.at = {1, events[0].hash}, .words = {}};
  ASSERT_OK(EncodeState({.sequence = 1, .epoch = 9}, snapshot.words));
  ASSERT_OK(log.log->PutSnapshot(snapshot));
  ASSERT_OK_AND_ASSIGN(const State state, StateAt(*log.log));
  EXPECT_FALSE(state.misfit.has_value());
  EXPECT_EQ(state.operation->files_processed, 5);
}

// Frames with the right hash whose payload is no event at all.
TEST(LogWithAMisfit, FrameThatHoldsNoEventIsPassedOverLikeOne) {
  WritableLog log = LogOf({{1, 1, Started{.operation_id = "a"}}});
  FrameRun run = RunAfter(log.log->Extent()->end, {{2, 1, Failed{"a text that is long enough to be broken"}}});
  run.words[kFrameHeaderWords] = ~std::uint64_t{0};  // the message's root
  SealAgain(run);
  ASSERT_OK(log.log->Append(run, Space::kUnreserved));
  ASSERT_OK_AND_ASSIGN(const auto engine, Engine::Open(std::move(log), DeterministicOptions()));
  ASSERT_TRUE(engine->state().misfit.has_value());
  EXPECT_EQ(engine->state().misfit->sequence, 2u);
  ASSERT_OK(engine->Reset("event 2 is none"));
  ASSERT_OK(engine->Start({}));

  ASSERT_OK_AND_ASSIGN(const auto history, ReadHistory(engine->log()));
  EXPECT_EQ(history.size(), 2u);
  EventReader reader(engine->log(), 1);
  ASSERT_OK(reader.Next());
  EXPECT_THAT(reader.Next(), Fails(StatusCode::kDataLoss, HasSubstr("2")));
  ASSERT_OK_AND_ASSIGN(const auto behind, reader.Next());
  EXPECT_EQ(behind->sequence, 3u);
}

}  // namespace
}  // namespace foldlog
