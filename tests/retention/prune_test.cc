// Which operations go, and what is left of them.

#include <filesystem>
#include <thread>

#include "foldlog/event_index.h"
#include "foldlog/event_query.h"
#include "foldlog/history.h"
#include "foldlog/operation_story.h"
#include "foldlog/replayer.h"
#include "foldlog/retention.h"
#include "foldlog/verify.h"
#include "tests/support/log_directory_fixture.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr TimeNs kSecond = 1'000'000'000;
constexpr TimeNs kFirst = 1'000'000 * kSecond;  // when the first operation starts
constexpr TimeNs kApart = 100 * kSecond;        // and the others after it

class PruneTest : public LogDirectoryFixture {
 protected:
  EngineOptions Options() {
    EngineOptions options = SmallTailOptions();
    options.clock = [this] { return Moment{now_, {}}; };
    options.new_id = [this] { return "op-" + std::to_string(++ids_); };
    options.snapshot_interval_events = 20;
    return options;
  }

  // An operation of 32 events, cleared.
  void Run(Engine& engine, bool cleared = true, int checkpoints = 30) {
    now_ = kFirst + ids_ * kApart;
    ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine.Start({.total_files = 30}));
    for (int i = 1; i <= checkpoints; ++i) {
      std::string path(500, 'x');
      for (char& byte : path) byte = static_cast<char>('a' + random_() % 26);
      ASSERT_OK(engine.Checkpoint(handle, {.files_processed = i, .current_path = path}));
    }
    ASSERT_OK(engine.Complete(handle, {{"bytes", std::int64_t{ids_}}}));
    if (cleared) {
      ASSERT_OK(engine.Clear());
    }
  }
  static constexpr Sequence kEvents = 33;  // of each, the clearing included

  // Closed after each, so that each has batches of its own.
  void MakeRuns(int runs) {
    for (int i = 0; i < runs; ++i) {
      ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, Options()));
      Run(*engine);
    }
  }

  WritableLog Open() {
    LogDirectoryOptions options = SmallTail();
    options.indexer = NewEventIndexer();
    auto log = OpenLogForWriting(log_dir_, options);
    EXPECT_OK(log);
    return *std::move(log);
  }

  PrunePlan PruneBy(const RetentionPolicy& policy) {
    WritableLog log = Open();
    const auto plan = PlanPrune(*log.log, policy, now_);
    EXPECT_OK(plan);
    EXPECT_OK(Prune(*log.log, *plan, "the test"));
    EXPECT_OK(log.log->FreePruned());
    EXPECT_OK(log.log->Close());
    return *plan;
  }

  std::unique_ptr<EventLog> Reader() const { return *OpenLogForReading(log_dir_); }

  void ExpectSound() const {
    for (const auto depth : {VerifyOptions::Depth::kFull, VerifyOptions::Depth::kQuick}) {
      ASSERT_OK_AND_ASSIGN(const VerifyReport report, Verify(log_dir_, {.depth = depth, .jobs = 2}));
      for (const VerifyFinding& finding : report.findings) ADD_FAILURE() << finding.message;
    }
  }

  std::mt19937_64 random_{1};
  TimeNs now_ = kFirst;
  int ids_ = 0;
};

TEST_F(PruneTest, KeepsTheLatestOperationsAndTheHistoryOfAll) {
  MakeRuns(6);
  const std::vector<HistoryEntry> before = *ReadHistory(*Reader());
  const Totals totals = *SumUp(*Reader());
  const State state = *StateAt(*Reader());
  const PrunePlan plan = PruneBy({.keep_runs = 2});
  EXPECT_EQ(plan.through, 4 * kEvents);
  EXPECT_EQ(plan.operations, 4U);
  const auto log = Reader();
  EXPECT_EQ(log->Extent()->base.sequence, 4 * kEvents);
  EXPECT_EQ(*ReadHistory(*log), before);
  EXPECT_EQ(*SumUp(*log), totals);
  EXPECT_EQ(*StateAt(*log), state);
  EXPECT_EQ(ReadAll(*log, 4 * kEvents + 1).size(), 2 * kEvents);
  ExpectSound();
}

TEST_F(PruneTest, WhoAsksForPrunedEventsIsToldSo) {
  MakeRuns(3);
  PruneBy({.keep_runs = 1});
  const auto log = Reader();
  const auto pruned = Fails(StatusCode::kOutOfRange, HasSubstr("was pruned with events 1 to 66"));
  EXPECT_THAT(log->Read(5, 1), pruned);
  EXPECT_THAT(StateAt(*log, 5), pruned);
  EXPECT_THAT(StateAtTime(*log, kFirst, now_), pruned);
  EXPECT_OK(StateAtTime(*log, kFirst + 2 * kApart, now_));
  EXPECT_OK(StateAt(*log, 66));
  EXPECT_THAT(EventQuery::Over(*log, {.from = 5}), pruned);
  EXPECT_THAT(EventQuery::Over(*log, {.through = 5}), pruned);
  EXPECT_THAT(EventQuery::Over(*log, {.operation_id = "op-1"}), pruned);
  EXPECT_OK(EventQuery::Over(*log, {}));
  EXPECT_OK(EventQuery::Over(*log, {.operation_id = "op-3"}));
  EXPECT_TRUE(TellStory(*log, *FindOperation(*log, "op-1"))->pruned);
  EXPECT_FALSE(TellStory(*log, *FindOperation(*log, "op-3"))->pruned);
}

