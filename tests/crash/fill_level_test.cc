// A log on file systems of 256 KiB to 16 MiB, at many levels of how full they are when it begins: until the last byte
// is taken, at whatever call that comes. A full disk refuses checkpoints, never the events that end or interrupt an
// operation; it loses nothing, kills nobody, and when there is room again all goes on.

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "foldlog/engine.h"
#include "foldlog/log_directory.h"
#include "tests/crash/numbered_events.h"
#include "tests/support/small_disk.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

constexpr std::uint64_t kBlockBytes = 4096;
constexpr int kLevels = 16;

// What is given free at the end: room for LMDB to take in a whole tail.
constexpr std::uint64_t kFreedBytes = 40 * kBlockBytes;

std::uint64_t FreeBytes(const std::string& directory) {
  struct statfs info = {};
  return statfs(directory.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.f_bavail * info.f_bsize) : 0;
}

void Fill(const std::string& path, std::uint64_t bytes) {
  std::ofstream file(path);
  const std::string block(kBlockBytes, 'x');
  for (std::uint64_t done = 0; done < bytes; done += kBlockBytes) {
    if (!file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) return;
  }
}

EngineOptions Options() {
  EngineOptions options;
  options.directory.tail_bytes = std::uint64_t{64} << 10;
  options.directory.flush_interval = std::chrono::milliseconds(2);
  options.snapshot_interval_events = 40;
  return options;
}

// All events are there and are those that were submitted.
bool HoldsAll(const Engine& engine) {
  const auto last = CheckEvents(engine.log());
  return last.ok() && *last == engine.state().sequence;
}

Sequence Next(const Engine& engine) { return engine.state().sequence + 1; }

// Checkpoints until the disk is full, every eighth of them one that waits.
absl::Status WriteUntilFull(Engine& engine, const OperationHandle& handle) {
  constexpr std::uint64_t kFarTooMany = 100'000;
  for (std::uint64_t i = 0; i < kFarTooMany; ++i) {
    const Sequence before = engine.state().sequence;
    const Durability durability = i % 8 == 0 ? Durability::kSync : Durability::kInterval;
    const absl::Status status = engine.Checkpoint(handle, CheckpointOf(before + 1), durability);
    if (engine.state().sequence != before + (status.ok() ? 1 : 0)) return absl::InternalError("it has lost count");
    if (!status.ok()) return status;
  }
  return absl::InternalError("the disk never gets full");
}

bool IsDurable(const Engine& engine) { return engine.durable_through() == engine.state().sequence; }

// On the full disk. What needs no more than the reserve must work.
int InterruptAndEnd(const std::string& log, std::unique_ptr<Engine> engine, const OperationHandle& handle) {
  REQUIRE(HoldsAll(*engine));
  REQUIRE(engine->Pause(handle, "the disk is full").ok());
  REQUIRE(IsDurable(*engine));
  REQUIRE(engine->Fail(handle, "the disk is full").ok());
  REQUIRE(engine->Clear().ok());
  REQUIRE(IsDurable(*engine) && HoldsAll(*engine));
  const State state = engine->state();
  REQUIRE(engine->Close().ok());
  engine.reset();
  auto again = Engine::Open(log, Options());
  REQUIRE(again.ok());
  REQUIRE((*again)->state() == state && HoldsAll(**again));
  return 0;
}

// With room again.
int GoOn(const std::string& log) {
  auto engine = Engine::Open(log, Options());
  REQUIRE(engine.ok());
  REQUIRE(HoldsAll(**engine));
  if ((*engine)->state().status() != OperationStatus::kIdle) REQUIRE((*engine)->Reset().ok());
  const auto handle = (*engine)->Start({});
  REQUIRE(handle.ok());
  REQUIRE((*engine)->Checkpoint(*handle, CheckpointOf(Next(**engine)), Durability::kSync).ok());
  REQUIRE((*engine)->Complete(*handle).ok());
  REQUIRE((*engine)->Close().ok());
  engine->reset();
  engine = Engine::Open(log, Options());
  REQUIRE(engine.ok());
  REQUIRE((*engine)->state().status() == OperationStatus::kCompleted && HoldsAll(**engine));
  return 0;
}

