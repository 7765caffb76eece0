// Logs on disk: what may be opened and what is refused, and bad files.

#include "foldlog/log_directory.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <list>

#include "engine/base/file_system.h"
#include "foldlog/history.h"
#include "tests/support/child_process.h"
#include "tests/support/file_bytes.h"
#include "tests/support/log_directory_fixture.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

class LogDirectoryTest : public LogDirectoryFixture {};

TEST_F(LogDirectoryTest, HoldsTheFilesThatFormatMdLists) {
  MakeLog(1);
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(log_dir_)) names.insert(entry.path().filename());
  EXPECT_THAT(names, testing::ElementsAre("log.mdb", "snapshots", "tail", "tail-shm", "writer.lock"));
}

TEST_F(LogDirectoryTest, ParentsAreCreated) {
  EXPECT_OK(OpenLogForWriting(directory_ / "a/b/c"));
  EXPECT_OK(OpenLogForWriting(directory_ / "a/b/d/"));
}

TEST_F(LogDirectoryTest, WhatTheSystemPutsIntoDirectoriesIsNoReasonToRefuse) {
  for (const char* name :
       {"lost+found", ".DS_Store", ".Trash-1000", "Thumbs.db", "desktop.ini", ".directory", ".nfs000000000012"}) {
    const std::string directory = directory_ / "with " + name;
    std::filesystem::create_directories(directory + "/" + name);
    EXPECT_OK(OpenLogForWriting(directory, SmallTail())) << name;
    EXPECT_TRUE(std::filesystem::exists(directory + "/" + name));
  }
  std::filesystem::create_directories(log_dir_ + "/lost+found");
  std::ofstream(log_dir_ + "/letter.txt") << "dear";
  EXPECT_THAT(OpenLogForWriting(log_dir_), Fails(StatusCode::kFailedPrecondition, HasSubstr("letter.txt")));
}

// A parent that others may pass through and not read, as home directories often are.
TEST_F(LogDirectoryTest, FirstOpeningWorksBelowAParentThatCannotBeRead) {
  if (getuid() != 0) GTEST_SKIP() << "needs root, to make a directory that is another user's";
  std::filesystem::create_directories(log_dir_);
  ASSERT_EQ(chown(log_dir_.c_str(), 65534, 65534), 0);
  EXPECT_EQ(InChild([&] {
              if (chdir(directory_.path().c_str()) != 0 || chmod(".", 0711) != 0) return 9;
              if (setgid(65534) != 0 || setuid(65534) != 0) return 8;
              if (!absl::IsPermissionDenied(SyncDirectory("."))) return 7;
              const auto log = OpenLogForWriting("log", SmallTail());
              if (!log.ok()) std::cerr << log.status() << "\n";
              if (!log.ok()) return 1;
              return OpenLogForWriting("log/below/it", SmallTail()).ok() ? 0 : 2;
            }),
            0);
}

TEST_F(LogDirectoryTest, LogThatHasLostItsFileIsNotTakenForANewOne) {
  MakeLog(1);
  std::filesystem::remove(log_dir_ + "/log.mdb");
  const auto lost = Fails(StatusCode::kDataLoss, HasSubstr("has lost its file \"log.mdb\""));
  EXPECT_THAT(OpenLogForReading(log_dir_), lost);
  EXPECT_THAT(OpenLogForWriting(log_dir_), lost);
  EXPECT_FALSE(std::filesystem::exists(log_dir_ + "/log.mdb"));
}

TEST_F(LogDirectoryTest, CreateOptionsAreKept) {
  EXPECT_THAT(OpenLogForWriting(log_dir_, {.create = LogDirectoryOptions::Create::kNever}),
              Fails(StatusCode::kNotFound, HasSubstr("no log at")));
  EXPECT_THAT(OpenLogForReading(log_dir_), Fails(StatusCode::kNotFound, HasSubstr("no log at")));
  EXPECT_THAT(InspectWriter(log_dir_), Fails(StatusCode::kNotFound, HasSubstr("no log at")));
  EXPECT_FALSE(std::filesystem::exists(log_dir_));
  EXPECT_OK(OpenLogForWriting(log_dir_, {.create = LogDirectoryOptions::Create::kMustBeNew}));
  EXPECT_THAT(OpenLogForWriting(log_dir_, {.create = LogDirectoryOptions::Create::kMustBeNew}),
              Fails(StatusCode::kFailedPrecondition, HasSubstr("already")));
  EXPECT_OK(OpenLogForWriting(log_dir_, {.create = LogDirectoryOptions::Create::kNever}));
  EXPECT_THAT(OpenLogForWriting(""), Fails(StatusCode::kInvalidArgument, testing::_));
}

