// A story tells what a look at each of the operation's events finds.

#include "foldlog/operation_story.h"

#include "foldlog/history.h"
#include "foldlog/replayer.h"
#include "tests/support/indexed_log.h"
#include "tests/support/memory_log_of.h"
#include "tests/support/other_index.h"
#include "tests/support/random_log.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

OperationStory StoryOf(const EventLog& log, const std::string& name, const StoryOptions& options = {}) {
  const auto entry = ResolveOperation(log, name);
  EXPECT_OK(entry);
  auto story = TellStory(log, *entry, options);
  EXPECT_OK(story);
  return story.ok() ? *std::move(story) : OperationStory();
}

std::vector<Event> EventfulOperation() {
  return {At(100, 1, Started{.operation_id = "a", .total_files = 90}),
          At(110, 1, Checkpoint{.files_processed = 10, .last_processed_file = "/x"}),
          At(120, 1, Paused{"lunch"}),
          At(150, 2, Resumed{"", {}}),
          At(160, 2, Checkpoint{.files_processed = 20, .error = FileError{"/y", "error 5 in '/y'", ""}}),
          At(200, 3, Recovered{Evidence::kMachineRebooted, "", {}}),
          At(210, 3, Checkpoint{.files_processed = 30, .error = FileError{"/z", "error 7 in '/z'", ""}}),
          At(220, 3, Paused{"night"}),
          At(240, 3, Failed{"disk full"}),
          At(250, 3, Cleared{})};
}

TEST(OperationStory, TellsTheTurnsOfAnOperation) {
  const auto log = LogOf(EventfulOperation());
  const OperationStory story = StoryOf(*log, "a");
  EXPECT_EQ(story.start.sequence, 1u);
  ASSERT_EQ(story.pauses.size(), 2u);
  EXPECT_EQ(story.pauses[0], (StoryPause{3, 120 * kSecond, "lunch", 4, 150 * kSecond, 30 * kSecond}));
  EXPECT_EQ(story.pauses[1], (StoryPause{8, 220 * kSecond, "night", 9, 240 * kSecond, 20 * kSecond}));
  ASSERT_EQ(story.interruptions.size(), 1u);
  EXPECT_EQ(story.interruptions[0],
            (StoryInterruption{6, 200 * kSecond, 160 * kSecond, 40 * kSecond, Evidence::kMachineRebooted, ""}));
  ASSERT_TRUE(story.end);
  EXPECT_EQ(story.end->sequence, 9u);
  EXPECT_EQ(story.errors.errors, 3);
  ASSERT_EQ(story.errors.by_kind.groups.size(), 2u);
  EXPECT_EQ(story.errors.by_kind.groups[0].key, "error <n> in <text>");
  EXPECT_EQ(story.errors.by_kind.groups[0].count, 2);
}

TEST(OperationStory, APauseWithoutEndLastsUpToTheLastEvent) {
  std::vector<Event> events = EventfulOperation();
  events.resize(3);
  const auto paused = LogOf(events);
  EXPECT_EQ(StoryOf(*paused, "active").pauses[0], (StoryPause{3, 120 * kSecond, "lunch", {}, {}, 0}));
  events.push_back(At(130, 1, Reset{"a whim"}));
  const OperationStory story = StoryOf(*LogOf(events), "a");
  EXPECT_EQ(story.pauses[0].ended, std::nullopt);
  ASSERT_TRUE(story.end);
  EXPECT_TRUE(std::holds_alternative<Reset>(story.end->event.body));
}

TEST(OperationStory, WhatIsImportedWhilePausedBeginsWithAPause) {
  Imported imported{.operation_id = "row", .status = OperationStatus::kPaused};
  const auto log = LogOf({At(100, 1, imported), At(130, 2, Resumed{"", {}}), At(140, 2, Completed{})});
  const OperationStory story = StoryOf(*log, "row");
  ASSERT_EQ(story.pauses.size(), 1u);
  EXPECT_EQ(story.pauses[0], (StoryPause{1, 100 * kSecond, "", 2, 130 * kSecond, 30 * kSecond}));
}

TEST(OperationStory, TurnsAreBoundedAndThoseLeftOutCounted) {
  std::vector<Event> events = {At(1, 1, Started{.operation_id = "a"})};
  for (Epoch i = 1; i <= 5; ++i) {
    events.push_back(At(10 * static_cast<TimeNs>(i), 2 * i - 1, Paused{std::to_string(i)}));
    events.push_back(At(10 * static_cast<TimeNs>(i) + 1, 2 * i, Resumed{"", {}}));
    events.push_back(At(10 * static_cast<TimeNs>(i) + 2, 2 * i + 1, Recovered{Evidence::kForced, "f", {}}));
  }
  const OperationStory story = StoryOf(*LogOf(events), "a", {.pauses_max = 2, .interruptions_max = 3});
  ASSERT_EQ(story.pauses.size(), 2u);
  EXPECT_EQ(story.pauses[1].reason, "2");
  EXPECT_EQ(story.pauses[1].ended, 21 * kSecond);
  EXPECT_EQ(story.pauses_left_out, 3);
  EXPECT_EQ(story.interruptions.size(), 3u);
  EXPECT_EQ(story.interruptions_left_out, 2);
}

