// Backups from both sides: what continues the log is taken, and nothing else; and what comes back is the log.

#include "foldlog/backup.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "engine/log/copy_writer.h"
#include "foldlog/engine.h"
#include "foldlog/event_index.h"
#include "foldlog/verify.h"
#include "tests/support/file_bytes.h"
#include "tests/support/log_directory_fixture.h"
#include "tests/support/random_driver.h"
#include "tests/support/small_disk.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

class BackupTest : public LogDirectoryFixture {
 protected:
  BackupTest() : random_(TestSeed()) {}

  // Operations of all kinds, appended to the log and made durable.
  void Go(const std::string& log, int steps) {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log, SmallTailOptions()));
    RandomDriver driver(*engine, random_);
    for (int i = 0; i < steps; ++i) driver.Step();
    ASSERT_OK(engine->Flush());
    ASSERT_OK(engine->Close());
  }

  absl::StatusOr<BackupReport> BackUp() { return Backup(log_dir_, backup_, {.tail_bytes = 65536}); }

  static std::vector<RecordedEvent> Events(const std::string& directory) {
    const auto log = OpenLogForReading(directory);
    EXPECT_OK(log);
    return log.ok() ? ReadAll(**log) : std::vector<RecordedEvent>();
  }

  static void ExpectSound(const std::string& directory) {
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, Verify(directory));
    for (const VerifyFinding& finding : report.findings) ADD_FAILURE() << finding.message;
  }

  static ChainEnd EndOf(const std::string& directory) { return (*(*OpenLogForReading(directory))->Extent()).end; }

  const std::string backup_ = directory_ / "backup";
  const std::string restored_ = directory_ / "restored";
  std::mt19937_64 random_;
};

TEST_F(BackupTest, FirstCallCopiesAllAndLaterOnesWhatIsNew) {
  Go(log_dir_, 60);
  ASSERT_OK_AND_ASSIGN(const BackupReport first, BackUp());
  EXPECT_TRUE(first.created);
  EXPECT_EQ(first.before.sequence, 0U);
  EXPECT_EQ(first.end, EndOf(log_dir_));
  EXPECT_EQ(Events(backup_), Events(log_dir_));
  Go(log_dir_, 30);
  ASSERT_OK_AND_ASSIGN(const BackupReport second, BackUp());
  EXPECT_FALSE(second.created);
  EXPECT_EQ(second.before, first.end);
  EXPECT_EQ(second.end, EndOf(log_dir_));
  EXPECT_GT(second.events(), 0U);
  EXPECT_EQ(Events(backup_), Events(log_dir_));
  ExpectSound(backup_);
}

TEST_F(BackupTest, NothingNewWritesNothing) {
  Go(log_dir_, 20);
  ASSERT_OK(BackUp());
  const std::string before = ReadFile(backup_ + "/log.mdb") + ReadFile(backup_ + "/tail");
  ASSERT_OK_AND_ASSIGN(const BackupReport again, BackUp());
  EXPECT_EQ(again.events(), 0U);
  EXPECT_EQ(again.end, EndOf(log_dir_));
  EXPECT_EQ(ReadFile(backup_ + "/log.mdb") + ReadFile(backup_ + "/tail"), before);
}

TEST_F(BackupTest, EmptyLogHasABackup) {
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, SmallTailOptions()));
  ASSERT_OK_AND_ASSIGN(const BackupReport report, BackUp());
  EXPECT_EQ(report.end.sequence, 0U);
  ASSERT_OK(engine->Start({}));
  ASSERT_OK(BackUp());
  EXPECT_EQ(Events(backup_), Events(log_dir_));
}

TEST_F(BackupTest, LogIsOnlyRead) {
  Go(log_dir_, 20);
  const auto files = [&] {
    std::string all;
    for (const char* name : {"/log.mdb", "/tail", "/writer.lock", "/tail-shm"}) all += ReadFile(log_dir_ + name);
    return all;
  };
  const std::string before = files();
  ASSERT_OK(BackUp());
  EXPECT_EQ(files(), before);
}

