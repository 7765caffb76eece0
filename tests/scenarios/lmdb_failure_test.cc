// Failures of the disk that cannot be made to happen on demand: LMDB's calls are wrapped by the linker (see
// CMakeLists.txt) and fail when told to. Everything else is real.

#include <errno.h>
#include <lmdb.h>

#include <atomic>

#include "engine/log/store/lmdb/env.h"
#include "foldlog/log_directory.h"
#include "tests/support/test_support.h"

// Read by the thread that drains the tail into LMDB.
namespace {
std::atomic<int> fail_commit_with = 0;
std::atomic<int> fail_begin_with = 0;
std::atomic<int> fail_create_with = 0;
std::atomic<int> fail_put_with = 0;
std::atomic<bool> failed_commit_is_panic = false;
}  // namespace

extern "C" {
int __real_mdb_txn_commit(MDB_txn* txn);
int __wrap_mdb_txn_commit(MDB_txn* txn) {
  if (fail_commit_with == 0) return __real_mdb_txn_commit(txn);
  mdb_txn_abort(txn);
  if (failed_commit_is_panic) fail_begin_with = MDB_PANIC;
  return fail_commit_with;
}

int __real_mdb_txn_begin(MDB_env* env, MDB_txn* parent, unsigned flags, MDB_txn** txn);
int __wrap_mdb_txn_begin(MDB_env* env, MDB_txn* parent, unsigned flags, MDB_txn** txn) {
  const int failure = fail_begin_with;
  return failure != 0 ? failure : __real_mdb_txn_begin(env, parent, flags, txn);
}

int __real_mdb_put(MDB_txn* txn, MDB_dbi dbi, MDB_val* key, MDB_val* data, unsigned flags);
int __wrap_mdb_put(MDB_txn* txn, MDB_dbi dbi, MDB_val* key, MDB_val* data, unsigned flags) {
  const int failure = fail_put_with;
  return failure != 0 ? failure : __real_mdb_put(txn, dbi, key, data, flags);
}

int __real_mdb_env_create(MDB_env** env);
int __wrap_mdb_env_create(MDB_env** env) {
  const int failure = fail_create_with;
  return failure != 0 ? failure : __real_mdb_env_create(env);
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

  static void Mend() {
    fail_commit_with = fail_begin_with = fail_create_with = fail_put_with = 0;
    failed_commit_is_panic = false;
  }

  // An engine with an operation in progress, and nothing that is made durable unasked.
  void Start() {
    LogDirectoryOptions options = SmallTail();
    options.flush_interval = std::chrono::hours(1);
    ASSERT_OK_AND_ASSIGN(engine_, Engine::Open(log_dir_, {.directory = options}));
    ASSERT_OK_AND_ASSIGN(handle_, engine_->Start({}));
  }

  // Checkpoints until one is refused: when the tail is full, or the thread that drains it has failed.
  absl::Status CheckpointUntilRefused() {
    for (int i = 1; i <= 10'000; ++i) {
      const absl::Status saved = engine_->Checkpoint(handle_, {.files_processed = i});
      if (!saved.ok()) return saved;
    }
    return absl::OkStatus();
  }

  TempDir directory_;
  const std::string log_dir_;
  std::unique_ptr<Engine> engine_;
  OperationHandle handle_;
};

TEST_F(LmdbFailureTest, FailedCommitStopsTheWriterUntilTheLogIsOpenedAnew) {
  Start();
  fail_commit_with = EIO;
  const auto stopped =
      Fails(StatusCode::kUnavailable, AllOf(HasSubstr("has stopped: cannot write to"),
                                            HasSubstr("events up to 1 are durable"), HasSubstr("open it anew")));
  EXPECT_THAT(CheckpointUntilRefused(), stopped);
  Mend();
  EXPECT_THAT(engine_->Checkpoint(handle_, {.files_processed = 1}), stopped);  // not as if nothing had happened
  EXPECT_THAT(engine_->Pause(handle_), stopped);
  EXPECT_THAT(engine_->Flush(), stopped);
  EXPECT_EQ(engine_->durable_through(), 1u);
}

TEST_F(LmdbFailureTest, WhatWasAppendedBeforeAFailedCommitIsThereAfterReopening) {
  Start();
  fail_commit_with = EIO;
  ASSERT_THAT(CheckpointUntilRefused(), Fails(StatusCode::kUnavailable, testing::_));
  const State before = engine_->state();
  EXPECT_THAT(engine_->Close(), Fails(StatusCode::kUnavailable, HasSubstr("has stopped")));
  Mend();
  ASSERT_OK_AND_ASSIGN(engine_, Engine::Open(log_dir_));
  EXPECT_EQ(engine_->state(), before);
  EXPECT_EQ(engine_->recovery().events_from_tail, before.sequence);
  EXPECT_OK(engine_->Resume(handle_.operation_id));
}

TEST_F(LmdbFailureTest, CloseReportsAFailedCommitAndLosesNothing) {
  Start();
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 7}));
  fail_commit_with = EIO;
  EXPECT_THAT(engine_->Close(), Fails(StatusCode::kUnavailable, HasSubstr("events up to 2 are durable")));
  Mend();
  ASSERT_OK_AND_ASSIGN(engine_, Engine::Open(log_dir_));
  EXPECT_EQ(engine_->state().operation->files_processed, 7);
}

