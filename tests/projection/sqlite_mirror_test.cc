// The SQLite mirror: equal to the projection after every change, careful with what is not its own, and never in the
// way of the writer.

#include "engine/projection/sqlite_mirror.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "engine/projection/mirror_follower.h"
#include "engine/projection/row_table.h"
#include "engine/projection/sqlite_reading.h"
#include "tests/support/sqlite_mirror_support.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

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
  EXPECT_EQ(SqliteMirror::Check(path_, engine_->log())->shown, 1u);
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
  EXPECT_THAT(CatchUp(directory_ / "text"), Fails(StatusCode::kInvalidArgument, HasSubstr("give another file")));
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

// Readers of other users could make no -shm, and would be shut out of a file in WAL mode as soon as its writer ends.
TEST_F(SqliteMirrorTest, AFileOfItsOwnHasARollbackJournalAndAFoundOneKeepsItsMode) {
  Start();
  const auto mode_of = [](const std::string& path) {
    const auto database = *SqliteDatabase::Open(path, "file");
    const auto pragma = *database->Prepare("PRAGMA journal_mode");
    SqliteQuery query(*pragma);
    EXPECT_TRUE(*query.Step());
    return query.Bytes(0);
  };
  ASSERT_OK(CatchUp(path_));
  EXPECT_EQ(mode_of(path_), "delete");
  Sql("PRAGMA journal_mode = WAL");
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 1}));
  ASSERT_OK(CatchUp(path_));
  EXPECT_EQ(mode_of(path_), "wal");
  EXPECT_EQ(InFile(), InLog());
}

TEST_F(SqliteMirrorTest, ARefusedFileIsAsItWas) {
  Start();
  Sql("CREATE TABLE indexing_state (id INTEGER PRIMARY KEY CHECK (id = 1), operation_type TEXT, status TEXT, "
      "checkpoint_data TEXT, started_at INTEGER, updated_at INTEGER, completed_at INTEGER); "
      "INSERT INTO indexing_state VALUES (1, 'initial', 'paused', '{}', 1, 2, NULL)");
  const auto bytes = [&] {
    std::ifstream file(path_, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string before = bytes();
  EXPECT_THAT(CatchUp(path_), Fails(StatusCode::kFailedPrecondition, HasSubstr("import it first")));
  EXPECT_EQ(bytes(), before);
}

TEST_F(SqliteMirrorTest, WhatCouldBeNoMirrorIsRefusedBeforeItIsMade) {
  EngineOptions options = DeterministicOptions();
  engine_ = *Engine::Open(directory_ / "log", options);
  Start();
  EXPECT_THAT(CatchUp(directory_ / "log/state.db"),
              Fails(StatusCode::kFailedPrecondition, HasSubstr("in the log's directory")));
  EXPECT_THAT(CatchUp(directory_ / "log/writer.lock"), Fails(StatusCode::kFailedPrecondition, testing::_));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "log/state.db"));
  EXPECT_THAT(CatchUp(directory_.path()), Fails(StatusCode::kFailedPrecondition, HasSubstr("a directory")));
  ASSERT_EQ(mkfifo((directory_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(CatchUp(directory_ / "pipe"), Fails(StatusCode::kFailedPrecondition, HasSubstr("no regular file")));
  ASSERT_OK(CatchUp(path_));
  std::filesystem::create_hard_link(path_, directory_ / "other.db");
  EXPECT_THAT(CatchUp(path_), Fails(StatusCode::kFailedPrecondition, HasSubstr("has 2 names")));
}

TEST_F(SqliteMirrorTest, ATableOfAnOlderProgramIsWrittenWhateverItsKeysAndConstraints) {
  Start();
  Sql("CREATE TABLE Indexing_State (ID INTEGER, operation_type TEXT, status TEXT, checkpoint_data TEXT, "
      "started_at INTEGER, updated_at INTEGER, completed_at INTEGER, note TEXT DEFAULT 'kept')");
  ASSERT_OK(CatchUp(path_));
  Sql("UPDATE indexing_state SET note = 'mine'");
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 1}));
  ASSERT_OK(CatchUp(path_));
  EXPECT_EQ(InFile(), InLog());
  Sql("CREATE TABLE strict AS SELECT * FROM indexing_state WHERE note = 'mine'; DROP TABLE indexing_state; "
      "CREATE TABLE indexing_state (id INTEGER, operation_type TEXT, status TEXT CHECK (status = 'indexing'), "
      "checkpoint_data TEXT, started_at INTEGER, updated_at INTEGER, completed_at INTEGER)");
  EXPECT_THAT(CatchUp(path_), Fails(StatusCode::kFailedPrecondition, HasSubstr("CHECK constraint failed")));
}

