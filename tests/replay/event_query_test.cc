// Events found by a query are those that a look at each event finds.

#include "foldlog/event_query.h"

#include <algorithm>
#include <array>
#include <vector>

#include "foldlog/history.h"
#include "foldlog/replayer.h"
#include "tests/support/indexed_log.h"
#include "tests/support/memory_log_of.h"
#include "tests/support/other_index.h"
#include "tests/support/random_log.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

std::vector<QueriedEvent> Rest(EventQuery& query) {
  std::vector<QueriedEvent> found;
  while (true) {
    auto event = query.Next();
    EXPECT_OK(event);
    if (!event.ok() || !*event) return found;
    found.push_back(**std::move(event));
  }
}

std::vector<QueriedEvent> All(const EventLog& log, const EventFilter& filter, Order order = Order::kOldestFirst) {
  auto query = EventQuery::Over(log, filter, order);
  EXPECT_OK(query);
  return query.ok() ? Rest(*query) : std::vector<QueriedEvent>();
}

std::vector<Sequence> Numbers(const std::vector<QueriedEvent>& events) {
  std::vector<Sequence> numbers;
  for (const QueriedEvent& event : events) numbers.push_back(event.event.sequence);
  return numbers;
}

bool NamesFile(const EventBody& body, const std::string& prefix) {
  const auto fits = [&](const auto& path) { return path && path->substr(0, prefix.size()) == prefix; };
  if (const auto* checkpoint = std::get_if<Checkpoint>(&body)) {
    return fits(checkpoint->current_path) || fits(checkpoint->last_processed_file) ||
           (checkpoint->error && fits(&checkpoint->error->path));
  }
  const auto* imported = std::get_if<Imported>(&body);
  if (imported == nullptr) return false;
  bool found = fits(imported->current_path) || fits(imported->last_processed_file);
  for (const ImportedError& error : imported->errors) found = found || fits(&error.error.path);
  return found;
}

// What the filter says, written a second time.
bool Wanted(const EventFilter& filter, const QueriedEvent& queried) {
  const auto& [sequence, hash, event] = queried.event;
  if (sequence < filter.from || sequence > filter.through) return false;
  if (filter.since && event.time < *filter.since) return false;
  if (filter.until && event.time >= *filter.until) return false;
  if (!filter.kinds.empty() && filter.kinds.count(event.body.index()) == 0) return false;
  if (filter.with_error && !TellsOfAnError(event.body)) return false;
  if (filter.operation != 0 && queried.operation != filter.operation) return false;
  return filter.path_prefix.empty() || NamesFile(event.body, filter.path_prefix);
}

// Every event with its operation, by the fold.
std::vector<QueriedEvent> ByFold(const EventLog& log) {
  std::vector<QueriedEvent> events;
  auto replayer = Replayer::From(log, 1);
  while (true) {
    const Sequence before = replayer->state().operation ? replayer->state().operation->first_sequence : 0;
    auto event = replayer->Next();
    EXPECT_OK(event);
    if (!event.ok() || !*event) return events;
    const Sequence sequence = (*event)->sequence;
    const EventBody& body = (*event)->event.body;
    const bool begins = std::holds_alternative<Started>(body) || std::holds_alternative<Imported>(body);
    const bool begun = begins && replayer->state().operation && replayer->state().operation->first_sequence == sequence;
    events.push_back({**event, replayer->operation_id(), begun ? sequence : begins ? 0 : before});
  }
}

class RandomFilter {
 public:
  RandomFilter(std::mt19937_64& random, const EventLog& log, const std::vector<QueriedEvent>& events)
      : random_(random), log_(log), events_(events) {}

