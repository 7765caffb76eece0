// Runs of the indexer that are stopped, or lose their log or their catalog on the way, and go on.

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "tests/support/indexer_support.h"

namespace foldlog::indexer {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// Passes everything to a log that outlives it, until it has let so many appends through.
class FailingLog : public EventLog {
 public:
  FailingLog(std::shared_ptr<EventLog> inner, int appends) : inner_(std::move(inner)), appends_left_(appends) {}

  absl::Status Append(const FrameRun& run, Space space) override {
    if (appends_left_-- <= 0) return absl::UnavailableError("the log failed");
    return inner_->Append(run, space);
  }
  absl::Status Sync(Sequence through) override { return inner_->Sync(through); }
  absl::Status PutSnapshot(const Snapshot& snapshot) override { return inner_->PutSnapshot(snapshot); }
  absl::StatusOr<LogExtent> Extent() const override { return inner_->Extent(); }
  absl::Status ReadInto(Sequence from, std::size_t bytes_max, FrameRun& run) const override {
    return inner_->ReadInto(from, bytes_max, run);
  }
  absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence at_most) const override {
    return inner_->FindSnapshot(at_most);
  }
  absl::StatusOr<bool> WaitForMore(Sequence behind, std::chrono::milliseconds timeout) const override {
    return inner_->WaitForMore(behind, timeout);
  }
  absl::Status Close() override { return absl::OkStatus(); }
  const std::string& name() const override { return inner_->name(); }

 private:
  std::shared_ptr<EventLog> inner_;
  int appends_left_;
};

class ResumeTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"a", "b/c", "b/d", "b/e/f", "b-g", "h/i", "h/j", "k", "l", "m/n/o"}) {
      WriteFile(tree_ + "/" + name, std::string(1000, name[0]) + name);
    }
    OpenEngine();
    options_.directories = {tree_};
    options_.catalog_path = catalog_;
    options_.batch_files = 3;
  }

  // A new writer on the same log, as after a restart.
  void OpenEngine(int appends = 1000) {
    engine_.reset();
    WritableLog log{.log = std::make_unique<FailingLog>(log_, appends),
                    .self = DescribeThisProcess(NewUuid()),
                    .previous = {.writer = Owner{}}};
    ASSERT_OK_AND_ASSIGN(engine_, Engine::Open(std::move(log)));
  }

  absl::StatusOr<IndexReport> Run() { return RunIndex(*engine_, "", options_, sink_, stop_); }

  // Runs until update number `updates` and stops there.
  absl::StatusOr<IndexReport> RunAndStop(int updates, TestSink& sink) {
    stop_ = 0;
    int seen = 0;
    sink.on_update = [&](const Progress& progress) {
      if (progress.stage != Progress::Stage::kCounting && ++seen == updates) stop_ = SIGTERM;
    };
    auto report = RunIndex(*engine_, "", options_, sink, stop_);
    sink.on_update = nullptr;
    stop_ = 0;
    return report;
  }
  absl::StatusOr<IndexReport> RunAndStop(int updates) { return RunAndStop(updates, sink_); }

  Operation CurrentOperation() const { return engine_->state().operation.value_or(Operation{}); }

  // The figures of a run that nobody disturbs, on a copy of the catalog as it is now, which stays as it is.
  RunCounters Undisturbed() {
    const std::string copy = dir_ / "copy.db";
    std::filesystem::remove(copy);
    if (std::filesystem::exists(catalog_)) std::filesystem::copy_file(catalog_, copy);
    IndexOptions options = options_;
    options.catalog_path = copy;
    auto engine = Engine::Open(NewWritableMemoryLog());
    TestSink sink;
    const std::atomic<int> never = 0;
    const auto report = RunIndex(**engine, "", options, sink, never);
    EXPECT_OK(report);
    EXPECT_EQ(RowsOfCatalog(copy), RowsOfTree(tree_));
    return report.ok() ? report->counters : RunCounters();
  }

  // Every figure of a recovery run has something to count.
  void MakeTheCatalogWrong() {
    ASSERT_OK(Run());
    Sql(catalog_, "UPDATE files SET xxh3 = 'tampered' WHERE path LIKE '%/b/%'");
    Sql(catalog_, "DELETE FROM files WHERE path LIKE '%/h/%'");
    for (const char* name : {"gone", "gone too", "m/gone"}) {
      Sql(catalog_, "INSERT INTO files VALUES(CAST('" + tree_ + "/" + name + "' AS BLOB), 1, 1, 'ff')");
    }
    WriteFile(tree_ + "/k", "changed");
    options_.type = OperationType::kRecovery;
  }

  TempDir dir_;
  const std::string tree_ = dir_ / "tree";
  const std::string catalog_ = dir_ / "catalog.db";
  std::shared_ptr<EventLog> log_ = NewMemoryLog();
  std::unique_ptr<Engine> engine_;
  IndexOptions options_;
  TestSink sink_;
  std::atomic<int> stop_ = 0;
};