TEST(OperationStory, OneOfAnotherLogIsRefused) {
  const auto log = LogOf(EventfulOperation());
  HistoryEntry entry = *ResolveOperation(*log, "a");
  entry.operation.first_sequence = 2;
  EXPECT_THAT(TellStory(*log, entry), Fails(absl::StatusCode::kOutOfRange, testing::HasSubstr("begins no operation")));
  entry.operation.first_sequence = 100;
  EXPECT_THAT(TellStory(*log, entry), Fails(absl::StatusCode::kOutOfRange, testing::HasSubstr("")));
}

// The turns of an operation, by a look at each of its events.
struct NaiveTurns {
  std::vector<Sequence> pauses;
  std::vector<std::optional<Sequence>> pause_ends;
  std::vector<Sequence> recoveries;
  std::optional<Sequence> end;
};

NaiveTurns LookAtEachEvent(const EventLog& log, const HistoryEntry& entry) {
  NaiveTurns turns;
  OperationStatus before = OperationStatus::kIdle;
  auto replayer = Replayer::From(log, entry.operation.first_sequence);
  while (true) {
    const auto event = replayer->Next();
    EXPECT_OK(event);
    if (!event.ok() || !*event || (*event)->sequence > entry.operation.last_sequence) break;
    const OperationStatus now = replayer->state().status();
    const Sequence sequence = (*event)->sequence;
    if (std::holds_alternative<Recovered>((*event)->event.body)) turns.recoveries.push_back(sequence);
    const bool paused = now == OperationStatus::kPaused;
    if (paused && before != now) turns.pauses.push_back(sequence), turns.pause_ends.emplace_back();
    if (!paused && before == OperationStatus::kPaused) turns.pause_ends.back() = sequence;
    const bool ended = now == OperationStatus::kCompleted || now == OperationStatus::kFailed;
    if (ended && sequence != entry.operation.first_sequence) turns.end = sequence;
    before = now;
  }
  if (entry.reset_by) turns.end = *entry.reset_by;
  return turns;
}

void ExpectTrueStory(const EventLog& log, const HistoryEntry& entry, std::size_t points) {
  ASSERT_OK_AND_ASSIGN(const OperationStory story, TellStory(log, entry, {.points = points}));
  const NaiveTurns turns = LookAtEachEvent(log, entry);
  ASSERT_EQ(story.pauses.size(), turns.pauses.size());
  for (std::size_t i = 0; i < story.pauses.size(); ++i) {
    EXPECT_EQ(story.pauses[i].sequence, turns.pauses[i]);
    EXPECT_EQ(story.pauses[i].ended_by, turns.pause_ends[i]);
    EXPECT_GE(story.pauses[i].duration_ns, 0);
  }
  ASSERT_EQ(story.interruptions.size(), turns.recoveries.size());
  for (std::size_t i = 0; i < story.interruptions.size(); ++i) {
    EXPECT_EQ(story.interruptions[i].sequence, turns.recoveries[i]);
  }
  EXPECT_EQ(story.end ? std::optional(story.end->sequence) : std::nullopt, turns.end);
  EXPECT_EQ(story.errors.errors, entry.operation.error_count);
  ASSERT_FALSE(story.steps.empty());
  EXPECT_LE(story.steps.size(), std::max<std::size_t>(points, 2));
  EXPECT_EQ(story.steps.front().sequence, entry.operation.first_sequence);
  EXPECT_EQ(story.steps.back().sequence, entry.operation.last_sequence);
  for (const StoryStep& step : story.steps) {
    ASSERT_OK_AND_ASSIGN(const State state, StateAt(log, step.sequence));
    EXPECT_EQ(step.files, state.operation->files_processed);
    EXPECT_EQ(step.active_ns, state.operation->active_ns);
    EXPECT_EQ(step.status, state.status());
    EXPECT_EQ(step.errors, state.operation->error_count);
  }
}

TEST(OperationStory, TellsWhatALookAtEachEventFinds) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 6; ++round) {
    IndexedLog indexed;
    RandomLog events(random, /*one_misfit_in=*/round % 2 == 0 ? 0 : 60);
    for (int batch = 0; batch < 5; ++batch) indexed.Store(events.Next(1 + random() % 80));
    const auto log = indexed.Read();
    const OtherIndex bare(*log);
    ASSERT_OK_AND_ASSIGN(const std::vector<HistoryEntry> history, ReadHistory(*log));
    for (const HistoryEntry& entry : history) {
      ExpectTrueStory(*log, entry, 2 + random() % 12);
      ExpectTrueStory(bare, entry, 2 + random() % 12);
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(OperationStory, ALongOneIsNotRead) {
  IndexedLog indexed;
  indexed.Store({At(1, 1, Started{.operation_id = "a"})});
  std::int64_t files = 0;
  const auto progress = [&](std::size_t events) {
    std::vector<Event> batch;
    while (batch.size() < events) batch.push_back(At(2 + files / 100, 1, Checkpoint{.files_processed = ++files}));
    return batch;
  };
  constexpr int kBatches = 60;
  for (int batch = 0; batch < kBatches; ++batch) indexed.Store(progress(50));
  indexed.Store({At(files, 1, Completed{})});
  const auto log = indexed.Read();
  const HistoryEntry entry = *ResolveOperation(*log, "a");
  const OtherIndex counted(*log, [](IndexTable, IndexRow&) { return true; });
  ASSERT_OK_AND_ASSIGN(const OperationStory story, TellStory(counted, entry, {.points = 2}));
  EXPECT_EQ(story.steps.size(), 2u);
  EXPECT_LT(counted.reads, kBatches / 2) << "its two steps need snapshots or folds, its turns one batch";
  ExpectTrueStory(*log, entry, 12);
}

}  // namespace
}  // namespace foldlog
