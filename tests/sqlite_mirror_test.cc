// The SQLite mirror: equal to the projection after every change, careful with what is not its own, and never in the
// way of the writer.

#include "engine/projection/sqlite_mirror.h"

#include <sqlite3.h>

#include <fstream>
#include <thread>

#include "engine/projection/row_table.h"
#include "engine/projection/sqlite_reading.h"
#include "tests/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SqliteMirrorTest : public testing::Test {
 protected:
  SqliteMirrorTest() { engine_ = *Engine::Open(NewWritableMemoryLog(), DeterministicOptions()); }

  void Start() { handle_ = *engine_->Start({.total_files = 5}); }

  std::unique_ptr<SqliteMirror> Mirror() {
    auto mirror = SqliteMirror::Open(path_, engine_->log());
    EXPECT_OK(mirror);
    return *std::move(mirror);
  }

  absl::Status CatchUp(const std::string& path) {
    auto mirror = SqliteMirror::Open(path, engine_->log());
    return mirror.ok() ? (*mirror)->CatchUp() : mirror.status();
  }

  std::optional<SingleRow> InLog() { return *ProjectSingleRow(engine_->log(), engine_->state()); }

  // As another program would.
  void Sql(const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    sqlite3_close(database);
  }

  std::optional<SingleRow> InFile() {
    std::optional<SingleRow> row;
    EXPECT_OK(ReadSqlite(path_, "file", [&](SqliteDatabase& database) -> absl::Status {
      row = *ReadRow(database);
      return absl::OkStatus();
    }));
    return row;
  }

  std::vector<std::string> Findings() {
    const auto report = SqliteMirror::Check(path_, engine_->log());
    EXPECT_OK(report);
    return report->findings;
  }

  TempDir directory_;
  std::string path_ = directory_ / "state.db";
  std::unique_ptr<Engine> engine_;
  OperationHandle handle_;
};

TEST_F(SqliteMirrorTest, TheTableIsTheProjectionAfterEveryTransition) {
  const auto mirror = Mirror();
  ASSERT_OK(mirror->CatchUp());
  EXPECT_EQ(InFile(), std::nullopt);
  const auto expect_equal = [&] {
    ASSERT_OK(mirror->CatchUp());
    EXPECT_EQ(InFile(), InLog());
    EXPECT_THAT(Findings(), IsEmpty());
  };
  Start();
  expect_equal();
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 1, .error = FileError{"/a\xff", "no", ""}}));
  expect_equal();
  ASSERT_OK(engine_->Pause(handle_));
  expect_equal();
  handle_ = *engine_->Resume(handle_.operation_id);
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 2}));
  expect_equal();
  ASSERT_OK(engine_->Complete(handle_));
  expect_equal();
  EXPECT_TRUE(InFile()->completed_at.has_value());
  ASSERT_OK(engine_->Clear());
  expect_equal();
  EXPECT_EQ(InFile(), std::nullopt);
  Start();
  ASSERT_OK(engine_->Fail(handle_, "disk"));
  expect_equal();
}

TEST_F(SqliteMirrorTest, TablesOfOthersAndAnExistingTableStayAsTheyAre) {
  Sql("CREATE TABLE photos (name TEXT); INSERT INTO photos VALUES ('a'); "
      "CREATE TABLE indexing_state (id INTEGER PRIMARY KEY CHECK (id = 1), operation_type TEXT NOT NULL, status TEXT, "
      "checkpoint_data TEXT, started_at INTEGER, updated_at INTEGER, completed_at INTEGER, note TEXT DEFAULT 'kept')");
  Start();
  ASSERT_OK(Mirror()->CatchUp());
  EXPECT_EQ(InFile(), InLog());
  Sql("UPDATE photos SET name = 'b' WHERE (SELECT note FROM indexing_state) = 'kept'");
  const auto database = *SqliteDatabase::Open(path_, "file");
  const auto select = *database->Prepare("SELECT name FROM photos");
  SqliteQuery query(*select);
  ASSERT_TRUE(*query.Step());
  EXPECT_EQ(query.Bytes(0), "b");
}

TEST_F(SqliteMirrorTest, ARowThatNoMirrorWroteIsNotReplacedUnlessHealed) {
  Sql("CREATE TABLE indexing_state (id INTEGER PRIMARY KEY CHECK (id = 1), operation_type TEXT, status TEXT, "
      "checkpoint_data TEXT, started_at INTEGER, updated_at INTEGER, completed_at INTEGER); "
      "INSERT INTO indexing_state VALUES (1, 'initial', 'paused', '{}', 1, 2, NULL)");
  Start();
  const auto mirror = Mirror();
  EXPECT_THAT(mirror->CatchUp(), Fails(StatusCode::kFailedPrecondition, HasSubstr("import it first")));
  EXPECT_EQ(InFile()->status, "paused");
  EXPECT_THAT(Findings(), ElementsAre("no mirror has written there"));
  ASSERT_OK(mirror->Heal());
  EXPECT_EQ(InFile(), InLog());
  EXPECT_THAT(Findings(), IsEmpty());
}

