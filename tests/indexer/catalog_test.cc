// The catalog: what it accepts as one, what it stores, and what it does with a damaged one.

#include "tools/indexer/catalog.h"

#include <unistd.h>

#include <limits>

#include "tests/support/indexer_support.h"
#include "tests/support/unprivileged.h"

namespace foldlog::indexer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

CatalogFile File(const std::string& path, std::int64_t size = 1) {
  return {.path = path, .row = {.facts = {.size = size, .mtime_ns = 2}, .xxh3 = "00ff"}};
}

CatalogBatch Batch(std::vector<CatalogFile> files, std::int64_t batch_num = 1) {
  CatalogBatch batch;
  batch.files = std::move(files);
  batch.run.operation_id = "op";
  batch.run.batch_num = batch_num;
  return batch;
}

class CatalogTest : public testing::Test {
 protected:
  void Open() { ASSERT_OK_AND_ASSIGN(catalog_, Catalog::Open(path_)); }

  absl::StatusOr<std::vector<std::string>> PathsBelow(std::string_view root, std::string_view after,
                                                      std::size_t limit) {
    const auto rows = catalog_->RowsBelow(root, after, limit);
    if (!rows.ok()) return rows.status();
    std::vector<std::string> paths;
    for (const CatalogFile& row : *rows) paths.push_back(row.path);
    return paths;
  }

  TempDir dir_;
  const std::string path_ = dir_ / "catalog.db";
  std::unique_ptr<Catalog> catalog_;
};

TEST_F(CatalogTest, RowsAreFoundByTheExactBytesOfTheirPath) {
  Open();
  const std::string odd = "/r/new\nline \xff \"";
  ASSERT_OK(catalog_->Commit(Batch({File(odd, 7)})));
  ASSERT_OK_AND_ASSIGN(const auto row, catalog_->Find(odd));
  EXPECT_EQ(row, File(odd, 7).row);
  ASSERT_OK_AND_ASSIGN(const auto other, catalog_->Find("/r/new\nline \xfe \""));
  EXPECT_EQ(other, std::nullopt);
}

TEST_F(CatalogTest, CommitReplacesAndRemoves) {
  Open();
  ASSERT_OK(catalog_->Commit(Batch({File("/a", 1), File("/b", 1)})));
  CatalogBatch batch = Batch({File("/a", 2)}, 2);
  batch.removed = {"/b", "/never there"};
  ASSERT_OK(catalog_->Commit(batch));
  EXPECT_EQ(RowsOfCatalog(path_), (Rows{{"/a", {2, 2, "00ff"}}}));
}

TEST_F(CatalogTest, IsInWalModeWithTheTableThatOthersRead) {
  Open();
  EXPECT_THAT(Sql(path_, "PRAGMA journal_mode"), ElementsAre("wal"));
  EXPECT_THAT(Sql(path_, "SELECT sql FROM sqlite_master WHERE name = 'files'"),
              ElementsAre("CREATE TABLE files(path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns NOT NULL, "
                          "xxh3 TEXT NOT NULL) WITHOUT ROWID"));
}

