// A directory in which a test makes its log.

#ifndef FOLDLOG_TESTS_SUPPORT_LOG_DIRECTORY_FIXTURE_H_
#define FOLDLOG_TESTS_SUPPORT_LOG_DIRECTORY_FIXTURE_H_

#include <string>

#include "foldlog/engine.h"
#include "tests/support/test_support.h"

namespace foldlog {

class LogDirectoryFixture : public testing::Test {
 protected:
  TempDir directory_;
  const std::string log_dir_;

  LogDirectoryFixture() : log_dir_(directory_ / "log") {}

  // A log with one operation in progress and `checkpoints` checkpoints, closed again.
  void MakeLog(int checkpoints) {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, SmallTailOptions()));
    ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
    for (int i = 1; i <= checkpoints; ++i) ASSERT_OK(engine->Checkpoint(handle, {.files_processed = i}));
  }

  // A log with some operations, each in a transaction of its own.
  void StoreOperations(const EngineOptions& options) {
    for (int opening = 0; opening < 3; ++opening) {
      ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, options));
      ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({.total_files = 60, .roots = {"/a"}}));
      for (int i = 1; i <= 60; ++i) {
        ASSERT_OK(engine->Checkpoint(handle, {.files_processed = i, .current_path = "/a/" + std::to_string(i * 7919)}));
      }
      ASSERT_OK(engine->Complete(handle));
      ASSERT_OK(engine->Close());
    }
  }
};

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_LOG_DIRECTORY_FIXTURE_H_
