// Disks that are missing, or replaced by others: rows are dropped only where the files were seen to be gone.

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "tests/support/indexer_support.h"
#include "tests/support/small_disk.h"
#include "tests/support/unprivileged.h"

namespace foldlog::indexer {
namespace {

using testing::HasSubstr;

namespace fs = std::filesystem;

// Runs of one indexer after another, for tests in which nothing but the tree changes.
class Runs {
 public:
  explicit Runs(const std::string& directory) : catalog_(directory + "/catalog.db") {
    engine_ = Engine::Open(NewWritableMemoryLog()).value();
    options.catalog_path = catalog_;
    options.type = OperationType::kIncremental;
  }

  absl::StatusOr<IndexReport> Try() { return RunIndex(*engine_, "", options, sink, stop_); }
  IndexReport Run() {
    const auto report = Try();
    EXPECT_OK(report);
    return report.ok() ? *report : IndexReport();
  }
  Rows Catalog() const { return RowsOfCatalog(catalog_); }
  std::size_t Count() const { return Catalog().size(); }

  // The last error that the history shows, with its path.
  std::string LastError() const {
    std::string last;
    for (const RecordedEvent& event : ReadAll(engine_->log())) {
      const auto* checkpoint = std::get_if<Checkpoint>(&event.event.body);
      if (checkpoint != nullptr && checkpoint->error)
        last = checkpoint->error->path + ": " + checkpoint->error->message;
    }
    return last;
  }

  IndexOptions options;
  TestSink sink;

