// What opening a log finds in the tail of a writer that died: events that belong to it, frames that do not, and what is
// reported of both.

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

#include "engine/log/tail/walk.h"
#include "engine/log/writer/lock.h"
#include "foldlog/log_directory.h"
#include "foldlog/replayer.h"
#include "tests/support/child_process.h"
#include "tests/support/file_bytes.h"
#include "tests/support/tail_bytes.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

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

  // Changes the bytes of the tail.
  void ChangeTail(const std::function<void(std::string&)>& change) {
    std::string bytes = ReadFile(log_dir_ + "/tail");
    change(bytes);
    WriteFile(log_dir_ + "/tail", bytes);
  }

  // Damages event `sequence` wherever it stands in the tail.
  void Tear(Sequence sequence) {
    ChangeTail([&](std::string& bytes) { EXPECT_GE(TearFrame(bytes, sequence), 1) << sequence; });
  }

  // Damages it in the ring alone.
  void TearInRing(Sequence sequence) {
    ChangeTail([&](std::string& bytes) {
      const std::size_t ring = TailRingOffset(bytes);
      std::string torn = bytes;
      EXPECT_EQ(TearFrame(torn, sequence), 2) << sequence;
      bytes.replace(ring, std::string::npos, torn, ring);
    });
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

// What is found may be in the page cache only, and of that the disk may never get anything.
TEST_F(TailRecoveryTest, WhatIsFoundIsInTheDurableCopyBeforeItIsCalledDurable) {
  WriteAndDie(9);
  ChangeTail(ForgetCopy);
  {
    ASSERT_OK_AND_ASSIGN(const auto engine, Reopen());
    EXPECT_LT(engine->durable_through(), 10u);
    ASSERT_OK(engine->Flush());
    EXPECT_EQ(engine->durable_through(), 10u);
    std::string bytes = ReadFile(log_dir_ + "/tail");
    for (Sequence i = 1; i <= 10; ++i) EXPECT_EQ(TearFrame(bytes, i), 2) << i;
  }
}

// A power cut leaves of the ring what the kernel had happened to write.
TEST_F(TailRecoveryTest, AfterARebootTheCopyMakesUpForWhatTheRingLacks) {
  WriteAndDie(9, Durability::kSync);
  for (const Sequence lost : {1, 2, 7, 8, 10}) TearInRing(lost);
  PretendReboot();
  {
    ASSERT_OK_AND_ASSIGN(const auto reader, OpenLogForReading(log_dir_));
    EXPECT_EQ(reader->Extent()->end.sequence, 10u);
    EXPECT_EQ(reader->Extent()->durable_through, 9u) << "the flush of the tenth is not known to have ended";
    EXPECT_EQ(reader->Extent()->missing_through, 0u);
    EXPECT_EQ(ReadAll(*reader).size(), 10u);
  }
  ASSERT_OK_AND_ASSIGN(auto engine, Reopen());
  EXPECT_EQ(engine->recovery().events_from_tail, 10u);
  EXPECT_EQ(engine->recovery().frames_discarded, 0u);
  EXPECT_EQ(engine->durable_through(), 9u);
  EXPECT_EQ(ReadAll(engine->log()).size(), 10u);
  EXPECT_EQ(ReadAll(*OpenLogForReading(log_dir_).value()).size(), 10u) << "the ring is whole again";
  ASSERT_OK(engine->Close());
  ASSERT_OK_AND_ASSIGN(engine, Reopen());
  EXPECT_EQ(ReadAll(engine->log()).size(), 10u);
}

// A frame of an earlier writer that a power cut tore apart may become whole later: by sectors as they were, and others
// as the next writer's frame of the same length has them. In the copy whole pages are durable before it counts.
TEST_F(TailRecoveryTest, AfterARebootTheCopyIsBelievedBeforeTheRing) {
  WriteAndDie(9, Durability::kSync);
  ChangeTail([](std::string& bytes) {
    const std::size_t ring = TailRingOffset(bytes);
    const std::size_t third = FindFrame(bytes, 3, ring);
    const std::size_t fourth = FindFrame(bytes, 4, ring);
    ASSERT_NE(fourth, std::string::npos);
    FrameHeader header = {};
    std::memcpy(&header, &bytes[third], sizeof header);
    const FrameRun other = RunAfter({3, header.hash}, {{1, 1, Checkpoint{.files_processed = 77}}});
    ASSERT_EQ(fourth + std::span(other.words).size_bytes(), FindFrame(bytes, 5, ring));
    std::memcpy(&bytes[fourth], other.words.data(), std::span(other.words).size_bytes());
  });
  PretendReboot();
  EXPECT_EQ(ReadAll(*OpenLogForReading(log_dir_).value()).size(), 10u);
  ASSERT_OK_AND_ASSIGN(const auto engine, Reopen());
  EXPECT_EQ(engine->recovery().events_from_tail, 10u);
  EXPECT_EQ(engine->state().operation->files_processed, 9);
  EXPECT_EQ(ReadAll(engine->log()).size(), 10u);
}

// Within a boot the copy is looked at only where the ring lacks what the shared page calls durable.
TEST_F(TailRecoveryTest, DamagedRingOfAKilledWriterIsMendedFromTheCopy) {
  WriteAndDie(9, Durability::kSync);
  TearInRing(4);
  ASSERT_OK_AND_ASSIGN(const auto engine, Reopen());
  EXPECT_EQ(engine->recovery().events_from_tail, 10u);
  EXPECT_EQ(engine->recovery().last_writer, OwnerFate::kProcessDied);
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
                          AllOf(HasSubstr(log_dir_ + "/tail"), HasSubstr("events 7 to 9 were durable and are missing"),
                                HasSubstr("--accept-loss")));
  {
    ASSERT_OK_AND_ASSIGN(const auto reader, OpenLogForReading(log_dir_));
    ASSERT_OK_AND_ASSIGN(const LogExtent extent, reader->Extent());
    EXPECT_EQ(extent.end.sequence, 6u);
    EXPECT_EQ(extent.missing_through, 9u);
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
    EXPECT_EQ(engine->recovery().events_lost, 3u);
    EXPECT_EQ(engine->recovery().events_in_doubt, 1u);
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
  ChangeTail([](std::string& bytes) { SetClaims(bytes, {.durable = 5, .flushing = 9}); });
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
  ChangeTail(ForgetCopy);
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