// The tail holds more than is durable: its writer dies, and a power cut could take what the kernel still has.
TEST_F(BackupTest, WhatIsNotDurableIsLeftForTheNextCall) {
  Go(log_dir_, 10);
  const Sequence durable = EndOf(log_dir_).sequence + 1;
  const pid_t child = fork();
  if (child == 0) {
    EngineOptions options = SmallTailOptions();
    options.directory.flush_interval = std::chrono::hours(1);
    auto engine = Engine::Open(log_dir_, options);
    if (!engine.ok() || !(*engine)->Reset("begin").ok()) _exit(1);
    const auto handle = (*engine)->Start({});
    for (int i = 1; i <= 5; ++i) {
      if (!handle.ok() || !(*engine)->Checkpoint(*handle, {.files_processed = i}).ok()) _exit(2);
    }
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  ASSERT_OK_AND_ASSIGN(const BackupReport report, BackUp());
  EXPECT_EQ(report.end.sequence, durable + 1);  // the reset and the start, which are waited for
  EXPECT_EQ(report.not_durable, 5U);
  Go(log_dir_, 0);  // a writer opens it and makes them durable
  ASSERT_OK_AND_ASSIGN(const BackupReport next, BackUp());
  EXPECT_EQ(next.not_durable, 0U);
  EXPECT_EQ(Events(backup_), Events(log_dir_));
}

TEST_F(BackupTest, BackupOfAnotherLogIsRefused) {
  Go(log_dir_, 5);
  Go(backup_, 5);
  EXPECT_THAT(BackUp(), Fails(StatusCode::kFailedPrecondition, HasSubstr("holds another log than")));
}

TEST_F(BackupTest, BackupThatAnEngineWroteToHasDiverged) {
  Go(log_dir_, 20);
  ASSERT_OK(BackUp());
  {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(backup_, SmallTailOptions()));
    ASSERT_OK(engine->Reset("somebody takes the backup for the log"));
  }
  const std::string before = ReadFile(backup_ + "/log.mdb");
  const ChainEnd there = EndOf(backup_);
  // Longer than the log …
  EXPECT_THAT(BackUp(), Fails(StatusCode::kFailedPrecondition, HasSubstr("is longer than the log")));
  // … and not what the log has there.
  {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, SmallTailOptions()));
    ASSERT_OK(engine->Reset("the log itself"));
  }
  const ChainEnd here = EndOf(log_dir_);
  ASSERT_EQ(here.sequence, there.sequence);
  char hash[20];
  for (const ChainEnd& end : {here, there}) {
    snprintf(hash, sizeof hash, "%016llx", static_cast<unsigned long long>(end.hash));
    EXPECT_THAT(BackUp(), Fails(StatusCode::kFailedPrecondition, HasSubstr(hash)));
  }
  {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, SmallTailOptions()));
    ASSERT_OK(engine->Start({}));
  }
  EXPECT_THAT(BackUp(), Fails(StatusCode::kFailedPrecondition, HasSubstr("have diverged: event")));
  EXPECT_EQ(ReadFile(backup_ + "/log.mdb"), before);
}

TEST_F(BackupTest, BackupThatIsLongerAndDivergedIsRefusedWithBothHashes) {
  Go(log_dir_, 10);
  ASSERT_OK(BackUp());
  Go(backup_, 40);
  {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, SmallTailOptions()));
    ASSERT_OK(engine->Reset("its own way"));
  }
  ASSERT_GT(EndOf(backup_).sequence, EndOf(log_dir_).sequence);
  EXPECT_THAT(BackUp(), Fails(StatusCode::kFailedPrecondition, HasSubstr("have diverged: event")));
}