 private:
  const std::string catalog_;
  std::unique_ptr<Engine> engine_;
  std::atomic<int> stop_ = 0;
};

void Fill(const std::string& directory, int files) {
  for (int i = 0; i < files; ++i) WriteFile(directory + "/f" + std::to_string(i), directory);
}

bool Mount(const std::string& directory) { return mount("small", directory.c_str(), "tmpfs", 0, "size=1m") == 0; }

bool Contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(PlaceTest, RootThatIsSuddenlyEmptyKeepsItsRowsUntilThatIsAccepted) {
  TempDir dir;
  Runs runs(dir.path());
  Fill(dir / "tree", 3);
  fs::create_directory(dir / "tree/hollow");
  runs.options.directories = {dir / "tree"};
  runs.Run();
  for (int i = 0; i < 3; ++i) fs::remove(dir / "tree/f" + std::to_string(i));
  for (int again = 0; again < 2; ++again) {
    const IndexReport report = runs.Run();
    EXPECT_EQ(report.counters.kept, 3);
    EXPECT_EQ(report.counters.removed, 0);
    EXPECT_EQ(report.counters.errors, 1);
    EXPECT_THAT(runs.LastError(), HasSubstr("tree: 3 rows without a file kept: there is no file at all any more"));
    EXPECT_EQ(runs.Count(), 3);
  }
  runs.options.accept_removed = true;
  const IndexReport report = runs.Run();
  EXPECT_EQ(report.counters.removed, 3);
  EXPECT_EQ(report.counters.errors, 0);
  EXPECT_EQ(runs.Count(), 0);
}

TEST(PlaceTest, RootThatLosesAllButOneFileLosesTheirRows) {
  TempDir dir;
  Runs runs(dir.path());
  Fill(dir / "tree", 3);
  runs.options.directories = {dir / "tree"};
  runs.Run();
  fs::remove(dir / "tree/f0");
  fs::remove(dir / "tree/f1");
  EXPECT_EQ(runs.Run().counters.removed, 2);
}

TEST(PlaceTest, RootThatVanishedDoesNotKeepTheOthersFromTheirRun) {
  TempDir dir;
  Runs runs(dir.path());
  Fill(dir / "here", 3);
  Fill(dir / "disk/photos", 4);
  runs.options.directories = {dir / "here", dir / "disk/photos"};
  runs.Run();
  fs::rename(dir / "disk", dir / "unplugged");
  fs::remove(dir / "here/f0");
  WriteFile(dir / "here/new", "");
  const IndexReport report = runs.Run();
  EXPECT_EQ(report.counters.added, 1);
  EXPECT_EQ(report.counters.removed, 1);
  EXPECT_GE(report.counters.errors, 1);
  EXPECT_THAT(runs.LastError(), HasSubstr("disk/photos: its rows are kept as they are"));
  EXPECT_EQ(runs.Count(), 7);

  runs.options.directories.emplace_back(dir / "mistyped");  // which never was indexed
  EXPECT_THAT(runs.Try(), Fails(absl::StatusCode::kNotFound, HasSubstr("mistyped")));
  runs.options.directories = {dir / "disk/photos"};
  EXPECT_THAT(runs.Try(), Fails(absl::StatusCode::kNotFound, HasSubstr("photos")));
  EXPECT_EQ(runs.Count(), 7);

  runs.options.accept_removed = true;
  const IndexReport accepted = runs.Run();
  EXPECT_EQ(accepted.counters.removed, 4);
  EXPECT_EQ(accepted.counters.errors, 0);
  EXPECT_EQ(runs.Count(), 3);
}

TEST(PlaceTest, RowsBelowADirectoryThatCannotBeReadAreKept) {
  const Unprivileged unprivileged;
  TempDir dir;
  Runs runs(dir.path());
  Fill(dir / "tree/locked", 3);
  Fill(dir / "tree", 1);
  runs.options.directories = {dir / "tree"};
  runs.Run();
  fs::permissions(dir / "tree/locked", fs::perms::none);
  const IndexReport report = runs.Run();
  EXPECT_EQ(report.counters.removed, 0);
  EXPECT_EQ(report.counters.errors, 1);
  EXPECT_EQ(runs.Count(), 4);
  fs::permissions(dir / "tree/locked", fs::perms::owner_all);
}

int DiskThatIsNotMounted(const std::string& directory) {
  const std::string disk = directory + "/disk";
  fs::create_directory(disk);
  if (!MountSmall(disk, "1m")) return kNoNamespaces;
  Fill(disk + "/photos", 3);
  Runs runs(directory);
  runs.options.directories = {disk};
  runs.Run();
  REQUIRE(runs.Count() == 3);
  REQUIRE(umount(disk.c_str()) == 0);
  WriteFile(disk + "/underneath", "");  // not even empty
  IndexReport report = runs.Run();
  REQUIRE(report.counters.removed == 0 && report.counters.kept == 3 && report.counters.errors == 1);
  REQUIRE(Contains(runs.LastError(), "disk: 3 rows without a file kept: nothing is mounted there"));
  // Another disk at the same place, with a file of its own.
  REQUIRE(Mount(disk));
  Fill(disk + "/other", 1);
  report = runs.Run();
  REQUIRE(report.counters.kept == 4 && report.counters.errors == 1);
  REQUIRE(Contains(runs.LastError(), "on another file system than before"));
  runs.options.accept_removed = true;
  report = runs.Run();
  REQUIRE(report.counters.removed == 4 && report.counters.errors == 0 && runs.Count() == 1);
  // From now on this is the disk.
  runs.options.accept_removed = false;
  Fill(disk + "/other", 2);
  runs.Run();
  fs::remove(disk + "/other/f0");
  report = runs.Run();
  REQUIRE(report.counters.removed == 1 && report.counters.errors == 0);
  return 0;
}

TEST(PlaceTest, DiskThatIsNotMountedKeepsItsRows) { RunOnASmallDisk(DiskThatIsNotMounted); }

int MountBelowARoot(const std::string& directory) {
  const std::string tree = directory + "/tree";
  fs::create_directories(tree + "/mnt/disk");
  if (!MountSmall(tree + "/mnt/disk", "1m")) return kNoNamespaces;
  Fill(tree + "/mnt/disk/a", 3);
  Fill(tree, 2);
  Runs runs(directory);
  runs.options.directories = {tree};
  runs.Run();
  REQUIRE(runs.Count() == 5);
  REQUIRE(umount((tree + "/mnt/disk").c_str()) == 0);
  fs::remove(tree + "/f0");
  IndexReport report = runs.Run();
  REQUIRE(report.counters.removed == 1 && report.counters.kept == 3 && report.counters.errors == 1);
  REQUIRE(Contains(runs.LastError(), "mnt/disk: 3 rows"));
  // Removable media take their mount point with them.
  fs::remove(tree + "/mnt/disk");
  report = runs.Run();
  REQUIRE(report.counters.removed == 0 && report.counters.kept == 3 && report.counters.errors == 1);
  runs.options.accept_removed = true;
  report = runs.Run();
  REQUIRE(report.counters.removed == 3 && report.counters.errors == 0 && runs.Count() == 1);
  runs.options.accept_removed = false;
  REQUIRE(runs.Run().counters.errors == 0);
  return 0;
}

TEST(PlaceTest, MountBelowARootThatIsGoneKeepsItsRows) { RunOnASmallDisk(MountBelowARoot); }

int BindMountOfTheSameFileSystem(const std::string& directory) {
  if (!MountSmall(directory, "1m")) return kNoNamespaces;
  const std::string root = directory + "/root";
  fs::create_directory(root);
  Fill(root, 1);  // underneath
  Fill(directory + "/data/x", 3);
  REQUIRE(mount((directory + "/data").c_str(), root.c_str(), nullptr, MS_BIND, nullptr) == 0);
  Runs runs(directory);
  runs.options.directories = {root};
  runs.Run();
  REQUIRE(umount(root.c_str()) == 0);
  const IndexReport report = runs.Run();
  REQUIRE(report.counters.removed == 0 && report.counters.kept == 3);
  return 0;
}

TEST(PlaceTest, BindMountThatIsGoneIsMissedAlthoughTheFileSystemIsTheSame) {
  RunOnASmallDisk(BindMountOfTheSameFileSystem);
}

int DiskThatGoesDuringTheRun(const std::string& directory) {
  const std::string tree = directory + "/tree";
  fs::create_directories(tree + "/disk");
  if (!MountSmall(tree + "/disk", "1m")) return kNoNamespaces;
  Fill(tree + "/disk", 3);
  Fill(tree + "/z", 3);
  Runs runs(directory);
  runs.options.directories = {tree};
  // On the first run of all, between the walk and the sweep.
  bool done = false;
  runs.sink.on_update = [&](const Progress& progress) {
    if (progress.stage != Progress::Stage::kIndexing || progress.current_path != tree + "/z/f2") return;
    done = umount((tree + "/disk").c_str()) == 0;
  };
  const IndexReport report = runs.Run();
  REQUIRE(done);
  REQUIRE(report.counters.removed == 0 && report.counters.kept == 3 && report.counters.errors == 1);
  return 0;
}

TEST(PlaceTest, DiskThatGoesDuringTheRunKeepsItsRows) { RunOnASmallDisk(DiskThatGoesDuringTheRun); }

int OddTimes(const std::string& directory) {
  const std::string tree = directory + "/tree";
  fs::create_directory(tree);
  if (!MountSmall(tree, "1m")) return kNoNamespaces;
  Fill(tree, 2);
  const timespec times[2][2] = {{{-11'676'096'000, 7}, {-11'676'096'000, 7}},
                                {{19'880'899'200, 1}, {19'880'899'200, 1}}};
  for (int i = 0; i < 2; ++i) REQUIRE(utimensat(AT_FDCWD, (tree + "/f" + std::to_string(i)).c_str(), times[i], 0) == 0);
  Runs runs(directory);
  runs.options.directories = {tree};
  runs.Run();
  const std::vector<std::string> stored = Sql(directory + "/catalog.db", "SELECT mtime_ns FROM files ORDER BY path");
  REQUIRE((stored == std::vector<std::string>{"-11676095999999999993", "19880899200000000001"}));
  const IndexReport again = runs.Run();
  REQUIRE(again.counters.skipped == 2 && again.counters.hashed == 0);
  // One that 64 bits could not tell from it.
  const timespec wrapped[2] = {{19'880'899'200 - 18'446'744'073, 1}, {19'880'899'200 + 1, 1}};
  REQUIRE(utimensat(AT_FDCWD, (tree + "/f1").c_str(), wrapped, 0) == 0);
  REQUIRE(runs.Run().counters.hashed == 1);
  return 0;
}

TEST(PlaceTest, FilesOfTheYears1600And2600KeepTheirTimes) { RunOnASmallDisk(OddTimes); }

}  // namespace
}  // namespace foldlog::indexer
