// The hash of one file: what it is of, and what becomes of files that do not hold still.

#include "tools/indexer/file_hash.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/indexer_support.h"
#include "tests/support/unprivileged.h"

namespace foldlog::indexer {
namespace {

using testing::HasSubstr;

bool Always(std::int64_t) { return true; }

class FileHasherTest : public testing::Test {
 protected:
  absl::StatusOr<HashedFile> Hash(const std::string& name, const FileHasher::KeepGoing& keep_going = Always) {
    const FileDescriptor folder(open(dir_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return hasher_.Hash(folder.get(), name.c_str(), keep_going);
  }

  void Append(const std::string& name, const std::string& content) {
    std::ofstream(dir_ / name, std::ios::binary | std::ios::app) << content;
  }

  TempDir dir_;
  FileHasher hasher_;
};

TEST_F(FileHasherTest, PrintsWhatXxhsumPrints) {
  WriteFile(dir_ / "empty", "");
  ASSERT_OK_AND_ASSIGN(const HashedFile empty, Hash("empty"));
  EXPECT_EQ(empty.xxh3, "99aa06d3014798d86001c324468d497f");  // the specification's own vector
  WriteFile(dir_ / "abc", "abc");
  ASSERT_OK_AND_ASSIGN(const HashedFile abc, Hash("abc"));
  EXPECT_EQ(Row(abc.facts.size, static_cast<std::int64_t>(abc.facts.mtime_ns), abc.xxh3), RowOf(dir_ / "abc"));
}

TEST_F(FileHasherTest, SeveralReadsGiveTheHashOfTheWhole) {
  std::mt19937_64 random(TestSeed());
  for (const std::size_t size : {std::size_t{1} << 20, (std::size_t{1} << 20) + 1, std::size_t{5000000}}) {
    std::string content(size, '\0');
    for (char& byte : content) byte = static_cast<char>(random());
    WriteFile(dir_ / "large", content);
    ASSERT_OK_AND_ASSIGN(const HashedFile file, Hash("large"));
    EXPECT_EQ(file.xxh3, HashOf(content));
    EXPECT_EQ(file.facts.size, static_cast<std::int64_t>(size));
  }
}

TEST_F(FileHasherTest, FileThatChangesOnceIsReadAgain) {
  WriteFile(dir_ / "file", "before");
  bool changed = false;
  ASSERT_OK_AND_ASSIGN(const HashedFile file, Hash("file", [&](std::int64_t) {
                         if (!std::exchange(changed, true)) Append("file", " and after");
                         return true;
                       }));
  EXPECT_EQ(Row(file.facts.size, static_cast<std::int64_t>(file.facts.mtime_ns), file.xxh3), RowOf(dir_ / "file"));
}

TEST_F(FileHasherTest, FileThatKeepsGrowingIsGivenUp) {
  WriteFile(dir_ / "file", "x");
  int asked = 0;
  const auto grow = [&](std::int64_t) {
    ++asked;
    Append("file", "x");
    return true;
  };
  EXPECT_THAT(Hash("file", grow), Fails(absl::StatusCode::kAborted, "changed while being read"));
  EXPECT_LT(asked, 10);
}

TEST_F(FileHasherTest, WhatIsNoRegularFileAnyMoreIsRefusedWithoutWaiting) {
  ASSERT_EQ(mkfifo((dir_ / "fifo").c_str(), 0600), 0);
  WriteFile(dir_ / "file", "");
  std::filesystem::create_symlink(dir_ / "file", dir_ / "link");
  std::filesystem::create_directory(dir_ / "directory");
  for (const char* name : {"fifo", "link", "directory"}) {
    EXPECT_THAT(Hash(name), Fails(absl::StatusCode::kFailedPrecondition, "is no longer a regular file")) << name;
  }
}

TEST_F(FileHasherTest, WhatCannotBeOpenedSaysWhy) {
  EXPECT_THAT(Hash("vanished"), Fails(absl::StatusCode::kUnknown, "No such file or directory"));
  const Unprivileged unprivileged;
  WriteFile(dir_ / "locked", "");
  std::filesystem::permissions(dir_ / "locked", std::filesystem::perms::none);
  EXPECT_THAT(Hash("locked"), Fails(absl::StatusCode::kUnknown, "Permission denied"));
}

TEST_F(FileHasherTest, CanBeAbandonedBetweenReads) {
  WriteFile(dir_ / "large", std::string(3 << 20, 'x'));
  EXPECT_THAT(Hash("large", [](std::int64_t bytes_read) { return bytes_read == 0; }),
              Fails(absl::StatusCode::kCancelled, HasSubstr("")));
}

}  // namespace
}  // namespace foldlog::indexer