TEST_F(BackupTest, OneWriterAtATimeAndNeverTheLogItself) {
  Go(log_dir_, 10);
  ASSERT_OK(BackUp());
  EXPECT_THAT(Backup(log_dir_, log_dir_ + "/"), Fails(StatusCode::kFailedPrecondition, HasSubstr("is the log itself")));
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(backup_, SmallTailOptions()));
  EXPECT_THAT(BackUp(), Fails(StatusCode::kFailedPrecondition, HasSubstr("is being written by")));
}

TEST_F(BackupTest, DirectoryOfOtherFilesIsLeftAlone) {
  Go(log_dir_, 10);
  std::filesystem::create_directory(backup_);
  std::ofstream(backup_ + "/photo.jpg") << "x";
  EXPECT_THAT(BackUp(), Fails(StatusCode::kFailedPrecondition, HasSubstr("photo.jpg")));
  EXPECT_THAT(Backup(directory_ / "none", backup_), Fails(StatusCode::kNotFound, HasSubstr("none")));
}

TEST_F(BackupTest, DamageOfTheLogIsNotSpread) {
  Go(log_dir_, 40);
  std::string bytes = ReadFile(log_dir_ + "/log.mdb");
  for (const char* magic : {"FLGZ", "FLG1"}) {
    for (std::size_t at = bytes.find(magic); at != std::string::npos; at = bytes.find(magic, at + 1))
      bytes[at + 60] ^= 1;
  }
  WriteFile(log_dir_ + "/log.mdb", bytes);
  EXPECT_THAT(BackUp(), Fails(StatusCode::kDataLoss, testing::_));
  ExpectSound(backup_);
}

// A log that was pruned, and one that was not: as far as backups go, they differ in their base.
class PrunedBackupTest : public BackupTest {
 protected:
  PrunedBackupTest() {
    std::vector<Event> events = {{1, 1, Started{.operation_id = "a"}}};
    for (int i = 1; i < 20; ++i) events.push_back(CheckpointEvent(i));
    run_ = RunAfter({0, GenesisHash(id_)}, events);
  }

  // The events from `from` to `through` as a log.
  void Make(const std::string& directory, Sequence from, Sequence through) {
    FrameRun part{.words = {}, .before = run_.before, .after = run_.before};
    for (std::span<const std::uint64_t> rest = run_.words; !rest.empty();) {
      const FrameView frame = *FrameAtStartOf(rest);
      const auto words = rest.first(frame.size_words());
      if (frame.header.sequence < from) part.before = frame.end();
      if (frame.header.sequence <= through) part.after = frame.end();
      const bool wanted = frame.header.sequence >= from && frame.header.sequence <= through;
      if (wanted) part.words.insert(part.words.end(), words.begin(), words.end());
      rest = rest.subspan(words.size());
    }
    ASSERT_OK_AND_ASSIGN(
        const auto copy,
        CopyWriter::Create(directory, {.log_id = id_, .base = part.before, .tail_bytes = 65536}, NewEventIndexer()));
    ASSERT_OK(copy->Append(SpanOf(part)));
    ASSERT_OK(copy->Finish());
  }

  const LogId id_ = {5};
  FrameRun run_;
};

TEST_F(PrunedBackupTest, BackupMayKeepWhatTheLogHasPruned) {
  Make(log_dir_, 8, 20);
  Make(backup_, 1, 10);
  ASSERT_OK_AND_ASSIGN(const BackupReport report, BackUp());
  EXPECT_EQ(report.events(), 10U);
  EXPECT_EQ(report.base.sequence, 0U);
  EXPECT_EQ(Events(backup_).size(), 20U);
  ExpectSound(backup_);
}

TEST_F(PrunedBackupTest, BackupThatEndsWhereTheLogBeginsGoesOn) {
  Make(log_dir_, 8, 20);
  Make(backup_, 1, 7);
  ASSERT_OK(BackUp());
  EXPECT_EQ(Events(backup_).size(), 20U);
}

