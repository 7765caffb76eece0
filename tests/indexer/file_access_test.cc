// Ways to a file below a root: what is gone, what is there, and what leads nowhere any more.

#include "tools/indexer/file_access.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <random>

#include "tests/support/indexer_support.h"
#include "tests/support/odd_trees.h"

namespace foldlog::indexer {
namespace {

TEST(PresenceProbe, TellsWhatIsGoneFromWhatIsThere) {
  using Presence = PresenceProbe::Presence;
  TempDir dir;
  WriteFile(dir / "root/a/file", "");
  WriteFile(dir / "root/b", "");
  WriteFile(dir / "outside/file", "");
  std::filesystem::create_directory_symlink(dir / "outside", dir / "root/link");
  PresenceProbe asked(dir / "root", ReachAbsolute(dir / "root"));
  struct {
    PresenceProbe& asked;
    Presence Check(const std::string& path) const { return asked.Check(path).presence; }
  } probe{asked};
  EXPECT_EQ(probe.Check(dir / "root/a/file"), Presence::kRegularFile);
  EXPECT_EQ(probe.Check(dir / "root/a/other"), Presence::kGone);
  EXPECT_EQ(probe.Check(dir / "root/a"), Presence::kGone);  // a directory is no file
  EXPECT_EQ(probe.Check(dir / "root/b"), Presence::kRegularFile);
  EXPECT_EQ(probe.Check(dir / "root/b/below a file"), Presence::kGone);
  EXPECT_EQ(probe.Check(dir / "root/link/file"), Presence::kGone);  // the walk would not get there
  EXPECT_EQ(probe.Check(dir / "root/none/at/all"), Presence::kGone);
  EXPECT_EQ(probe.Check(dir / "root/" + std::string(300, 'n')), Presence::kUnknown);  // no such name can be asked for
}

TEST(PresenceProbe, TellsWhatTheFileIsLikeNow) {
  TempDir dir;
  WriteFile(dir / "a/file", "12345");
  PresenceProbe probe(dir.path(), ReachAbsolute(dir.path()));
  const PresenceProbe::Answer answer = probe.Check(dir / "a/file");
  EXPECT_EQ(answer.facts.size, 5);
  struct stat facts {};
  ASSERT_EQ(fstatat(answer.directory_fd, answer.name, &facts, 0), 0);
  EXPECT_EQ(FactsOf(facts), answer.facts);
}

TEST(DirectoryTrail, LeadsWhereThePathLeadsWhateverWasAskedBefore) {
  TempDir dir;
  std::mt19937_64 random(TestSeed());
  FillRandomly(dir / "r", 3, random);
  std::vector<std::string> directories;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir / "r")) {
    if (entry.is_directory()) directories.push_back(entry.path().string().substr((dir / "r/").size()));
  }
  directories.push_back("");
  DirectoryTrail trail(ReachAbsolute(dir / "r"));
  for (int i = 0; i < 2000; ++i) {
    std::string path = directories[random() % directories.size()];
    if (random() % 4 == 0) path += path.empty() ? "none" : "/none/at all";
    const int fd = trail.MoveTo(path);
    struct stat at {
    }, there{};
    const bool exists = stat((dir / "r/" + path).c_str(), &there) == 0;
    ASSERT_EQ(fd >= 0, exists) << path;
    if (!exists) continue;
    ASSERT_EQ(fstat(fd, &at), 0);
    ASSERT_EQ(at.st_ino, there.st_ino) << path;
  }
}

TEST(DirectoryTrail, WhatMovesAwayInTheDepthIsFoundAgainFromAbove) {
  TempDir dir;
  MakeChain(dir.path(), 80);
  const auto below = [](int depth) {
    std::string path = "ddddddddd";
    for (int i = 1; i < depth; ++i) path += "/ddddddddd";
    return path;
  };
  DirectoryTrail trail(ReachAbsolute(dir.path()));
  ASSERT_GE(trail.MoveTo(below(70)), 0);
  std::filesystem::rename(dir / below(60), dir / "moved");
  EXPECT_GE(trail.MoveTo(below(50)), 0);
  EXPECT_LT(trail.MoveTo(below(70)), 0);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_GE(trail.MoveTo("moved/" + below(10)), 0);
}

}  // namespace
}  // namespace foldlog::indexer