  EventFilter Next() {
    EventFilter filter;
    if (OneIn(3)) std::tie(filter.from, filter.through) = std::minmax({AnyEvent().sequence, AnyEvent().sequence});
    if (OneIn(3)) std::tie(filter.since, filter.until) = std::minmax({AnyTime(), AnyTime()});
    for (std::size_t kind = 0; OneIn(2) && kind < KindNames().size(); ++kind) {
      if (OneIn(2)) filter.kinds.insert(kind);
    }
    if (OneIn(4)) filter.path_prefix = "/data/" + std::to_string(random_() % 4);
    filter.with_error = OneIn(4);
    const auto history = ReadHistory(log_);
    if (OneIn(3) && !history->empty())
      filter.operation = (*history)[random_() % history->size()].operation.first_sequence;
    return filter;
  }

 private:
  bool OneIn(std::uint64_t n) { return random_() % n == 0; }
  const RecordedEvent& AnyEvent() { return events_[random_() % events_.size()].event; }
  std::optional<TimeNs> AnyTime() { return AnyEvent().event.time; }

  std::mt19937_64& random_;
  const EventLog& log_;
  const std::vector<QueriedEvent>& events_;
};

// Asks `log` all kinds of questions, of which ByFold() tells the answers.
void ExpectTrueAnswers(const EventLog& log, const std::vector<QueriedEvent>& events, std::mt19937_64& random,
                       int questions) {
  RandomFilter filters(random, log, events);
  for (int i = 0; i < questions; ++i) {
    const EventFilter filter = filters.Next();
    std::vector<QueriedEvent> wanted;
    std::copy_if(events.begin(), events.end(), std::back_inserter(wanted),
                 [&](const QueriedEvent& event) { return Wanted(filter, event); });
    ASSERT_EQ(Numbers(All(log, filter)), Numbers(wanted));
    ASSERT_TRUE(All(log, filter) == wanted);
    std::reverse(wanted.begin(), wanted.end());
    ASSERT_TRUE(All(log, filter, Order::kNewestFirst) == wanted);
  }
}

TEST(EventQuery, FindsWhatALookAtEachEventFinds) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 40; ++round) {
    const auto log = LogOf(RandomLog(random, /*one_misfit_in=*/round % 2 == 0 ? 0 : 40).Next(1 + random() % 300));
    ExpectTrueAnswers(*log, ByFold(*log), random, 25);
    if (testing::Test::HasFatalFailure()) return;
  }
}

// Batches, some events in the tail, clocks that are set, misfits, imports and resets.
void Fill(IndexedLog& indexed, RandomLog& events, std::mt19937_64& random) {
  for (int batch = 0; batch < 8; ++batch) indexed.Store(events.Next(1 + random() % 60));
  if (random() % 2 == 0) indexed.Append(events.Next(1 + random() % 100));
}

