// Logs on disk: what may be opened and what is refused; writers, readers and children in other processes; bad files.

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
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

class LogDirectoryTest : public testing::Test {
 protected:
  TempDir directory_;
  const std::string log_dir_;

  LogDirectoryTest() : log_dir_(directory_ / "log") {}

  // A log with one operation in progress and `checkpoints` checkpoints, closed again.
  void MakeLog(int checkpoints) {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, SmallTailOptions()));
    ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
    for (int i = 1; i <= checkpoints; ++i) ASSERT_OK(engine->Checkpoint(handle, {.files_processed = i}));
  }
};

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

TEST_F(LogDirectoryTest, SecondWriterIsRefusedAndToldWhoTheFirstIs) {
  ASSERT_OK_AND_ASSIGN(const WritableLog first, OpenLogForWriting(log_dir_));
  const auto refused = Fails(StatusCode::kFailedPrecondition,
                             AllOf(HasSubstr("being written by"), HasSubstr("process " + std::to_string(getpid()))));
  EXPECT_THAT(OpenLogForWriting(log_dir_), refused);
  EXPECT_EQ(InChild([&] { return absl::IsFailedPrecondition(OpenLogForWriting(log_dir_).status()) ? 7 : 1; }), 7);
  ASSERT_OK_AND_ASSIGN(const WriterInfo info, InspectWriter(log_dir_));
  EXPECT_TRUE(info.held);
  EXPECT_EQ(info.writer, first.self);
}

TEST_F(LogDirectoryTest, WriterOnlyOpensAgainAfterTheFirstCloses) {
  { ASSERT_OK(OpenLogForWriting(log_dir_)); }
  ASSERT_OK_AND_ASSIGN(const WritableLog second, OpenLogForWriting(log_dir_));
  EXPECT_EQ(second.previous.closed_cleanly.size(), 1u);
  EXPECT_EQ(second.previous.closed_cleanly.back(), second.previous.writer->instance);
  EXPECT_FALSE(second.previous.held);
}

// Who only looks must not wipe out how the owner of the operation ended.
TEST_F(LogDirectoryTest, EvidenceOutlivesOpeningsThatChangeNothing) {
  MakeLog(1);
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_));
    EXPECT_EQ(engine->interruption(), OwnerFate::kClosedWithoutEnd);
  }
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
  EXPECT_EQ(ParentOf("a/b"), "a");
  EXPECT_EQ(ParentOf("b"), ".");
  EXPECT_EQ(ParentOf("/b"), "/");
  EXPECT_EQ(ParentOf("a//b"), "a");
}

TEST_F(LogDirectoryTest, ReadersInThisProcessShareTheWritersFile) {
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_));
  ASSERT_OK_AND_ASSIGN(auto reader, OpenLogForReading(log_dir_));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
  EXPECT_EQ(ReadAll(*reader).size(), 1u);
  reader.reset();
  EXPECT_OK(engine->Checkpoint(handle, {.files_processed = 1}));
  engine.reset();
  ASSERT_OK_AND_ASSIGN(reader, OpenLogForReading(log_dir_));
  ASSERT_OK_AND_ASSIGN(engine, Engine::Open(log_dir_));
  ASSERT_OK(engine->Reset());
  EXPECT_EQ(ReadAll(*reader).size(), 3u);
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

// Opens anew each time, for opening must work in the middle of a commit, too; returns when `events` were seen.
int ReadUntil(const std::string& directory, Sequence events) {
  for (Sequence seen = 0; seen < events;) {
    const auto log = OpenLogForReading(directory);
    if (!log.ok()) {
      std::cerr << log.status() << "\n";
      return 2;
    }
    EventReader reader(**log, 1);
    for (auto event = reader.Next(); event.ok() && *event; event = reader.Next()) seen = (*event)->sequence;
    if (const auto end = reader.Next(); !end.ok()) {
      std::cerr << end.status() << "\n";
      return 3;
    }
  }
  return 0;
}

TEST_F(LogDirectoryTest, ReadersInOtherProcessesSeeWholeChainsWhileTheWriterWrites) {
  constexpr Sequence kEvents = 1000;
  MakeLog(0);
  std::list<Helper> readers;
  for (int i = 0; i < 3; ++i) readers.emplace_back([&] { return ReadUntil(log_dir_, kEvents); });
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Resume(engine->state().operation->operation_id));
  while (engine->state().sequence < kEvents) {
    ASSERT_OK(engine->Checkpoint(handle, {.files_processed = 1, .current_path = std::string(100, 'p')}));
  }
  for (Helper& reader : readers) EXPECT_EQ(reader.Wait(), 0);
}

