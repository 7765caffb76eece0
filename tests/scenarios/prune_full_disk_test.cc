// Pruning is what makes room on a full disk, so it has to work there: without the reserve in the file `snapshots`, it
// fails there every other time.

#include <cstdio>
#include <fstream>
#include <random>
#include <string>

#include "foldlog/engine.h"
#include "foldlog/event_index.h"
#include "foldlog/history.h"
#include "foldlog/log_directory.h"
#include "foldlog/retention.h"
#include "foldlog/verify.h"
#include "tests/support/small_disk.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

// Operations until the disk is full, and then every byte that is left.
int FillWithOperations(const std::string& log, const std::string& rest, int* operations) {
  std::mt19937_64 random(1);
  auto engine = Engine::Open(log, SmallTailOptions());
  REQUIRE(engine.ok());
  absl::Status status;
  while (status.ok()) {
    auto handle = (*engine)->Start({});
    if (!handle.ok()) break;
    for (int i = 0; i < 100 && status.ok(); ++i) {
      std::string path(2000, '\0');
      for (char& byte : path) byte = static_cast<char>(random());
      status = (*engine)->Checkpoint(*handle, {.files_processed = i, .current_path = path});
    }
    REQUIRE((*engine)->Complete(*handle).ok());
    ++*operations;
  }
  REQUIRE(status.ok() || absl::IsResourceExhausted(status));
  REQUIRE((*engine)->Close().ok());
  std::ofstream file(rest);
  while (file) file << std::string(512, 'x') << std::flush;
  return 0;
}

// How much room the writer finds for its last transaction depends on the size.
template <int kKibibytes>
int PruneOnDiskOf(const std::string& directory) {
  if (!MountSmall(directory, std::to_string(kKibibytes) + "k")) return kNoNamespaces;
  const std::string log = directory + "/log";
  int operations = 0;
  REQUIRE(FillWithOperations(log, directory + "/rest", &operations) == 0);
  REQUIRE(operations > 10);
  LogDirectoryOptions options;
  options.indexer = NewEventIndexer();
  auto writable = OpenLogForWriting(log, options);
  REQUIRE(writable.ok());
  const auto plan = PlanPrune(*writable->log, {.keep_runs = 3}, SystemClock()().time);
  REQUIRE(plan.ok());
  REQUIRE(plan->bytes > 1'000'000);
  const absl::Status pruned = Prune(*writable->log, *plan, "the test");
  if (!pruned.ok()) fprintf(stderr, "%s\n", pruned.ToString().c_str());
  REQUIRE(pruned.ok());
  const absl::Status freed = writable->log->FreePruned();
  if (!freed.ok()) fprintf(stderr, "%s\n", freed.ToString().c_str());
  REQUIRE(freed.ok());
  const auto space = writable->log->ReadSpace();
  REQUIRE(space.ok());
  REQUIRE(space->disk_bytes < 2'000'000);
  REQUIRE(writable->log->Close().ok());
  const auto report = Verify(log, {.jobs = 1});
  REQUIRE(report.ok());
  REQUIRE(report->sound());
  const auto reader = OpenLogForReading(log);
  REQUIRE(reader.ok());
  REQUIRE(ReadHistory(**reader)->size() == static_cast<std::size_t>(operations));
  // There is room again.
  auto engine = Engine::Open(log, SmallTailOptions());
  REQUIRE(engine.ok());
  const auto handle = (*engine)->Start({});
  REQUIRE(handle.ok());
  REQUIRE((*engine)->Complete(*handle).ok());
  REQUIRE((*engine)->Close().ok());
  return 0;
}

TEST(PruneFullDiskTest, PruningWorksOnAFullDiskAndMakesRoom) {
  for (int i = 0; i < 3; ++i) {
    RunOnASmallDisk(PruneOnDiskOf<5500>);
    RunOnASmallDisk(PruneOnDiskOf<5800>);
    RunOnASmallDisk(PruneOnDiskOf<6100>);
    RunOnASmallDisk(PruneOnDiskOf<6300>);
  }
}

}  // namespace
}  // namespace foldlog