TEST_F(LogDirectoryTest, LinkThatLeadsNowhereIsRefusedAsSuch) {
  std::filesystem::create_symlink("nowhere", log_dir_);
  EXPECT_THAT(OpenLogForWriting(log_dir_), Fails(StatusCode::kFailedPrecondition, HasSubstr("leads nowhere")));
  std::filesystem::create_directory(directory_ / "nowhere");
  EXPECT_OK(OpenLogForWriting(log_dir_));
}

TEST_F(LogDirectoryTest, FileInPlaceOfTheDirectoryIsRefused) {
  WriteFile(log_dir_, "x");
  EXPECT_THAT(OpenLogForWriting(log_dir_), Fails(StatusCode::kFailedPrecondition, HasSubstr("not a directory")));
  EXPECT_THAT(OpenLogForReading(log_dir_), Fails(StatusCode::kFailedPrecondition, HasSubstr("not a directory")));
  EXPECT_THAT(OpenLogForWriting(log_dir_ + "/below"), Fails(StatusCode::kFailedPrecondition, HasSubstr("create")));
}

TEST_F(LogDirectoryTest, DirectoryOfSomebodyElseIsRefusedAndLeftAlone) {
  WriteFile(directory_ / "thesis.tex", "x");
  EXPECT_THAT(OpenLogForWriting(directory_.path()),
              Fails(StatusCode::kFailedPrecondition, AllOf(HasSubstr("not a foldlog log"), HasSubstr("thesis.tex"))));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path()), {}), 1);
}

TEST_F(LogDirectoryTest, UnfinishedCreationIsFinished) {
  std::filesystem::create_directory(log_dir_);
  WriteFile(log_dir_ + "/writer.lock", "half a rec");
  WriteFile(log_dir_ + "/log.mdb.new", "half a file");
  EXPECT_OK(OpenLogForWriting(log_dir_));
  EXPECT_FALSE(std::filesystem::exists(log_dir_ + "/log.mdb.new"));
}

TEST_F(LogDirectoryTest, FileUnderTwoNamesIsNotWrittenTo) {
  MakeLog(1);
  std::filesystem::create_directory(directory_ / "copy");
  std::filesystem::create_hard_link(log_dir_ + "/log.mdb", directory_ / "copy/log.mdb");
  std::filesystem::copy_file(log_dir_ + "/tail", directory_ / "copy/tail");
  EXPECT_THAT(OpenLogForWriting(directory_ / "copy"), Fails(StatusCode::kFailedPrecondition, HasSubstr("hard links")));
  EXPECT_THAT(OpenLogForWriting(log_dir_), Fails(StatusCode::kFailedPrecondition, HasSubstr("hard links")));
  EXPECT_OK(OpenLogForReading(directory_ / "copy"));
  std::filesystem::remove(directory_ / "copy/log.mdb");
  EXPECT_OK(OpenLogForWriting(log_dir_));
  std::filesystem::create_symlink(log_dir_ + "/log.mdb", directory_ / "copy/log.mdb");
  EXPECT_THAT(OpenLogForWriting(directory_ / "copy"), Fails(StatusCode::kFailedPrecondition, HasSubstr("log.mdb")));
}

// Two logs would write their events over one another's.
TEST_F(LogDirectoryTest, TailUnderTwoNamesIsNotWrittenTo) {
  MakeLog(1);
  std::filesystem::create_directory(directory_ / "copy");
  std::filesystem::copy_file(log_dir_ + "/log.mdb", directory_ / "copy/log.mdb");
  std::filesystem::create_hard_link(log_dir_ + "/tail", directory_ / "copy/tail");
  for (const std::string& log : {log_dir_, directory_ / "copy"}) {
    EXPECT_THAT(OpenLogForWriting(log),
                Fails(StatusCode::kFailedPrecondition, AllOf(HasSubstr("/tail"), HasSubstr("hard links"))));
    EXPECT_OK(OpenLogForReading(log));
  }
  std::filesystem::remove(directory_ / "copy/tail");
  EXPECT_OK(OpenLogForWriting(log_dir_));
}

