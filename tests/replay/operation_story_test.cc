// The story of an operation is what its events say, and is told without reading them all.

#include "foldlog/operation_story.h"

#include "foldlog/replayer.h"
#include "tests/support/indexed_log.h"
#include "tests/support/other_index.h"
#include "tests/support/random_log.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

constexpr TimeNs kSecond = 1'000'000'000;

Event At(TimeNs seconds, Epoch epoch, EventBody body) { return {seconds * kSecond, epoch, std::move(body)}; }
Event Files(TimeNs seconds, Epoch epoch, std::int64_t files) {
  return At(seconds, epoch, Checkpoint{.files_processed = files});
}

std::unique_ptr<EventLog> LogOf(const std::vector<Event>& events) {
  std::unique_ptr<EventLog> log = NewMemoryLog();
  EXPECT_OK(log->Append(RunAfter(log->Extent()->end, events), Space::kUnreserved));
  return log;
}

OperationStory Story(const EventLog& log, const std::string& id, const StoryLimits& limits = {}) {
  const auto entry = ResolveOperation(log, id);
  EXPECT_OK(entry);
  auto story = TellStory(log, *entry, limits);
  EXPECT_OK(story);
  return *std::move(story);
}

std::vector<Event> Eventful() {
  return {At(0, 1, Started{.operation_id = "a", .roots = {"/x", "/y"}, .metadata = {{"host", "h1"}}}),
          Files(10, 1, 100),
          At(20, 1, Paused{"lunch"}),
          At(50, 2, Resumed{}),
          Files(60, 2, 300),
          At(100, 3, Recovered{Evidence::kMachineRebooted, "power"}),
          Files(110, 3, 350),
          At(115, 3, Checkpoint{.files_processed = 360, .error = FileError{"/x/1", "bad 7", ""}}),
          At(120, 3, Failed{"enough"})};
}

TEST(OperationStory, TellsOfProgressPausesInterruptionsAndErrors) {
  const auto log = LogOf(Eventful());
  const OperationStory story = Story(*log, "a");
  const std::vector<ProgressPoint> progress = {{1, 0, 0, 0, 0},
                                               {2, 10 * kSecond, 100, 10 * kSecond, 10},
                                               {5, 60 * kSecond, 300, 30 * kSecond, 10},
                                               {7, 110 * kSecond, 350, 40 * kSecond, 5},
                                               {8, 115 * kSecond, 360, 45 * kSecond, 2},
                                               {9, 120 * kSecond, 360, 50 * kSecond, 0}};
  EXPECT_EQ(story.progress, progress);
  EXPECT_EQ(story.progress.back().active_ns, story.entry.operation.active_ns);
  EXPECT_EQ(story.pauses, (std::vector<PauseSpan>{{3, 20 * kSecond, 4, 30 * kSecond, "lunch"}}));
  EXPECT_EQ(story.interruptions,
            (std::vector<Interruption>{{6, 100 * kSecond, 60 * kSecond, Evidence::kMachineRebooted, "power"}}));
  EXPECT_EQ(story.errors.errors, 2u);
  EXPECT_EQ(story.errors.by_message[0].name, "bad N");
  EXPECT_EQ(story.turns_left_out, 0u);
  EXPECT_EQ(Story(*log, "a", {.turns_max = 1}).turns_left_out, 3u);
}

TEST(OperationStory, APauseThatLastsAndOneThatWasImportedAreTold) {
  const auto lasting = LogOf({At(0, 1, Started{.operation_id = "a"}), At(5, 1, Paused{"x"}), Files(9, 1, 1)});
  EXPECT_EQ(Story(*lasting, "a").pauses, (std::vector<PauseSpan>{{2, 5 * kSecond, {}, 4 * kSecond, "x"}}));
  Imported row{.operation_id = "row", .status = OperationStatus::kPaused, .files_processed = 7};
  row.last_update = 3 * kSecond;
  const auto imported = LogOf({At(10, 1, row), At(12, 2, Resumed{}), At(13, 2, Completed{})});
  const OperationStory story = Story(*imported, "row");
  EXPECT_EQ(story.pauses, (std::vector<PauseSpan>{{1, 10 * kSecond, 2, 2 * kSecond, ""}}));
  EXPECT_EQ(story.progress.front(), (ProgressPoint{1, 10 * kSecond, 7, 3 * kSecond, 0}));
  EXPECT_EQ(story.progress.back().active_ns, story.entry.operation.active_ns);
}