// The database behind a path is the one that is there, for readers; writing on into another would be for nobody.
TEST_F(SqliteMirrorTest, AFileThatWasRenamedDeletedOrReplacedIsMadeAnewAtItsPath) {
  Start();
  const auto mirror = Mirror();
  for (const bool wal : {false, true}) {
    ASSERT_OK(mirror->CatchUp());
    if (wal) Sql("PRAGMA journal_mode = WAL");
    std::filesystem::rename(path_, path_ + ".old");
    ASSERT_OK(mirror->CatchUp());
    EXPECT_EQ(InFile(), InLog());
    std::filesystem::remove(path_);
    ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = wal ? 3 : 1}));
    ASSERT_OK(mirror->CatchUp());
    EXPECT_EQ(InFile(), InLog());
    std::filesystem::rename(path_ + ".old", path_);
    ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = wal ? 4 : 2}));
    ASSERT_OK(mirror->CatchUp());
    EXPECT_EQ(InFile(), InLog());
    EXPECT_EQ(mirror->replaced(), wal ? 6 : 3);
  }
}

// A -wal is found by name: that of the file that was there would be played into the backup that took its place.
TEST_F(SqliteMirrorTest, ABackupThatIsPutInPlaceOfAFileInWalModeStaysWhole) {
  Start();
  Sql("PRAGMA journal_mode = WAL; CREATE TABLE photos (a); INSERT INTO photos WITH RECURSIVE n(i) AS "
      "(SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT hex(randomblob(50)) FROM n");
  const auto mirror = Mirror();
  ASSERT_OK(mirror->CatchUp());
  Sql("VACUUM INTO '" + path_ + ".backup'");
  Sql("DELETE FROM photos; CREATE TABLE more AS SELECT * FROM indexing_state");
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 1}));
  ASSERT_OK(mirror->CatchUp());
  ASSERT_GT(std::filesystem::file_size(path_ + "-wal"), 0u);
  std::filesystem::rename(path_ + ".backup", path_);
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 2}));
  ASSERT_OK(mirror->CatchUp());
  EXPECT_EQ(InFile(), InLog());
  const auto database = *SqliteDatabase::Open(path_, "file");
  const auto count = *database->Prepare(
      "SELECT count(*), (SELECT integrity_check FROM pragma_integrity_check) "
      "FROM photos");
  SqliteQuery query(*count);
  ASSERT_TRUE(*query.Step());
  EXPECT_EQ(query.Integer(0), 1000);
  EXPECT_EQ(query.Bytes(1), "ok");
}

TEST_F(SqliteMirrorTest, AForeignFileInItsPlaceIsNotTaken) {
  Start();
  const auto mirror = Mirror();
  ASSERT_OK(mirror->CatchUp());
  std::filesystem::remove(path_);
  Sql("CREATE TABLE indexing_state (id INTEGER PRIMARY KEY CHECK (id = 1), operation_type TEXT, status TEXT, "
      "checkpoint_data TEXT, started_at INTEGER, updated_at INTEGER, completed_at INTEGER); "
      "INSERT INTO indexing_state VALUES (1, 'initial', 'paused', '{}', 1, 2, NULL)");
  EXPECT_THAT(mirror->CatchUp(), Fails(StatusCode::kFailedPrecondition, HasSubstr("import it first")));
  EXPECT_EQ(InFile()->status, "paused");
  std::filesystem::remove(path_);
  ASSERT_OK(mirror->CatchUp());
  EXPECT_EQ(InFile(), InLog());
}

TEST_F(SqliteMirrorTest, AnotherFileBehindASymbolicLinkIsNoticed) {
  Start();
  std::filesystem::create_symlink(directory_ / "one.db", path_);
  const auto mirror = Mirror();
  ASSERT_OK(mirror->CatchUp());
  std::filesystem::remove(path_);
  std::filesystem::create_symlink(directory_ / "two.db", path_);
  ASSERT_OK(mirror->CatchUp());
  EXPECT_EQ(InFile(), InLog());
  EXPECT_EQ(mirror->replaced(), 1);
}

}  // namespace
}  // namespace foldlog