TEST_F(LogDirectoryTest, ChildOfForkIsRefusedAndDoesNoHarm) {
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
  EXPECT_EQ(InChild([&] {
              const absl::Status refused = engine->Checkpoint(handle, {.files_processed = 1});
              const bool told = absl::IsFailedPrecondition(refused) &&
                                std::string(refused.message()).find("write there, or open the log anew here after") !=
                                    std::string::npos;
              const bool no_reading = !engine->log().Extent().ok();
              engine.reset();
              return told && no_reading ? 0 : 1;
            }),
            0);
  EXPECT_OK(engine->Checkpoint(handle, {.files_processed = 2}));
  EXPECT_TRUE(InspectWriter(log_dir_)->held);
}

TEST_F(LogDirectoryTest, ChildOfForkCanOpenTheLogForItself) {
  MakeLog(1);
  ASSERT_OK_AND_ASSIGN(auto reader, OpenLogForReading(log_dir_));
  EXPECT_EQ(InChild([&] { return ReadHistory(**OpenLogForReading(log_dir_))->size() == 1 ? 0 : 1; }), 0);
  EXPECT_EQ(InChild([&] { return Engine::Open(log_dir_).ok() ? 0 : 1; }), 0);
  EXPECT_EQ(ReadAll(*reader).size(), 2u);
}

// A helper that an indexer forked must not keep the log locked after the indexer's death.
TEST_F(LogDirectoryTest, ForkedChildDoesNotInheritTheWriterLock) {
  ASSERT_OK_AND_ASSIGN(WritableLog log, OpenLogForWriting(log_dir_));
  const Helper helper(SleepForever);
  log.log.reset();
  EXPECT_OK(OpenLogForWriting(log_dir_));
}

TEST_F(LogDirectoryTest, NoDescriptorSurvivesExec) {
  ASSERT_OK_AND_ASSIGN(const WritableLog log, OpenLogForWriting(log_dir_));
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry.path(), gone);
    if (gone || target.find(log_dir_) == std::string::npos) continue;
    EXPECT_TRUE(fcntl(std::stoi(entry.path().filename()), F_GETFD) & FD_CLOEXEC) << target;
  }
}

TEST_F(LogDirectoryTest, KilledWriterLeavesEvidenceAndItsOperationIsResumed) {
  ASSERT_EQ(InChild([&] {
              auto engine = Engine::Open(log_dir_);
              if (!engine.ok()) return 1;
              auto handle = (*engine)->Start({});
              if (!handle.ok() || !(*engine)->Checkpoint(*handle, {.files_processed = 5}).ok()) return 1;
              kill(getpid(), SIGKILL);
              return 1;
            }),
            -1);
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_));
  EXPECT_EQ(engine->interruption(), OwnerFate::kProcessDied);
  const std::string id = engine->state().operation->operation_id;
  EXPECT_THAT(engine->Start({}), Fails(StatusCode::kFailedPrecondition, HasSubstr("is gone: resume it")));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Resume(id));
  EXPECT_EQ(handle.epoch, 2u);
  EXPECT_FALSE(engine->interruption().has_value());
  EXPECT_EQ(std::get<Recovered>(ReadAll(engine->log()).back().event.body).evidence, Evidence::kProcessDied);
  EXPECT_EQ(engine->state().operation->files_processed, 5);
}

// A snapshot after each event makes every second commit one of a table that holds no events.
int CheckpointUntilKilled(const std::string& directory) {
  auto engine = Engine::Open(directory, {.snapshot_interval_events = 1});
  if (!engine.ok()) return 1;
  auto handle = (*engine)->Resume((*engine)->state().operation->operation_id);
  if (!handle.ok()) return 2;
  while ((*engine)->Checkpoint(*handle, {.files_processed = 1}).ok()) {
  }
  return 3;
}

// A writer killed in the middle of a commit may leave a transaction of which a reader has seen a part.
TEST_F(LogDirectoryTest, WriterKilledBesideAReaderLeavesNothingStale) {
  std::mt19937_64 random(TestSeed());
  MakeLog(0);
  const Helper reader([&] {
    const auto log = OpenLogForReading(log_dir_);
    return log.ok() ? SleepForever() : 1;
  });
  for (int life = 0; life < 60; ++life) {
    Helper writer([&] { return CheckpointUntilKilled(log_dir_); });
    usleep(static_cast<useconds_t>(5000 + random() % 10000));
    const int status = writer.Kill();
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer stopped in life " << life << " with exit " << WEXITSTATUS(status);
  }
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_));
  EXPECT_EQ(ReadAll(engine->log()).size(), engine->state().sequence);
}

