// A disk that is really full: a small tmpfs. (Space is what is tested here, not durability, so memory will do.)

#include <unistd.h>

#include <fstream>

#include "foldlog/log_directory.h"
#include "tests/small_disk.h"
#include "tests/test_support.h"

namespace foldlog {
namespace {

void Fill(const std::string& path) {
  std::ofstream file(path);
  const std::string block(4096, 'x');
  while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
  }
}

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

TEST(FullDisk, AppendIsRefusedNothingIsLostAndWorkGoesOnWhenSpaceIsFreed) { RunOnASmallDisk(FillThenFreeThenGoOn); }
TEST(FullDisk, CreationFailsCleanlyAndWorksLater) { RunOnASmallDisk(CreateOnAFullDisk); }
TEST(FullDisk, NoRoomForTheLockFileIsAnErrorNotACrash) { RunOnASmallDisk(LockFileIsMissing); }
TEST(FullDisk, EveryFillLevelIsReportedAsAFullDisk) { RunOnASmallDisk(EveryFillLevel); }
TEST(FullDisk, ExistingLogStillOpens) { RunOnASmallDisk(OpenAFullLogStillWorks); }

}  // namespace
}  // namespace foldlog
