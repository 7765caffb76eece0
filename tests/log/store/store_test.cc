// What a log's writer puts into log.mdb: whole transactions behind one another, and nothing where something is wrong.

#include "engine/log/store/store.h"

#include <functional>

#include "engine/log/store/lmdb/env.h"
#include "engine/log/store/records.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    EXPECT_OK(Store::Create(directory_.path(), LogId{7}));
    end_ = Commit().end;
  }

  std::unique_ptr<Store> Open() { return *Store::Open(*LogFile::Open(path_, "log"), "log"); }
  CommitRecord Commit() { return *(*LogFile::Open(path_, "log"))->ReadCommit(); }

  // Appends `count` events behind the last ones.
  absl::Status Append(Store& store, int count, std::span<const Snapshot> snapshots = {}) {
    const FrameRun run = RunAfter(end_, std::vector<Event>(static_cast<std::size_t>(count), CheckpointEvent(1)));
    const absl::Status status = store.Append({SpanOf(run), 77, snapshots});
    if (status.ok()) end_ = run.after;
    return status;
  }

  // A transaction of somebody else's, whose commit record is `change`d and seals itself.
  void ForgeCommit(const std::function<void(CommitRecord&)>& change) {
    CommitRecord commit = Commit();
    ASSERT_OK_AND_ASSIGN(const auto env, LmdbEnv::Open(path_));
    ASSERT_OK_AND_ASSIGN(LmdbTransaction txn, LmdbTransaction::Begin(*env));
    ASSERT_OK_AND_ASSIGN(const MDB_dbi meta, txn.Table(kMetaTable));
    change(commit);
    commit.txn_id = txn.id();
    commit.hash = HashOf(commit);
    ASSERT_EQ(txn.Put(meta, kCommitKey, &commit, sizeof commit), MDB_SUCCESS);
    ASSERT_EQ(txn.Commit(), MDB_SUCCESS);
  }

  const TempDir directory_;
  const std::string path_ = PathOfLogFile(directory_.path());
  ChainEnd end_;
};

TEST_F(StoreTest, WhatIsAppendedIsThereWithItsCommitRecord) {
  const auto store = Open();
  ASSERT_OK(Append(*store, 2));
  ASSERT_OK(Append(*store, 3));
  const CommitRecord commit = Commit();
  EXPECT_EQ(commit.end, end_);
  EXPECT_EQ(commit.tail_position, 77u);
  EXPECT_EQ(commit.batches, 2u);
  for (const auto& [from, count] : std::vector<std::pair<Sequence, std::uint64_t>>{{1, 2}, {3, 3}}) {
    ASSERT_OK_AND_ASSIGN(const FrameRun batch, store->file().Read(from, 1 << 20));
    EXPECT_EQ(batch.count(), count);
    EXPECT_EQ(batch.after.sequence, from + count - 1);
  }
}

TEST_F(StoreTest, SnapshotsAreStoredOnceAndOnlyOfEventsThatAreThere) {
  const auto store = Open();
  ASSERT_OK(Append(*store, 2));
  const Snapshot first{end_, {1}};
  ASSERT_OK(Append(*store, 1, {&first, 1}));
  const Snapshot again{first.at, {2}};
  ASSERT_OK(Append(*store, 1, {&again, 1}));
  EXPECT_EQ((*store->file().FindSnapshot(4))->words, first.words);
  const Snapshot beyond{{9, 9}, {1}};
  EXPECT_THAT(Append(*store, 1, {&beyond, 1}), Fails(StatusCode::kInvalidArgument, HasSubstr("event 9")));
  EXPECT_EQ(Commit().end.sequence, 4u);
}

TEST_F(StoreTest, RunThatDoesNotContinueTheLogIsRefusedAndNothingIsStored) {
  const auto store = Open();
  ASSERT_OK(Append(*store, 2));
  const FrameRun stale = RunAfter({1, 1}, {CheckpointEvent(1)});
  EXPECT_THAT(store->Append({SpanOf(stale), 0, {}}), Fails(StatusCode::kAborted, HasSubstr("now ends with event 2")));
  FrameRun torn = RunAfter(end_, {CheckpointEvent(1)});
  ++torn.after.sequence;
  EXPECT_THAT(store->Append({SpanOf(torn), 0, {}}), Fails(StatusCode::kInvalidArgument, testing::_));
  EXPECT_EQ(Commit().end, end_);
  EXPECT_OK(Append(*store, 1));
}

TEST_F(StoreTest, MoreThanATransactionTakesIsRefused) {
  const auto store = Open();
  const std::vector<std::uint64_t> words((std::size_t{128} << 20) / sizeof(std::uint64_t) + 1);
  EXPECT_THAT(store->Append({{words, end_, {1, 1}}, 0, {}}),
              Fails(StatusCode::kInvalidArgument, HasSubstr("append fewer at a time")));
}

TEST_F(StoreTest, TransactionOfSomebodyElseIsNoticed) {
  const auto store = Open();
  ASSERT_OK(Append(*store, 1));
  ForgeCommit([](CommitRecord& commit) { ++commit.tail_position; });
  EXPECT_THAT(Append(*store, 1), Fails(StatusCode::kDataLoss, HasSubstr("somebody else has written")));
}

// What would be appended would not stand behind the last event.
TEST_F(StoreTest, LastBatchThatDoesNotEndAsTheCommitRecordSaysIsRefused) {
  ASSERT_OK(Append(*Open(), 3));
  ForgeCommit([](CommitRecord&) {});
  EXPECT_OK(Open()->EnsureWritable()) << "nothing has changed";
  const CommitRecord honest = Commit();
  const std::vector<std::function<void(CommitRecord&)>> lies = {
      [](CommitRecord& commit) { commit.end.hash ^= 1; },
      [](CommitRecord& commit) { ++commit.end.sequence; },
      [](CommitRecord& commit) { --commit.end.sequence; },
  };
  for (std::size_t i = 0; i < lies.size(); ++i) {
    ForgeCommit(lies[i]);
    const auto refused = Fails(StatusCode::kDataLoss, HasSubstr("the last batch is that of event 1, and does not end"));
    const auto store = Open();
    EXPECT_THAT(store->EnsureWritable(), refused) << i;
    EXPECT_THAT(store->Append({SpanOf(RunAfter(Commit().end, {CheckpointEvent(1)})), 0, {}}), refused) << i;
    ForgeCommit([&](CommitRecord& commit) { commit = honest; });
  }
  EXPECT_OK(Append(*Open(), 1));
}

}  // namespace
}  // namespace foldlog
