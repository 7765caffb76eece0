// What opening a log finds in the tail of a writer that died: events that belong to it, frames that do not, and what is
// reported of both.

#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

#include "engine/log/tail/mark.h"
#include "engine/log/tail/walk.h"
#include "engine/log/writer/lock.h"
#include "foldlog/log_directory.h"
#include "foldlog/replayer.h"
#include "tests/support/child_process.h"
#include "tests/support/file_bytes.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

constexpr std::size_t kMarkOffset = 4096;
constexpr std::size_t kRingOffset = 8192;

using testing::AllOf;
using testing::HasSubstr;

EngineOptions QuietOptions() {
  EngineOptions options = SmallTailOptions();
  options.directory.flush_interval = std::chrono::hours(1);
  return options;
}

class TailRecoveryTest : public testing::Test {
 protected:
  // A writer in another process starts an operation, makes `checkpoints` checkpoints, and is killed. Nothing has left
  // the tail by then.
  void WriteAndDie(int checkpoints, Durability durability = Durability::kInterval) {
    EXPECT_EQ(InChild([&] {
                auto engine = Engine::Open(log_dir_, QuietOptions());
                if (!engine.ok()) return 1;
                const auto handle = (*engine)->Start({});
                if (!handle.ok()) return 2;
                for (int i = 1; i <= checkpoints; ++i) {
                  if (!(*engine)->Checkpoint(*handle, {.files_processed = i}, durability).ok()) return 3;
                }
                kill(getpid(), SIGKILL);
                return 4;
              }),
              -1);
  }

  // Changes a bit in the payload of event `sequence`, of those in the tail.
  void Tear(Sequence sequence) {
    std::string bytes = ReadFile(log_dir_ + "/tail");
    for (std::size_t at = kRingOffset; at + sizeof(FrameHeader) < bytes.size(); at += sizeof(std::uint64_t)) {
      FrameHeader header = {};
      std::memcpy(&header, bytes.data() + at, sizeof header);
      if (header.magic != kFrameMagic || header.sequence != sequence) continue;
      bytes[at + sizeof header + 8] ^= 1;
      WriteFile(log_dir_ + "/tail", bytes);
      return;
    }
    FAIL() << "event " << sequence << " is not in the tail";
  }

  // As if the machine had been started anew since.
  void PretendReboot() {
    const std::string path = log_dir_ + "/writer.lock";
    WriterInfo info = ParseWriterRecord(ReadFile(path));
    ASSERT_TRUE(info.writer.has_value());
    info.writer->boot_id = "before the reboot";
    WriteFile(path, FormatWriterRecord(*info.writer, info.closed_cleanly));
    std::filesystem::remove(log_dir_ + "/tail-shm");  // not believed then
  }

  // Changes what the tail claims.
  void SetClaim(const std::function<void(TailMark&)>& change) {
    std::string bytes = ReadFile(log_dir_ + "/tail");
    TailMark mark(
        std::span<std::byte, kTailMarkBytes>(reinterpret_cast<std::byte*>(&bytes[kMarkOffset]), kTailMarkBytes));
    change(mark);
    WriteFile(log_dir_ + "/tail", bytes);
  }

  absl::StatusOr<std::unique_ptr<Engine>> Reopen() { return Engine::Open(log_dir_, QuietOptions()); }

  TempDir directory_;
  const std::string log_dir_ = directory_ / "log";
};

TEST_F(TailRecoveryTest, NewLogFindsNothing) {
  ASSERT_OK_AND_ASSIGN(const auto engine, Reopen());
  EXPECT_EQ(engine->recovery(), RecoveryReport{});
}

TEST_F(TailRecoveryTest, LogClosedInGoodOrderFindsNothingInItsTail) {
  ASSERT_OK_AND_ASSIGN(auto engine, Reopen());
  ASSERT_OK(engine->Start({}));
  ASSERT_OK(engine->Close());
  ASSERT_OK_AND_ASSIGN(engine, Reopen());
  EXPECT_EQ(engine->recovery(), (RecoveryReport{.last_writer = OwnerFate::kClosedWithoutEnd}));
}