TEST_F(PruneTest, ReaderInTheMiddleIsToldSoAndNotThatTheLogIsDamaged) {
  MakeRuns(4);
  const auto log = Reader();
  EventReader reader(*log, 1);
  for (int i = 0; i < 5; ++i) ASSERT_OK(reader.Next());
  PruneBy({.keep_runs = 1});
  absl::Status status;
  for (int i = 0; i < 200 && status.ok(); ++i) {
    const auto next = reader.Next();
    status = next.status();
    if (next.ok() && !*next) break;
  }
  // What was read before is given out.
  if (!status.ok()) {
    EXPECT_THAT(status, Fails(StatusCode::kOutOfRange, HasSubstr("was pruned")));
  }
  EXPECT_THAT(log->Read(7, 1), Fails(StatusCode::kOutOfRange, HasSubstr("was pruned")));
}

TEST_F(PruneTest, RulesKeepTogetherSizeGoesFurtherAndAgeWins) {
  MakeRuns(6);
  now_ = kFirst + 6 * kApart;
  const auto log = Reader();
  const auto going = [&](const RetentionPolicy& policy) {
    int count = 0;
    const auto plan = PlanPrune(*log, policy, now_);
    EXPECT_OK(plan);
    if (!plan.ok()) return -1;
    for (const PrunableRun& run : plan->runs) count += run.goes ? 1 : 0;
    return count;
  };
  EXPECT_EQ(going({}), 0);
  EXPECT_EQ(going({.keep_runs = 4}), 2);
  EXPECT_EQ(going({.keep_runs = 0}), 6);
  EXPECT_EQ(going({.keep_since_ns = 3 * kApart}), 3);
  EXPECT_EQ(going({.keep_runs = 1, .keep_since_ns = 3 * kApart}), 3);
  EXPECT_EQ(going({.keep_runs = 5, .keep_since_ns = 3 * kApart}), 1);
  EXPECT_EQ(going({.max_bytes = 0}), 6);
  EXPECT_EQ(going({.max_bytes = std::uint64_t{1} << 40}), 0);
  EXPECT_EQ(going({.keep_runs = 5, .max_bytes = 0}), 6);
  EXPECT_EQ(going({.max_bytes = 0, .min_age_ns = 3 * kApart}), 4);
  EXPECT_EQ(going({.keep_runs = 0, .min_age_ns = 7 * kApart}), 0);
  ASSERT_OK_AND_ASSIGN(const PrunePlan all, PlanPrune(*log, {.max_bytes = 0}, now_));
  ASSERT_OK_AND_ASSIGN(
      const PrunePlan some,
      PlanPrune(*log, {.max_bytes = all.space.used_bytes + all.space.other_bytes - all.bytes / 2}, now_));
  EXPECT_GE(some.bytes, all.bytes / 2);
  EXPECT_LT(some.bytes, all.bytes);
}

TEST_F(PruneTest, OperationOnTheRowStays) {
  MakeRuns(2);
  {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, Options()));
    Run(*engine, /*cleared=*/false);
  }
  EXPECT_EQ(PruneBy({.keep_runs = 0}).through, 2 * kEvents);
  EXPECT_EQ((*ReadHistory(*Reader())).size(), 3U);
  ExpectSound();
  {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, Options()));
    ASSERT_OK(engine->Start({}));  // and is active
  }
  EXPECT_EQ(PruneBy({.keep_runs = 0}).through, 3 * kEvents - 1);
  EXPECT_EQ((*ReadHistory(*Reader())).size(), 4U);
  EXPECT_EQ(StateAt(*Reader())->status(), OperationStatus::kInProgress);
  ExpectSound();
}

// Nothing but the records is left, and the log goes on.
TEST_F(PruneTest, LogOfWhichAllIsPrunedGoesOn) {
  MakeRuns(3);
  EXPECT_EQ(PruneBy({.keep_runs = 0}).through, 3 * kEvents);
  EXPECT_EQ((*ReadHistory(*Reader())).size(), 3U);
  ExpectSound();
  MakeRuns(2);
  const std::vector<HistoryEntry> history = *ReadHistory(*Reader());
  ASSERT_EQ(history.size(), 5U);
  EXPECT_EQ(history[0].operation.stats, (Stats{{"bytes", std::int64_t{1}}}));
  EXPECT_EQ(history[4].operation.operation_id, "op-5");
  ExpectSound();
}