TEST_F(LogDirectoryTest, TrailingSlashesNameTheSameLog) {
  ASSERT_OK_AND_ASSIGN(const WritableLog log, OpenLogForWriting(log_dir_ + "///"));
  EXPECT_EQ(log.log->name(), log_dir_);
  EXPECT_OK(OpenLogForReading(log_dir_ + "/"));
}

TEST_F(LogDirectoryTest, ReaderRefusesToWrite) {
  MakeLog(0);
  ASSERT_OK_AND_ASSIGN(auto reader, OpenLogForReading(log_dir_));
  const FrameRun run = RunAfter(reader->Extent()->end, {CheckpointEvent(1)});
  const auto refused = Fails(StatusCode::kFailedPrecondition, HasSubstr("for reading only"));
  EXPECT_THAT(reader->Append(run, Space::kUnreserved), refused);
  EXPECT_THAT(reader->PutSnapshot({reader->Extent()->end, {1}}), refused);
  EXPECT_THAT(reader->Sync(1), refused);
}

TEST_F(LogDirectoryTest, DamagedFilesAreDataLossAndNeverACrash) {
  MakeLog(50);
  const std::string file = log_dir_ + "/log.mdb";
  const std::string good = ReadFile(file);
  std::mt19937_64 random(TestSeed());
  int refused = 0;
  for (int i = 0; i < 150; ++i) {
    std::string bad = good;
    for (int flips = 0; flips < 3; ++flips) bad[random() % bad.size()] ^= static_cast<char>(1 << (random() % 8));
    if (i % 10 == 0) bad.resize(random() % bad.size());
    WriteFile(file, bad);
    const int code = InChild([&] {
      auto log = OpenLogForReading(log_dir_);
      if (!log.ok()) return 1;
      ReadHistory(**log).IgnoreError();
      auto engine = Engine::Open(log_dir_);
      if (engine.ok()) (*engine)->Reset().IgnoreError();
      return 0;
    });
    ASSERT_GE(code, 0) << "killed by a signal";
    refused += code;
  }
  EXPECT_GT(refused, 10);
}

TEST_F(LogDirectoryTest, EmptyFileIsDamageNotANewLog) {
  MakeLog(1);
  WriteFile(log_dir_ + "/log.mdb", "");
  EXPECT_THAT(OpenLogForReading(log_dir_), Fails(StatusCode::kDataLoss, HasSubstr("log.mdb")));
  EXPECT_THAT(OpenLogForWriting(log_dir_), Fails(StatusCode::kDataLoss, HasSubstr("log.mdb")));
}

TEST_F(LogDirectoryTest, FileThatIsNoLmdbIsRefused) {
  MakeLog(1);
  WriteFile(log_dir_ + "/log.mdb", std::string(100000, 'x'));
  EXPECT_FALSE(OpenLogForReading(log_dir_).ok());
  std::filesystem::remove(log_dir_ + "/log.mdb");
  std::filesystem::create_directory(log_dir_ + "/log.mdb");
  EXPECT_THAT(OpenLogForReading(log_dir_), Fails(StatusCode::kFailedPrecondition, HasSubstr("not a regular file")));
}

// As the user `nobody`, if this is run by root, whom no permission stops.
TEST_F(LogDirectoryTest, DirectoryThatIsNotWritableIsRefusedAndLogsInItCanBeRead) {
  MakeLog(2);
  chmod(directory_.path().c_str(), 0755);
  for (const auto& entry : std::filesystem::directory_iterator(log_dir_)) {
    chmod(entry.path().c_str(), 0444);
  }
  chmod(log_dir_.c_str(), 0555);
  std::filesystem::create_directory(directory_ / "fixed");
  chmod((directory_ / "fixed").c_str(), 0555);
  EXPECT_EQ(InChild([&] {
              // The way to the directory may be closed to others: enter it first.
              if (chdir(directory_.path().c_str()) != 0) return 9;
              if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) return 8;
              if (!absl::IsPermissionDenied(OpenLogForWriting("log").status())) return 1;
              if (!absl::IsPermissionDenied(OpenLogForWriting("fixed/new").status())) return 2;
              if (!absl::IsPermissionDenied(OpenLogForWriting("fixed").status())) return 3;
              auto log = OpenLogForReading("log");
              if (!log.ok()) std::cerr << log.status() << "\n";
              return log.ok() && ReadHistory(**log)->size() == 1 ? 0 : 4;
            }),
            0);
  chmod(log_dir_.c_str(), 0755);
}

}  // namespace
}  // namespace foldlog