TEST_F(LmdbFailureTest, FullDiskDoesNotStopTheWriter) {
  Start();
  fail_commit_with = ENOSPC;
  const auto full = Fails(StatusCode::kResourceExhausted, HasSubstr("free some space"));
  EXPECT_THAT(CheckpointUntilRefused(), full);
  const Sequence last = engine_->state().sequence;
  EXPECT_THAT(engine_->Checkpoint(handle_, {.files_processed = 1}), full);
  EXPECT_OK(engine_->Flush());
  EXPECT_EQ(engine_->durable_through(), last);
  Mend();
  EXPECT_OK(engine_->Checkpoint(handle_, {.files_processed = 1}));
  EXPECT_EQ(ReadAll(engine_->log()).size(), last + 1);
}

TEST_F(LmdbFailureTest, ClosingOnAFullDiskLeavesTheEventsInTheTail) {
  Start();
  fail_commit_with = ENOSPC;
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 7}));
  EXPECT_OK(engine_->Close());
  Mend();
  ASSERT_OK_AND_ASSIGN(engine_, Engine::Open(log_dir_));
  EXPECT_EQ(engine_->recovery().events_from_tail, 2u);
  EXPECT_EQ(engine_->state().operation->files_processed, 7);
}

TEST_F(LmdbFailureTest, FullMapRefusesTheAppendAndDoesNotHang) {
  Start();
  fail_put_with = MDB_MAP_FULL;
  EXPECT_THAT(CheckpointUntilRefused(), Fails(StatusCode::kResourceExhausted, HasSubstr("start a new one")));
  Mend();
  EXPECT_OK(engine_->Checkpoint(handle_, {.files_processed = 1}));
}

// LMDB panics if the meta page could not be written: a full disk then means the outcome is unknown after all.
TEST_F(LmdbFailureTest, FullDiskThatMakesLmdbPanicStopsTheWriter) {
  Start();
  fail_commit_with = ENOSPC;
  failed_commit_is_panic = true;
  const auto stopped = Fails(StatusCode::kUnavailable, HasSubstr("has stopped"));
  EXPECT_THAT(CheckpointUntilRefused(), stopped);
  Mend();
  EXPECT_THAT(engine_->Checkpoint(handle_, {.files_processed = 1}), stopped);
}

// A run too long for the tail goes straight into LMDB, in the caller's thread.
TEST_F(LmdbFailureTest, LongRunMeetsTheSameFailures) {
  Start();
  const Checkpoint long_one{.files_processed = 1, .current_path = std::string(std::size_t{20} << 10, 'p')};
  fail_commit_with = ENOSPC;
  EXPECT_THAT(engine_->Checkpoint(handle_, long_one),
              Fails(StatusCode::kResourceExhausted, HasSubstr("free some space")));
  Mend();
  EXPECT_OK(engine_->Checkpoint(handle_, long_one));
  EXPECT_EQ(engine_->durable_through(), 2u);
  fail_commit_with = EIO;
  const auto stopped = Fails(StatusCode::kUnavailable, HasSubstr("has stopped"));
  EXPECT_THAT(engine_->Checkpoint(handle_, long_one), stopped);
  Mend();
  EXPECT_THAT(engine_->Checkpoint(handle_, long_one), stopped);
  EXPECT_EQ(engine_->state().sequence, 2u);
  engine_.reset();
  ASSERT_OK_AND_ASSIGN(engine_, Engine::Open(log_dir_));
  EXPECT_EQ(engine_->state().sequence, 2u);
}

TEST_F(LmdbFailureTest, EveryErrorOfLmdbSaysWhatToDo) {
  struct Row {
    int rc;
    StatusCode code;
    std::string text;
  };
  const std::vector<Row> rows = {
      {MDB_MAP_FULL, StatusCode::kResourceExhausted, "start a new one"},
      {MDB_VERSION_MISMATCH, StatusCode::kFailedPrecondition, "log.mdb"},
      {MDB_CORRUPTED, StatusCode::kDataLoss, "log.mdb"},
      {MDB_BAD_TXN, StatusCode::kInternal, "log.mdb"},
      {ENOMEM, StatusCode::kResourceExhausted, "log.mdb"},
      {MDB_PANIC, StatusCode::kUnavailable, "close the log and open it anew"},
  };
  for (const Row& row : rows) {
    EXPECT_THAT(LmdbStatus(row.rc, "write to", log_dir_ + "/log.mdb"), Fails(row.code, HasSubstr(row.text)));
  }
}

TEST_F(LmdbFailureTest, FailedCreationLeavesNoLogBehind) {
  for (std::atomic<int>* failure : {&fail_commit_with, &fail_begin_with, &fail_create_with}) {
    *failure = ENOSPC;
    EXPECT_THAT(Engine::Open(log_dir_, SmallTailOptions()),
                Fails(StatusCode::kResourceExhausted, HasSubstr("log.mdb.new")));
    Mend();
    EXPECT_FALSE(std::filesystem::exists(log_dir_ + "/log.mdb"));
    EXPECT_FALSE(std::filesystem::exists(log_dir_ + "/log.mdb.new"));
  }
  EXPECT_OK(Engine::Open(log_dir_));
}

}  // namespace
}  // namespace foldlog
