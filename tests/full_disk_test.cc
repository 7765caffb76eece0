// A disk that is really full: a small tmpfs in a mount namespace of the test's own, which a user without privileges may
// have, too. (Space is what is tested here, not durability, so memory will do.)

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "foldlog/log_directory.h"
#include "tests/test_support.h"

namespace foldlog {
namespace {

constexpr int kNoNamespaces = 77;

// Mounts a file system of `size` on `directory`, for this process only.
bool MountSmall(const std::string& directory, const std::string& size) {
  const uid_t uid = getuid();
  if (uid == 0 ? unshare(CLONE_NEWNS) != 0 : unshare(CLONE_NEWNS | CLONE_NEWUSER) != 0) return false;
  if (uid != 0) std::ofstream("/proc/self/uid_map") << "0 " << uid << " 1";
  mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  return mount("small", directory.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
}

void Fill(const std::string& path) {
  std::ofstream file(path);
  const std::string block(4096, 'x');
  while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
  }
}

// Returns the number of the line that did not hold, 0 if all did.
#define REQUIRE(condition) \
  if (!(condition)) return __LINE__

int FillThenFreeThenGoOn(const std::string& directory) {
  if (!MountSmall(directory, "2m")) return kNoNamespaces;
  auto engine = Engine::Open(directory + "/log");
  REQUIRE(engine.ok());
  const auto handle = (*engine)->Start({});
  REQUIRE(handle.ok());

  Fill(directory + "/ballast");
  const std::string path(3000, 'p');
  std::int64_t done = 0;
  absl::Status status;
  while ((status = (*engine)->Checkpoint(*handle, {.files_processed = done + 1, .current_path = path})).ok()) ++done;
  REQUIRE(absl::IsResourceExhausted(status));
  REQUIRE(std::string(status.message()).find("free some space") != std::string::npos);
  REQUIRE((*engine)->state().operation->files_processed == done);
  REQUIRE((*engine)->state().sequence == static_cast<Sequence>(done) + 1);
  REQUIRE(ReadAll((*engine)->log()).size() == static_cast<std::size_t>(done) + 1);
  REQUIRE(absl::IsResourceExhausted((*engine)->Checkpoint(*handle, {.files_processed = 1, .current_path = path})));

  unlink((directory + "/ballast").c_str());
  REQUIRE((*engine)->Checkpoint(*handle, {.files_processed = done + 1, .current_path = path}).ok());
  REQUIRE((*engine)->Complete(*handle).ok());
  engine->reset();
  engine = Engine::Open(directory + "/log");
  REQUIRE(engine.ok());
  REQUIRE((*engine)->state().operation->files_processed == done + 1);
  return 0;
}

int CreateOnAFullDisk(const std::string& directory) {
  if (!MountSmall(directory, "64k")) return kNoNamespaces;
  Fill(directory + "/ballast");
  REQUIRE(absl::IsResourceExhausted(Engine::Open(directory + "/log").status()));
  unlink((directory + "/ballast").c_str());
  REQUIRE(Engine::Open(directory + "/log").ok());
  return 0;
}

int OpenAFullLogStillWorks(const std::string& directory) {
  if (!MountSmall(directory, "1m")) return kNoNamespaces;
  { REQUIRE(Engine::Open(directory + "/log").ok()); }
  Fill(directory + "/ballast");
  REQUIRE(OpenLogForReading(directory + "/log").ok());
  REQUIRE(Engine::Open(directory + "/log").ok());
  return 0;
}

// LMDB maps its lock file: where there is no room for it, touching it would be the end of the process.
int LockFileIsMissing(const std::string& directory) {
  if (!MountSmall(directory, "1m")) return kNoNamespaces;
  { REQUIRE(Engine::Open(directory + "/log").ok()); }
  unlink((directory + "/log/log.mdb-lock").c_str());
  Fill(directory + "/ballast");
  REQUIRE(absl::IsResourceExhausted(OpenLogForReading(directory + "/log").status()));
  REQUIRE(absl::IsResourceExhausted(Engine::Open(directory + "/log").status()));
  unlink((directory + "/ballast").c_str());
  REQUIRE(Engine::Open(directory + "/log").ok());
  return 0;
}

// Whatever the room left, and so wherever in a commit it ends: LMDB reports some of these as input/output errors.
int EveryFillLevel(const std::string& directory) {
  if (!MountSmall(directory, "1m")) return kNoNamespaces;
  for (int free_pages = 0; free_pages < 60; ++free_pages) {
    Fill(directory + "/ballast");
    REQUIRE(truncate((directory + "/ballast").c_str(),
                     static_cast<off_t>(std::filesystem::file_size(directory + "/ballast")) - free_pages * 4096) == 0);
    auto engine = Engine::Open(directory + "/log");
    REQUIRE(engine.ok() || absl::IsResourceExhausted(engine.status()));
    if (engine.ok()) {
      const auto handle = (*engine)->Start({});
      REQUIRE(handle.ok() || absl::IsResourceExhausted(handle.status()));
      absl::Status status = handle.status();
      for (int i = 0; i < 200 && status.ok(); ++i) {
        status = (*engine)->Checkpoint(*handle, {.files_processed = i, .current_path = std::string(9000, 'p')});
      }
      REQUIRE(absl::IsResourceExhausted(status));
      const Sequence last = (*engine)->state().sequence;
      REQUIRE(ReadAll((*engine)->log()).size() == last);
      engine->reset();
    }
    std::filesystem::remove_all(directory + "/log");
    unlink((directory + "/ballast").c_str());
  }
  return 0;
}

void RunOnASmallDisk(int (*body)(const std::string&)) {
  const TempDir directory;
  const pid_t child = fork();
  if (child == 0) _exit(body(directory.path()) % 256);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
  ASSERT_NE(WEXITSTATUS(status), kNoNamespaces) << "this test needs a mount namespace: root, or user namespaces";
  EXPECT_EQ(WEXITSTATUS(status), 0) << "the requirement in this line did not hold (modulo 256)";
}

TEST(FullDisk, AppendIsRefusedNothingIsLostAndWorkGoesOnWhenSpaceIsFreed) { RunOnASmallDisk(FillThenFreeThenGoOn); }
TEST(FullDisk, CreationFailsCleanlyAndWorksLater) { RunOnASmallDisk(CreateOnAFullDisk); }
TEST(FullDisk, NoRoomForTheLockFileIsAnErrorNotACrash) { RunOnASmallDisk(LockFileIsMissing); }
TEST(FullDisk, EveryFillLevelIsReportedAsAFullDisk) { RunOnASmallDisk(EveryFillLevel); }
TEST(FullDisk, ExistingLogStillOpens) { RunOnASmallDisk(OpenAFullLogStillWorks); }

}  // namespace
}  // namespace foldlog
