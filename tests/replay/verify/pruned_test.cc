// What a pruned log keeps of the events before its base can't be made anew, so damage of it is damage of the log.

#include <filesystem>

#include "engine/log/store/lmdb/env.h"
#include "engine/log/store/log_file.h"
#include "engine/log/store/records.h"
#include "foldlog/beyond_damage.h"
#include "foldlog/event_index.h"
#include "foldlog/history.h"
#include "foldlog/replayer.h"
#include "foldlog/retention.h"
#include "foldlog/salvage.h"
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

  // The new log takes the place of the old one.
  void TakeSalvaged() const {
    std::filesystem::remove_all(log_dir_);
    std::filesystem::rename(log_dir_ + ".new", log_dir_);
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

// The base lies in a batch, and the first event behind it is not missing.
TEST_F(PrunedTest, NothingIsMissingWhereTheBaseCutsABatch) {
  MakePruned();
  ASSERT_OK_AND_ASSIGN(const auto batches, (*OpenLogForReading(log_dir_))->ReadBatches(0, 1));
  ASSERT_LE(batches.front().first, Base());
  ASSERT_OK_AND_ASSIGN(const auto log, OpenBeyondDamage(log_dir_));
  EXPECT_TRUE(log->gaps().empty());
  EXPECT_EQ(ReadHistory(*log)->size(), 5U);
}

TEST_F(PrunedTest, SalvagedLogBeginsWhereThePrunedOneDoesAndKeepsItsHistory) {
  MakePruned();
  const auto history = *ReadHistory(**OpenLogForReading(log_dir_));
  const LogExtent extent = *(*OpenLogForReading(log_dir_))->Extent();
  ASSERT_OK_AND_ASSIGN(const SalvageReport report, Salvage(log_dir_, log_dir_ + ".new"));
  EXPECT_TRUE(report.complete());
  EXPECT_EQ(report.base, extent.base);
  EXPECT_EQ(report.end, extent.end);
  TakeSalvaged();
  ExpectSound();
  EXPECT_EQ(*ReadHistory(**OpenLogForReading(log_dir_)), history);
}

// The state at the base is found without any tree; the rows of operations are not.
TEST_F(PrunedTest, SalvageWithoutATreeLosesTheHistoryOfWhatWasPrunedAndSaysSo) {
  MakePruned();
  const auto history = *ReadHistory(**OpenLogForReading(log_dir_));
  Image image{ReadFile(path())};
  std::fill_n(image.bytes.begin(), 2 * kPageBytes, '\0');
  Write(image);
  ASSERT_OK_AND_ASSIGN(const SalvageReport report, Salvage(log_dir_, log_dir_ + ".new"));
  EXPECT_FALSE(report.complete());
  EXPECT_THAT(report.lost_of_pruned, HasSubstr("history"));
  EXPECT_TRUE(report.gaps().empty());
  TakeSalvaged();
  ExpectSound();
  EXPECT_EQ(*ReadHistory(**OpenLogForReading(log_dir_)), std::vector(history.begin() + 3, history.end()));
}

// Without the state, a log could not go on: its events are told, each of them.
TEST_F(PrunedTest, SalvageWithoutTheStateAtTheBaseTellsTheEvents) {
  MakePruned();
  const LogExtent extent = *(*OpenLogForReading(log_dir_))->Extent();
  Image image{ReadFile(path())};
  // The hash of the base is in the row, and then the state is, in all copies of it.
  const std::string hash(reinterpret_cast<const char*>(&extent.base.hash), sizeof extent.base.hash);
  constexpr std::size_t kStateAt = 200;
  for (std::size_t at = 0; (at = image.bytes.find(hash, at)) != std::string::npos; ++at) {
    const bool in_row = image.bytes.compare(at - 16, 8, std::string(8, '\0')) == 0;  // the base before
    if (in_row) image.bytes[at + kStateAt] = static_cast<char>(image.bytes[at + kStateAt] ^ 1);
  }
  Write(image);
  std::size_t lines = 0;
  const auto count = [&](const std::string&) { return ++lines, absl::OkStatus(); };
  ASSERT_OK_AND_ASSIGN(const SalvageReport report, Salvage(log_dir_, log_dir_ + ".new", {.beyond_gaps = count}));
  EXPECT_THAT(report.lost_of_pruned, HasSubstr("was pruned up to event"));
  EXPECT_EQ(report.end.sequence, 0U);
  EXPECT_FALSE(std::filesystem::exists(log_dir_ + ".new"));
  ASSERT_FALSE(report.beyond.empty());
  EXPECT_LE(report.beyond.back().before.sequence, extent.base.sequence);
  EXPECT_EQ(report.beyond.back().after, extent.end);
  EXPECT_GT(lines, extent.end.sequence - extent.base.sequence);
}

}  // namespace
}  // namespace foldlog