TEST_F(PruneTest, IndexMadeAnewKeepsTheRowsOfPrunedOperations) {
  MakeRuns(5);
  PruneBy({.keep_runs = 2});
  const std::vector<HistoryEntry> before = *ReadHistory(*Reader());
  ASSERT_OK(Reindex(log_dir_));
  EXPECT_EQ(*ReadHistory(*Reader()), before);
  ExpectSound();
  MakeRuns(2);
  PruneBy({.keep_runs = 1});
  EXPECT_EQ((*ReadHistory(*Reader())).size(), 7U);
  ASSERT_OK_AND_ASSIGN(const auto ranges, Reader()->ReadPruned());
  ASSERT_EQ(ranges.size(), 2U);
  EXPECT_EQ(ranges[1].before, ranges[0].behind);
  EXPECT_EQ(ranges[1].operations, 6U);
  EXPECT_EQ(ranges[1].policy, "keep-runs 1");
  EXPECT_EQ(ranges[1].by, "the test");
  ExpectSound();
}

TEST_F(PruneTest, LogWithoutAnIndexSaysWhatIsLacking) {
  LogDirectoryOptions options = SmallTail();
  {
    ASSERT_OK_AND_ASSIGN(WritableLog log, OpenLogForWriting(log_dir_, options));
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(std::move(log), Options()));
    Run(*engine);
    Run(*engine);
  }
  ASSERT_OK_AND_ASSIGN(const PrunePlan plan, PlanPrune(*Reader(), {.keep_runs = 0}, now_));
  EXPECT_TRUE(plan.runs.empty());
  EXPECT_THAT(plan.lacking, HasSubstr("foldlog reindex"));
  ASSERT_OK(Reindex(log_dir_));
  EXPECT_EQ(PruneBy({.keep_runs = 0}).operations, 2U);
}

TEST_F(PruneTest, WriterAppliesThePolicyItselfAndReadersSeeNoDamage) {
  constexpr int kRuns = 60;
  {
    WritableLog log = Open();
    ASSERT_OK(StoreRetention(*log.log, {.keep_runs = 3}));
    ASSERT_OK(log.log->Close());
  }
  std::atomic<bool> done = false;
  std::thread reading([&] {
    while (!done) {
      const auto log = OpenLogForReading(log_dir_);
      ASSERT_OK(log);
      const absl::Status state = StateAt(**log).status();
      EXPECT_OK(state);
      EXPECT_OK(ReadHistory(**log));
      EXPECT_TRUE(Verify(log_dir_, {.jobs = 1})->sound());
    }
  });
  {
    EngineOptions options = Options();
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, options));
    for (int i = 0; i < kRuns; ++i) Run(*engine);
  }
  done = true;
  reading.join();
  const auto log = Reader();
  EXPECT_GT(log->Extent()->base.sequence, kEvents * kRuns / 2);
  EXPECT_EQ((*ReadHistory(*log)).size(), static_cast<std::size_t>(kRuns));
  ASSERT_OK_AND_ASSIGN(const LogSpace space, log->ReadSpace());
  EXPECT_LT(space.file_bytes, std::uint64_t{500} * 33 * kRuns * 2 / 3);
  ExpectSound();
}

// Several times the limit is written, as fast as it goes.
TEST_F(PruneTest, LogUnderALimitNeverTakesHalfAsMuchAgain) {
  constexpr std::uint64_t kLimit = 12'000'000;
  constexpr int kRuns = 150;
  constexpr int kCheckpoints = 1'000;
  std::uint64_t most = 0;
  {
    EngineOptions options = Options();
    options.snapshot_interval_events = 4096;
    options.retention = RetentionPolicy{.max_bytes = kLimit};
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, options));
    for (int i = 0; i < kRuns; ++i) {
      Run(*engine, /*cleared=*/true, kCheckpoints);
      ASSERT_OK_AND_ASSIGN(const LogSpace space, engine->log().ReadSpace());
      most = std::max(most, space.disk_bytes + space.other_bytes);
    }
  }
  EXPECT_GT(most, kLimit / 2);
  EXPECT_LT(most, kLimit / 2 * 3);
  EXPECT_GT(Reader()->Extent()->base.sequence, Sequence{kRuns} * kCheckpoints / 2);
  EXPECT_EQ((*ReadHistory(*Reader())).size(), static_cast<std::size_t>(kRuns));
}

TEST(RetentionTextTest, IsReadBack) {
  const RetentionPolicy policy{
      .keep_runs = 5, .keep_since_ns = 7 * kSecond, .max_bytes = 200'000'000, .min_age_ns = 60 * kSecond};
  EXPECT_EQ(ToText(policy), "keep-runs 5, keep-since 7 s, max-bytes 200000000, min-age 60 s");
  EXPECT_EQ(*ParseRetention(ToText(policy)), policy);
  EXPECT_EQ(*ParseRetention(""), RetentionPolicy());
  for (const char* wrong : {"keep", "keep-runs", "keep-runs x", "keep-runs -1", "keep-runs 5,", "keep-runs 5 s",
                            "min-age 5", "min-age 99999999999999999 s"}) {
    EXPECT_THAT(ParseRetention(wrong), Fails(StatusCode::kInvalidArgument, HasSubstr(wrong))) << wrong;
  }
}

}  // namespace
}  // namespace foldlog
