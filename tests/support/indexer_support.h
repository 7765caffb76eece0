// What the tests of the sample indexer share: trees of real files, a look into the catalog that owes nothing to the
// code under test, and a sink that can interfere.

#ifndef FOLDLOG_TESTS_SUPPORT_INDEXER_SUPPORT_H_
#define FOLDLOG_TESTS_SUPPORT_INDEXER_SUPPORT_H_

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "tests/support/test_support.h"
#include "tools/indexer/indexer.h"

namespace foldlog::indexer {

inline void WriteFile(const std::string& path, const std::string& content) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream file(path, std::ios::binary);
  file << content;
  file.close();
  ASSERT_TRUE(file.good()) << path;
}

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Size, mtime in nanoseconds, hash.
using Row = std::tuple<std::int64_t, std::int64_t, std::string>;
using Rows = std::map<std::string, Row>;

inline std::string HashOf(const std::string& content) {
  const XXH128_hash_t hash = XXH3_128bits(content.data(), content.size());
  char text[33];
  snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
           static_cast<unsigned long long>(hash.low64));
  return text;
}

inline Row RowOf(const std::string& path) {
  struct stat facts {};
  EXPECT_EQ(lstat(path.c_str(), &facts), 0) << path;
  return {facts.st_size, facts.st_mtim.tv_sec * 1'000'000'000LL + facts.st_mtim.tv_nsec, HashOf(ReadFile(path))};
}

// What a catalog of `root` should hold.
inline Rows RowsOfTree(const std::string& root) {
  Rows rows;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.is_regular_file() && !entry.is_symlink()) rows[entry.path()] = RowOf(entry.path());
  }
  return rows;
}

// Runs SQL on a catalog, and gives every row of the result as text, columns joined with '|'.
inline std::vector<std::string> Sql(const std::string& catalog, const std::string& sql) {
  sqlite3* database = nullptr;
  EXPECT_EQ(sqlite3_open(catalog.c_str(), &database), SQLITE_OK);
  sqlite3_stmt* statement = nullptr;
  EXPECT_EQ(sqlite3_prepare_v2(database, sql.c_str(), -1, &statement, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
  std::vector<std::string> lines;
  while (statement != nullptr && sqlite3_step(statement) == SQLITE_ROW) {
    std::string line;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      const void* bytes = sqlite3_column_blob(statement, i);
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, i));
      if (i > 0) line += '|';
      if (bytes != nullptr) line.append(static_cast<const char*>(bytes), size);
    }
    lines.push_back(line);
  }
  EXPECT_EQ(sqlite3_finalize(statement), SQLITE_OK) << sqlite3_errmsg(database);
  sqlite3_close(database);
  return lines;
}

inline Rows RowsOfCatalog(const std::string& catalog) {
  Rows rows;
  // The path last: it may contain the separator.
  for (const std::string& line : Sql(catalog, "SELECT size, mtime_ns, xxh3, path FROM files")) {
    const std::size_t first = line.find('|');
    const std::size_t second = line.find('|', first + 1);
    const std::size_t third = line.find('|', second + 1);
    rows[line.substr(third + 1)] = {std::stoll(line.substr(0, first)),
                                    std::stoll(line.substr(first + 1, second - first - 1)),
                                    line.substr(second + 1, third - second - 1)};
  }
  return rows;
}

// Remembers what it is told, and runs `on_update` at each update.
class TestSink : public ProgressSink {
 public:
  void Update(const Progress& progress) override {
    ++updates;
    last = progress;
    if (on_update) on_update(progress);
  }
  void Report(const std::string& line) override { lines.push_back(line); }

  std::function<void(const Progress&)> on_update;
  int updates = 0;
  Progress last;  // but for the path, whose bytes are gone
  std::vector<std::string> lines;
};

}  // namespace foldlog::indexer

#endif  // FOLDLOG_TESTS_SUPPORT_INDEXER_SUPPORT_H_