TEST_F(TailRecoveryTest, EventsOfAKilledWriterAreFoundAndBecomeDurable) {
  WriteAndDie(9);
  ASSERT_OK_AND_ASSIGN(const auto engine, Reopen());
  EXPECT_EQ(engine->recovery(), (RecoveryReport{.events_from_tail = 10, .last_writer = OwnerFate::kProcessDied}));
  EXPECT_EQ(engine->state().operation->files_processed, 9);
  ASSERT_OK(engine->Flush());
  EXPECT_EQ(engine->durable_through(), 10u);
  EXPECT_EQ(ReadAll(engine->log()).size(), 10u);
}

// The kernel takes pages for clean that it failed to write. Whether they are stored again shows in the file's time,
// which a store into a clean page moves, on file systems on a disk.
TEST_F(TailRecoveryTest, WhatIsFoundIsStoredAnewBeforeItIsCalledDurable) {
  WriteAndDie(9);
  const std::string tail = log_dir_ + "/tail";
  const int fd = open(tail.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(fsync(fd), 0);
  close(fd);
  const auto before = std::filesystem::last_write_time(tail);
  struct statfs info = {};
  ASSERT_EQ(statfs(tail.c_str(), &info), 0);
  constexpr long kTmpfs = 0x01021994;
  if (info.f_type == kTmpfs) GTEST_SKIP() << "a tmpfs has no clean pages; build on a disk";
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // more than the steps that file times are taken in
  ASSERT_OK_AND_ASSIGN(const auto engine, Reopen());
  EXPECT_EQ(std::filesystem::last_write_time(tail), before);
  ASSERT_OK(engine->Flush());
  EXPECT_GT(std::filesystem::last_write_time(tail), before);
}

TEST_F(TailRecoveryTest, TornFrameIsDiscardedAndTheLogGoesOnBeforeIt) {
  WriteAndDie(9);
  Tear(10);
  ASSERT_OK_AND_ASSIGN(auto engine, Reopen());
  EXPECT_EQ(engine->recovery(),
            (RecoveryReport{.events_from_tail = 9, .frames_discarded = 1, .last_writer = OwnerFate::kProcessDied}));
  EXPECT_EQ(engine->state().operation->files_processed, 8);
  ASSERT_OK_AND_ASSIGN(const auto handle, engine->Resume(engine->state().operation->operation_id));
  ASSERT_OK(engine->Checkpoint(handle, {.files_processed = 77}));
  EXPECT_EQ(ReadAll(engine->log()).size(), 11u);
  ASSERT_OK(engine->Close());
  ASSERT_OK_AND_ASSIGN(engine, Reopen());
  EXPECT_EQ(engine->state().operation->files_processed, 77);
}

// However much is in the tail, little of it has to be folded; and the file that spares it may be lost.
TEST_F(TailRecoveryTest, SnapshotNearTheEndOutlivesAKilledWriter) {
  constexpr int kCheckpoints = 30'000;
  WriteAndDie(kCheckpoints);
  {
    ASSERT_OK_AND_ASSIGN(const auto log, OpenLogForReading(log_dir_));
    ASSERT_OK_AND_ASSIGN(const auto snapshot, log->FindSnapshot(kCheckpoints + 1));
    ASSERT_TRUE(snapshot.has_value());
    EXPECT_GT(snapshot->at.sequence + EngineOptions().snapshot_interval_events, Sequence{kCheckpoints});
  }
  State state;
  {
    ASSERT_OK_AND_ASSIGN(const auto log, OpenLogForReading(log_dir_));
    ASSERT_OK_AND_ASSIGN(state, StateAt(*log));
    EXPECT_EQ(state.operation->files_processed, kCheckpoints);
  }
  std::filesystem::remove(log_dir_ + "/snapshots");
  ASSERT_OK_AND_ASSIGN(const auto engine, Reopen());
  EXPECT_EQ(engine->state(), state);
}

// A power cut may leave later sectors and not earlier ones, so the whole ring is looked through.
TEST_F(TailRecoveryTest, AfterARebootAllFramesBehindATornOneAreCounted) {
  WriteAndDie(9);
  Tear(4);
  PretendReboot();
  ASSERT_OK_AND_ASSIGN(const auto engine, Reopen());
  EXPECT_EQ(engine->recovery().events_from_tail, 3u);
  EXPECT_EQ(engine->recovery().frames_discarded, 7u);
  EXPECT_NE(engine->recovery().last_writer, OwnerFate::kProcessDied);
  EXPECT_NE(engine->recovery().last_writer, std::nullopt);
  EXPECT_EQ(engine->state().sequence, 3u);
}

TEST_F(TailRecoveryTest, AfterARebootAnUnharmedTailIsTakenWhole) {
  WriteAndDie(9);
  PretendReboot();
  ASSERT_OK_AND_ASSIGN(const auto engine, Reopen());
  EXPECT_EQ(engine->recovery().events_from_tail, 10u);
  EXPECT_EQ(engine->recovery().frames_discarded, 0u);
}

TEST_F(TailRecoveryTest, WritersRecordThatIsLostProvesNothing) {
  WriteAndDie(3);
  Tear(2);
  WriteFile(log_dir_ + "/writer.lock", "nonsense");
  ASSERT_OK_AND_ASSIGN(const auto engine, Reopen());
  EXPECT_EQ(engine->recovery(), (RecoveryReport{.events_from_tail = 1, .frames_discarded = 3}));
}

// What was given up must not come back when the chain reaches its place again.
TEST_F(TailRecoveryTest, DiscardedFramesNeverComeBack) {
  WriteAndDie(9);
  Tear(4);
  PretendReboot();
  {
    ASSERT_OK_AND_ASSIGN(const auto engine, Reopen());
    ASSERT_EQ(engine->state().sequence, 3u);
  }
  EXPECT_EQ(InChild([&] {
              auto engine = Reopen();
              if (!engine.ok() || (*engine)->state().sequence != 3) return 1;
              const auto handle = (*engine)->Resume((*engine)->state().operation->operation_id);
              if (!handle.ok()) return 2;
              kill(getpid(), SIGKILL);
              return 3;
            }),
            -1);
  PretendReboot();
  ASSERT_OK_AND_ASSIGN(const auto engine, Reopen());
  EXPECT_EQ(engine->state().sequence, 4u);
  EXPECT_EQ(engine->recovery().events_from_tail, 1u);
}

// One damaged byte is not a torn write where the frames were flushed.
TEST_F(TailRecoveryTest, DamageToWhatWasDurableIsALossAfterARebootToo) {
  WriteAndDie(9, Durability::kSync);
  Tear(7);
  PretendReboot();
  const auto lost = Fails(absl::StatusCode::kDataLoss,
                          AllOf(HasSubstr(log_dir_ + "/tail"), HasSubstr("events 7 to 10 were durable and are missing"),
                                HasSubstr("--accept-loss")));
  {
    ASSERT_OK_AND_ASSIGN(const auto reader, OpenLogForReading(log_dir_));
    ASSERT_OK_AND_ASSIGN(const LogExtent extent, reader->Extent());
    EXPECT_EQ(extent.end.sequence, 6u);
    EXPECT_EQ(extent.missing_through, 10u);
    EXPECT_EQ(extent.durable_through, 6u);
    EventReader events(*reader, Sequence{1});
    for (Sequence i = 1; i <= 6; ++i) ASSERT_EQ((*events.Next())->sequence, i);
    EXPECT_THAT(events.Next(), lost);
    EXPECT_THAT(StateAt(*reader), lost);
    EXPECT_EQ(StateAt(*reader, 6)->operation->files_processed, 5);
  }
  EXPECT_THAT(Reopen(), lost);
  EXPECT_THAT(Reopen(), lost);  // the first has changed nothing
  EngineOptions options = QuietOptions();
  options.directory.accept_loss = true;
  {
    ASSERT_OK_AND_ASSIGN(const auto engine, Engine::Open(log_dir_, options));
    EXPECT_EQ(engine->recovery().events_lost, 4u);
    EXPECT_EQ(engine->recovery().events_in_doubt, 0u);
    EXPECT_EQ(engine->state().sequence, 6u);
    EXPECT_EQ(OpenLogForReading(log_dir_).value()->Extent()->missing_through, 0u);
    ASSERT_OK(engine->Resume(engine->state().operation->operation_id));
  }
  ASSERT_OK_AND_ASSIGN(const auto engine, Reopen());
  EXPECT_EQ(engine->recovery().events_lost, 0u);
  EXPECT_EQ(engine->state().sequence, 7u);
}

TEST_F(TailRecoveryTest, EventsOfAFlushThatNobodySawEndAreInDoubtOnce) {
  WriteAndDie(9);
  Tear(7);
  SetClaim([](TailMark& mark) {
    mark.NoteFlushed(5);
    mark.NoteFlushing(9);
  });
  PretendReboot();
  for (const std::uint64_t in_doubt : {3u, 0u}) {
    EXPECT_EQ(InChild([&] {
                auto engine = Reopen();
                if (!engine.ok() || (*engine)->state().sequence != 6) return 1;
                if ((*engine)->recovery().events_in_doubt != in_doubt || (*engine)->recovery().events_lost != 0)
                  return 2;
                kill(getpid(), SIGKILL);
                return 3;
              }),
              -1);
    PretendReboot();
  }
}

TEST_F(TailRecoveryTest, TailWithoutAnIntactMarkClaimsNothing) {
  WriteAndDie(9, Durability::kSync);
  std::string bytes = ReadFile(log_dir_ + "/tail");
  std::fill_n(bytes.begin() + kMarkOffset, kTailMarkBytes, '\0');
  WriteFile(log_dir_ + "/tail", bytes);
  PretendReboot();
  EXPECT_EQ(OpenLogForReading(log_dir_).value()->Extent()->end.sequence, 10u);
  Tear(7);
  ASSERT_OK_AND_ASSIGN(const auto engine, Reopen());
  EXPECT_EQ(engine->state().sequence, 6u);
}

TEST_F(TailRecoveryTest, SecondDeathBeforeAnythingIsDrainedLosesNothing) {
  WriteAndDie(9);
  for (int death = 0; death < 3; ++death) {
    EXPECT_EQ(InChild([&] {
                if (!Reopen().ok()) return 1;  // destroyed, and so closed, only if it is not killed
                return 0;
              }),
              0);
    EXPECT_EQ(InChild([&] {
                auto engine = Reopen();
                if (!engine.ok()) return 1;
                const auto handle = (*engine)->Resume((*engine)->state().operation->operation_id);
                if (!handle.ok() || !(*engine)->Checkpoint(*handle, {.files_processed = 10 + death}).ok()) return 2;
                kill(getpid(), SIGKILL);
                return 3;
              }),
              -1);
  }
  ASSERT_OK_AND_ASSIGN(const auto engine, Reopen());
  EXPECT_EQ(engine->state().operation->files_processed, 12);
  EXPECT_EQ(ReadAll(engine->log()).size(), 10u + 3 * 2);
  EXPECT_EQ(engine->recovery().events_from_tail, 2u);
}

TEST_F(TailRecoveryTest, ReportStaysWithTheWritersRecord) {
  WriteAndDie(9);
  Tear(10);
  ASSERT_OK_AND_ASSIGN(auto engine, Reopen());
  const RecoveryReport report = engine->recovery();
  EXPECT_EQ(InspectWriter(log_dir_)->recovery, report);
  ASSERT_OK(engine->Close());
  EXPECT_EQ(InspectWriter(log_dir_)->recovery, report);
  ASSERT_OK_AND_ASSIGN(engine, Reopen());
  EXPECT_EQ(InspectWriter(log_dir_)->recovery, engine->recovery());
  EXPECT_NE(engine->recovery(), report);
}

}  // namespace
}  // namespace foldlog
