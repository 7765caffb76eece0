// Whole runs of the indexer: real directories, a real catalog, a real engine on a log in memory or on disk.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "tests/support/indexer_support.h"
#include "tests/support/unprivileged.h"

namespace foldlog::indexer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

class IndexerTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(engine_, Engine::Open(NewWritableMemoryLog()));
    options_.directories = {tree_};
    options_.catalog_path = catalog_;
  }

  absl::StatusOr<IndexReport> Run() { return RunIndex(*engine_, "", options_, sink_, stop_); }

  absl::StatusOr<IndexReport> Run(OperationType type) {
    options_.type = type;
    return Run();
  }

  // a, b/c, b/d, …: ten files of different sizes.
  void MakeFiles() {
    for (const char* name : {"a", "b/c", "b/d", "b/e/f", "b-g", "h/i", "h/j", "k", "l", "m/n/o"}) {
      WriteFile(tree_ + "/" + name, std::string(1000, name[0]) + name);
    }
  }

  std::vector<FileError> ErrorsInLog() const {
    std::vector<FileError> errors;
    for (const RecordedEvent& event : ReadAll(engine_->log())) {
      const auto* checkpoint = std::get_if<Checkpoint>(&event.event.body);
      if (checkpoint != nullptr && checkpoint->error) errors.push_back(*checkpoint->error);
    }
    return errors;
  }

  Operation CurrentOperation() const { return engine_->state().operation.value_or(Operation{}); }

  TempDir dir_;
  const std::string tree_ = dir_ / "tree";
  const std::string catalog_ = dir_ / "catalog.db";
  std::unique_ptr<Engine> engine_;
  IndexOptions options_;
  TestSink sink_;
  std::atomic<int> stop_ = 0;
};

TEST_F(IndexerTest, InitialRunFillsTheCatalogAndCompletes) {
  MakeFiles();
  ASSERT_OK_AND_ASSIGN(const IndexReport report, Run());
  EXPECT_EQ(RowsOfCatalog(catalog_), RowsOfTree(tree_));
  EXPECT_EQ(report.counters.files, 10);
  EXPECT_EQ(report.counters.added, 10);
  EXPECT_FALSE(report.paused || report.resumed);
  const Operation operation = CurrentOperation();
  EXPECT_EQ(operation.status, OperationStatus::kCompleted);
  EXPECT_THAT(operation.roots, ElementsAre(tree_));
  EXPECT_THAT(operation.metadata, ElementsAre(Pair("catalog", catalog_)));
  EXPECT_EQ(operation.total_files, 10);
  EXPECT_EQ(operation.files_processed, 10);
  EXPECT_EQ(operation.last_processed_file, tree_ + "/m/n/o");
  EXPECT_EQ(operation.current_path, tree_ + "/m/n");
  EXPECT_THAT(operation.stats, testing::Contains(Pair("bytes_hashed", StatValue{report.counters.bytes_hashed})));
  EXPECT_THAT(Sql(catalog_, "SELECT * FROM foldlog_run"), IsEmpty());
}

TEST_F(IndexerTest, EmptyTreeIsACompleteRun) {
  std::filesystem::create_directories(tree_);
  ASSERT_OK_AND_ASSIGN(const IndexReport report, Run());
  EXPECT_EQ(report.counters, RunCounters());
  EXPECT_EQ(CurrentOperation().status, OperationStatus::kCompleted);
}

TEST_F(IndexerTest, OddNamesAndOtherKindsOfFilesAreHandled) {
  for (const std::string& name : {std::string("new\nline"), std::string("quo'te\""), std::string("\xff\xfe"),
                                  std::string(255, 'n'), std::string("dir\n/inner\xff")}) {
    WriteFile(tree_ + "/" + name, name);
  }
  ASSERT_EQ(mkfifo((tree_ + "/fifo").c_str(), 0600), 0);
  std::filesystem::create_symlink("nowhere", tree_ + "/dangling");
  ASSERT_OK_AND_ASSIGN(const IndexReport report, Run());
  EXPECT_EQ(RowsOfCatalog(catalog_), RowsOfTree(tree_));
  EXPECT_EQ(report.counters.files, 5);
  EXPECT_EQ(report.counters.errors, 0);
}