TEST(OperationStory, StepsAreOfOneLengthAndTheirPointsAreWhatTheFoldSays) {
  std::vector<Event> events = {At(0, 1, Started{.operation_id = "a"})};
  for (int i = 1; i <= 1000; ++i) events.push_back(Files(i, 1, 3 * i));
  const auto log = LogOf(events);
  const OperationStory story = Story(*log, "a", {.steps = 10});
  ASSERT_EQ(story.progress.size(), 11u);
  for (std::size_t i = 0; i <= 10; ++i) {
    const ProgressPoint& point = story.progress[i];
    EXPECT_EQ(point.sequence, 100 * i + 1);
    const Operation then = *StateAt(*log, point.sequence)->operation;
    EXPECT_EQ(point.files, then.files_processed);
    EXPECT_EQ(point.active_ns, then.active_ns);
    EXPECT_EQ(point.rate, i == 0 ? 0 : 3);
  }
}

TEST(OperationStory, EveryOperationOfARandomLogHasOne) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 30; ++round) {
    const auto log = LogOf(RandomLog(random, round % 2 == 0 ? 0 : 40).Next(300));
    ASSERT_OK_AND_ASSIGN(const auto history, ReadHistory(*log));
    for (const HistoryEntry& entry : history) {
      const Operation& operation = entry.operation;
      ASSERT_OK_AND_ASSIGN(const OperationStory story, TellStory(*log, entry));
      ASSERT_EQ(story.progress.back().sequence, operation.last_sequence);
      ASSERT_EQ(story.progress.back().files, operation.files_processed);
      ASSERT_EQ(static_cast<std::int64_t>(story.interruptions.size()), operation.interruptions());
      ASSERT_EQ(static_cast<std::int64_t>(story.errors.errors), operation.error_count);
    }
  }
}

TEST(OperationStory, PlainProgressBetweenThePointsIsNotRead) {
  IndexedLog indexed;
  indexed.Store({At(0, 1, Started{.operation_id = "a"})});
  for (int i = 1; i <= 20; ++i) indexed.Store({Files(2 * i, 1, i), Files(2 * i + 1, 1, i)});
  const auto log = indexed.Read();
  ASSERT_OK_AND_ASSIGN(const HistoryEntry entry, ResolveOperation(*log, "a"));
  const OtherIndex counted(*log, [](IndexTable, IndexRow&) { return true; });
  ASSERT_OK_AND_ASSIGN(const OperationStory story, TellStory(counted, entry, {.steps = 2}));
  EXPECT_EQ(story.progress.size(), 3u);
  EXPECT_LE(counted.reads, 8);
}

TEST(OperationStory, DiffNamesWhatChanged) {
  std::vector<Event> events = Eventful();
  const std::vector<Event> later = {
      At(200, 4, Started{.operation_id = "b", .roots = {"/y", "/z"}, .metadata = {{"host", "h2"}}}), Files(210, 4, 400),
      At(215, 4, Checkpoint{.files_processed = 410, .error = FileError{"/x/2", "worse", ""}}), At(220, 4, Completed{})};
  events.insert(events.end(), later.begin(), later.end());
  const auto log = LogOf(events);
  const OperationStory a = Story(*log, "a", {.steps = 2});
  const OperationStory b = Story(*log, "b", {.steps = 2});
  const OperationDiff diff = DiffOf(a, b);
  EXPECT_EQ(diff.active_ns, -30 * kSecond);
  EXPECT_EQ(diff.paused_ns, -30 * kSecond);
  EXPECT_EQ(diff.files, 50);
  EXPECT_EQ(diff.errors, -1);
  ASSERT_EQ(diff.rates.size(), 3u);
  EXPECT_EQ(diff.rates[1], std::pair(10.0, 40.0));
  ASSERT_EQ(diff.new_errors.size(), 1u);
  EXPECT_EQ(diff.new_errors[0].name, "worse");
  EXPECT_EQ(diff.vanished_errors.size(), 2u);
  EXPECT_EQ(diff.new_roots, std::vector<std::string>{"/z"});
  EXPECT_EQ(diff.vanished_roots, std::vector<std::string>{"/x"});
  EXPECT_EQ(diff.new_metadata, (Metadata{{"host", "h2"}}));
  EXPECT_EQ(diff.vanished_metadata, (Metadata{{"host", "h1"}}));
}

}  // namespace
}  // namespace foldlog
