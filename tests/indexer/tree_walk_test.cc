// Paths and their order, and the walk over real directories.

#include "tools/indexer/tree_walk.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "tests/support/indexer_support.h"
#include "tests/support/odd_trees.h"
#include "tests/support/small_disk.h"
#include "tests/support/unprivileged.h"
#include "tools/indexer/file_access.h"
#include "tools/indexer/paths.h"

namespace foldlog::indexer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Paths of files in the order of the walk; of directories that could not be read, with "!" before.
std::vector<std::string> WalkAll(WalkOptions options) {
  TreeWalk walk(std::move(options));
  std::vector<std::string> paths;
  while (const auto entry = walk.Next()) {
    paths.push_back((entry->kind == WalkEntry::Kind::kFile ? "" : "!") + std::string(entry->path));
  }
  return paths;
}

WalkOptions Below(const std::string& root, const std::string& after = "") {
  WalkOptions options;
  options.roots = {root};
  options.after = after;
  return options;
}

TEST(PathOrder, ContentOfADirectoryStandsInItsPlace) {
  EXPECT_LT(ComparePaths("/a/x", "/a-b"), 0);  // plain bytes say otherwise
  EXPECT_LT(ComparePaths("/a", "/a/x"), 0);
  EXPECT_LT(ComparePaths("/a/x", "/b"), 0);
  EXPECT_GT(ComparePaths("/a\xff", "/a/z"), 0);
  EXPECT_LT(ComparePaths("/a\x01", "/a\x80"), 0);  // bytes are unsigned
  EXPECT_LT(ComparePaths("/", "/a"), 0);
  EXPECT_EQ(ComparePaths("/a/b", "/a/b"), 0);
}

TEST(PathOrder, SiblingWithTheSamePrefixIsNotBelow) {
  EXPECT_TRUE(IsAtOrUnder("/a/b", "/a"));
  EXPECT_TRUE(IsAtOrUnder("/a", "/a"));
  EXPECT_TRUE(IsAtOrUnder("/a", "/"));
  EXPECT_FALSE(IsAtOrUnder("/ab", "/a"));
  EXPECT_FALSE(IsAtOrUnder("/a", "/a/b"));
}

TEST(Roots, NestedAndDuplicateOnesAreDroppedAndTheRestSorted) {
  TempDir dir;
  for (const char* name : {"b/inner", "a", "a-b"}) std::filesystem::create_directories(dir / name);
  std::filesystem::create_symlink(dir / "b", dir / "link");
  ASSERT_OK_AND_ASSIGN(const auto roots,
                       ResolveRoots({dir / "link", dir / "b/inner", dir / "a-b", dir / "a", dir / "a/"}));
  EXPECT_THAT(roots, ElementsAre(dir / "a", dir / "a-b", dir / "b"));
}

TEST(Roots, WhatIsMissingOrNoDirectoryIsRefusedByName) {
  TempDir dir;
  WriteFile(dir / "file", "");
  EXPECT_THAT(ResolveRoots({dir / "nowhere"}), Fails(absl::StatusCode::kNotFound, HasSubstr("nowhere")));
  EXPECT_THAT(ResolveRoots({dir / "file"}), Fails(absl::StatusCode::kInvalidArgument, HasSubstr("not a directory")));
}

TEST(ResolveFile, FolderMustExistButTheFileNeedNot) {
  TempDir dir;
  EXPECT_THAT(ResolveFile(dir / "new.db"), IsOk());
  EXPECT_THAT(ResolveFile(dir / "no/new.db"), Fails(absl::StatusCode::kNotFound, HasSubstr("create it first")));
  std::filesystem::create_symlink(dir / "nothing", dir / "dangling");
  EXPECT_THAT(ResolveFile(dir / "dangling"), Fails(absl::StatusCode::kFailedPrecondition, HasSubstr("symbolic link")));
}

