// Trees that change while they are indexed, between two sessions or during one: at the end the catalog holds what is
// there, or the run has said what it could not prove.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>

#include "tests/support/indexer_support.h"

namespace foldlog::indexer {
namespace {

using testing::HasSubstr;

namespace fs = std::filesystem;

class ChangeTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(engine_, Engine::Open(NewWritableMemoryLog()));
    options_.directories = {tree_};
    options_.catalog_path = catalog_;
    options_.batch_files = 2;
  }

  // Runs until `files` files are done, and stops there; all the way if there are not so many.
  IndexReport RunUntil(std::int64_t files) {
    sink_.on_update = [&](const Progress& progress) {
      if (progress.stage == Progress::Stage::kIndexing && progress.files_done >= files) stop_ = SIGTERM;
    };
    IndexReport report = Run();
    sink_.on_update = nullptr;
    return report;
  }

  IndexReport Run() {
    stop_ = 0;
    const auto report = RunIndex(*engine_, "", options_, sink_, stop_);
    EXPECT_OK(report);
    return report.ok() ? *report : IndexReport();
  }

  // Does `what` once, as soon as the run is at `stage`.
  IndexReport RunAndAt(Progress::Stage stage, const std::function<void()>& what) {
    bool done = false;
    sink_.on_update = [&, stage](const Progress& progress) {
      if (!done && progress.stage == stage) what();
      done |= progress.stage == stage;
    };
    IndexReport report = Run();
    sink_.on_update = nullptr;
    EXPECT_TRUE(done);
    return report;
  }

  void Files(const std::string& directory, int count) {
    for (int i = 0; i < count; ++i) WriteFile(tree_ + "/" + directory + "/f" + std::to_string(i), directory);
  }

  void Move(const std::string& from, const std::string& to) { fs::rename(tree_ + "/" + from, tree_ + "/" + to); }

  void ExpectTheTree() { EXPECT_EQ(RowsOfCatalog(catalog_), RowsOfTree(tree_)); }

  TempDir dir_;
  const std::string tree_ = dir_ / "tree";
  const std::string catalog_ = dir_ / "catalog.db";
  std::unique_ptr<Engine> engine_;
  IndexOptions options_;
  TestSink sink_;
  std::atomic<int> stop_ = 0;
};

TEST_F(ChangeTest, DirectoryMovedToWhereTheWalkHasBeenIsFoundAfterTheResumption) {
  for (const char* name : {"a", "m", "z/deep/deeper"}) Files(name, 4);
  ASSERT_TRUE(RunUntil(6).paused);
  Move("z/deep", "a/deep");
  const IndexReport report = Run();
  EXPECT_TRUE(report.resumed);
  EXPECT_EQ(report.counters.late, 4);
  EXPECT_EQ(report.counters.errors, 0);
  ExpectTheTree();
}

TEST_F(ChangeTest, FileMovedToWhereTheWalkHasBeenIsFoundAndItsFormerNameGoes) {
  for (const char* name : {"a", "m", "z"}) Files(name, 4);
  ASSERT_TRUE(RunUntil(10).paused);
  Move("z/f3", "a/f3 moved");
  Move("a/f0", "z/f0 moved");
  Move("m/f1", "a/f1");
  Run();
  ExpectTheTree();
}

TEST_F(ChangeTest, FileWhereTheCursorsDirectoryWasIsVisited) {
  for (const char* name : {"a", "m/inside", "z"}) Files(name, 4);
  ASSERT_TRUE(RunUntil(6).paused);
  fs::remove_all(tree_ + "/m/inside");
  WriteFile(tree_ + "/m/inside", "a file now");
  Run();
  ExpectTheTree();
}

TEST_F(ChangeTest, DirectoryWhereTheCursorsFileWasIsVisited) {
  for (const char* name : {"a", "m", "z"}) Files(name, 4);
  ASSERT_TRUE(RunUntil(6).paused);
  fs::remove(tree_ + "/m/f1");
  Files("m/f1/below", 3);
  Run();
  ExpectTheTree();
}

