// What two operations have in common, and what only one of them has.

#include "foldlog/operation_diff.h"

#include <set>

#include "foldlog/history.h"
#include "replay/message_kind.h"
#include "tests/support/memory_log_of.h"
#include "tests/support/random_log.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

Checkpoint WithError(std::int64_t files, const std::string& path, const std::string& message) {
  return {.files_processed = files, .error = FileError{path, message, ""}};
}

std::unique_ptr<EventLog> TwoOperations() {
  return LogOf({At(0, 1,
                   Started{.operation_id = "a",
                           .roots = {"/x", "/y"},
                           .metadata = {{"host", "h1"}, {"tag", "1"}, {"user", "u"}},
                           .owner = {.pid = 7, .program = "p", .host = "h"}}),
                At(10, 1, WithError(100, "/x/1", "error 5")), At(20, 1, WithError(200, "/x/2", "error 5")),
                At(30, 1, WithError(300, "/x/2", "error 6")), At(100, 1, Completed{}), At(101, 1, Cleared{}),
                At(200, 2,
                   Started{.operation_id = "b",
                           .type = OperationType::kIncremental,
                           .roots = {"/y", "/z"},
                           .metadata = {{"host", "h2"}, {"tag", "1"}, {"tag", "2"}, {"user", "u"}},
                           .owner = {.pid = 8, .program = "p", .host = "h"}}),
                At(210, 2, WithError(50, "/x/1", "error 9")), At(220, 2, WithError(50, "/x/1", "not found")),
                At(230, 2, WithError(50, "/x/1", "not found")), At(240, 2, Failed{"disk full"})});
}

TEST(OperationDiff, TellsWhatOnlyOneOfThemHas) {
  const auto log = TwoOperations();
  ASSERT_OK_AND_ASSIGN(const OperationDiff diff,
                       Compare(*log, *ResolveOperation(*log, "a"), *ResolveOperation(*log, "b")));
  EXPECT_EQ(diff.roots[0], std::vector<std::string>{"/x"});
  EXPECT_EQ(diff.roots[1], std::vector<std::string>{"/z"});
  ASSERT_EQ(diff.metadata.size(), 2u);
  EXPECT_EQ(diff.metadata[0], (MetadataDifference{"host", {{{"h1"}, {"h2"}}}}));
  EXPECT_EQ(diff.metadata[1], (MetadataDifference{"tag", {{{"1"}, {"1", "2"}}}}));
  EXPECT_FALSE(diff.same_type);
  EXPECT_TRUE(diff.same_owner);
  EXPECT_EQ(diff.rates[0].size(), 10u);
  EXPECT_DOUBLE_EQ(diff.rates[0][0], 10);
  EXPECT_EQ(diff.errors_in_both, 1);
  EXPECT_EQ(diff.errors_not_compared, 0);
  ASSERT_EQ(diff.gone_errors.groups.size(), 1u);
  EXPECT_EQ(diff.gone_errors.groups[0].key, "error <n>");
  EXPECT_EQ(diff.gone_errors.groups[0].count, 1);
  ASSERT_EQ(diff.new_errors.groups.size(), 2u);
  EXPECT_EQ(diff.new_errors.groups[0].key, "not found");
  EXPECT_EQ(diff.new_errors.groups[0].count, 1);
  EXPECT_EQ(diff.new_errors.groups[1].key, "disk full");
}

TEST(OperationDiff, AnOperationDiffersInNothingFromItself) {
  const auto log = TwoOperations();
  const HistoryEntry entry = *ResolveOperation(*log, "b");
  ASSERT_OK_AND_ASSIGN(const OperationDiff diff, Compare(*log, entry, entry));
  EXPECT_TRUE(diff.roots[0].empty() && diff.roots[1].empty() && diff.metadata.empty());
  EXPECT_TRUE(diff.same_type && diff.same_owner);
  EXPECT_EQ(diff.errors_in_both, 3);
  EXPECT_TRUE(diff.new_errors.groups.empty() && diff.gone_errors.groups.empty());
  EXPECT_EQ(diff.rates[0], diff.rates[1]);
}

TEST(OperationDiff, ErrorsThatAreTooManyAreCounted) {
  const auto log = TwoOperations();
  ASSERT_OK_AND_ASSIGN(const OperationDiff diff,
                       Compare(*log, *ResolveOperation(*log, "a"), *ResolveOperation(*log, "b"), {.errors_max = 1}));
  EXPECT_EQ(diff.errors_in_both, 1);
  EXPECT_EQ(diff.errors_not_compared, 3);
}

using Identities = std::set<std::tuple<std::string, std::string, bool>>;

Identities ErrorsOf(const EventLog& log, const Operation& operation) {
  Identities errors;
  auto query = ErrorQuery::Over(log, {.from = operation.first_sequence, .through = operation.last_sequence});
  while (true) {
    const auto error = query->Next();
    EXPECT_OK(error);
    if (!error.ok() || !*error) return errors;
    const FileError& file = (*error)->error;
    errors.insert({file.path, MessageKind(file.message, file.path), (*error)->is_failure});
  }
}

std::int64_t CountOf(const ErrorGroups& groups) {
  std::int64_t count = groups.left_out;
  for (const ErrorGroup& group : groups.groups) count += group.count;
  return count;
}

TEST(OperationDiff, NewAndGoneErrorsAreTheDifferencesOfTheSets) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 20; ++round) {
    const auto log = LogOf(RandomLog(random, 0).Next(400));
    ASSERT_OK_AND_ASSIGN(const std::vector<HistoryEntry> history, ReadHistory(*log));
    const HistoryEntry& a = history[random() % history.size()];
    const HistoryEntry& b = history[random() % history.size()];
    ASSERT_OK_AND_ASSIGN(const OperationDiff diff, Compare(*log, a, b, {.errors = {.groups_max = 3}}));
    const Identities of_a = ErrorsOf(*log, a.operation);
    const Identities of_b = ErrorsOf(*log, b.operation);
    std::int64_t in_both = 0;
    for (const auto& error : of_a) in_both += of_b.count(error) != 0 ? 1 : 0;
    EXPECT_EQ(diff.errors_in_both, in_both);
    EXPECT_EQ(CountOf(diff.gone_errors), static_cast<std::int64_t>(of_a.size()) - in_both);
    EXPECT_EQ(CountOf(diff.new_errors), static_cast<std::int64_t>(of_b.size()) - in_both);
  }
}

}  // namespace
}  // namespace foldlog