TEST_F(PrunedBackupTest, GapBetweenBackupAndLogIsNamed) {
  Make(log_dir_, 8, 20);
  Make(backup_, 1, 4);
  EXPECT_THAT(BackUp(), Fails(StatusCode::kFailedPrecondition, HasSubstr("events 5 to 7 were pruned from the log")));
  EXPECT_EQ(Events(backup_).size(), 4U);
}

TEST_F(PrunedBackupTest, NewBackupWouldLackWhatThePrunedLogKeeps) {
  Make(log_dir_, 8, 20);
  EXPECT_THAT(BackUp(), Fails(StatusCode::kFailedPrecondition, HasSubstr("was pruned up to event 7")));
  EXPECT_FALSE(std::filesystem::exists(backup_));
  EXPECT_THAT(BackupToStream(log_dir_, -1), Fails(StatusCode::kFailedPrecondition, HasSubstr("was pruned")));
  EXPECT_THAT(Restore(log_dir_, restored_), Fails(StatusCode::kFailedPrecondition, HasSubstr("was pruned")));
}

TEST_F(BackupTest, RestoredLogIsTheLog) {
  Go(log_dir_, 50);
  ASSERT_OK(BackUp());
  ASSERT_OK_AND_ASSIGN(const RestoreReport report, Restore(backup_, restored_, {.tail_bytes = 65536}));
  EXPECT_EQ(Events(restored_), Events(log_dir_));
  EXPECT_EQ(report.end, EndOf(log_dir_));
  EXPECT_EQ(*ReadLogId(restored_), *ReadLogId(log_dir_));
  ExpectSound(restored_);
  ASSERT_OK_AND_ASSIGN(const auto restoration, ReadRestoration(restored_));
  ASSERT_TRUE(restoration);
  EXPECT_EQ(*restoration, report.restoration);
  EXPECT_EQ(restoration->source, std::filesystem::canonical(backup_));
  EXPECT_EQ(restoration->end, report.end);
  ASSERT_OK_AND_ASSIGN(const auto none, ReadRestoration(log_dir_));
  EXPECT_FALSE(none);
  // It goes on, and its backup with it.
  {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(restored_, SmallTailOptions()));
    ASSERT_OK(engine->Reset("on"));
  }
  ASSERT_OK_AND_ASSIGN(const BackupReport more, Backup(restored_, backup_));
  EXPECT_EQ(more.events(), 1U);
  EXPECT_EQ(Events(backup_), Events(restored_));
  // The old log may no longer be backed up there.
  {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, SmallTailOptions()));
    ASSERT_OK(engine->Reset("on"));
  }
  EXPECT_THAT(BackUp(), Fails(StatusCode::kFailedPrecondition, HasSubstr("have diverged")));
}

TEST_F(BackupTest, RestoreOverwritesNothing) {
  Go(log_dir_, 5);
  ASSERT_OK(BackUp());
  EXPECT_THAT(Restore(backup_, log_dir_), Fails(StatusCode::kFailedPrecondition, HasSubstr("there is a log at")));
  std::filesystem::create_directory(restored_);
  std::ofstream(restored_ + "/photo.jpg") << "x";
  EXPECT_THAT(Restore(backup_, restored_), Fails(StatusCode::kFailedPrecondition, HasSubstr("photo.jpg")));
  EXPECT_THAT(Restore(directory_ / "none", directory_ / "new"), Fails(StatusCode::kNotFound, HasSubstr("none")));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "new"));
}