TEST_F(LogDirectoryTest, LogClosedWithoutAnEndIsToldApartFromADeath) {
  MakeLog(1);
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_));
  EXPECT_EQ(engine->interruption(), OwnerFate::kClosedWithoutEnd);
  ASSERT_OK(engine->Resume(engine->state().operation->operation_id));
  EXPECT_EQ(std::get<Recovered>(ReadAll(engine->log()).back().event.body).evidence, Evidence::kClosedWithoutEnd);
}

TEST_F(LogDirectoryTest, ScriptOnAnotherMachineIsRecoveredByForceOnly) {
  EngineOptions elsewhere;
  elsewhere.on_behalf_of = DescribeThisProcess("elsewhere");
  elsewhere.on_behalf_of->boot_id = "other";
  elsewhere.on_behalf_of->machine_id = "other";
  elsewhere.on_behalf_of->holds_log = false;
  std::string id;
  {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, elsewhere));
    ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
    id = handle.operation_id;
  }
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_));
  EXPECT_EQ(engine->interruption(), OwnerFate::kUnknown);
  EXPECT_THAT(engine->Resume(id), Fails(StatusCode::kFailedPrecondition, HasSubstr("by force, with a reason")));
  ASSERT_OK(engine->RecoverByForce(id, "moved the disk"));
  const auto event = ReadAll(engine->log()).back();
  EXPECT_EQ(std::get<Recovered>(event.event.body).evidence, Evidence::kForced);
  EXPECT_EQ(std::get<Recovered>(event.event.body).reason, "moved the disk");
}

TEST_F(LogDirectoryTest, RebootIsRecordedAsEvidence) {
  EngineOptions earlier;
  earlier.on_behalf_of = DescribeThisProcess("earlier");
  earlier.on_behalf_of->boot_id = "before the reboot";
  if (earlier.on_behalf_of->machine_id.empty()) return;  // cannot be proven on such a machine: see OwnerTest
  {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, earlier));
    ASSERT_OK(engine->Start({}));
  }
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_));
  ASSERT_OK(engine->Resume(engine->state().operation->operation_id));
  EXPECT_EQ(std::get<Recovered>(ReadAll(engine->log()).back().event.body).evidence, Evidence::kMachineRebooted);
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

TEST_F(LogDirectoryTest, NetworkFileSystemsAreRefusedByName) {
  EXPECT_EQ(UnsupportedFileSystem(0x6969), "NFS");
  EXPECT_EQ(UnsupportedFileSystem(static_cast<int>(0xff534d42)), "SMB");  // f_type may be sign-extended
  EXPECT_EQ(UnsupportedFileSystem(0x65735546), "FUSE");
  for (const long local : {0xef53L, 0x58465342L, 0x9123683eL, 0x01021994L, 0x794c7630L}) {
    EXPECT_FALSE(UnsupportedFileSystem(local).has_value());
  }
  for (const long remote :
       {0x5346414fL, 0x73757245L, 0x00c36400L, 0x01021997L, 0x0bd00bd0L, 0x01161970L, 0x7461636fL}) {
    EXPECT_TRUE(UnsupportedFileSystem(remote).has_value());
  }
  EXPECT_THAT(CheckFileSystem(log_dir_), Fails(StatusCode::kNotFound, testing::_));
}

TEST_F(LogDirectoryTest, ErrnosSayWhatToDoNext) {
  EXPECT_THAT(ErrnoStatus(ENOSPC, "write"), Fails(StatusCode::kResourceExhausted, HasSubstr("cannot write: No space")));
  EXPECT_THAT(ErrnoStatus(EFBIG, "write"), Fails(StatusCode::kResourceExhausted, HasSubstr("ulimit -f")));
  EXPECT_THAT(ErrnoStatus(EDQUOT, "write"), Fails(StatusCode::kResourceExhausted, HasSubstr("quota")));
  EXPECT_THAT(ErrnoStatus(EIO, "write"), Fails(StatusCode::kUnavailable, testing::_));
  EXPECT_THAT(ErrnoStatus(EACCES, "write"), Fails(StatusCode::kPermissionDenied, testing::_));
  EXPECT_THAT(ErrnoStatus(ENOENT, "write"), Fails(StatusCode::kNotFound, testing::_));
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
