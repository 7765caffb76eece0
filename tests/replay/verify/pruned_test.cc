// What a pruned log keeps of the events before its base can't be made anew, so damage of it is damage of the log.

#include "engine/log/store/lmdb/env.h"
#include "engine/log/store/log_file.h"
#include "engine/log/store/records.h"
#include "foldlog/event_index.h"
#include "foldlog/history.h"
#include "foldlog/replayer.h"
#include "foldlog/retention.h"
#include "tests/support/verify_fixture.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

class PrunedTest : public VerifyTest {
 protected:
  void MakePruned() {
    {
      ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, Options()));
      for (int run = 0; run < 5; ++run) {
        ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
        for (int i = 0; i < 300; ++i) ASSERT_OK(engine->Checkpoint(handle, {.files_processed = i}));
        ASSERT_OK(engine->Complete(handle));
      }
    }
    LogDirectoryOptions options = SmallTail();
    options.indexer = NewEventIndexer();
    ASSERT_OK_AND_ASSIGN(WritableLog log, OpenLogForWriting(log_dir_, options));
    ASSERT_OK_AND_ASSIGN(const PrunePlan plan, PlanPrune(*log.log, {.keep_runs = 2}, SystemClock()().time));
    ASSERT_OK(Prune(*log.log, plan, "the test"));
    ASSERT_OK(log.log->FreePruned());
    ASSERT_OK(log.log->Close());
  }

  // A transaction that changes a table and nothing else.
  void Change(const char* table_name, const std::function<int(const LmdbTransaction&, MDB_dbi)>& change) {
    const std::string path = PathOfLogFile(log_dir_);
    CommitRecord commit = *(*LogFile::Open(path, "log"))->ReadCommit();
    ASSERT_OK_AND_ASSIGN(const auto env, LmdbEnv::Open(path));
    ASSERT_OK_AND_ASSIGN(LmdbTransaction txn, LmdbTransaction::Begin(*env));
    ASSERT_OK_AND_ASSIGN(const MDB_dbi table, txn.Table(table_name));
    ASSERT_OK_AND_ASSIGN(const MDB_dbi meta, txn.Table(kMetaTable));
    ASSERT_EQ(change(txn, table), 0);
    commit.txn_id = txn.id();
    commit.hash = HashOf(commit);
    ASSERT_EQ(txn.Put(meta, kCommitKey, &commit, sizeof commit), MDB_SUCCESS);
    ASSERT_EQ(txn.Commit(), MDB_SUCCESS);
  }

  Sequence Base() const { return (*OpenLogForReading(log_dir_))->Extent()->base.sequence; }
};

TEST_F(PrunedTest, PrunedLogIsSound) {
  MakePruned();
  EXPECT_GT(Base(), 900U);
  ExpectSound();
}

TEST_F(PrunedTest, DamagedRecordOfWhatWasPrunedIsFound) {
  MakePruned();
  const std::vector<std::uint64_t> zeros(20);
  Change(kBasesTable, [&](const LmdbTransaction& txn, MDB_dbi table) {
    return txn.Put(table, Base(), zeros.data(), zeros.size() * sizeof(std::uint64_t));
  });
  const VerifyFinding found = TheDamage(Look());
  EXPECT_EQ(found.part, VerifyPart::kRecord);
  EXPECT_THAT(found.message, HasSubstr("what was pruned up to event"));
  EXPECT_FALSE(Look(1, VerifyOptions::Depth::kQuick).sound());
  EXPECT_THAT(StateAt(**OpenLogForReading(log_dir_), Base()), Fails(StatusCode::kDataLoss, HasSubstr("pruned")));
}

TEST_F(PrunedTest, MissingRowOfAPrunedOperationIsFoundAndTheHistoryDoesNotHideIt) {
  MakePruned();
  Change(kOperationsTable, [](const LmdbTransaction& txn, MDB_dbi table) { return txn.Delete(table, 303); });
  const VerifyFinding found = TheDamage(Look());
  EXPECT_EQ(found.part, VerifyPart::kIndex);
  EXPECT_THAT(found.message,
              HasSubstr("of the 3 operations whose events were pruned, the history has only the first 1"));
  EXPECT_THAT(ReadHistory(**OpenLogForReading(log_dir_)),
              Fails(StatusCode::kDataLoss, HasSubstr("the operations since are complete")));
}

}  // namespace
}  // namespace foldlog
