// What the tests of the SQLite mirror and of its follower stand on: an engine on a log in memory, and the file as
// another program sees it.

#ifndef FOLDLOG_TESTS_SUPPORT_SQLITE_MIRROR_SUPPORT_H_
#define FOLDLOG_TESTS_SUPPORT_SQLITE_MIRROR_SUPPORT_H_

#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/projection/row_table.h"
#include "engine/projection/sqlite_mirror.h"
#include "engine/projection/sqlite_reading.h"
#include "tests/support/test_support.h"

namespace foldlog {

class SqliteMirrorTest : public testing::Test {
 protected:
  SqliteMirrorTest() { engine_ = *Engine::Open(NewWritableMemoryLog(), DeterministicOptions()); }

  void Start() { handle_ = *engine_->Start({.total_files = 5}); }

  std::unique_ptr<SqliteMirror> Mirror() {
    auto mirror = SqliteMirror::Open(path_, engine_->log());
    EXPECT_OK(mirror);
    return *std::move(mirror);
  }

  absl::Status CatchUp(const std::string& path) {
    auto mirror = SqliteMirror::Open(path, engine_->log());
    return mirror.ok() ? (*mirror)->CatchUp() : mirror.status();
  }

  std::optional<SingleRow> InLog() { return *ProjectSingleRow(engine_->log(), engine_->state()); }

  // As another program would.
  void Sql(const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    sqlite3_close(database);
  }

  std::optional<SingleRow> InFile() {
    std::optional<SingleRow> row;
    EXPECT_OK(ReadSqlite(path_, "file", [&](SqliteDatabase& database) -> absl::Status {
      row = *ReadRow(database);
      return absl::OkStatus();
    }));
    return row;
  }

  std::vector<std::string> Findings() {
    const auto report = SqliteMirror::Check(path_, engine_->log());
    EXPECT_OK(report);
    return report->findings;
  }

  TempDir directory_;
  std::string path_ = directory_ / "state.db";
  std::unique_ptr<Engine> engine_;
  OperationHandle handle_;
};

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_SQLITE_MIRROR_SUPPORT_H_
