// A disk that is really full: a small tmpfs. (Space is what is tested here, not durability, so memory will do.)

#include <unistd.h>

#include <fstream>
#include <random>
#include <string>

#include "foldlog/log_directory.h"
#include "tests/support/small_disk.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

std::string Incompressible(std::size_t bytes) {
  static std::mt19937_64 random(TestSeed());
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

void Fill(const std::string& path) {
  std::ofstream file(path);
  const std::string block(4096, 'x');
  while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
  }
}

absl::StatusOr<std::unique_ptr<Engine>> OpenSmall(const std::string& log) {
  return Engine::Open(log, SmallTailOptions());
}

// First the disk is full and the tail takes what comes; then the tail is full, too.
int FillThenFreeThenGoOn(const std::string& directory) {
  if (!MountSmall(directory, "2m")) return kNoNamespaces;
  auto engine = OpenSmall(directory + "/log");
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
  REQUIRE(done >= 10);  // that much fits into the tail
  REQUIRE((*engine)->state().operation->files_processed == done);
  REQUIRE((*engine)->state().sequence == static_cast<Sequence>(done) + 1);
  REQUIRE(ReadAll((*engine)->log()).size() == static_cast<std::size_t>(done) + 1);
  REQUIRE(absl::IsResourceExhausted((*engine)->Checkpoint(*handle, {.files_processed = 1, .current_path = path})));
  REQUIRE((*engine)->Flush().ok());
  REQUIRE((*engine)->durable_through() == static_cast<Sequence>(done) + 1);

  unlink((directory + "/ballast").c_str());
  REQUIRE((*engine)->Checkpoint(*handle, {.files_processed = done + 1, .current_path = path}).ok());
  REQUIRE((*engine)->Complete(*handle).ok());
  engine->reset();
  engine = OpenSmall(directory + "/log");
  REQUIRE(engine.ok());
  REQUIRE((*engine)->state().operation->files_processed == done + 1);
  return 0;
}

// What is kept free in the tail for them.
int OperationsStillEnd(const std::string& directory) {
  if (!MountSmall(directory, "2m")) return kNoNamespaces;
  auto engine = OpenSmall(directory + "/log");
  REQUIRE(engine.ok());
  const auto first = (*engine)->Start({});
  REQUIRE(first.ok());
  Fill(directory + "/ballast");
  absl::Status status;
  while ((status = (*engine)->Checkpoint(*first, {.files_processed = 1})).ok()) {
  }
  REQUIRE(absl::IsResourceExhausted(status));
  // However much there is to say: it is cut to what the reserve has room for.
  REQUIRE((*engine)->Pause(*first, std::string(std::size_t{5} << 20, 'x')).ok());
  REQUIRE((*engine)->state().operation->pause_reason.find("[cut, of 5242880 bytes]") != std::string::npos);
  REQUIRE(absl::IsResourceExhausted((*engine)->Resume(first->operation_id).status()));
  REQUIRE((*engine)->Fail(*first, "the disk is full").ok());
  REQUIRE((*engine)->Clear().ok());
  REQUIRE(absl::IsResourceExhausted((*engine)->Start({}).status()));
  const Sequence last = (*engine)->state().sequence;
  REQUIRE((*engine)->durable_through() == last);

  // Closed and opened again while the disk is still full, it goes on as before.
  REQUIRE((*engine)->Close().ok());
  REQUIRE(InspectWriter(directory + "/log")->closed_cleanly.size() == 1);
  engine = OpenSmall(directory + "/log");
  REQUIRE(engine.ok());
  REQUIRE((*engine)->state().sequence == last);
  REQUIRE(absl::IsResourceExhausted((*engine)->Start({}).status()));
  unlink((directory + "/ballast").c_str());
  const auto second = (*engine)->Start({});
  REQUIRE(second.ok());
  REQUIRE((*engine)->Complete(*second).ok());
  REQUIRE(ReadAll((*engine)->log()).size() == last + 2);
  return 0;
}

int CreateOnAFullDisk(const std::string& directory) {
  if (!MountSmall(directory, "256k")) return kNoNamespaces;
  Fill(directory + "/ballast");
  REQUIRE(absl::IsResourceExhausted(OpenSmall(directory + "/log").status()));
  unlink((directory + "/ballast").c_str());
  REQUIRE(!std::filesystem::exists(directory + "/log/tail.new"));
  REQUIRE(OpenSmall(directory + "/log").ok());
  return 0;
}

int OpenAFullLogStillWorks(const std::string& directory) {
  if (!MountSmall(directory, "1m")) return kNoNamespaces;
  { REQUIRE(OpenSmall(directory + "/log").ok()); }
  Fill(directory + "/ballast");
  REQUIRE(OpenLogForReading(directory + "/log").ok());
  REQUIRE(OpenSmall(directory + "/log").ok());
  return 0;
}

// Whatever the room left, and so wherever in a commit it ends: LMDB reports some of these as input/output errors.
int EveryFillLevel(const std::string& directory) {
  if (!MountSmall(directory, "1m")) return kNoNamespaces;
  for (int free_pages = 0; free_pages < 60; ++free_pages) {
    Fill(directory + "/ballast");
    REQUIRE(truncate((directory + "/ballast").c_str(),
                     static_cast<off_t>(std::filesystem::file_size(directory + "/ballast")) - free_pages * 4096) == 0);
    auto engine = OpenSmall(directory + "/log");
    REQUIRE(engine.ok() || absl::IsResourceExhausted(engine.status()));
    if (engine.ok()) {
      const auto handle = (*engine)->Start({});
      REQUIRE(handle.ok() || absl::IsResourceExhausted(handle.status()));
      absl::Status status = handle.status();
      for (int i = 0; i < 400 && status.ok(); ++i) {
        status = (*engine)->Checkpoint(*handle, {.files_processed = i, .current_path = Incompressible(9000)});
      }
      REQUIRE(absl::IsResourceExhausted(status));
      const Sequence last = (*engine)->state().sequence;
      REQUIRE(ReadAll((*engine)->log()).size() == last);
      REQUIRE((*engine)->Close().ok());
      engine = OpenSmall(directory + "/log");
      REQUIRE(engine.ok());
      REQUIRE((*engine)->state().sequence == last);
      engine->reset();
    }
    std::filesystem::remove_all(directory + "/log");
    unlink((directory + "/ballast").c_str());
  }
  return 0;
}

TEST(FullDisk, AppendIsRefusedNothingIsLostAndWorkGoesOnWhenSpaceIsFreed) { RunOnASmallDisk(FillThenFreeThenGoOn); }
TEST(FullDisk, PauseFailAndClearStillWorkAndSurviveReopening) { RunOnASmallDisk(OperationsStillEnd); }
TEST(FullDisk, CreationFailsCleanlyAndWorksLater) { RunOnASmallDisk(CreateOnAFullDisk); }
TEST(FullDisk, EveryFillLevelIsReportedAsAFullDisk) { RunOnASmallDisk(EveryFillLevel); }
TEST(FullDisk, ExistingLogStillOpens) { RunOnASmallDisk(OpenAFullLogStillWorks); }

}  // namespace
}  // namespace foldlog