TEST(EventQuery, AnswersWithTheIndexAreThoseWithoutIt) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 6; ++round) {
    IndexedLog indexed;
    RandomLog events(random, /*one_misfit_in=*/round % 2 == 0 ? 0 : 40);
    Fill(indexed, events, random);
    const auto log = indexed.Read();
    ExpectTrueAnswers(*log, ByFold(*log), random, 25);
    ExpectTrueAnswers(OtherIndex(*log), ByFold(*log), random, 5);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(EventQuery, DamagedIndexChangesNoAnswer) {
  std::mt19937_64 random(TestSeed());
  IndexedLog indexed;
  RandomLog events(random, 40);
  Fill(indexed, events, random);
  const auto log = indexed.Read();
  const std::vector<QueriedEvent> all = ByFold(*log);
  for (int round = 0; round < 30; ++round) {
    const std::uint64_t salt = random();
    // The same rows each time that they are read: a third of them spoilt or gone.
    const OtherIndex damaged(*log, [&](IndexTable table, IndexRow& row) {
      std::mt19937_64 luck(salt ^ (row.key * 2 + (table == IndexTable::kBatches ? 0 : 1)));
      if (luck() % 3 != 0) return true;
      row.words[luck() % row.words.size()] ^= std::uint64_t{1} << luck() % 64;
      return luck() % 2 == 0;
    });
    ExpectTrueAnswers(damaged, all, random, 3);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(EventQuery, DamageOfTheIndexIsTold) {
  IndexedLog indexed;
  indexed.Store({{1, 1, Started{.operation_id = "a"}}, {2, 1, Failed{"no"}}});
  const auto log = indexed.Read();
  const OtherIndex damaged(*log, [](IndexTable, IndexRow& row) { return row.words.back() ^= 1, true; });
  for (const EventLog* const seen : std::array<const EventLog*, 2>{log.get(), &damaged}) {
    ASSERT_OK_AND_ASSIGN(EventQuery query, EventQuery::Over(*seen, {.kinds = {KindOf<Failed>}}));
    EXPECT_EQ(Rest(query).size(), 1u);
    EXPECT_EQ(query.index_damage().ok(), seen == log.get());
  }
}

TEST(EventQuery, BatchesThatCannotHoldAnAnswerAreNotRead) {
  IndexedLog indexed;
  const auto progress = [](TimeNs time, std::optional<std::string> path, std::optional<FileError> error) {
    return Event{time, 1, Checkpoint{.files_processed = time, .current_path = path, .error = error}};
  };
  indexed.Store({{10, 1, Started{.operation_id = "a"}}, progress(11, {}, {})});        // 1, 2
  indexed.Store({progress(20, "/x/1", {}), progress(21, {}, {})});                     // 3, 4
  indexed.Store({progress(30, {}, {}), progress(31, {}, FileError{"/y", "no", ""})});  // 5, 6
  indexed.Store({progress(40, {}, {}), {41, 1, Failed{"no"}}});                        // 7, 8
  indexed.Store({{50, 1, Cleared{}}, {51, 2, Started{.operation_id = "b"}}});          // 9, 10
  const auto log = indexed.Read();
  const auto expect = [&](const EventFilter& filter, const std::vector<Sequence>& found, int batches) {
    for (const Order order : {Order::kOldestFirst, Order::kNewestFirst}) {
      const OtherIndex counted(*log, [](IndexTable, IndexRow&) { return true; });
      ASSERT_OK_AND_ASSIGN(EventQuery query, EventQuery::Over(counted, filter, order));
      EXPECT_EQ(query.batches_unpacked(), 0u);
      std::vector<Sequence> numbers = Numbers(Rest(query));
      if (order == Order::kNewestFirst) std::reverse(numbers.begin(), numbers.end());
      EXPECT_EQ(numbers, found);
      EXPECT_EQ(query.batches_unpacked(), static_cast<std::uint64_t>(batches));
      EXPECT_OK(query.index_damage());
    }
  };
  expect({.kinds = {KindOf<Failed>}}, {8}, 1);
  expect({.kinds = {KindOf<Started>, KindOf<Cleared>}}, {1, 9, 10}, 2);
  expect({.kinds = {KindOf<Recovered>}}, {}, 0);
  expect({.with_error = true}, {6, 8}, 2);
  expect({.since = 31, .until = 42}, {6, 7, 8}, 2);
  expect({.since = 100}, {}, 0);
  expect({.path_prefix = "/x"}, {3}, 3);  // and where errors are, whose paths may lie under it
  expect({.from = 4, .through = 5}, {4, 5}, 2);
  expect({.operation = 10}, {10}, 1);
}

TEST(EventQuery, PagesByCursorAreTheWhole) {
  std::mt19937_64 random(TestSeed());
  const auto log = LogOf(RandomLog(random, 0).Next(200));
  for (const Order order : {Order::kOldestFirst, Order::kNewestFirst}) {
    const EventFilter filter{.kinds = {KindOf<Checkpoint>, KindOf<Started>}};
    std::vector<QueriedEvent> paged;
    Sequence cursor = 0;
    do {
      ASSERT_OK_AND_ASSIGN(EventQuery page, EventQuery::Over(*log, filter, order, cursor));
      for (int i = 0; i < 7; ++i) {
        ASSERT_OK_AND_ASSIGN(const auto event, page.Next());
        if (event) paged.push_back(*event);
      }
      cursor = page.cursor();
    } while (cursor != 0);
    EXPECT_TRUE(paged == All(*log, filter, order));
  }
}

TEST(EventQuery, NewestFirstGoesBackOverManySteps) {
  std::vector<Event> events = {{1, 1, Started{.operation_id = "a"}}};
  for (int i = 0; i < 10'000; ++i) events.push_back(CheckpointEvent(i));
  const auto log = LogOf(events);
  std::vector<Sequence> numbers = Numbers(All(*log, {}, Order::kNewestFirst));
  ASSERT_EQ(numbers.size(), events.size());
  EXPECT_TRUE(std::is_sorted(numbers.rbegin(), numbers.rend()));
  EXPECT_EQ(Numbers(All(*log, {.kinds = {KindOf<Started>}}, Order::kNewestFirst)), std::vector<Sequence>{1});
}

TEST(EventQuery, SeesTheLogAsItWasWhenItBegan) {
  const auto log = LogOf({{1, 1, Started{.operation_id = "a"}}});
  for (const Order order : {Order::kOldestFirst, Order::kNewestFirst}) {
    ASSERT_OK_AND_ASSIGN(EventQuery query, EventQuery::Over(*log, {}, order));
    const std::size_t before = log->Extent()->end.sequence;
    ASSERT_OK(log->Append(RunAfter(log->Extent()->end, {CheckpointEvent(1)}), Space::kUnreserved));
    EXPECT_EQ(Rest(query).size(), before);
  }
}

TEST(EventQuery, AnOperationIsNamedByItsIdOrItsFirstEvent) {
  const auto log = LogOf({{1, 1, Started{.operation_id = "a"}},
                          {2, 1, Failed{"no"}},
                          {3, 2, Started{.operation_id = "b"}},
                          {4, 2, Completed{}},
                          {5, 2, Cleared{}},
                          {6, 3, Started{.operation_id = "a"}}});
  EXPECT_EQ(Numbers(All(*log, {.operation = 1})), (std::vector<Sequence>{1, 2}));
  EXPECT_EQ(Numbers(All(*log, {.operation_id = "b"})), (std::vector<Sequence>{3, 4, 5}));
  EXPECT_EQ(Numbers(All(*log, {.operation_id = "a"})), std::vector<Sequence>{6}) << "its latest use";
  EXPECT_THAT(EventQuery::Over(*log, {.operation_id = "c"}), Fails(StatusCode::kNotFound, HasSubstr("operation c")));
  EXPECT_THAT(EventQuery::Over(*log, {.operation = 2}), Fails(StatusCode::kNotFound, HasSubstr("event 2")));
}

TEST(EventQuery, RangesOutsideOfTheLogAreEmptyAndUpsideDownOnesAreRefused) {
  const auto log = LogOf({{1, 1, Started{.operation_id = "a"}}});
  EXPECT_TRUE(All(*log, {.from = 2}).empty());
  EXPECT_TRUE(All(*NewMemoryLog(), {}).empty());
  EXPECT_TRUE(All(*NewMemoryLog(), {}, Order::kNewestFirst).empty());
  EXPECT_THAT(EventQuery::Over(*log, {.from = 2, .through = 1}),
              Fails(StatusCode::kInvalidArgument, HasSubstr("2 to 1")));
  EXPECT_THAT(EventQuery::Over(*log, {.since = 8, .until = 7}),
              Fails(StatusCode::kInvalidArgument, HasSubstr("8 to 7")));
  EXPECT_THAT(EventQuery::Over(*log, {.kinds = {10}}),
              Fails(StatusCode::kInvalidArgument, HasSubstr("kind of event 10")));
  EXPECT_EQ(All(*log, {.since = 1, .until = 2}).size(), 1u);
  EXPECT_TRUE(All(*log, {.since = 1, .until = 1}).empty());
}

}  // namespace
}  // namespace foldlog
