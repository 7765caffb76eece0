// The history of a log: every operation, in order.

#include "foldlog/history.h"

#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

TEST(History, ListsEveryOperationInOrder) {
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(NewWritableMemoryLog(), DeterministicOptions()));
  ASSERT_OK_AND_ASSIGN(OperationHandle handle, engine->Start({}));
  ASSERT_OK(engine->Checkpoint(handle, {.files_processed = 3}));
  ASSERT_OK(engine->Complete(handle, {{"n", std::int64_t{1}}}));
  ASSERT_OK(engine->Clear());
  ASSERT_OK_AND_ASSIGN(handle, engine->Start({.type = OperationType::kIncremental}));
  ASSERT_OK(engine->Fail(handle, "no"));
  ASSERT_OK(engine->Reset("tidy"));
  ASSERT_OK_AND_ASSIGN(handle, engine->Start({}));
  ASSERT_OK(engine->Reset("stop"));
  ASSERT_OK(engine->Reset("idle already"));
  ASSERT_OK_AND_ASSIGN(handle, engine->Start({}));
  ASSERT_OK(engine->Complete(handle));
  ASSERT_OK_AND_ASSIGN(handle, engine->Start({}));

  ASSERT_OK_AND_ASSIGN(const auto history, ReadHistory(engine->log()));
  std::vector<std::string> seen;
  for (const HistoryEntry& entry : history) {
    seen.push_back(entry.operation.operation_id + " " + std::string(Name(entry.operation.status)) +
                   (entry.reset_by ? " reset by " + std::to_string(*entry.reset_by) : ""));
  }
  EXPECT_THAT(seen, testing::ElementsAre("op-1 completed", "op-2 failed", "op-3 in_progress reset by 9",
                                         "op-4 completed", "op-5 in_progress"));
  EXPECT_EQ(history[0].operation.first_sequence, 1u);
  EXPECT_EQ(history[0].operation.last_sequence, 3u);
  EXPECT_EQ(history[0].operation.checkpoints, 1);

  EXPECT_EQ(FindOperation(engine->log(), "op-2")->operation.failure, "no");
  EXPECT_THAT(FindOperation(engine->log(), "op-9"), Fails(StatusCode::kNotFound, HasSubstr("op-9")));
}

}  // namespace
}  // namespace foldlog