TEST_F(SqliteMirrorTest, TheMirrorOfAnotherLogIsNotReplacedUnlessHealed) {
  Start();
  ASSERT_OK(Mirror()->CatchUp());
  engine_ = *Engine::Open(NewWritableMemoryLog(), DeterministicOptions());
  handle_ = *engine_->Start({.total_files = 6});
  EXPECT_THAT(Mirror()->CatchUp(), Fails(StatusCode::kFailedPrecondition, HasSubstr("another log")));
  EXPECT_THAT(Findings(), ElementsAre(HasSubstr("another log")));
  ASSERT_OK(Mirror()->Heal());
  EXPECT_THAT(Findings(), IsEmpty());
}

// A power cut may take back what is not durable; a mirror that had shown it would be that of another log.
TEST_F(SqliteMirrorTest, OnlyWhatIsDurableIsShown) {
  EngineOptions options = DeterministicOptions();
  options.directory.tail_bytes = std::uint64_t{64} << 10;
  options.directory.flush_interval = std::chrono::hours(1);
  engine_ = *Engine::Open(directory_ / "log", options);
  Start();
  const auto mirror = Mirror();
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 1}, Durability::kInterval));
  ASSERT_OK(mirror->CatchUp());
  EXPECT_EQ(mirror->position(), 1u);
  EXPECT_NE(InFile(), InLog());
  EXPECT_THAT(Findings(), IsEmpty());
  ASSERT_OK(engine_->Flush());
  ASSERT_OK(mirror->CatchUp());
  EXPECT_EQ(InFile(), InLog());
}

TEST_F(SqliteMirrorTest, CheckNamesForeignWritesAndWhatIsBehind) {
  Start();
  ASSERT_OK(Mirror()->CatchUp());
  ASSERT_OK(engine_->Pause(handle_));
  EXPECT_THAT(Findings(), ElementsAre("it is behind: it shows event 1, the log is durable up to event 2"));
  ASSERT_OK(Mirror()->CatchUp());
  Sql("UPDATE indexing_state SET status = 'completed', completed_at = 7");
  EXPECT_THAT(Findings(), ElementsAre("a foreign write: status is completed, the log says paused",
                                      "a foreign write: completed_at is 7, the log says NULL"));
  Sql("DELETE FROM indexing_state");
  EXPECT_THAT(Findings(), ElementsAre("a foreign write: the row is gone"));
  ASSERT_OK(Mirror()->Heal());
  EXPECT_EQ(InFile(), InLog());
  ASSERT_OK(engine_->Reset());
  ASSERT_OK(Mirror()->CatchUp());
  Sql("INSERT INTO indexing_state VALUES (1, 'initial', 'paused', '{}', 1, 2, NULL)");
  EXPECT_THAT(Findings(), ElementsAre(HasSubstr("there is a row")));
  Sql("UPDATE indexing_state SET started_at = 'then'");
  EXPECT_THAT(SqliteMirror::Check(path_, engine_->log()),
              Fails(StatusCode::kInvalidArgument, HasSubstr("started_at is text, not an integer")));
}

TEST_F(SqliteMirrorTest, WhatIsNoMirrorFileIsRefusedByName) {
  EXPECT_THAT(SqliteMirror::Check(path_, engine_->log()), Fails(StatusCode::kNotFound, HasSubstr("does not exist")));
  Sql("CREATE TABLE indexing_state (id INTEGER PRIMARY KEY, status TEXT)");
  EXPECT_THAT(CatchUp(path_), Fails(StatusCode::kFailedPrecondition, HasSubstr("has no column operation_type")));
  std::ofstream(directory_ / "text") << "this is no database, and it is long enough to look like one: "
                                     << std::string(4096, 'x');
  EXPECT_THAT(CatchUp(directory_ / "text"), Fails(StatusCode::kInvalidArgument, testing::_));
  EXPECT_THAT(CatchUp(directory_ / "no/such/dir"), Fails(StatusCode::kNotFound, HasSubstr("No such file")));
}

TEST_F(SqliteMirrorTest, ReadersSeeWholeRowsWhileTheFollowerWrites) {
  Start();
  ASSERT_OK_AND_ASSIGN(const auto follower, MirrorFollower::Start(path_, engine_->log()));
  std::thread writer([&] {
    for (int i = 1; i <= 2000; ++i) EXPECT_OK(engine_->Checkpoint(handle_, {.files_processed = i}));
  });
  for (int i = 0; i < 50; ++i) {
    const std::optional<SingleRow> row = InFile();
    ASSERT_TRUE(row.has_value());
    EXPECT_EQ(row->status, "in_progress");
  }
  writer.join();
  ASSERT_OK(follower->Stop());
  EXPECT_EQ(InFile(), InLog());
  EXPECT_OK(follower->Stop());
}

// An indexer never waits for SQLite: with the file locked, checkpoints go on, and the mirror catches up afterwards.
TEST_F(SqliteMirrorTest, ALockedFileDelaysTheMirrorAndNotTheWriter) {
  Start();
  ASSERT_OK_AND_ASSIGN(const auto follower, MirrorFollower::Start(path_, engine_->log()));
  {
    const auto locker = *SqliteDatabase::Open(path_, "file");
    SqliteTransaction lock(*locker);
    ASSERT_OK(lock.Begin());
    for (int i = 1; i <= 100; ++i) ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = i}));
    EXPECT_NE(InFile(), InLog());
  }
  ASSERT_OK(follower->Stop());
  EXPECT_EQ(InFile(), InLog());
}

}  // namespace
}  // namespace foldlog
