// Errors, grouped by the kind of their message and by directory.

#include "foldlog/error_groups.h"

#include "tests/support/test_support.h"

namespace foldlog {
namespace {

class ErrorGroupsTest : public testing::Test {
 protected:
  void Append(const std::vector<Event>& events) {
    ASSERT_OK(log_->Append(RunAfter(log_->Extent()->end, events), Space::kUnreserved));
  }
  static Event Error(TimeNs time, const std::string& path, const std::string& message) {
    return {time, 1, Checkpoint{.files_processed = time, .error = FileError{path, message, ""}}};
  }
  static std::string Text(const std::vector<ErrorGroup>& groups) {
    std::string text;
    for (const ErrorGroup& group : groups) {
      text += group.name + " x" + std::to_string(group.count) + " [" + std::to_string(group.first) + "-" +
              std::to_string(group.last) + " " + std::to_string(group.first_time) + "-" +
              std::to_string(group.last_time) + "] " + std::to_string(group.examples.size()) + "; ";
    }
    return text;
  }

  std::unique_ptr<EventLog> log_ = NewMemoryLog();
};

TEST_F(ErrorGroupsTest, MessagesThatDifferInPathAndNumbersAreOfOneKind) {
  EXPECT_EQ(KindOfMessage({"/a/7", "cannot read /a/7: errno 13", ""}), "cannot read PATH: errno N");
  EXPECT_EQ(KindOfMessage({"", "77 of 8", ""}), "N of N");
  EXPECT_EQ(KindOfMessage({"/a", "", ""}), "");
  EXPECT_EQ(KindOfMessage({"", std::string(500, 'x'), ""}).size(), 200u);
  EXPECT_EQ(DirectoryOf("/a/b"), "/a");
  EXPECT_EQ(DirectoryOf("/b"), "/");
  EXPECT_EQ(DirectoryOf("b"), "");
}

TEST_F(ErrorGroupsTest, GroupsHaveCountsTimesAndTheFirstExamples) {
  Append({{1, 1, Started{.operation_id = "a"}},
          Error(2, "/x/1", "broken at 5"),
          Error(3, "/y/1", "denied"),
          Error(4, "/x/2", "broken at 6"),
          CheckpointEvent(5),
          Error(6, "/x/3", "broken at 7"),
          Error(7, "/x/4", "broken at 8"),
          {8, 1, Failed{"disk 3 is full"}}});
  ASSERT_OK_AND_ASSIGN(const ErrorGroups groups, GroupErrors(*log_));
  EXPECT_EQ(groups.errors, 6u);
  EXPECT_EQ(Text(groups.by_message),
            "broken at N x4 [2-7 2-7] 3; denied x1 [3-3 3-3] 1; disk N is full x1 [8-8 8-8] 1; ");
  EXPECT_EQ(Text(groups.by_directory), "/x x4 [2-7 2-7] 3; /y x1 [3-3 3-3] 1; ");
  EXPECT_EQ(groups.by_message[0].examples[0], (FileError{"/x/1", "broken at 5", ""}));
  ASSERT_OK_AND_ASSIGN(const ErrorGroups part, GroupErrors(*log_, {.from = 3, .through = 4}));
  EXPECT_EQ(part.errors, 2u);
}

TEST_F(ErrorGroupsTest, WhatDoesNotFitIsCounted) {
  Append({{1, 1, Started{.operation_id = "a"}},
          Error(2, "/x/1", "a"),
          Error(3, "/y/1", "b"),
          Error(4, "/z/1", "c"),
          Error(5, "/x/1", std::string(10'000, 'a'))});
  ASSERT_OK_AND_ASSIGN(const ErrorGroups groups, GroupErrors(*log_, {}, {.groups_max = 2, .examples_max = 1}));
  EXPECT_EQ(groups.errors, 4u);
  EXPECT_EQ(groups.by_message.size(), 2u);
  EXPECT_EQ(groups.without_message_group, 2u);
  EXPECT_EQ(Text(groups.by_directory), "/x x2 [2-5 2-5] 1; /y x1 [3-3 3-3] 1; ");
  EXPECT_EQ(groups.without_directory_group, 1u);
}

TEST_F(ErrorGroupsTest, ErrorsThatAnImportBringsCountWithTheirOwnTimes) {
  Imported imported{.operation_id = "row", .status = OperationStatus::kFailed, .ended_at = 9, .failure = "gone"};
  imported.errors = {{4, {"/x/1", "bad", ""}}, {5, {"/x/2", "bad", ""}}};
  Append({{20, 1, imported}});
  ASSERT_OK_AND_ASSIGN(const ErrorGroups groups, GroupErrors(*log_));
  EXPECT_EQ(groups.errors, 3u);
  EXPECT_EQ(Text(groups.by_message), "bad x2 [1-1 4-5] 2; gone x1 [1-1 9-9] 1; ");
}

}  // namespace
}  // namespace foldlog
