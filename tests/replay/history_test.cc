// The history of a log: every operation, in order.

#include "foldlog/history.h"

#include <algorithm>
#include <array>

#include "tests/support/indexed_log.h"
#include "tests/support/memory_log_of.h"
#include "tests/support/other_index.h"
#include "tests/support/random_log.h"
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

std::vector<HistoryEntry> All(const EventLog& log, const HistoryFilter& filter, Order order = Order::kOldestFirst) {
  std::vector<HistoryEntry> found;
  auto query = HistoryQuery::Over(log, filter, order);
  EXPECT_OK(query);
  while (query.ok()) {
    auto entry = query->Next();
    EXPECT_OK(entry);
    if (!entry.ok() || !*entry) break;
    found.push_back(**std::move(entry));
  }
  return found;
}

std::vector<Sequence> Found(const EventLog& log, const HistoryFilter& filter) {
  std::vector<Sequence> firsts;
  for (const HistoryEntry& entry : All(log, filter)) firsts.push_back(entry.operation.first_sequence);
  return firsts;
}

TEST(History, EachFilterLetsPassWhatItNames) {
  const auto log = LogOf(
      {{10, 1, Started{.operation_id = "alpha", .roots = {"/photos"}}},
       {20, 1, Failed{"no"}},
       {30, 2,
        Started{
            .operation_id = "beta", .type = OperationType::kIncremental, .metadata = {{"host", "h1"}, {"who", "ann"}}}},
       {40, 3, Recovered{}},
       {50, 3, Completed{}},
       {60, 4, Started{.operation_id = "alphabet"}},
       {70, 4, Reset{}},
       {80, 5, Started{.operation_id = "gamma"}}});
  using Firsts = std::vector<Sequence>;
  EXPECT_EQ(Found(*log, {}), (Firsts{1, 3, 6, 8}));
  EXPECT_EQ(Found(*log, {.type = OperationType::kIncremental}), Firsts{3});
  EXPECT_EQ(Found(*log, {.statuses = {OperationStatus::kFailed, OperationStatus::kInProgress}}), (Firsts{1, 8}));
  EXPECT_EQ(Found(*log, {.reset = true}), Firsts{6}) << "and none of those in progress";
  EXPECT_EQ(Found(*log, {.statuses = {OperationStatus::kFailed}, .reset = true}), (Firsts{1, 6}));
  EXPECT_EQ(Found(*log, {.since = 20}), (Firsts{1, 3, 6, 8}));
  EXPECT_EQ(Found(*log, {.since = 21}), (Firsts{3, 6, 8}));
  EXPECT_EQ(Found(*log, {.until = 30}), Firsts{1});
  EXPECT_EQ(Found(*log, {.since = 35, .until = 36}), Firsts{3}) << "under way, though nothing happened";
  EXPECT_EQ(Found(*log, {.min_errors = 1}), Firsts{1});
  EXPECT_EQ(Found(*log, {.interrupted_only = true}), Firsts{3});
  EXPECT_EQ(Found(*log, {.name = "hot"}), Firsts{1}) << "in a root";
  EXPECT_EQ(Found(*log, {.name = "nn"}), Firsts{3}) << "in the metadata";
  EXPECT_EQ(Found(*log, {.name = "lpha"}), (Firsts{1, 6}));
  EXPECT_EQ(Found(*log, {.metadata = {{"host", "h1"}}}), Firsts{3});
  EXPECT_EQ(Found(*log, {.metadata = {{"host", "h1"}, {"who", "bob"}}}), Firsts{});
  EXPECT_EQ(Found(*log, {.id_prefix = "alphab"}), Firsts{6});
  EXPECT_THAT(HistoryQuery::Over(*log, {.since = 2, .until = 1}),
              Fails(StatusCode::kInvalidArgument, HasSubstr("2 to 1")));
}

TEST(History, NewestFirstIsTheReverseAndPagesAreTheWhole) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 20; ++round) {
    const auto log = LogOf(RandomLog(random, round % 2 == 0 ? 0 : 30).Next(random() % 400));
    const HistoryFilter filter{.min_errors = static_cast<std::int64_t>(random() % 2)};
    std::vector<HistoryEntry> whole = All(*log, filter);
    for (const Order order : {Order::kOldestFirst, Order::kNewestFirst}) {
      ASSERT_TRUE(All(*log, filter, order) == whole);
      std::vector<HistoryEntry> paged;
      Sequence cursor = 0;
      do {
        ASSERT_OK_AND_ASSIGN(HistoryQuery page, HistoryQuery::Over(*log, filter, order, cursor));
        for (int i = 0; i < 3; ++i) {
          ASSERT_OK_AND_ASSIGN(const auto entry, page.Next());
          if (entry) paged.push_back(*entry);
        }
        cursor = page.cursor();
      } while (cursor != 0);
      ASSERT_TRUE(paged == whole);
      std::reverse(whole.begin(), whole.end());
    }
  }
}