TEST_F(ResumeTest, StoppedAtAnyPointItEndsAsIfItNeverWas) {
  MakeTheCatalogWrong();
  const RunCounters expected = Undisturbed();
  std::filesystem::copy_file(catalog_, dir_ / "wrong.db");
  ASSERT_OK_AND_ASSIGN(IndexReport report, RunAndStop(1));
  for (int at = 1; at <= 30; ++at) {
    ASSERT_TRUE(report.paused);
    while (report.paused) {
      ASSERT_EQ(CurrentOperation().pause_reason, "SIGTERM");
      OpenEngine();
      ASSERT_OK_AND_ASSIGN(report, RunAndStop(at % 3 == 0 ? 2 : 100));
      ASSERT_TRUE(report.resumed);
    }
    ASSERT_EQ(report.counters, expected) << at;
    ASSERT_EQ(RowsOfCatalog(catalog_), RowsOfTree(tree_)) << at;
    ASSERT_EQ(CurrentOperation().files_processed, 10);
    std::filesystem::copy_file(dir_ / "wrong.db", catalog_, std::filesystem::copy_options::overwrite_existing);
    ASSERT_OK_AND_ASSIGN(report, RunAndStop(at));
    if (!report.paused) break;  // behind the last update
  }
}

TEST_F(ResumeTest, LogThatFailsAtAnyPointIsBroughtUpToTheCatalog) {
  MakeTheCatalogWrong();
  options_.batch_files = 2;
  const RunCounters expected = Undisturbed();
  std::filesystem::copy_file(catalog_, dir_ / "wrong.db");
  bool completed_at_once = false;
  for (int appends = 1; !completed_at_once; ++appends) {
    std::filesystem::copy_file(dir_ / "wrong.db", catalog_, std::filesystem::copy_options::overwrite_existing);
    OpenEngine(appends);
    absl::StatusOr<IndexReport> report = Run();
    completed_at_once = report.ok();
    while (!report.ok()) {
      ASSERT_THAT(report, Fails(absl::StatusCode::kUnavailable, HasSubstr("the log failed")));
      OpenEngine(2 + appends % 3);  // enough for the resumption and at least one step
      report = Run();
    }
    ASSERT_EQ(report->counters, expected) << appends;
    ASSERT_EQ(RowsOfCatalog(catalog_), RowsOfTree(tree_)) << appends;
    ASSERT_THAT(Sql(catalog_, "SELECT * FROM foldlog_run"), IsEmpty());
    ASSERT_EQ(CurrentOperation().status, OperationStatus::kCompleted);
    ASSERT_FALSE(report->started_over);
  }
}

