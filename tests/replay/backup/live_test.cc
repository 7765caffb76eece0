// Backups every 100 ms of a log whose writer goes on at full speed in another process. Most are killed at a random
// moment; each leaves a sound log that the next one extends, and that is a prefix of the log.
//
// FOLDLOG_BACKUP_SECONDS makes it longer.

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <random>
#include <thread>

#include "engine/codec/frame_reader.h"
#include "foldlog/backup.h"
#include "foldlog/verify.h"
#include "tests/support/log_directory_fixture.h"

namespace foldlog {
namespace {

using Clock = std::chrono::steady_clock;

class LiveBackupTest : public LogDirectoryFixture {
 protected:
  LiveBackupTest() : random_(TestSeed()) {}

  ~LiveBackupTest() override { StopWriter(); }

  // A child that writes until it is killed.
  void StartWriter() {
    writer_ = fork();
    if (writer_ != 0) return;
    auto engine = Engine::Open(log_dir_);
    for (int operation = 0; engine.ok(); ++operation) {
      if ((*engine)->current_handle()) (*engine)->Reset("from the last one").IgnoreError();
      const auto handle = (*engine)->Start({});
      if (!handle.ok()) _exit(2);
      for (int i = 1; i <= 50'000; ++i) {
        if (!(*engine)->Checkpoint(*handle, {.files_processed = i, .current_path = std::to_string(i)}).ok()) _exit(3);
      }
      if (!(*engine)->Complete(*handle).ok()) _exit(4);
    }
    _exit(1);
  }

  void StopWriter() {
    if (writer_ <= 0) return;
    kill(writer_, SIGKILL);
    int status = 0;
    waitpid(std::exchange(writer_, 0), &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself with " << WEXITSTATUS(status);
  }

  // A backup in a process of its own, killed after that time if it is not done. Whether it was done.
  bool BackUp(std::chrono::microseconds kill_after) {
    const pid_t child = fork();
    if (child == 0) {
      const auto report = Backup(log_dir_, backup_, {.tail_bytes = 65536});
      if (!report.ok()) fprintf(stderr, "%s\n", report.status().ToString().c_str());
      _exit(report.ok() ? 0 : 1);
    }
    const auto deadline = Clock::now() + kill_after;
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
      if (Clock::now() > deadline) kill(child, SIGKILL);
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    if (WIFSIGNALED(status)) return false;
    EXPECT_EQ(WEXITSTATUS(status), 0);
    return true;
  }

  // The backup, if there is one yet, is sound, and the log has its last event.
  Sequence CheckPrefix() const {
    const auto found = Verify(backup_);
    if (absl::IsNotFound(found.status())) return 0;
    EXPECT_OK(found);
    if (!found.ok()) return 0;
    for (const VerifyFinding& finding : found->findings) ADD_FAILURE() << finding.message;
    if (found->end.sequence == 0) return 0;
    const auto log = OpenLogForReading(log_dir_);
    EXPECT_OK(log);
    FrameReader reader(**log, found->end.sequence);
    const auto frame = reader.Peek();
    EXPECT_OK(frame);
    EXPECT_EQ((*frame)->header.hash, found->end.hash);
    return found->end.sequence;
  }

  const std::string backup_ = directory_ / "backup";
  std::mt19937_64 random_;
  pid_t writer_ = 0;
};

TEST_F(LiveBackupTest, EachIsAPrefixOfTheLogWheneverItIsKilled) {
  const char* given = getenv("FOLDLOG_BACKUP_SECONDS");
  const std::chrono::seconds length(given != nullptr ? atoi(given) : 3);
  { ASSERT_OK(Engine::Open(log_dir_)); }
  StartWriter();
  int killed = 0;
  int done = 0;
  Sequence last = 0;
  for (const auto end = Clock::now() + length; Clock::now() < end;) {
    const auto next = Clock::now() + std::chrono::milliseconds(100);
    // One in four has all the time that it wants.
    const std::chrono::microseconds patience(random_() % 4 == 0 ? 60'000'000 : random_() % 100'000);
    ++(BackUp(patience) ? done : killed);
    const Sequence reached = CheckPrefix();
    EXPECT_GE(reached, last);
    last = reached;
    std::this_thread::sleep_until(next);
  }
  printf("%d killed, %d done, up to event %llu\n", killed, done, static_cast<unsigned long long>(last));
  EXPECT_GT(killed, 0);
  EXPECT_GT(done, 0);
  EXPECT_GT(last, 0U);
  StopWriter();
  { ASSERT_OK(Engine::Open(log_dir_)); }  // what only the kernel had becomes durable
  ASSERT_OK_AND_ASSIGN(const BackupReport report, Backup(log_dir_, backup_));
  ASSERT_OK_AND_ASSIGN(const auto log, OpenLogForReading(log_dir_));
  ASSERT_OK_AND_ASSIGN(const LogExtent extent, log->Extent());
  EXPECT_EQ(report.end, extent.end);
  EXPECT_EQ(CheckPrefix(), extent.end.sequence);
}

}  // namespace
}  // namespace foldlog
