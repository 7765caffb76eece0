// Failures of the disk that cannot be made to happen on demand: LMDB's calls are wrapped by the linker (see
// CMakeLists.txt) and fail when told to. Everything else is real.

#include <errno.h>
#include <lmdb.h>

#include "foldlog/log_directory.h"
#include "tests/test_support.h"

namespace {
int fail_commit_with = 0;
int fail_begin_with = 0;
int fail_create_with = 0;
int fail_put_with = 0;
}  // namespace

extern "C" {
int __real_mdb_txn_commit(MDB_txn* txn);
int __wrap_mdb_txn_commit(MDB_txn* txn) {
  if (fail_commit_with == 0) return __real_mdb_txn_commit(txn);
  mdb_txn_abort(txn);
  return fail_commit_with;
}

int __real_mdb_txn_begin(MDB_env* env, MDB_txn* parent, unsigned flags, MDB_txn** txn);
int __wrap_mdb_txn_begin(MDB_env* env, MDB_txn* parent, unsigned flags, MDB_txn** txn) {
  return fail_begin_with != 0 ? fail_begin_with : __real_mdb_txn_begin(env, parent, flags, txn);
}

int __real_mdb_put(MDB_txn* txn, MDB_dbi dbi, MDB_val* key, MDB_val* data, unsigned flags);
int __wrap_mdb_put(MDB_txn* txn, MDB_dbi dbi, MDB_val* key, MDB_val* data, unsigned flags) {
  return fail_put_with != 0 ? fail_put_with : __real_mdb_put(txn, dbi, key, data, flags);
}

int __real_mdb_env_create(MDB_env** env);
int __wrap_mdb_env_create(MDB_env** env) {
  return fail_create_with != 0 ? fail_create_with : __real_mdb_env_create(env);
}
}

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

class LmdbFailureTest : public testing::Test {
 protected:
  LmdbFailureTest() : log_dir_(directory_ / "log") {}
  ~LmdbFailureTest() override { Mend(); }

  static void Mend() { fail_commit_with = fail_begin_with = fail_create_with = fail_put_with = 0; }

  TempDir directory_;
  const std::string log_dir_;
};

TEST_F(LmdbFailureTest, FailedCommitStopsTheWriterUntilTheLogIsOpenedAnew) {
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
  fail_commit_with = EIO;
  const auto stopped =
      Fails(StatusCode::kUnavailable, AllOf(HasSubstr("stopped after event 1"), HasSubstr("open it anew")));
  EXPECT_THAT(engine->Checkpoint(handle, {.files_processed = 1}), stopped);
  Mend();
  EXPECT_THAT(engine->Checkpoint(handle, {.files_processed = 1}), stopped);  // not as if nothing had happened
  EXPECT_THAT(engine->Flush(), stopped);
  EXPECT_EQ(engine->durable_through(), 1u);
  EXPECT_EQ(engine->state().sequence, 1u);
  engine.reset();
  ASSERT_OK_AND_ASSIGN(engine, Engine::Open(log_dir_));
  EXPECT_EQ(engine->state().sequence, 1u);
  EXPECT_OK(engine->Resume(handle.operation_id));
}

TEST_F(LmdbFailureTest, FullDiskDoesNotStopTheWriter) {
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
  fail_commit_with = ENOSPC;
  EXPECT_THAT(engine->Checkpoint(handle, {.files_processed = 1}),
              Fails(StatusCode::kResourceExhausted, HasSubstr("free some space")));
  Mend();
  EXPECT_OK(engine->Checkpoint(handle, {.files_processed = 1}));
}

TEST_F(LmdbFailureTest, FullMapRefusesTheAppendAndDoesNotHang) {
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
  fail_put_with = MDB_MAP_FULL;
  EXPECT_THAT(engine->Checkpoint(handle, {.files_processed = 1}),
              Fails(StatusCode::kResourceExhausted, HasSubstr("start a new one")));
  Mend();
  EXPECT_OK(engine->Checkpoint(handle, {.files_processed = 1}));
}

// LMDB panics if the meta page could not be written: a full disk then means the outcome is unknown after all.
TEST_F(LmdbFailureTest, FullDiskThatMakesLmdbPanicStopsTheWriter) {
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_));
  fail_begin_with = MDB_PANIC;
  EXPECT_THAT(engine->Start({}), Fails(StatusCode::kUnavailable, HasSubstr("stopped after event 0")));
  Mend();
  EXPECT_THAT(engine->Start({}), Fails(StatusCode::kUnavailable, HasSubstr("stopped after event 0")));
}

TEST_F(LmdbFailureTest, EveryErrorOfLmdbSaysWhatToDo) {
  { ASSERT_OK(Engine::Open(log_dir_)); }
  struct Row {
    int rc;
    StatusCode code;
    std::string text;
  };
  const std::vector<Row> rows = {
      {MDB_READERS_FULL, StatusCode::kUnavailable, "try again later"},
      {MDB_MAP_FULL, StatusCode::kResourceExhausted, "start a new one"},
      {MDB_VERSION_MISMATCH, StatusCode::kFailedPrecondition, "log.mdb"},
      {MDB_CORRUPTED, StatusCode::kDataLoss, "log.mdb"},
      {MDB_BAD_TXN, StatusCode::kInternal, "log.mdb"},
      {ENOMEM, StatusCode::kResourceExhausted, "log.mdb"},
      {MDB_PANIC, StatusCode::kUnavailable, "close the log and all its readers"},
  };
  for (const Row& row : rows) {
    fail_begin_with = row.rc;
    EXPECT_THAT(OpenLogForReading(log_dir_), Fails(row.code, HasSubstr(row.text)));
    Mend();
  }
  EXPECT_OK(OpenLogForReading(log_dir_));
}

TEST_F(LmdbFailureTest, FailedCreationLeavesNoLogBehind) {
  for (int* failure : {&fail_commit_with, &fail_begin_with, &fail_create_with}) {
    *failure = ENOSPC;
    EXPECT_THAT(Engine::Open(log_dir_), Fails(StatusCode::kResourceExhausted, HasSubstr("log.mdb.new")));
    Mend();
    EXPECT_FALSE(std::filesystem::exists(log_dir_ + "/log.mdb"));
    EXPECT_FALSE(std::filesystem::exists(log_dir_ + "/log.mdb.new"));
  }
  EXPECT_OK(Engine::Open(log_dir_));
}

}  // namespace
}  // namespace foldlog