TEST_F(ResumeTest, FileErrorsReachTheLogExactlyOnceEvenIfTheLogFailsFirst) {
  sink_.on_update = [&](const Progress& progress) {
    const bool indexing = progress.stage == Progress::Stage::kIndexing;
    if (indexing && progress.current_path == tree_ + "/b/c") std::filesystem::remove(tree_ + "/b/d");
  };
  OpenEngine(1);  // the start, but not the first batch
  EXPECT_THAT(Run(), Fails(absl::StatusCode::kUnavailable, HasSubstr("")));
  OpenEngine();
  ASSERT_OK_AND_ASSIGN(const IndexReport report, Run());
  EXPECT_EQ(report.counters.errors, 1);
  EXPECT_EQ(CurrentOperation().error_count, 1);
}

TEST_F(ResumeTest, NeedsNeitherDirectoriesNorCatalogNorType) {
  options_.type = OperationType::kIncremental;
  ASSERT_OK(RunAndStop(4));
  options_ = IndexOptions();
  ASSERT_OK_AND_ASSIGN(const IndexReport report, Run());
  EXPECT_TRUE(report.resumed);
  EXPECT_EQ(report.type, OperationType::kIncremental);
  EXPECT_EQ(RowsOfCatalog(catalog_), RowsOfTree(tree_));
}

TEST_F(ResumeTest, AnotherJobIsRefusedAndBothAreNamed) {
  ASSERT_OK(RunAndStop(4));
  const Sequence before = engine_->state().sequence;
  const auto refused = [](auto a, auto b) {
    return Fails(absl::StatusCode::kFailedPrecondition, testing::AllOf(HasSubstr(a), HasSubstr(b)));
  };
  const IndexOptions same = options_;
  options_.directories = {tree_ + "/b"};
  EXPECT_THAT(Run(), refused("\"" + tree_ + "\"", tree_ + "/b"));
  options_ = same;
  options_.catalog_path = dir_ / "other.db";
  EXPECT_THAT(Run(), refused("catalog.db", "other.db"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "other.db"));
  options_ = same;
  options_.type = OperationType::kRecovery;
  options_.type_given = true;
  EXPECT_THAT(Run(), refused("initial", "recovery"));
  options_ = same;
  options_.resume = false;
  EXPECT_THAT(Run(), refused(CurrentOperation().operation_id, "reset"));
  EXPECT_EQ(engine_->state().sequence, before);
  EXPECT_OK((options_ = same, Run()));
}

TEST_F(ResumeTest, ExclusionsAndFileSystemAreThoseOfTheOperation) {
  WriteFile(tree_ + "/z/excluded", "");
  options_.excluded = {tree_ + "/z", dir_ / "not there yet"};
  options_.one_file_system = true;
  ASSERT_OK(RunAndStop(4));
  IndexOptions other;
  other.excluded = {tree_ + "/b"};
  options_ = other;
  EXPECT_THAT(Run(), Fails(absl::StatusCode::kFailedPrecondition, HasSubstr("/b")));
  options_ = IndexOptions();
  ASSERT_OK_AND_ASSIGN(const IndexReport report, Run());
  EXPECT_EQ(report.counters.files, 10);
}

TEST_F(ResumeTest, OneFileSystemCannotBeAskedForLater) {
  ASSERT_OK(RunAndStop(4));
  options_.one_file_system = true;
  EXPECT_THAT(Run(), Fails(absl::StatusCode::kFailedPrecondition, HasSubstr("file system")));
}

TEST_F(ResumeTest, CatalogIsNotTouchedWhileTheOwnerMayStillBeThere) {
  ASSERT_OK(RunAndStop(4));
  ASSERT_OK(engine_->Resume(CurrentOperation().operation_id));  // by this very engine: alive
  std::filesystem::remove(catalog_);
  EXPECT_THAT(Run(), Fails(absl::StatusCode::kFailedPrecondition, HasSubstr("still there")));
  EXPECT_FALSE(std::filesystem::exists(catalog_));
}