TEST_F(CatalogTest, TimesThatSixtyFourBitsDoNotReachAreKeptExactly) {
  Open();
  const absl::int128 second = 1'000'000'000;
  const std::vector<std::pair<absl::int128, std::string>> times = {
      {absl::int128(-11'676'096'000) * second + 7, "-11676095999999999993|text"},  // the year 1600
      {absl::int128(19'880'899'200) * second + 1, "19880899200000000001|text"},    // 2600
      {std::numeric_limits<std::int64_t>::max(), "9223372036854775807|integer"},
      {-1, "-1|integer"}};
  for (const auto& [time, stored] : times) {
    CatalogFile file = File("/a");
    file.row.facts.mtime_ns = time;
    ASSERT_OK(catalog_->Commit(Batch({file})));
    EXPECT_THAT(Sql(path_, "SELECT mtime_ns, typeof(mtime_ns) FROM files"), ElementsAre(stored));
    ASSERT_OK_AND_ASSIGN(const auto row, catalog_->Find("/a"));
    EXPECT_EQ(row, file.row);
  }
}

TEST_F(CatalogTest, CatalogOfAnOlderVersionReadsSuchAFileAgain) {
  Sql(path_,
      "CREATE TABLE files(path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, "
      "xxh3 TEXT NOT NULL) WITHOUT ROWID");
  Open();
  CatalogFile file = File("/a");
  file.row.facts.mtime_ns = absl::int128(19'880'899'200) * 1'000'000'000;
  ASSERT_OK(catalog_->Commit(Batch({file, File("/b")})));
  ASSERT_OK_AND_ASSIGN(const auto row, catalog_->Find("/a"));
  EXPECT_NE(row->facts, file.row.facts);
  ASSERT_OK_AND_ASSIGN(const auto other, catalog_->Find("/b"));
  EXPECT_EQ(other, File("/b").row);
}

TEST_F(CatalogTest, TablesOfOthersAreLeftAlone) {
  Sql(path_, "CREATE TABLE labels(path, label)");
  Sql(path_, "INSERT INTO labels VALUES('/a', 'holiday')");
  Open();
  ASSERT_OK(catalog_->Commit(Batch({File("/a")})));
  EXPECT_THAT(Sql(path_, "SELECT * FROM labels"), ElementsAre("/a|holiday"));
}

TEST_F(CatalogTest, PathsBelowARootAreThatAndNoMore) {
  Open();
  ASSERT_OK(catalog_->Commit(Batch({File("/r"), File("/r-x"), File("/r/a"), File("/r/b/c"), File("/r/\xff"),
                                    File("/r0"), File("/q/z"), File("/s")})));
  ASSERT_OK_AND_ASSIGN(auto paths, PathsBelow("/r", "", 10));
  EXPECT_THAT(paths, ElementsAre("/r/a", "/r/b/c", "/r/\xff"));
  ASSERT_OK_AND_ASSIGN(paths, PathsBelow("/r", "/r/a", 1));
  EXPECT_THAT(paths, ElementsAre("/r/b/c"));
  ASSERT_OK_AND_ASSIGN(paths, PathsBelow("/", "", 100));
  EXPECT_EQ(paths.size(), 8);
  ASSERT_OK_AND_ASSIGN(paths, PathsBelow("/r/a", "", 100));
  EXPECT_THAT(paths, IsEmpty());
}

TEST_F(CatalogTest, RunRowsComeBackAsTheyWere) {
  Open();
  CatalogBatch batch = Batch({}, 5);
  batch.run.phase = RunPhase::kSweep;
  batch.run.last_file = "/r/\xff";
  batch.run.swept_to = "/r/a\nb";
  batch.run.sweeps = 2;
  batch.run.elapsed_ns = 123456789012;
  std::int64_t value = 100;
  for (const NamedCounter& counter : kRunCounters) batch.run.counters.*counter.value = value++;
  batch.run.errors = {{"/r/x", "Permission denied"}, {"/r/y\xff", ""}};
  ASSERT_OK(catalog_->Commit(batch));
  Open();
  ASSERT_OK_AND_ASSIGN(const auto rows, catalog_->LoadRuns("op", 0));
  EXPECT_THAT(rows, ElementsAre(batch.run));
}

TEST_F(CatalogTest, RunRowsNobodyCanAskForAreForgotten) {
  Open();
  for (const std::int64_t batch_num : {1, 2, 3}) {
    CatalogBatch batch = Batch({}, batch_num);
    batch.run.errors = {{"/x", "error"}};
    batch.forget_runs_before = batch_num - 1;
    ASSERT_OK(catalog_->Commit(batch));
  }
  CatalogBatch other = Batch({}, 1);
  other.run.operation_id = "other";
  ASSERT_OK(catalog_->Commit(other));
  EXPECT_THAT(Sql(path_, "SELECT operation_id, batch_num FROM foldlog_run"), ElementsAre("op|2", "op|3", "other|1"));
  // Errors stay to the end: so none is recorded twice, and the first can be named.
  EXPECT_THAT(Sql(path_, "SELECT batch_num FROM foldlog_run_error"), ElementsAre("1", "2", "3"));
  ASSERT_OK_AND_ASSIGN(const auto first, catalog_->FirstErrors("op", 2));
  EXPECT_EQ(first, (std::vector<FileError>(2, {"/x", "error"})));
  for (const char* message : {"error", "another"}) {
    ASSERT_OK_AND_ASSIGN(const bool known, catalog_->HasError("op", {"/x", message}));
    EXPECT_EQ(known, message == std::string("error"));
  }
  ASSERT_OK(catalog_->ForgetRuns("op"));
  EXPECT_THAT(Sql(path_, "SELECT operation_id FROM foldlog_run"), ElementsAre("other"));
  EXPECT_THAT(Sql(path_, "SELECT * FROM foldlog_run_error"), IsEmpty());
}

TEST_F(CatalogTest, EmptyFileBecomesACatalog) {
  WriteFile(path_, "");
  Open();
  EXPECT_OK(catalog_->QuickCheck());
}

TEST_F(CatalogTest, WhatIsNoSqliteFileIsRefusedAndLeftAsItIs) {
  const std::string content(5000, 'x');
  WriteFile(path_, content);
  EXPECT_THAT(Catalog::Open(path_), Fails(absl::StatusCode::kInvalidArgument, HasSubstr("not a SQLite file")));
  EXPECT_EQ(ReadFile(path_), content);
}

TEST_F(CatalogTest, DirectoryIsRefused) {
  std::filesystem::create_directory(path_);
  EXPECT_THAT(Catalog::Open(path_), Fails(absl::StatusCode::kFailedPrecondition, HasSubstr("is a directory")));
}

TEST_F(CatalogTest, DatabaseWithAnotherTableOfThatNameIsRefusedAndLeftAsItIs) {
  Sql(path_, "CREATE TABLE files(id INTEGER PRIMARY KEY, path TEXT)");
  const std::string before = ReadFile(path_);
  EXPECT_THAT(Catalog::Open(path_), Fails(absl::StatusCode::kFailedPrecondition, HasSubstr("another shape")));
  EXPECT_EQ(ReadFile(path_), before);
}

TEST_F(CatalogTest, ReadOnlyFileIsRefused) {
  const Unprivileged unprivileged;
  Open();
  catalog_.reset();
  std::filesystem::permissions(path_, std::filesystem::perms::owner_read);
  EXPECT_THAT(Catalog::Open(path_), Fails(absl::StatusCode::kPermissionDenied, HasSubstr("read-only")));
}

TEST_F(CatalogTest, BatchIsRefusedOnceTheFileIsNoLongerAtItsPath) {
  Open();
  ASSERT_OK(catalog_->Commit(Batch({File("/a")}, 1)));
  std::filesystem::rename(path_, dir_ / "elsewhere");
  EXPECT_THAT(catalog_->Commit(Batch({File("/b")}, 2)),
              Fails(absl::StatusCode::kFailedPrecondition, HasSubstr("moved")));
  std::filesystem::rename(dir_ / "elsewhere", path_);
  EXPECT_OK(catalog_->Commit(Batch({File("/b")}, 2)));
}

void Damage(const std::string& path, std::streamoff from) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(from);
  file << std::string(3000, '\xa5');
}

TEST_F(CatalogTest, DamageIsFoundByTheCheck) {
  Open();
  std::vector<CatalogFile> files;
  files.reserve(2000);
  for (int i = 0; i < 2000; ++i) files.push_back(File("/r/" + std::to_string(i)));
  ASSERT_OK(catalog_->Commit(Batch(files)));
  EXPECT_OK(catalog_->QuickCheck());
  catalog_.reset();
  Damage(path_, 5 * 4096);
  Open();
  EXPECT_THAT(catalog_->QuickCheck(), Fails(absl::StatusCode::kDataLoss, HasSubstr("catalog.db")));
}

TEST_F(CatalogTest, DamagedOneMovesAsideWithItsCompanionsToAFreeName) {
  WriteFile(path_, "main");
  WriteFile(path_ + "-wal", "wal");
  WriteFile(path_ + ".damaged-1", "older");
  ASSERT_OK_AND_ASSIGN(const std::string aside, MoveAside(path_));
  EXPECT_EQ(aside, path_ + ".damaged-2");
  EXPECT_EQ(ReadFile(aside), "main");
  EXPECT_EQ(ReadFile(aside + "-wal"), "wal");
  EXPECT_EQ(ReadFile(path_ + ".damaged-1"), "older");
  EXPECT_FALSE(std::filesystem::exists(path_) || std::filesystem::exists(path_ + "-wal"));
}

}  // namespace
}  // namespace foldlog::indexer
