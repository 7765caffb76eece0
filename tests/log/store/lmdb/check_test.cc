// The check of LMDB files against files that LMDB wrote: every sound one is accepted, whatever its history.

#include "tests/support/lmdb_check_support.h"
#include "tests/support/lmdb_image.h"

namespace foldlog {
namespace {

TEST(LmdbCheck, FileThatIsNotLmdbIsRefused) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  WriteFile(path, std::string(64 * 1024, 'x'));
  EXPECT_EQ(Check(path).status().code(), absl::StatusCode::kInvalidArgument) << Check(path).status();
}

TEST(LmdbCheck, OtherFormatVersionIsRefused) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  Image image(Sample());
  for (const u64 meta : {image.Newest(), image.Older()}) image.Set<u32>(meta + kVersion, 2);
  WriteFile(path, image.bytes);
  EXPECT_EQ(Check(path).status().code(), absl::StatusCode::kInvalidArgument) << Check(path).status();
}

TEST(LmdbCheck, FileLargerThanTheMapIsDataLoss) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  WriteFile(path, Sample());
  EXPECT_TRUE(Check(path, Sample().size() + (u64{1} << 20)).ok());
  EXPECT_THAT(std::string(Check(path, Sample().size() / 2).status().message()), HasSubstr("outside the map"));
}

// What the tables of a log must not be, although LMDB is at ease with it.
TEST(LmdbCheck, TableOfAnotherKindIsDataLoss) {
  const TestDirectory directory;
  const auto status_with = [&](const std::string& name, const std::function<void(Transaction&)>& body) {
    Database(directory.file(name)).Commit(body);
    return std::string(Check(directory.file(name)).status().message());
  };
  EXPECT_THAT(status_with("odd", [](Transaction& txn) { txn.Put("events", 1, 12); }), HasSubstr("not a multiple of 8"));
  EXPECT_THAT(status_with("odd run", [](Transaction& txn) { txn.Put("events", 1, 30001); }),
              HasSubstr("not a multiple of 8"));
  EXPECT_THAT(status_with("string keys", [](Transaction& txn) { txn.Put("events", 1, 8, 0); }),
              HasSubstr("only integer keys"));
  EXPECT_THAT(
      status_with("duplicates", [](Transaction& txn) { txn.Put("events", 1, 8, MDB_INTEGERKEY | MDB_DUPSORT); }),
      HasSubstr("only integer keys"));
  EXPECT_THAT(status_with("row in the main database", [](Transaction& txn) { txn.Put(nullptr, 1, 48, 0); }),
              HasSubstr("holds a zero byte"));
}

TEST(LmdbCheck, FreshFileIsAccepted) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  Database database(path);
  const auto summary = Check(path);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->txn_id, 0);
  EXPECT_EQ(summary->page_bytes, kPageBytes);
  EXPECT_EQ(summary->last_page, 1);
  EXPECT_TRUE(summary->tables.empty());
}

TEST(LmdbCheck, EveryCommitOfAHistoryIsAccepted) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  Database database(path);
  u64 key = 0;
  for (u64 commit = 1; commit <= 120; ++commit) {
    database.Commit([&](Transaction& txn) {
      for (int i = 0; i < 60; ++i, ++key) txn.Put("events", key, 8 * (key * 37 % 120));
      if (commit % 3 == 0) txn.Put("snapshots", commit, 300 * 1024);
      if (commit % 6 == 0) txn.Delete("snapshots", commit - 3);
      if (commit > 60) {
        for (u64 gone = 0; gone < 90; ++gone) txn.Delete("events", (commit - 61) * 90 + gone);
      }
      txn.Put("meta", 0, 24);
    });
    const auto summary = Check(path);
    ASSERT_TRUE(summary.ok()) << "commit " << commit << ": " << summary.status();
    EXPECT_EQ(summary->txn_id, commit);
    if (commit == 60) {
      const Image image(ReadFile(path));
      EXPECT_GE(image.Get<lmdb_file::Tree>(image.Events()).depth, 3);
    }
  }
  const auto summary = Check(path);
  ASSERT_EQ(summary->tables.size(), 3);
  EXPECT_EQ(summary->tables[0].name, "events");
  EXPECT_EQ(summary->tables[0].entries, 120 * 60 - 60 * 90);
  EXPECT_EQ(summary->tables[1].name, "meta");
  EXPECT_EQ(summary->tables[1].entries, 1);
}

// LMDB does not write a page that was allocated and freed within one transaction, so a sound file may be too short.
TEST(LmdbCheck, FreePagesBeyondTheEndOfTheFileAreAccepted) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  {
    Database database(path);
    for (u64 key = 1; key <= 4; ++key) {
      database.Commit([&](Transaction& txn) { txn.Put("events", key, 300 * 1024); });
      database.Commit([&](Transaction& txn) { txn.Delete("events", key); });
    }
    database.Commit([](Transaction& txn) {
      for (u64 key = 10; key <= 20; ++key) txn.Put("events", key, 300 * 1024);
      for (u64 key = 10; key <= 20; ++key) txn.Delete("events", key);
      txn.Put("events", 1, 64);
    });
  }
  const auto summary = Check(path);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_LT(std::filesystem::file_size(path), (summary->last_page + 1) * kPageBytes);
  EXPECT_EQ(UseInChild(path, summary->tables, 20), 0);
}

TEST(LmdbCheck, RunThatOutlivesItsLongerValueIsAccepted) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  {
    Database database(path);
    database.Commit([](Transaction& txn) {
      txn.Put("events", 1, 300 * 1024);
      txn.Put("events", 1, 64);
    });
  }
  const Image image(ReadFile(path));
  ASSERT_GT(image.Get<lmdb_file::Tree>(image.Events()).overflow_pages, 70);
  const auto summary = Check(path);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(UseInChild(path, summary->tables, 20), 0);
}

TEST(LmdbCheck, CopiesAreAccepted) {
  const TestDirectory directory;
  WriteFile(directory.file("log.mdb"), Sample());
  Database database(directory.file("log.mdb"));
  for (const unsigned flags : {0U, unsigned{MDB_CP_COMPACT}}) {
    const std::string copy = directory.file("copy" + std::to_string(flags));
    database.Copy(copy, flags);
    EXPECT_TRUE(Check(copy).ok()) << Check(copy).status();
  }
}

}  // namespace
}  // namespace foldlog