TEST(TreeWalk, GivesRegularFilesOnlyInOrder) {
  TempDir dir;
  for (const char* name : {"a/x", "a/y/z", "a-b", "B", "c/empty"}) WriteFile(dir / name, "");
  std::filesystem::create_directories(dir / "hollow/inside");
  std::filesystem::create_symlink(dir / "B", dir / "link_to_file");
  std::filesystem::create_symlink(dir / "a", dir / "link_to_directory");
  ASSERT_EQ(mkfifo((dir / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(WalkAll(Below(dir.path())),
              ElementsAre(dir / "B", dir / "a/x", dir / "a/y/z", dir / "a-b", dir / "c/empty"));
}

TEST(TreeWalk, NamesMayBeAnyBytes) {
  TempDir dir;
  const std::vector<std::string> names = {"\x01", "new\nline", "quo\"te'", "\xff\xfe not UTF-8", std::string(255, 'n')};
  for (const std::string& name : names) WriteFile(dir / name, "");
  std::vector<std::string> paths;
  paths.reserve(names.size());
  for (const std::string& name : names) paths.push_back(dir / name);
  std::sort(paths.begin(), paths.end());
  EXPECT_EQ(WalkAll(Below(dir.path())), paths);
}

TEST(TreeWalk, ContinuedBehindAnyPathGivesExactlyTheRest) {
  TempDir dir;
  std::mt19937_64 random(TestSeed());
  std::vector<std::string> roots;
  for (const char* name : {"r", "r-", "s"}) {
    FillRandomly(dir / name, 3, random);
    roots.push_back(dir / name);
  }
  WalkOptions options;
  options.roots = roots;
  const std::vector<std::string> all = WalkAll(options);
  ASSERT_TRUE(std::is_sorted(all.begin(), all.end(), [](auto& a, auto& b) { return ComparePaths(a, b) < 0; }));
  std::vector<std::string> places = all;
  for (const std::string& path : all) {
    places.push_back(path + "/was a directory/once");
    places.push_back(std::string(DirectoryOf(path)) + "/a/a/a");
  }
  for (const std::string& place : places) {
    options.after = place;
    std::vector<std::string> rest;
    // A file where there was a directory has not had its turn.
    std::copy_if(all.begin(), all.end(), std::back_inserter(rest), [&](const std::string& path) {
      return ComparePaths(path, place) > 0 || (path != place && IsAtOrUnder(place, path));
    });
    ASSERT_EQ(WalkAll(options), rest) << Quoted(place);
  }
}

TEST(TreeWalk, ContinuingOpensNoDirectoryThatIsDone) {
  TempDir dir;
  WriteFile(dir / "done/file", "");
  WriteFile(dir / "now/a", "");
  WriteFile(dir / "now/b", "");
  const FileDescriptor watcher(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  ASSERT_GE(inotify_add_watch(watcher.get(), (dir / "done").c_str(), IN_OPEN), 0);
  EXPECT_THAT(WalkAll(Below(dir.path(), dir / "now/a")), ElementsAre(dir / "now/b"));
  char events[4096];
  EXPECT_LT(read(watcher.get(), events, sizeof events), 0);
  WalkAll(Below(dir.path()));  // and the watch does see a walk that does open it
  EXPECT_GT(read(watcher.get(), events, sizeof events), 0);
}

void RemoveDeepTree(const std::string& path) { ASSERT_EQ(std::system(("rm -rf '" + path + "'").c_str()), 0); }

TEST(TreeWalk, DepthIsBoundedNeitherByPathMaxNorByDescriptors) {
  TempDir dir;
  constexpr int kLevels = 1500;
  MakeChain(dir.path(), kLevels);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit tight{.rlim_cur = 64, .rlim_max = limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  const std::vector<std::string> all = WalkAll(Below(dir.path()));
  const std::vector<std::string> rest = WalkAll(Below(dir.path(), all[1000]));
  setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_EQ(all.size(), 2 * kLevels);
  EXPECT_TRUE(std::none_of(all.begin(), all.end(), [](const std::string& path) { return path[0] == '!'; }));
  EXPECT_EQ(rest, std::vector<std::string>(all.begin() + 1001, all.end()));
  RemoveDeepTree(dir / "ddddddddd");
}

double CpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// The time for a chain that has, in each level, a directory that may be listed but not searched: no way up from there.
double TimeForAChain(int levels) {
  TempDir dir;
  MakeChain(dir.path(), levels);
  FileDescriptor at(open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < levels; ++i) {
    EXPECT_EQ(mkdirat(at.get(), "listable", 0400), 0);
    at = FileDescriptor(openat(at.get(), "ddddddddd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  const double begun = CpuSeconds();
  {
    const Unprivileged unprivileged;
    TreeWalk walk(Below(dir.path()));
    int files = 0;  // counted, not kept: the bytes of so long paths do grow with the square
    while (const auto entry = walk.Next()) files += entry->kind == WalkEntry::Kind::kFile ? 1 : 0;
    EXPECT_EQ(files, 2 * levels);
  }
  const double time = CpuSeconds() - begun;
  RemoveDeepTree(dir / "ddddddddd");
  return time;
}

TEST(TreeWalk, TimeGrowsWithTheDepthAndNotWithItsSquare) {
  // Four times is linear, but for the bytes of the paths, and sixteen times the square. What else runs may slow one
  // measurement down by its use of the caches, but not each of three.
  double times = 0;
  for (int attempt = 0; attempt < 3; ++attempt) {
    const double few = TimeForAChain(1000);
    times = TimeForAChain(4000) / few;
    if (times < 9) break;
  }
  EXPECT_LT(times, 9);
}

TEST(TreeWalk, DirectoryThatVanishesMeanwhileIsAnEntryAndNotTheEnd) {
  TempDir dir;
  for (const char* name : {"a", "b/gone", "c"}) WriteFile(dir / name, "");
  TreeWalk walk(Below(dir.path()));
  EXPECT_EQ(walk.Next()->path, dir / "a");
  std::filesystem::remove_all(dir / "b");
  const auto gone = walk.Next();
  EXPECT_EQ(gone->kind, WalkEntry::Kind::kUnreadableDirectory);
  EXPECT_EQ(gone->path, dir / "b");
  EXPECT_EQ(gone->error, ENOENT);
  EXPECT_EQ(walk.Next()->path, dir / "c");
  EXPECT_EQ(walk.Next(), std::nullopt);
}

TEST(TreeWalk, DirectoryReplacedByALinkIsNotFollowed) {
  TempDir dir;
  for (const char* name : {"tree/a", "tree/b/file", "elsewhere/file"}) WriteFile(dir / name, "");
  TreeWalk walk(Below(dir / "tree"));
  EXPECT_EQ(walk.Next()->path, dir / "tree/a");
  std::filesystem::rename(dir / "tree/b", dir / "b");
  std::filesystem::create_directory_symlink(dir / "elsewhere", dir / "tree/b");
  EXPECT_EQ(walk.Next()->kind, WalkEntry::Kind::kUnreadableDirectory);
  EXPECT_EQ(walk.Next(), std::nullopt);
}

TEST(TreeWalk, DeepDirectoriesMovedAwayMeanwhileAreReportedOnceEach) {
  TempDir dir;
  MakeChain(dir.path(), 60);
  TreeWalk walk(Below(dir.path()));
  int files = 0;
  while (files < 60) files += walk.Next()->kind == WalkEntry::Kind::kFile ? 1 : 0;
  // The walk is at the bottom. Levels 40 to 44 can then be reached neither from below nor from above.
  const auto level = [&](int depth) {
    std::string path = dir.path();
    for (int i = 0; i < depth; ++i) path += "/ddddddddd";
    return path;
  };
  std::filesystem::rename(level(45), dir / "moved from below");
  std::filesystem::rename(level(40), dir / "moved from above");
  int errors = 0;
  while (const auto entry = walk.Next()) {
    (entry->kind == WalkEntry::Kind::kFile ? files : errors) += 1;
    EXPECT_TRUE(entry->kind == WalkEntry::Kind::kFile || entry->error == ENOENT);
  }
  EXPECT_EQ(errors, 5);
  EXPECT_EQ(files, 60 + 55);  // each "a", and each "z" but theirs
}

TEST(TreeWalk, UnreadableDirectoryIsAnEntry) {
  const Unprivileged unprivileged;
  TempDir dir;
  WriteFile(dir / "locked/file", "");
  std::filesystem::permissions(dir / "locked", std::filesystem::perms::none);
  EXPECT_THAT(WalkAll(Below(dir.path())), ElementsAre("!" + (dir / "locked")));
  std::filesystem::permissions(dir / "locked", std::filesystem::perms::owner_all);
}

TEST(TreeWalk, ExclusionsHoldUnderOtherNamesToo) {
  TempDir dir;
  for (const char* name : {"log/data", "catalog.db", "catalog.db-wal", "catalog.db-walrus", "file"}) {
    WriteFile(dir / name, "");
  }
  std::filesystem::create_hard_link(dir / "catalog.db", dir / "same inode");
  WalkOptions options = Below(dir.path());
  for (const char* name : {"log", "catalog.db", "catalog.db-wal", "catalog.db-shm"}) options.exclusions.Add(dir / name);
  WriteFile(dir / "catalog.db-shm", "");  // came into being later
  EXPECT_THAT(WalkAll(options), ElementsAre(dir / "catalog.db-walrus", dir / "file"));
}

int WalkAroundAMount(const std::string& directory) {
  std::filesystem::create_directory(directory + "/mounted");
  if (!MountSmall(directory + "/mounted", "1m")) return kNoNamespaces;
  WriteFile(directory + "/file", "");
  WriteFile(directory + "/mounted/file", "");
  WalkOptions options = Below(directory);
  REQUIRE(WalkAll(options).size() == 2);
  options.one_file_system = true;
  REQUIRE(WalkAll(options) == std::vector<std::string>{directory + "/file"});
  return 0;
}

TEST(TreeWalk, OneFileSystemLeavesMountsOut) { RunOnASmallDisk(WalkAroundAMount); }

TEST(TreeWalk, PseudoFileSystemsAreLeftOutUnlessAskedFor) {
  WalkOptions options = Below("/proc/self/fdinfo");
  TreeWalk walk(options);
  const auto entry = walk.Next();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->kind, WalkEntry::Kind::kLeftOut);
  EXPECT_EQ(entry->reason, "proc, a pseudo file system");
  EXPECT_EQ(walk.Next(), std::nullopt);
  options.pseudo_file_systems = true;
  EXPECT_FALSE(WalkAll(options).empty());
}

int WalkAroundALoop(const std::string& directory) {
  std::filesystem::create_directories(directory + "/a/b/c");
  WriteFile(directory + "/a/b/file", "");
  if (!MountSmall(directory + "/a", "1m")) return kNoNamespaces;
  std::filesystem::create_directories(directory + "/a/b/c");
  WriteFile(directory + "/a/b/file", "");
  REQUIRE(mount((directory + "/a").c_str(), (directory + "/a/b/c").c_str(), nullptr, MS_BIND, nullptr) == 0);
  TreeWalk walk(Below(directory));
  std::vector<std::string> seen;
  while (const auto entry = walk.Next()) seen.push_back(std::string(entry->path) + entry->reason);
  REQUIRE(seen.size() == 2);
  REQUIRE(seen[0] == directory + "/a/b/cthe same directory as \"" + directory + "/a\"");
  REQUIRE(seen[1] == directory + "/a/b/file");
  return 0;
}

TEST(TreeWalk, DirectoryMountedInsideItselfIsNotWalkedAgain) { RunOnASmallDisk(WalkAroundALoop); }

TEST(TreeWalk, DirectoriesComeBeforeWhatIsInThem) {
  TempDir dir;
  for (const char* name : {"a/x", "b/y"}) WriteFile(dir / name, "");
  WalkOptions options = Below(dir.path(), dir / "a/x");
  options.directories = true;
  TreeWalk walk(options);
  std::vector<std::string> seen;
  while (const auto entry = walk.Next()) {
    const bool directory = entry->kind == WalkEntry::Kind::kDirectory;
    seen.push_back(std::string(entry->path) + (directory ? "/" : "") + (entry->partial ? " in part" : ""));
  }
  EXPECT_THAT(seen, ElementsAre(dir.path() + "/ in part", dir / "a/ in part", dir / "b/", dir / "b/y"));
}

TEST(TreeWalk, FileWhereTheLastWalkWasInsideADirectoryIsVisited) {
  TempDir dir;
  for (const char* name : {"a", "b", "c"}) WriteFile(dir / name, "");
  EXPECT_THAT(WalkAll(Below(dir.path(), dir / "b/was/a directory")), ElementsAre(dir / "b", dir / "c"));
  EXPECT_THAT(WalkAll(Below(dir.path(), dir / "b")), ElementsAre(dir / "c"));
}

TEST(TreeWalk, DirectoryWhereTheLastWalkStoppedAtAFileIsVisited) {
  TempDir dir;
  for (const char* name : {"a", "b/inside", "c"}) WriteFile(dir / name, "");
  EXPECT_THAT(WalkAll(Below(dir.path(), dir / "b")), ElementsAre(dir / "b/inside", dir / "c"));
}

TEST(TreeWalk, EndsWhenToldToStop) {
  TempDir dir;
  WriteFile(dir / "a", "");
  WriteFile(dir / "b", "");
  std::atomic<int> stop = 0;
  WalkOptions options = Below(dir.path());
  options.stop = &stop;
  TreeWalk walk(options);
  EXPECT_NE(walk.Next(), std::nullopt);
  stop = 15;
  EXPECT_EQ(walk.Next(), std::nullopt);
}

}  // namespace
}  // namespace foldlog::indexer
