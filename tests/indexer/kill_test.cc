// The indexer in a process of its own, killed at random moments, on a log and a catalog on disk.

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include "tests/support/indexer_support.h"

namespace foldlog::indexer {
namespace {

class KillTest : public testing::Test {
 protected:
  // Forks before anything is opened. The child says by its exit whether it came to the end.
  bool RunForAtMost(std::chrono::microseconds time) {
    const pid_t child = fork();
    if (child == 0) _exit(RunToTheEnd() ? 0 : 3);
    std::this_thread::sleep_for(time);
    kill(child, SIGKILL);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << "the child failed";
    return WIFEXITED(status);
  }

  bool RunToTheEnd() const {
    auto engine = Engine::Open(log_);
    if (!engine.ok()) return Complain(engine.status());
    if ((*engine)->state().status() == OperationStatus::kCompleted &&
        (*engine)->state().operation->type == options_.type) {
      return true;
    }
    TestSink sink;
    const std::atomic<int> never = 0;
    const auto report = RunIndex(**engine, log_, options_, sink, never);
    return report.ok() || Complain(report.status());
  }

  static bool Complain(const absl::Status& status) {
    fprintf(stderr, "%s\n", status.ToString().c_str());
    return false;
  }

  // Many small files, so that batches follow one another closely.
  void MakeTree(std::mt19937_64& random) {
    for (int i = 0; i < 400; ++i) {
      WriteFile(tree_ + "/" + std::to_string(i % 17) + "/" + std::to_string(i), RandomBytes(random, 3000));
    }
  }

  void MakeTheCatalogWrong() {
    Sql(catalog_, "UPDATE files SET xxh3 = 'tampered' WHERE size % 5 = 0");
    Sql(catalog_, "DELETE FROM files WHERE size % 7 = 0");
    for (int i = 0; i < 50; ++i) {
      Sql(catalog_, "INSERT INTO files VALUES(CAST('" + tree_ + "/" + std::to_string(i % 17) + "/gone" +
                        std::to_string(i) + "' AS BLOB), 1, 1, 'f')");
    }
    for (int i = 0; i < 20; ++i) WriteFile(tree_ + "/3/changed" + std::to_string(i), "changed");
  }

  TempDir dir_;
  const std::string tree_ = dir_ / "tree";
  const std::string catalog_ = dir_ / "catalog.db";
  const std::string log_ = dir_ / "log";
  IndexOptions options_;
};

// Without the time it took, which no two runs share.
std::map<std::string, StatValue> Figures(const Operation& operation) {
  std::map<std::string, StatValue> figures(operation.stats.begin(), operation.stats.end());
  figures.erase("duration_s");
  return figures;
}

TEST_F(KillTest, KilledAgainAndAgainItEndsAsIfItNeverWas) {
  std::mt19937_64 random(TestSeed());
  MakeTree(random);
  for (int i = 0; i < 17; ++i) options_.directories.push_back(tree_ + "/" + std::to_string(i));
  options_.catalog_path = catalog_;
  ASSERT_TRUE(RunToTheEnd());
  MakeTheCatalogWrong();
  options_.type = OperationType::kRecovery;
  options_.batch_files = 1;

  std::filesystem::copy_file(catalog_, dir_ / "copy.db");
  IndexOptions undisturbed = options_;
  undisturbed.catalog_path = dir_ / "copy.db";
  ASSERT_OK_AND_ASSIGN(const auto reference, Engine::Open(NewWritableMemoryLog()));
  TestSink sink;
  const std::atomic<int> never = 0;
  ASSERT_OK(RunIndex(*reference, log_, undisturbed, sink, never));

  std::uint64_t kills = 0;
  // From before the log is open to some dozen batches later; on a slow machine, the longer the more often it was
  // killed.
  while (!RunForAtMost(std::chrono::microseconds(random() % (60'000 + 2'000 * kills)))) {
    ASSERT_LT(++kills, 1000) << "it makes no progress";
  }
  EXPECT_GT(kills, 0);
  printf("%llu kills\n", static_cast<unsigned long long>(kills));
  ASSERT_OK_AND_ASSIGN(const auto engine, Engine::Open(log_));
  const Operation operation = *engine->state().operation;
  EXPECT_EQ(operation.status, OperationStatus::kCompleted);
  EXPECT_EQ(Figures(operation), Figures(*reference->state().operation));
  EXPECT_EQ(operation.files_processed, 420);
  // At most the remark that no session was long enough for the whole sweep; it is none of the errors in the figures.
  EXPECT_LE(operation.error_count, 1);
  EXPECT_EQ(RowsOfCatalog(catalog_), RowsOfTree(tree_));
}

}  // namespace
}  // namespace foldlog::indexer