// All pages of three, or the whole if there is no page.
std::vector<HistoryEntry> Paged(const EventLog& log, Order order) {
  std::vector<HistoryEntry> paged;
  Sequence cursor = 0;
  do {
    auto page = HistoryQuery::Over(log, {}, order, cursor);
    EXPECT_OK(page);
    if (!page.ok()) break;
    for (int i = 0; i < 3; ++i) {
      const auto entry = page->Next();
      EXPECT_OK(entry);
      if (entry.ok() && *entry) paged.push_back(**entry);
    }
    cursor = page->cursor();
  } while (cursor != 0);
  return paged;
}

TEST(History, AnswersWithTheIndexAreThoseWithoutItHoweverDamaged) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 6; ++round) {
    IndexedLog indexed;
    RandomLog events(random, round % 2 == 0 ? 0 : 40);
    for (int batch = 0; batch < 8; ++batch) indexed.Store(events.Next(1 + random() % 60));
    if (random() % 2 == 0) indexed.Append(events.Next(1 + random() % 100));
    const auto log = indexed.Read();
    const std::uint64_t salt = random();
    const OtherIndex damaged(*log, [&](IndexTable table, IndexRow& row) {
      std::mt19937_64 luck(salt ^ (row.key * 2 + (table == IndexTable::kBatches ? 0 : 1)));
      if (luck() % 8 != 0) return true;
      row.words[luck() % row.words.size()] ^= std::uint64_t{1} << luck() % 64;
      return luck() % 2 == 0;
    });
    std::vector<HistoryEntry> whole = All(OtherIndex(*log), {});
    for (const Order order : {Order::kOldestFirst, Order::kNewestFirst}) {
      ASSERT_TRUE(All(*log, {}, order) == whole);
      ASSERT_TRUE(Paged(*log, order) == whole);
      ASSERT_TRUE(All(damaged, {}, order) == whole);
      ASSERT_TRUE(Paged(damaged, order) == whole);
      std::reverse(whole.begin(), whole.end());
    }
  }
}

TEST(History, DamageOfTheIndexIsTold) {
  IndexedLog indexed;
  indexed.Store({{1, 1, Started{.operation_id = "a"}}, {2, 1, Failed{"no"}}});
  const auto log = indexed.Read();
  const OtherIndex damaged(*log, [](IndexTable table, IndexRow& row) {
    if (table == IndexTable::kOperations) row.words.back() ^= 1;
    return true;
  });
  for (const EventLog* const seen : std::array<const EventLog*, 2>{log.get(), &damaged}) {
    ASSERT_OK_AND_ASSIGN(HistoryQuery query, HistoryQuery::Over(*seen));
    ASSERT_OK_AND_ASSIGN(const auto entry, query.Next());
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->operation.failure, "no");
    EXPECT_EQ(query.index_damage().ok(), seen == log.get());
  }
}

TEST(History, OperationsThatAreOverAreNotLookedForAmongTheEvents) {
  IndexedLog indexed;
  std::vector<Event> events;
  for (Epoch epoch = 1; epoch <= 50; ++epoch) {
    events.push_back({1, epoch, Started{.operation_id = "op"}});
    events.push_back({2, epoch, Completed{}});
  }
  for (int batch = 0; batch < 10; ++batch) {
    indexed.Store({events.begin() + batch * 10, events.begin() + batch * 10 + 10});
  }
  const auto log = indexed.Read();
  const OtherIndex counted(*log, [](IndexTable, IndexRow&) { return true; });
  EXPECT_EQ(All(counted, {}).size(), 50u);
  const int reads = counted.reads;
  EXPECT_LE(reads, 4) << "of the end, which may hold operations that have no row yet";
  ASSERT_OK_AND_ASSIGN(HistoryQuery page, HistoryQuery::Over(counted, {}, Order::kNewestFirst, /*cursor=*/50));
  ASSERT_OK_AND_ASSIGN(const auto entry, page.Next());
  EXPECT_EQ(entry->operation.first_sequence, 49u);
  EXPECT_EQ(counted.reads, reads) << "not even of the end";
}

TEST(History, TotalsAreTheSumsOverItsEntries) {
  std::mt19937_64 random(TestSeed());
  const auto log = LogOf(RandomLog(random, 0).Next(500));
  const HistoryFilter filter{.interrupted_only = true};
  Totals expected;
  for (const HistoryEntry& entry : All(*log, filter)) {
    ++expected.operations;
    ++(entry.reset_by ? expected.reset : expected.by_status[static_cast<std::size_t>(entry.operation.status)]);
    expected.errors += entry.operation.error_count;
    expected.active_ns += entry.operation.active_ns;
    expected.interruptions += entry.operation.interruptions();
    expected.paused_ns += entry.operation.paused_ns;
  }
  ASSERT_OK_AND_ASSIGN(const Totals totals, SumUp(*log, filter));
  EXPECT_EQ(totals.operations, expected.operations);
  EXPECT_EQ(totals.by_status, expected.by_status);
  EXPECT_EQ(totals.reset, expected.reset);
  EXPECT_EQ(totals.errors, expected.errors);
  EXPECT_EQ(totals.active_ns, expected.active_ns);
  EXPECT_EQ(totals.interruptions, expected.interruptions);
  EXPECT_EQ(totals.paused_ns, expected.paused_ns);
  EXPECT_EQ((Totals{.files = 4, .errors = 1}.error_rate()), 0.25);
}

}  // namespace
}  // namespace foldlog