TEST_F(ResumeTest, CatalogThatCannotGrowPausesTheOperationUntilItCan) {
  options_.batch_files = 1;
  rlimit unlimited{};
  getrlimit(RLIMIT_FSIZE, &unlimited);
  signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{.rlim_cur = 60'000, .rlim_max = unlimited.rlim_max};
  sink_.on_update = [&](const Progress& progress) {
    if (progress.stage == Progress::Stage::kIndexing && progress.files_done == 3) setrlimit(RLIMIT_FSIZE, &tight);
  };
  const absl::StatusOr<IndexReport> report = Run();
  setrlimit(RLIMIT_FSIZE, &unlimited);
  sink_.on_update = nullptr;
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(std::string(report.status().message()), HasSubstr("is paused: mend the cause and run again"));
  EXPECT_EQ(CurrentOperation().status, OperationStatus::kPaused);
  ASSERT_OK_AND_ASSIGN(const IndexReport resumed, Run());
  EXPECT_EQ(resumed.counters.added, 10);
  EXPECT_EQ(RowsOfCatalog(catalog_), RowsOfTree(tree_));
}

TEST_F(ResumeTest, OperationOfAnotherProgramIsRefused) {
  ASSERT_OK(engine_->Start({}));
  EXPECT_THAT(Run(), Fails(absl::StatusCode::kFailedPrecondition, HasSubstr("not one of the indexer's")));
}

TEST_F(ResumeTest, OperationThatIsBeingWorkedOnIsLeftAlone) {
  sink_.on_update = [&](const Progress& progress) {
    if (progress.stage != Progress::Stage::kIndexing || progress.files_done != 4) return;
    TestSink other;
    EXPECT_THAT(RunIndex(*engine_, "", options_, other, stop_),
                Fails(absl::StatusCode::kFailedPrecondition, HasSubstr("still there")));
  };
  EXPECT_OK(Run());
}

TEST_F(ResumeTest, TakenOverOperationIsNotTouchedAnyMore) {
  sink_.on_update = [&](const Progress& progress) {
    if (progress.stage == Progress::Stage::kIndexing && progress.files_done == 4) {
      ASSERT_OK(engine_->RecoverByForce(CurrentOperation().operation_id, "test"));
    }
  };
  // Nothing about running it again: that is for those who hold it now.
  EXPECT_THAT(Run(), Fails(absl::StatusCode::kAborted,
                           testing::AllOf(HasSubstr("stale"), testing::Not(HasSubstr("run again")))));
  EXPECT_EQ(CurrentOperation().status, OperationStatus::kInProgress);  // the other's; not paused by us
}

TEST_F(ResumeTest, CatalogThatWasDeletedMakesTheWalkStartOverAndTheLogSaysSo) {
  ASSERT_OK(RunAndStop(7));
  ASSERT_GT(CurrentOperation().files_processed, 0);
  std::filesystem::remove(catalog_);
  OpenEngine();
  ASSERT_OK_AND_ASSIGN(IndexReport report, RunAndStop(1));
  EXPECT_TRUE(report.paused && report.started_over);
  EXPECT_LE(CurrentOperation().files_processed, 1);
  const auto events = ReadAll(*log_);
  EXPECT_TRUE(std::any_of(events.begin(), events.end(), [](const RecordedEvent& event) {
    const auto* checkpoint = std::get_if<Checkpoint>(&event.event.body);
    return checkpoint != nullptr && checkpoint->error && checkpoint->files_processed == 0 &&
           checkpoint->error->message.find("deleted or replaced") != std::string::npos;
  }));
  ASSERT_OK_AND_ASSIGN(report, Run());
  EXPECT_FALSE(report.started_over);  // once is enough
  EXPECT_EQ(report.counters.files, 10);
  EXPECT_EQ(RowsOfCatalog(catalog_), RowsOfTree(tree_));
  EXPECT_EQ(CurrentOperation().last_processed_file, tree_ + "/m/n/o");
}

TEST_F(ResumeTest, OlderCopyOfTheCatalogIsNotTakenForTheCurrentOne) {
  ASSERT_OK(RunAndStop(4));
  std::filesystem::copy_file(catalog_, dir_ / "older.db");
  ASSERT_OK(RunAndStop(4));
  std::filesystem::copy_file(dir_ / "older.db", catalog_, std::filesystem::copy_options::overwrite_existing);
  ASSERT_OK_AND_ASSIGN(const IndexReport report, Run());
  EXPECT_TRUE(report.started_over);
  EXPECT_EQ(RowsOfCatalog(catalog_), RowsOfTree(tree_));
}

TEST_F(ResumeTest, LogRestoredFromABackupDoesNotTakeUpWhatItNeverKnew) {
  const std::string log = dir_ / "log";
  const auto open = [&] { ASSERT_OK_AND_ASSIGN(engine_, Engine::Open(log)); };
  options_.batch_files = 1;
  open();
  ASSERT_OK(RunAndStop(1));
  engine_.reset();
  std::filesystem::copy(log, dir_ / "backup");
  open();
  ASSERT_OK(RunAndStop(3));
  ASSERT_OK(RunAndStop(2));  // the catalog is at batch 6 now, and has forgotten what is durable: all before the pause
  engine_.reset();
  std::filesystem::remove_all(log);
  std::filesystem::rename(dir_ / "backup", log);
  open();
  ASSERT_OK_AND_ASSIGN(IndexReport report, RunAndStop(3));
  EXPECT_TRUE(report.started_over);
  ASSERT_OK_AND_ASSIGN(report, Run());
  EXPECT_EQ(report.counters.hashed, 10);
  EXPECT_EQ(report.counters.added, 4);  // six rows were there before the walk started over
}

TEST_F(ResumeTest, CatalogTakenAwayWhileInUsePausesTheOperationWithTheReason) {
  sink_.on_update = [&](const Progress& progress) {
    if (progress.stage == Progress::Stage::kIndexing && progress.files_done == 5) {
      for (const char* suffix : {"", "-wal", "-shm"})
        std::filesystem::rename(catalog_ + suffix, catalog_ + ".x" + suffix);
    }
  };
  EXPECT_THAT(Run(), Fails(absl::StatusCode::kFailedPrecondition, HasSubstr("mend the cause and run again")));
  EXPECT_EQ(CurrentOperation().status, OperationStatus::kPaused);
  EXPECT_THAT(CurrentOperation().pause_reason, HasSubstr("moved, deleted or replaced"));
  sink_.on_update = nullptr;
  for (const char* suffix : {"", "-wal", "-shm"}) {
    if (std::filesystem::exists(catalog_ + ".x" + suffix)) {
      std::filesystem::rename(catalog_ + ".x" + suffix, catalog_ + suffix);
    }
  }
  ASSERT_OK_AND_ASSIGN(const IndexReport report, Run());
  EXPECT_FALSE(report.started_over);
  EXPECT_EQ(report.counters.added, 10);
}

TEST_F(ResumeTest, RootMissingOnResumptionIsRefusedAndNothingIsWritten) {
  ASSERT_OK(RunAndStop(4));
  std::filesystem::rename(tree_, dir_ / "unplugged");
  const Sequence before = engine_->state().sequence;
  EXPECT_THAT(Run(), Fails(absl::StatusCode::kNotFound, HasSubstr("tree")));
  EXPECT_EQ(engine_->state().sequence, before);
}

TEST_F(ResumeTest, NewOperationFollowsACompletedAndAFailedOne) {
  ASSERT_OK(Run());
  ASSERT_OK_AND_ASSIGN(const IndexReport second, Run());
  EXPECT_FALSE(second.resumed);
  ASSERT_OK(RunAndStop(4));
  ASSERT_OK(engine_->Fail(*engine_->current_handle(), "given up"));
  ASSERT_OK_AND_ASSIGN(const IndexReport third, Run());
  EXPECT_FALSE(third.resumed);
  EXPECT_THAT(Sql(catalog_, "SELECT * FROM foldlog_run"), IsEmpty());
}

}  // namespace
}  // namespace foldlog::indexer
