// Limits of the system, real ones: on the size of files, on processes. They are refusals that can be mended, like a
// full disk; never a signal, and never a log that stays locked.

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <iostream>
#include <random>
#include <string>

#include "engine/base/file_system.h"
#include "foldlog/log_directory.h"
#include "tests/support/child_process.h"
#include "tests/support/small_disk.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

constexpr rlim_t kUnlimited = RLIM_INFINITY;

// The soft limit only, so that it can be raised again.
bool Limit(__rlimit_resource_t resource, rlim_t value) {
  rlimit limit = {};
  if (getrlimit(resource, &limit) != 0) return false;
  limit.rlim_cur = std::min(value, limit.rlim_max);
  return setrlimit(resource, &limit) == 0;
}

std::string Incompressible(std::size_t bytes) {
  static std::mt19937_64 random(TestSeed());
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

class SystemLimitsTest : public testing::Test {
 protected:
  TempDir directory_;
  const std::string log_dir_ = directory_ / "log";
};

// The test programs, unlike the foldlog program, do not ignore SIGXFSZ: a library must not count on that.
TEST_F(SystemLimitsTest, LogThatMustNotGrowIsLikeAFullDiskAndItsOperationCanBePausedAndGoesOnLater) {
  EXPECT_EQ(InChild([&] {
              auto engine = Engine::Open(log_dir_, SmallTailOptions());
              REQUIRE(engine.ok());
              const auto first = (*engine)->Start({});
              REQUIRE(first.ok());
              REQUIRE(Limit(RLIMIT_FSIZE, std::filesystem::file_size(log_dir_ + "/log.mdb") + 70'001));
              absl::Status status;
              std::int64_t done = 0;
              while ((status = (*engine)->Checkpoint(
                          *first, {.files_processed = done + 1, .current_path = Incompressible(3000)}))
                         .ok()) {
                ++done;
              }
              std::cerr << status << "\n";
              REQUIRE(absl::IsResourceExhausted(status));
              REQUIRE(std::string(status.message()).find("File too large") != std::string::npos);
              REQUIRE(std::string(status.message()).find("ulimit -f") != std::string::npos);
              REQUIRE((*engine)->Pause(*first, "no room").ok());
              REQUIRE((*engine)->durable_through() == (*engine)->state().sequence);
              REQUIRE((*engine)->Close().ok());
              engine = Engine::Open(log_dir_, SmallTailOptions());
              REQUIRE(engine.ok());
              REQUIRE((*engine)->state().operation->files_processed == done);
              // Lifted while nobody writes: an error of LMDB's is judged by trying again.
              REQUIRE((*engine)->Close().ok());
              REQUIRE(Limit(RLIMIT_FSIZE, kUnlimited));
              engine = Engine::Open(log_dir_, SmallTailOptions());
              REQUIRE(engine.ok());
              const auto second = (*engine)->Resume(first->operation_id);
              REQUIRE(second.ok());
              REQUIRE((*engine)->Checkpoint(*second, {.files_processed = done + 1}).ok());
              REQUIRE((*engine)->Complete(*second).ok());
              REQUIRE((*engine)->Close().ok());
              return 0;
            }),
            0);
}

TEST_F(SystemLimitsTest, EventTooLargeForTheTailIsRefusedByTheLimitAndNotASignal) {
  EXPECT_EQ(InChild([&] {
              auto engine = Engine::Open(log_dir_, SmallTailOptions());
              REQUIRE(engine.ok());
              const auto handle = (*engine)->Start({});
              REQUIRE(handle.ok());
              REQUIRE(Limit(RLIMIT_FSIZE, std::filesystem::file_size(log_dir_ + "/log.mdb") + 8192));
              const Checkpoint large{.files_processed = 1, .current_path = Incompressible(1'000'000)};
              REQUIRE(absl::IsResourceExhausted((*engine)->Checkpoint(*handle, large)));
              REQUIRE(Limit(RLIMIT_FSIZE, kUnlimited));
              REQUIRE((*engine)->Checkpoint(*handle, large).ok());
              return 0;
            }),
            0);
}

TEST_F(SystemLimitsTest, LogIsNotCreatedBeyondTheLimitAndLeavesNothing) {
  EXPECT_EQ(InChild([&] {
              REQUIRE(Limit(RLIMIT_FSIZE, 20'000));
              const auto engine = Engine::Open(log_dir_, SmallTailOptions());
              REQUIRE(absl::IsResourceExhausted(engine.status()));
              REQUIRE(!std::filesystem::exists(log_dir_ + "/tail.new"));
              REQUIRE(Limit(RLIMIT_FSIZE, kUnlimited));
              REQUIRE(Engine::Open(log_dir_, SmallTailOptions()).ok());
              return 0;
            }),
            0);
}

// What a killed writer has left in the tail is to be stored anew, in places where nothing may be written now.
TEST_F(SystemLimitsTest, TailLongerThanTheLimitIsTakenUpAndMadeDurable) {
  EngineOptions slow = SmallTailOptions();
  slow.directory.flush_interval = std::chrono::hours(1);
  ASSERT_EQ(InChild([&] {
              auto engine = Engine::Open(log_dir_, slow);
              const auto handle = (*engine)->Start({});
              for (int i = 1; i <= 60; ++i) {
                REQUIRE((*engine)->Checkpoint(*handle, {.files_processed = i, .current_path = "/some/where"}).ok());
              }
              kill(getpid(), SIGKILL);
              return 0;
            }),
            -1);
  EXPECT_EQ(InChild([&] {
              REQUIRE(Limit(RLIMIT_FSIZE, 8192));
              auto engine = Engine::Open(log_dir_, slow);
              REQUIRE(engine.ok());
              REQUIRE((*engine)->state().operation->files_processed == 60);
              REQUIRE((*engine)->Flush().ok());
              REQUIRE((*engine)->durable_through() == 61);
              const auto handle = (*engine)->Resume((*engine)->state().operation->operation_id);
              REQUIRE(handle.ok());
              REQUIRE((*engine)->Complete(*handle).ok());
              return 0;
            }),
            0);
  ASSERT_OK_AND_ASSIGN(const auto engine, Engine::Open(log_dir_));
  EXPECT_EQ(engine->state().status(), OperationStatus::kCompleted);
}

TEST_F(SystemLimitsTest, ReasonForAShortWriteIsAskedForAndNothingIsLeftBehind) {
  const std::string path = directory_ / "file";
  ASSERT_EQ(InChild([&] {
              const FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
              REQUIRE(ftruncate(file.get(), 5000) == 0);
              REQUIRE(ErrnoOfWritingTo(path) == 0 && std::filesystem::file_size(path) == 5000);
              REQUIRE(Limit(RLIMIT_FSIZE, 6000));
              REQUIRE(ErrnoOfWritingTo(path) == EFBIG);
              REQUIRE(std::filesystem::file_size(path) == 5000);
              REQUIRE(ErrnoOfWritingTo(path + "/none") != 0);
              return 0;
            }),
            0);
}

// As the user `nobody` if this is run by root, whom that limit does not bind.
TEST_F(SystemLimitsTest, WithoutAThreadToBeHadTheLogIsNotOpenedAndNotLeftLocked) {
  std::filesystem::create_directory(log_dir_);
  ASSERT_TRUE(getuid() != 0 || chown(log_dir_.c_str(), 65534, 65534) == 0);
  EXPECT_EQ(InChild([&] {
              if (chdir(log_dir_.c_str()) != 0) return 9;
              if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) return 8;
              { REQUIRE(OpenLogForWriting(".", SmallTail()).ok()); }
              REQUIRE(Limit(RLIMIT_NPROC, 0));
              const auto refused = OpenLogForWriting(".", SmallTail());
              std::cerr << refused.status() << "\n";
              REQUIRE(absl::IsResourceExhausted(refused.status()));
              REQUIRE(std::string(refused.status().message()).find("ulimit -u") != std::string::npos);
              REQUIRE(!InspectWriter(".")->held);
              REQUIRE(Limit(RLIMIT_NPROC, kUnlimited));
              REQUIRE(OpenLogForWriting(".", SmallTail()).ok());
              return 0;
            }),
            0);
}

}  // namespace
}  // namespace foldlog