int OneLevel(const std::string& directory, std::uint64_t free_bytes) {
  const std::string log = directory + "/log";
  Fill(directory + "/freed", kFreedBytes);
  const std::uint64_t free = FreeBytes(directory);
  Fill(directory + "/ballast", free > free_bytes ? free - free_bytes : 0);
  auto engine = Engine::Open(log, Options());
  REQUIRE(engine.ok() || absl::IsResourceExhausted(engine.status()));
  if (engine.ok()) {
    const auto handle = (*engine)->Start({});
    REQUIRE(handle.ok() || absl::IsResourceExhausted(handle.status()));
    if (handle.ok()) {
      const absl::Status full = WriteUntilFull(**engine, *handle);
      if (!absl::IsResourceExhausted(full)) fprintf(stderr, "%s\n", full.ToString().c_str());
      REQUIRE(absl::IsResourceExhausted(full));
      if (const int failed = InterruptAndEnd(log, *std::move(engine), *handle); failed != 0) return failed;
    } else {
      engine->reset();
    }
  }
  unlink((directory + "/freed").c_str());
  // Where not even a new log fits, more has to be given free than that.
  if (!std::filesystem::exists(log + "/log.mdb")) unlink((directory + "/ballast").c_str());
  if (const int failed = GoOn(log); failed != 0) return failed;
  std::filesystem::remove_all(log);
  unlink((directory + "/ballast").c_str());
  return 0;
}

// From nothing free to nothing taken.
int EveryLevel(const std::string& directory) {
  const std::uint64_t size = FreeBytes(directory) - kFreedBytes;
  for (int level = 0; level <= kLevels; ++level) {
    const std::uint64_t free = size * static_cast<std::uint64_t>(level) / kLevels;
    if (const int failed = OneLevel(directory, free); failed != 0) {
      fprintf(stderr, "with %llu bytes free at the start\n", static_cast<unsigned long long>(free));
      return failed;
    }
  }
  // Around the size of a new log every block makes a difference.
  for (std::uint64_t blocks = 0; blocks < 70; ++blocks) {
    if (blocks * kBlockBytes > size) break;
    if (const int failed = OneLevel(directory, blocks * kBlockBytes); failed != 0) {
      fprintf(stderr, "with %llu blocks free at the start\n", static_cast<unsigned long long>(blocks));
      return failed;
    }
  }
  return 0;
}

template <int kKibibytes>
int InMemory(const std::string& directory) {
  if (!MountSmall(directory, std::to_string(kKibibytes) + "k")) return kNoNamespaces;
  return EveryLevel(directory);
}

// A file system that allocates late and keeps a journal: other calls are the ones to fail. Needs a loop device.
constexpr int kNoLoopDevice = 78;

// The image is in memory: what is tested is the room on the file system, not the disk below it.
int OnExt4(const std::string& directory) {
  if (geteuid() != 0 || !MountSmall(directory, "8m")) return kNoLoopDevice;
  const std::string image = directory + "/image";
  const std::string mounted = directory + "/mounted";
  std::filesystem::create_directory(mounted);
  std::ofstream(image).close();
  std::filesystem::resize_file(image, std::uint64_t{4} << 20);
  const std::string make =
      "mkfs.ext4 -q -F -m 0 " + image + " >/dev/null 2>&1 && mount -o loop " + image + " " + mounted + " 2>/dev/null";
  if (system(make.c_str()) != 0) return kNoLoopDevice;  // NOLINT: the path is this test's own
  const int result = EveryLevel(mounted);
  umount2(mounted.c_str(), MNT_DETACH);
  return result;
}

TEST(FillLevel, On256KiB) { RunOnASmallDisk(InMemory<256>); }
TEST(FillLevel, On512KiB) { RunOnASmallDisk(InMemory<512>); }
TEST(FillLevel, On1MiB) { RunOnASmallDisk(InMemory<1024>); }
TEST(FillLevel, On4MiB) { RunOnASmallDisk(InMemory<4096>); }
TEST(FillLevel, On16MiB) { RunOnASmallDisk(InMemory<16384>); }

TEST(FillLevel, OnExt4Of4MiB) {
  const TempDir directory;
  const pid_t child = fork();
  if (child == 0) _exit(OnExt4(directory.path()));
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
  if (WEXITSTATUS(status) == kNoLoopDevice) GTEST_SKIP() << "no loop device, or not root: ext4 is not tried here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace foldlog