TEST_F(ChangeTest, DirectoriesThatChangePlacesAreBothReadAgain) {
  for (const char* name : {"a/x", "m/x", "z"}) Files(name, 4);
  WriteFile(tree_ + "/m/x/only here", "");
  ASSERT_TRUE(RunUntil(9).paused);
  Move("a/x", "x");
  Move("m/x", "a/x");
  Move("x", "m/x");
  Run();
  ExpectTheTree();
}

TEST_F(ChangeTest, FileChangedInPlaceAfterItsTurnIsReadAgain) {
  for (const char* name : {"a", "m", "z"}) Files(name, 4);
  ASSERT_TRUE(RunUntil(9).paused);
  WriteFile(tree_ + "/a/f1", "longer than it was");
  EXPECT_EQ(Run().counters.changed, 1);
  ExpectTheTree();
}

TEST_F(ChangeTest, WhatMovesDuringTheSweepIsFound) {
  for (const char* name : {"a", "m", "z"}) Files(name, 4);
  RunAndAt(Progress::Stage::kSweeping, [&] {
    Move("z", "a/z");
    fs::remove(tree_ + "/m/f2");
    WriteFile(tree_ + "/new", "");
  });
  ExpectTheTree();
}

// In the order of the names, the first is looked at again before the move and the second after it, or the reverse.
TEST_F(ChangeTest, WhatMovesDuringTheSecondLookIsFoundByAnother) {
  for (const bool back : {false, true}) {
    fs::remove_all(tree_);
    for (const char* name : {"a", "m", "z"}) Files(name, 4);
    RunAndAt(Progress::Stage::kLookingAgain, [&] { back ? Move("z/f0", "a/new") : Move("a/f0", "z/new"); });
    ExpectTheTree();
  }
}

TEST_F(ChangeTest, DirectoryThatKeepsChangingIsSaidToBeUnproven) {
  for (const char* name : {"a", "m", "z"}) Files(name, 4);
  int count = 0;
  sink_.on_update = [&](const Progress& progress) {
    if (progress.stage == Progress::Stage::kLookingAgain) Move("m/f0", "m/x"), Move("m/x", "m/f0"), ++count;
  };
  const IndexReport report = Run();
  EXPECT_EQ(report.counters.unproven, 1);
  EXPECT_EQ(report.counters.errors, 1);
  const auto events = ReadAll(engine_->log());
  EXPECT_TRUE(std::any_of(events.begin(), events.end(), [&](const RecordedEvent& event) {
    const auto* checkpoint = std::get_if<Checkpoint>(&event.event.body);
    return checkpoint != nullptr && checkpoint->error && checkpoint->error->path == tree_ + "/m" &&
           checkpoint->error->message.find("kept changing") != std::string::npos;
  }));
  ExpectTheTree();
}

// More than the second look takes from the catalog at a time, and just as many.
TEST_F(ChangeTest, DirectoriesByTheThousandAreEachLookedAtAgainAndTheRunEnds) {
  for (const int count : {1000, 2500}) {
    for (int i = 0; i < count; ++i) fs::create_directories(tree_ + "/d" + std::to_string(i));
    WriteFile(tree_ + "/z", "");
    bool done = false;
    sink_.on_update = [&](const Progress& progress) {
      if (!done && progress.stage == Progress::Stage::kSweeping) {
        for (int i = 0; i < count; i += 7) WriteFile(tree_ + "/d" + std::to_string(i) + "/late", "");
        done = true;
      }
    };
    const auto begun = std::chrono::steady_clock::now();
    sink_.on_update = [&, change = sink_.on_update](const Progress& progress) {
      change(progress);
      if (std::chrono::steady_clock::now() - begun > std::chrono::minutes(3)) stop_ = SIGTERM;  // no end to it
    };
    ASSERT_FALSE(Run().paused) << count;
    sink_.on_update = nullptr;
    ExpectTheTree();
    fs::remove_all(tree_);
  }
}

