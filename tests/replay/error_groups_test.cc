// Groups count what they are given, and say what they leave out.

#include "replay/error_groups.h"

#include "tests/support/test_support.h"

namespace foldlog {
namespace {

ReportedError ErrorOf(Sequence sequence, TimeNs time, const std::string& path = "/a", const std::string& message = "") {
  return {.sequence = sequence, .time = time, .error = {.path = path, .message = message}};
}

TEST(ErrorGroups, TheLargestComesFirstAndOfEqualOnesTheFirst) {
  ErrorGrouping grouping(/*groups_max=*/10, /*examples_max=*/2);
  for (const char* key : {"b", "a", "c", "c", "c"}) grouping.Add(key, ErrorOf(1, 1));
  const ErrorGroups groups = grouping.Take();
  std::string keys;
  for (const ErrorGroup& group : groups.groups) keys += group.key + std::to_string(group.count);
  EXPECT_EQ(keys, "c3b1a1");
  EXPECT_EQ(groups.left_out, 0);
  EXPECT_EQ(groups.groups[0].examples.size(), 2u);
  EXPECT_TRUE(grouping.Take().groups.empty());
}

TEST(ErrorGroups, TimesSpanEvenWhatCameOutOfOrder) {
  ErrorGrouping grouping(10, 0);
  grouping.Add("a", ErrorOf(5, 70));
  grouping.Add("a", ErrorOf(6, 30));
  grouping.Add("a", ErrorOf(9, 50));
  const ErrorGroups groups = grouping.Take();
  EXPECT_EQ(groups.groups[0].first_time, 30);
  EXPECT_EQ(groups.groups[0].last_time, 70);
  EXPECT_EQ(groups.groups[0].first_sequence, 5u);
  EXPECT_EQ(groups.groups[0].last_sequence, 9u);
}

TEST(ErrorGroups, FurtherGroupsAreLeftOutAndCounted) {
  ErrorGrouping grouping(2, 0);
  for (const char* key : {"a", "b", "c", "a", "d", "c"}) grouping.Add(key, ErrorOf(1, 1));
  const ErrorGroups groups = grouping.Take();
  EXPECT_EQ(groups.groups.size(), 2u);
  EXPECT_EQ(groups.groups[0].count, 2);
  EXPECT_EQ(groups.left_out, 3);
}

TEST(ErrorGroups, LargeErrorsAreCountedButAreNoExamples) {
  ErrorGrouping grouping(1'000'000, 1'000'000);
  const std::string large(kGroupBytesMax / 3, 'x');
  for (int i = 0; i < 5; ++i) grouping.Add("a", ErrorOf(1, 1, large));
  grouping.Add("b", ErrorOf(1, 1));
  grouping.Add(large, ErrorOf(1, 1));
  const ErrorGroups groups = grouping.Take();
  EXPECT_EQ(groups.groups[0].count, 5);
  EXPECT_EQ(groups.groups[0].examples.size(), 2u);
  EXPECT_EQ(groups.groups.size(), 2u);
  EXPECT_EQ(groups.left_out, 1) << "its key has no room";
}

TEST(ErrorGroups, AnExampleKeepsTheBeginningOfALongMessage) {
  ErrorGrouping grouping(10, 10);
  ReportedError error = ErrorOf(1, 1, "/a", std::string(1'000'000, 'x'));
  error.error.details = "\"" + std::string(1'000'000, 'y') + "\"";
  grouping.Add("a", error);
  grouping.Add("a", ErrorOf(2, 2, "/a", std::string(kExampleBytesMax, 'x')));
  const ErrorGroups groups = grouping.Take();
  ASSERT_EQ(groups.groups[0].examples.size(), 2u);
  const FileError& kept = groups.groups[0].examples[0].error;
  EXPECT_LE(kept.message.size(), kExampleBytesMax);
  EXPECT_TRUE(kept.message.starts_with("xxx"));
  EXPECT_EQ(kept.details, "");
  EXPECT_EQ(groups.groups[0].examples[1].error.message, std::string(kExampleBytesMax, 'x')) << "short enough";
}

TEST(ErrorGroups, ADirectoryIsWhatStandsBeforeTheLastSlash) {
  EXPECT_EQ(DirectoryOf("/a/b"), "/a");
  EXPECT_EQ(DirectoryOf("/a/b/"), "/a");
  EXPECT_EQ(DirectoryOf("a/b/c"), "a/b");
  EXPECT_EQ(DirectoryOf("/a"), "/");
  EXPECT_EQ(DirectoryOf("/"), "/");
  EXPECT_EQ(DirectoryOf("a"), ".");
  EXPECT_EQ(DirectoryOf(""), ".");
}

}  // namespace
}  // namespace foldlog
