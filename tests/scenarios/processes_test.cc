// A log between processes: writers that shut each other out, readers beside them, children of fork(), and what the
// death of a writer leaves to the next.

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <list>

#include "foldlog/history.h"
#include "foldlog/log_directory.h"
#include "tests/support/child_process.h"
#include "tests/support/file_bytes.h"
#include "tests/support/log_directory_fixture.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

class ProcessesTest : public LogDirectoryFixture {};

TEST_F(ProcessesTest, SecondWriterIsRefusedAndToldWhoTheFirstIs) {
  ASSERT_OK_AND_ASSIGN(const WritableLog first, OpenLogForWriting(log_dir_));
  const auto refused = Fails(StatusCode::kFailedPrecondition,
                             AllOf(HasSubstr("being written by"), HasSubstr("process " + std::to_string(getpid()))));
  EXPECT_THAT(OpenLogForWriting(log_dir_), refused);
  EXPECT_EQ(InChild([&] { return absl::IsFailedPrecondition(OpenLogForWriting(log_dir_).status()) ? 7 : 1; }), 7);
  ASSERT_OK_AND_ASSIGN(const WriterInfo info, InspectWriter(log_dir_));
  EXPECT_TRUE(info.held);
  EXPECT_EQ(info.writer, first.self);
}

TEST_F(ProcessesTest, WriterOnlyOpensAgainAfterTheFirstCloses) {
  { ASSERT_OK(OpenLogForWriting(log_dir_)); }
  ASSERT_OK_AND_ASSIGN(const WritableLog second, OpenLogForWriting(log_dir_));
  EXPECT_EQ(second.previous.closed_cleanly.size(), 1u);
  EXPECT_EQ(second.previous.closed_cleanly.back(), second.previous.writer->instance);
  EXPECT_FALSE(second.previous.held);
}

// Who only looks must not wipe out how the owner of the operation ended.
TEST_F(ProcessesTest, EvidenceOutlivesOpeningsThatChangeNothing) {
  MakeLog(1);
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_));
    EXPECT_EQ(engine->interruption(), OwnerFate::kClosedWithoutEnd);
  }
}

TEST_F(ProcessesTest, ReadersInThisProcessShareTheWritersFile) {
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

TEST_F(ProcessesTest, ReadersInOtherProcessesSeeWholeChainsWhileTheWriterWrites) {
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

TEST_F(ProcessesTest, ChildOfForkIsRefusedAndDoesNoHarm) {
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

TEST_F(ProcessesTest, ChildOfForkCanOpenTheLogForItself) {
  MakeLog(1);
  ASSERT_OK_AND_ASSIGN(auto reader, OpenLogForReading(log_dir_));
  EXPECT_EQ(InChild([&] { return ReadHistory(**OpenLogForReading(log_dir_))->size() == 1 ? 0 : 1; }), 0);
  EXPECT_EQ(InChild([&] { return Engine::Open(log_dir_).ok() ? 0 : 1; }), 0);
  EXPECT_EQ(ReadAll(*reader).size(), 2u);
}

// A helper that an indexer forked must not keep the log locked after the indexer's death.
TEST_F(ProcessesTest, ForkedChildDoesNotInheritTheWriterLock) {
  ASSERT_OK_AND_ASSIGN(WritableLog log, OpenLogForWriting(log_dir_));
  const Helper helper(SleepForever);
  log.log.reset();
  EXPECT_OK(OpenLogForWriting(log_dir_));
}

TEST_F(ProcessesTest, NoDescriptorSurvivesExec) {
  ASSERT_OK_AND_ASSIGN(const WritableLog log, OpenLogForWriting(log_dir_));
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry.path(), gone);
    if (gone || target.find(log_dir_) == std::string::npos) continue;
    EXPECT_TRUE(fcntl(std::stoi(entry.path().filename()), F_GETFD) & FD_CLOEXEC) << target;
  }
}

TEST_F(ProcessesTest, KilledWriterLeavesEvidenceAndItsOperationIsResumed) {
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
TEST_F(ProcessesTest, WriterKilledBesideAReaderLeavesNothingStale) {
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

TEST_F(ProcessesTest, LogClosedWithoutAnEndIsToldApartFromADeath) {
  MakeLog(1);
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_));
  EXPECT_EQ(engine->interruption(), OwnerFate::kClosedWithoutEnd);
  ASSERT_OK(engine->Resume(engine->state().operation->operation_id));
  EXPECT_EQ(std::get<Recovered>(ReadAll(engine->log()).back().event.body).evidence, Evidence::kClosedWithoutEnd);
}

TEST_F(ProcessesTest, ScriptOnAnotherMachineIsRecoveredByForceOnly) {
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

TEST_F(ProcessesTest, RebootIsRecordedAsEvidence) {
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

}  // namespace
}  // namespace foldlog