TEST_F(ChangeTest, NothingIsReadTwiceWhereNothingChanges) {
  for (const char* name : {"a", "m", "z"}) Files(name, 4);
  while (RunUntil(3).paused) engine_->state();
  const IndexReport report = Run();
  EXPECT_EQ(report.counters.hashed, 12);
  EXPECT_EQ(report.counters.late, 0);
}

// A random change of a random tree.
class RandomTree {
 public:
  RandomTree(std::string root, std::mt19937_64& random) : root_(std::move(root)), random_(random) {
    fs::create_directories(root_);
    for (int i = 0; i < 60; ++i) Change();
  }

  void Change() {
    const std::string place = Directory();
    const std::string name = place + "/" + kNames[random_() % kNames.size()];
    std::error_code ignored;
    switch (random_() % 8) {
      case 0:
      case 1:
      case 2:
        if (!fs::is_directory(name)) WriteFile(name, RandomBytes(random_, random_() % 50));
        break;
      case 3:
      case 4:
        fs::create_directory(name, ignored);
        break;
      case 5:
        fs::remove_all(name, ignored);
        break;
      default:
        fs::rename(name, Directory() + "/" + kNames[random_() % kNames.size()], ignored);
    }
  }

 private:
  std::string Directory() {
    std::vector<std::string> all = {root_};
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      if (entry.is_directory()) all.push_back(entry.path());
    }
    return all[random_() % all.size()];
  }

  const std::vector<std::string> kNames = {"a", "a b", "a-", "a0", "aa", "b", "c", "\xc3\xa4", "\xff", "n\nl"};
  std::string root_;
  std::mt19937_64& random_;
};

TEST_F(ChangeTest, WhateverChangesBetweenSessionsTheCatalogIsTheTreeOfTheLast) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 60; ++round) {
    fs::remove_all(tree_);
    RandomTree tree(tree_, random);
    WriteFile(tree_ + "/there is always a file", "");
    options_.type = static_cast<OperationType>(random() % 3);
    options_.batch_files = static_cast<std::int64_t>(1 + random() % 4);
    // Up to three sessions are stopped, at any update of any stage.
    IndexReport report;
    for (int session = 0; session < 4; ++session) {
      int updates = static_cast<int>(random() % 60);
      sink_.on_update = [&](const Progress& progress) {
        if (progress.stage != Progress::Stage::kCounting && updates-- == 0 && session < 3) stop_ = SIGTERM;
      };
      report = Run();
      sink_.on_update = nullptr;
      if (!report.paused) break;
      for (std::uint64_t changes = random() % 12; changes > 0; --changes) tree.Change();
    }
    ASSERT_FALSE(report.paused);
    ASSERT_EQ(report.counters.unproven, 0);
    ASSERT_EQ(RowsOfCatalog(catalog_), RowsOfTree(tree_)) << "round " << round;
  }
}

// The same with changes during the session, up to the second look: a directory that has been looked at again may change
// a moment later, as it may when the run is over.
TEST_F(ChangeTest, WhateverChangesUnderTheWalkAndTheSweepIsFound) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 60; ++round) {
    fs::remove_all(tree_);
    RandomTree tree(tree_, random);
    WriteFile(tree_ + "/there is always a file", "");
    options_.type = OperationType::kIncremental;
    int changes = 20;
    sink_.on_update = [&](const Progress& progress) {
      const bool late = progress.stage == Progress::Stage::kLookingAgain;
      if (progress.stage == Progress::Stage::kCounting || late || random() % 3 != 0 || changes == 0) return;
      --changes;
      tree.Change();
    };
    const IndexReport report = Run();
    sink_.on_update = nullptr;
    ASSERT_EQ(report.counters.unproven, 0);
    Rows rows = RowsOfCatalog(catalog_), expected = RowsOfTree(tree_);
    // A change of content in place is as of the last look; names are never missing or too many.
    const auto names = [](const Rows& of) {
      std::vector<std::string> all;
      for (const auto& [path, row] : of) all.push_back(path);
      return all;
    };
    ASSERT_EQ(names(rows), names(expected)) << "round " << round;
  }
}

}  // namespace
}  // namespace foldlog::indexer
