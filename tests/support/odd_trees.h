// Trees that are hard to walk: names that collide, and chains of directories beyond PATH_MAX.

#ifndef FOLDLOG_TESTS_SUPPORT_ODD_TREES_H_
#define FOLDLOG_TESTS_SUPPORT_ODD_TREES_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "engine/base/file_system.h"
#include "tests/support/indexer_support.h"
#include "tools/indexer/paths.h"

namespace foldlog::indexer {

// A random tree whose names collide in nasty ways: prefixes of one another, with bytes below and above '/'.
inline void FillRandomly(const std::string& directory, int depth, std::mt19937_64& random) {
  static const std::vector<std::string> kNames = {"a", "a b", "a-", "a.", "a0", "aa", "b", "\xc3\xa4", "\x7f", "\xff"};
  std::filesystem::create_directories(directory);
  for (const std::string& name : kNames) {
    const std::uint64_t dice = random() % 4;
    const std::string path = JoinPath(directory, name);
    if (dice == 0) WriteFile(path, "");
    if (dice == 1 && depth > 0) FillRandomly(path, depth - 1, random);
  }
}

// A chain of directories "d" far beyond PATH_MAX, with a file "a" before and "z" after the next "d" in each.
inline void MakeChain(const std::string& root, int levels) {
  FileDescriptor at(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < levels; ++i) {
    for (const char* name : {"a", "z"}) {
      const FileDescriptor file(openat(at.get(), name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
      ASSERT_TRUE(file.valid());
    }
    ASSERT_EQ(mkdirat(at.get(), "ddddddddd", 0700), 0);
    at = FileDescriptor(openat(at.get(), "ddddddddd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(at.valid());
  }
}

}  // namespace foldlog::indexer

#endif  // FOLDLOG_TESTS_SUPPORT_ODD_TREES_H_