// One directory in another, so many levels, with a file at the bottom.
void MakeDeepTree(const std::string& root, int levels, const std::string& name) {
  std::filesystem::create_directories(root);
  int at = open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; i < levels; ++i) {
    ASSERT_EQ(mkdirat(at, name.c_str(), 0700), 0);
    const int below = openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    close(std::exchange(at, below));
  }
  close(openat(at, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  close(at);
}

TEST_F(IndexerTest, TreeDeeperThanPathMaxIsIndexedAndKept) {
  MakeDeepTree(tree_, 600, "a longish name");
  ASSERT_OK(Run());
  ASSERT_OK_AND_ASSIGN(const IndexReport again, Run(OperationType::kIncremental));
  EXPECT_EQ(again.counters.skipped, 1);
  EXPECT_EQ(again.counters.removed, 0);
  EXPECT_THAT(Sql(catalog_, "SELECT length(path) > 8000 FROM files"), ElementsAre("1"));
  ASSERT_EQ(std::system(("rm -rf '" + tree_ + "'").c_str()), 0);
}

TEST_F(IndexerTest, TreeTenThousandLevelsDeepTakesNoMoreRoomThanAFlatOne) {
  MakeDeepTree(tree_, 10'000, "directory");
  ASSERT_OK(Run());
  ASSERT_OK_AND_ASSIGN(const IndexReport again, Run(OperationType::kIncremental));
  EXPECT_EQ(again.counters.skipped, 1);
  EXPECT_THAT(Sql(catalog_, "SELECT length(path) > 100000 FROM files"), ElementsAre("1"));
  EXPECT_LT(std::filesystem::file_size(catalog_), 8 << 20);  // the directories' paths alone would be 500 MB
  ASSERT_EQ(std::system(("rm -rf '" + tree_ + "'").c_str()), 0);
}

TEST_F(IndexerTest, LogCatalogAndExcludedPathsInsideATreeAreLeftOut) {
  MakeFiles();
  const std::string log = tree_ + "/log";
  ASSERT_OK_AND_ASSIGN(engine_, Engine::Open(log));
  options_.catalog_path = tree_ + "/catalog.db";
  options_.excluded = {tree_ + "/b"};
  ASSERT_OK(RunIndex(*engine_, log, options_, sink_, stop_));
  Rows expected;
  for (const char* name : {"a", "b-g", "h/i", "h/j", "k", "l", "m/n/o"}) {
    expected[tree_ + "/" + name] = RowOf(tree_ + "/" + name);
  }
  EXPECT_EQ(RowsOfCatalog(tree_ + "/catalog.db"), expected);
}

TEST_F(IndexerTest, IncrementalRunReadsOnlyWhatChanged) {
  MakeFiles();
  ASSERT_OK(Run());
  Rows expected = RowsOfTree(tree_);
  // Same size and time, other content: an incremental run must not notice, since it must not read.
  struct stat facts {};
  ASSERT_EQ(stat((tree_ + "/a").c_str(), &facts), 0);
  WriteFile(tree_ + "/a", std::string(static_cast<std::size_t>(facts.st_size), '!'));
  const timespec times[] = {facts.st_mtim, facts.st_mtim};
  ASSERT_EQ(utimensat(AT_FDCWD, (tree_ + "/a").c_str(), times, 0), 0);
  WriteFile(tree_ + "/k", "changed");
  WriteFile(tree_ + "/new", "new");
  ASSERT_OK_AND_ASSIGN(const IndexReport report, Run(OperationType::kIncremental));
  EXPECT_EQ(report.counters.skipped, 9);
  EXPECT_EQ(report.counters.hashed, 2);
  EXPECT_EQ(report.counters.added, 1);
  EXPECT_EQ(report.counters.changed, 1);
  expected[tree_ + "/k"] = RowOf(tree_ + "/k");
  expected[tree_ + "/new"] = RowOf(tree_ + "/new");
  EXPECT_EQ(RowsOfCatalog(catalog_), expected);
}

TEST_F(IndexerTest, RowsOfVanishedFilesGoAndAllOthersStay) {
  MakeFiles();
  ASSERT_OK(Run());
  const std::string put = "INSERT INTO files VALUES(CAST('";
  for (const char* path : {"/beside", "-sibling/x", "0", "/b/excluded/x"}) {
    Sql(catalog_, put + tree_ + path + "' AS BLOB), 1, 1, 'ff')");
  }
  Sql(catalog_, put + tree_ + "' AS BLOB), 1, 1, 'ff')");  // the root was a file once
  options_.excluded = {tree_ + "/b/excluded"};
  std::filesystem::remove_all(tree_ + "/h");
  std::filesystem::remove(tree_ + "/l");
  std::filesystem::create_directory(tree_ + "/l");
  Rows expected = RowsOfTree(tree_);
  for (const char* path : {"-sibling/x", "0", "/b/excluded/x"}) expected[tree_ + path] = {1, 1, "ff"};
  ASSERT_OK_AND_ASSIGN(const IndexReport report, Run(OperationType::kIncremental));
  EXPECT_EQ(RowsOfCatalog(catalog_), expected);
  EXPECT_EQ(report.counters.removed, 5);  // h/i, h/j, l, beside, the root
}

TEST_F(IndexerTest, FileThatVanishesBeforeItsTurnIsAnErrorInTheLogAndTheRunGoesOn) {
  MakeFiles();
  sink_.on_update = [&](const Progress& progress) {
    if (progress.current_path == tree_ + "/b/c") std::filesystem::remove(tree_ + "/b/d");
    if (progress.current_path == tree_ + "/b-g") std::filesystem::remove_all(tree_ + "/h");
  };
  sink_.on_update = [&, interfere = sink_.on_update](const Progress& progress) {
    if (progress.stage == Progress::Stage::kIndexing) interfere(progress);
  };
  ASSERT_OK_AND_ASSIGN(const IndexReport report, Run());
  EXPECT_THAT(ErrorsInLog(), ElementsAre(FileError{tree_ + "/b/d", "No such file or directory"},
                                         FileError{tree_ + "/h", "cannot read directory: No such file or directory"}));
  EXPECT_EQ(report.counters.errors, 2);
  EXPECT_EQ(report.counters.files, 8);  // with b/d, which had its turn
  EXPECT_EQ(CurrentOperation().error_count, 2);
  EXPECT_EQ(RowsOfCatalog(catalog_), RowsOfTree(tree_));
}

TEST_F(IndexerTest, UnreadableFileIsAnErrorAndKeepsItsRow) {
  const Unprivileged unprivileged;
  MakeFiles();
  ASSERT_OK(Run());
  const Rows before = RowsOfCatalog(catalog_);
  std::filesystem::permissions(tree_ + "/a", std::filesystem::perms::none);
  ASSERT_OK_AND_ASSIGN(const IndexReport report, Run());
  EXPECT_EQ(report.counters.errors, 1);
  EXPECT_EQ(RowsOfCatalog(catalog_), before);
}

TEST_F(IndexerTest, RootThatIsUnpluggedBeforeTheSweepKeepsItsRows) {
  MakeFiles();
  ASSERT_OK(Run());
  const Rows before = RowsOfCatalog(catalog_);
  sink_.on_update = [&](const Progress& progress) {
    const bool counting = progress.stage == Progress::Stage::kCounting;
    if (counting && progress.current_path == tree_ + "/m/n/o") std::filesystem::rename(tree_, dir_ / "unplugged");
  };
  ASSERT_OK_AND_ASSIGN(const IndexReport report, Run(OperationType::kIncremental));
  EXPECT_EQ(report.counters.removed, 0);
  EXPECT_EQ(report.counters.errors, 2);  // for the walk and for the sweep
  EXPECT_EQ(RowsOfCatalog(catalog_), before);
}

TEST_F(IndexerTest, RecoveryFindsCountsAndCorrectsEveryWrongRow) {
  MakeFiles();
  ASSERT_OK(Run());
  Sql(catalog_, "UPDATE files SET xxh3 = 'tampered' WHERE path = CAST('" + tree_ + "/b/c' AS BLOB)");
  Sql(catalog_, "DELETE FROM files WHERE path = CAST('" + tree_ + "/k' AS BLOB)");
  WriteFile(tree_ + "/l", "changed");
  std::filesystem::remove(tree_ + "/a");
  ASSERT_OK_AND_ASSIGN(const IndexReport report, Run(OperationType::kRecovery));
  EXPECT_EQ(report.counters.differing, 1);
  EXPECT_EQ(report.counters.missing, 1);
  EXPECT_EQ(report.counters.changed, 1);
  EXPECT_EQ(report.counters.removed, 1);
  EXPECT_EQ(report.counters.added, 0);
  EXPECT_THAT(sink_.lines, ElementsAre(HasSubstr("/b/c\" differs: the catalog has tampered"),
                                       HasSubstr("/k\" is missing"), HasSubstr("/l\" has changed")));
  EXPECT_THAT(CurrentOperation().stats, testing::Contains(Pair("differing", StatValue{std::int64_t{1}})));
  EXPECT_EQ(RowsOfCatalog(catalog_), RowsOfTree(tree_));
}

class DamagedCatalogTest : public IndexerTest {
 protected:
  void SetUp() override {
    IndexerTest::SetUp();
    MakeFiles();
    ASSERT_OK(Run());
    ASSERT_FALSE(std::filesystem::exists(catalog_ + "-wal"));
  }

  void Overwrite(std::streamoff from, const std::string& bytes) {
    std::fstream file(catalog_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(from);
    file << bytes;
  }
};

TEST_F(DamagedCatalogTest, IsRefusedUnlessTheTypeIsRecovery) {
  Overwrite(100, std::string(50, '\xa5'));  // the schema's page
  const std::string before = ReadFile(catalog_);
  for (const OperationType type : {OperationType::kInitial, OperationType::kIncremental}) {
    EXPECT_THAT(Run(type), Fails(absl::StatusCode::kDataLoss, HasSubstr("index with type recovery")));
  }
  EXPECT_EQ(ReadFile(catalog_), before);
  EXPECT_EQ(CurrentOperation().status, OperationStatus::kCompleted);  // nothing was started
}

TEST_F(DamagedCatalogTest, IsMovedAsideAndBuiltAnewByRecovery) {
  for (const std::streamoff from : {0, 100, 2 * 4096}) {  // no SQLite file any more; no schema; no rows
    Overwrite(from, std::string(50, '\xa5'));
    const std::string damaged = ReadFile(catalog_);
    ASSERT_OK_AND_ASSIGN(const IndexReport report, Run(OperationType::kRecovery));
    ASSERT_TRUE(report.damaged_catalog) << from;
    EXPECT_EQ(ReadFile(*report.damaged_catalog), damaged);
    EXPECT_EQ(report.counters.missing, 10);
    EXPECT_EQ(RowsOfCatalog(catalog_), RowsOfTree(tree_));
    EXPECT_THAT(ErrorsInLog().back().message, HasSubstr("moved to"));
  }
}

TEST_F(DamagedCatalogTest, FileThatNeverWasACatalogIsNotMovedEvenByRecovery) {
  options_.catalog_path = dir_ / "letter.txt";
  WriteFile(options_.catalog_path, std::string(2000, 'x'));
  EXPECT_THAT(Run(OperationType::kRecovery), Fails(absl::StatusCode::kInvalidArgument, HasSubstr("not a SQLite file")));
  EXPECT_EQ(ReadFile(options_.catalog_path), std::string(2000, 'x'));
}

TEST_F(IndexerTest, BadRootsAndCatalogsAreRefusedBeforeAnythingIsWritten) {
  MakeFiles();
  options_.directories = {tree_, dir_ / "nowhere"};
  EXPECT_THAT(Run(), Fails(absl::StatusCode::kNotFound, HasSubstr("nowhere")));
  options_.directories = {tree_ + "/a"};
  EXPECT_THAT(Run(), Fails(absl::StatusCode::kInvalidArgument, HasSubstr("not a directory")));
  options_.directories = {tree_};
  options_.excluded = {dir_.path()};
  EXPECT_THAT(Run(), Fails(absl::StatusCode::kInvalidArgument, HasSubstr("nothing of")));
  EXPECT_FALSE(std::filesystem::exists(catalog_));
  options_.excluded = {};
  options_.catalog_path = tree_ + "/b";
  EXPECT_THAT(Run(), Fails(absl::StatusCode::kFailedPrecondition, HasSubstr("is a directory")));
  options_.catalog_path = dir_ / "no/catalog.db";
  EXPECT_THAT(Run(), Fails(absl::StatusCode::kNotFound, HasSubstr("create it first")));
  options_.directories = {};
  EXPECT_THAT(Run(), Fails(absl::StatusCode::kInvalidArgument, HasSubstr("name the directories")));
  EXPECT_EQ(engine_->state().sequence, 0);
}

TEST_F(IndexerTest, StopWhileCountingRecordsNothing) {
  MakeFiles();
  stop_ = SIGTERM;
  EXPECT_THAT(Run(), Fails(absl::StatusCode::kCancelled, HasSubstr("SIGTERM")));
  EXPECT_EQ(engine_->state().sequence, 0);
}

TEST_F(IndexerTest, StopWithinAHugeFileIsQuickAndLeavesThatFileForLater) {
  WriteFile(tree_ + "/a", "small");
  WriteFile(tree_ + "/huge", "");
  std::filesystem::resize_file(tree_ + "/huge", std::uintmax_t{1} << 40);  // a hole: all to be read, nothing stored
  std::thread signal;
  std::chrono::steady_clock::time_point stopped_at;
  sink_.on_update = [&](const Progress& progress) {
    const bool inside = progress.bytes_hashed > 100 && progress.current_path == tree_ + "/huge";
    if (!inside || stop_ != 0) return;
    stopped_at = std::chrono::steady_clock::now();
    stop_ = SIGINT;
  };
  ASSERT_OK_AND_ASSIGN(const IndexReport report, Run());
  EXPECT_LT(std::chrono::steady_clock::now() - stopped_at, std::chrono::seconds(30));  // to the end takes minutes
  EXPECT_TRUE(report.paused);
  EXPECT_EQ(CurrentOperation().status, OperationStatus::kPaused);
  EXPECT_EQ(CurrentOperation().pause_reason, "SIGINT");
  EXPECT_EQ(CurrentOperation().last_processed_file, tree_ + "/a");
  EXPECT_EQ(RowsOfCatalog(catalog_).size(), 1);
}

}  // namespace
}  // namespace foldlog::indexer