TEST_F(BackupTest, OwnerOfAnOperationThatWasActiveMayGoOnInTheOldLog) {
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, SmallTailOptions()));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
  ASSERT_OK(engine->Checkpoint(handle, {.files_processed = 7}, Durability::kSync));
  ASSERT_OK(BackUp());
  ASSERT_OK(Restore(backup_, restored_, {.tail_bytes = 65536}));
  ASSERT_OK(engine->Close());
  ASSERT_OK_AND_ASSIGN(auto restored, Engine::Open(restored_, SmallTailOptions()));
  EXPECT_EQ(restored->state().status(), OperationStatus::kInProgress);
  EXPECT_THAT(restored->Start({}), Fails(StatusCode::kFailedPrecondition, HasSubstr("this log is a copy")));
  EXPECT_THAT(restored->Resume(handle.operation_id), Fails(StatusCode::kFailedPrecondition, HasSubstr("copy")));
  ASSERT_OK_AND_ASSIGN(const OperationHandle mine, restored->RecoverByForce(handle.operation_id, "restored"));
  ASSERT_OK(restored->Complete(mine));
}

TEST_F(BackupTest, StreamBringsBackTheLog) {
  Go(log_dir_, 50);
  const std::string file = directory_ / "stream";
  const int out = open(file.c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_OK_AND_ASSIGN(const BackupReport sent, BackupToStream(log_dir_, out));
  lseek(out, 0, SEEK_SET);
  ASSERT_OK_AND_ASSIGN(const RestoreReport report, RestoreFromStream(out, restored_, {.tail_bytes = 65536}));
  close(out);
  EXPECT_EQ(report.end, sent.end);
  EXPECT_EQ(Events(restored_), Events(log_dir_));
  EXPECT_EQ(report.restoration.source, "");
  ExpectSound(restored_);
}

TEST_F(BackupTest, ProgressEndsWithAllEvents) {
  Go(log_dir_, 20);
  CopyProgress last;
  ASSERT_OK_AND_ASSIGN(const BackupReport report,
                       Backup(log_dir_, backup_, {}, [&](const CopyProgress& progress) { last = progress; }));
  EXPECT_EQ(last.events, report.events());
  EXPECT_EQ(last.events_total, report.events());
}

// A log of some MiB, on the disk that `directory` is on.
absl::Status MakeLarge(const std::string& log, int events) {
  EngineOptions options = SmallTailOptions();
  auto engine = Engine::Open(log, options);
  if (!engine.ok()) return engine.status();
  const auto handle = (*engine)->Start({});
  std::mt19937_64 random(7);
  for (int i = 1; i <= events; ++i) {
    std::string path(1504, '\0');  // which does not pack
    for (std::size_t at = 0; at < path.size(); at += 8) {
      const std::uint64_t bytes = random();
      std::memcpy(path.data() + at, &bytes, sizeof bytes);
    }
    const absl::Status done = (*engine)->Checkpoint(*handle, {.files_processed = i, .current_path = path});
    if (!done.ok()) return done;
  }
  return (*engine)->Close();
}

TEST(BackupFullDiskTest, WhatWasCopiedStaysAWholeBackupOfLess) {
  RunOnASmallDisk([](const std::string& directory) -> int {
    const std::string log = directory + "/../full_disk_log";
    std::filesystem::remove_all(log);
    REQUIRE(MakeLarge(log, 11'000).ok());
    REQUIRE(MountSmall(directory, "14m"));
    const std::string backup = directory + "/backup";
    const auto refused = Backup(log, backup, {.tail_bytes = 65536});
    REQUIRE(absl::IsResourceExhausted(refused.status()));
    const auto found = Verify(backup);
    REQUIRE(found.ok() && found->sound());
    REQUIRE(found->events > 0 && found->events < 11'001);
    const auto again = Backup(log, backup, {.tail_bytes = 65536});
    REQUIRE(absl::IsResourceExhausted(again.status()));
    const auto after = Verify(backup);
    REQUIRE(after.ok() && after->sound() && after->events >= found->events);
    // A restore is all or nothing.
    std::filesystem::remove_all(backup);
    REQUIRE(absl::IsResourceExhausted(Restore(log, backup, {.tail_bytes = 65536}).status()));
    REQUIRE(!std::filesystem::exists(backup));
    std::filesystem::remove_all(log);
    return 0;
  });
}

}  // namespace
}  // namespace foldlog
