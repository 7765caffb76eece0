// Listed events say of the clock what a reading of the whole log says, whatever is left out and whichever way.

#include "tools/cli/event_lister.h"

#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "foldlog/replayer.h"
#include "tests/support/random_log.h"
#include "tests/support/test_support.h"

namespace foldlog::cli {
namespace {

std::unique_ptr<EventLog> SomeLog() {
  std::mt19937_64 random(12);
  std::unique_ptr<EventLog> log = NewMemoryLog();
  EXPECT_OK(log->Append(RunAfter(log->Extent()->end, RandomLog(random, 0).Next(600)), Space::kUnreserved));
  return log;
}

using Steps = std::map<Sequence, std::int64_t>;

Steps StepsListed(const EventLog& log, const EventFilter& filter, Order order) {
  Steps steps;
  EventLister lister(log, order);
  absl::StatusOr<EventQuery> query = EventQuery::Over(log, filter, order);
  EXPECT_OK(query);
  lister.List(*std::move(query));
  while (true) {
    const absl::StatusOr<std::optional<ListedEvent>> listed = lister.Next();
    EXPECT_OK(listed);
    if (!listed.ok() || !*listed) return steps;
    steps[(*listed)->shown.event.sequence] = (*listed)->shown.notes.clock_step_ns;
  }
}

Steps StepsReplayed(const EventLog& log) {
  Steps steps;
  absl::StatusOr<Replayer> replayer = Replayer::From(log, 1);
  EXPECT_OK(replayer);
  while (true) {
    const Moment before = replayer->state().seen;
    const auto event = replayer->Next();
    EXPECT_OK(event);
    if (!event.ok() || !*event) return steps;
    steps[(*event)->sequence] = before == Moment() ? 0 : ClockStepNs(before, replayer->state().seen);
  }
}

TEST(EventListerTest, ClockStepsAreToldInEverySelection) {
  const std::unique_ptr<EventLog> log = SomeLog();
  const Steps all = StepsReplayed(*log);
  std::size_t set = 0;
  for (const auto& [sequence, step] : all) set += step != 0 ? 1 : 0;
  ASSERT_GT(set, 3u);
  for (const Order order : {Order::kOldestFirst, Order::kNewestFirst}) {
    EXPECT_EQ(StepsListed(*log, {}, order), all);
    for (const EventFilter& filter : {EventFilter{.from = 100, .through = 400}, EventFilter{.with_error = true},
                                      EventFilter{.kinds = {KindOf<Paused>, KindOf<Recovered>, KindOf<Started>}}}) {
      const Steps some = StepsListed(*log, filter, order);
      ASSERT_FALSE(some.empty());
      for (const auto& [sequence, step] : some) EXPECT_EQ(step, all.at(sequence)) << sequence;
    }
  }
}

TEST(EventListerTest, QueriesMayFollowEachOther) {
  const std::unique_ptr<EventLog> log = SomeLog();
  EventLister lister(*log, Order::kOldestFirst);
  std::vector<Sequence> numbers;
  for (const EventFilter& filter : {EventFilter{.from = 5, .through = 6}, EventFilter{.from = 7, .through = 8}}) {
    lister.List(*EventQuery::Over(*log, filter));
    for (auto listed = lister.Next(); listed.ok() && *listed; listed = lister.Next()) {
      numbers.push_back((*listed)->shown.event.sequence);
    }
  }
  EXPECT_EQ(numbers, (std::vector<Sequence>{5, 6, 7, 8}));
}

TEST(MentionsTest, PathsAndMessagesAreLookedThrough) {
  const Checkpoint checkpoint{.current_path = "/current",
                              .last_processed_file = "/last",
                              .error = FileError{.path = "/path", .message = "message", .details = "{details}"}};
  for (const char* text : {"curr", "/last", "path", "ssag", "{det", ""})
    EXPECT_TRUE(Mentions(checkpoint, text)) << text;
  EXPECT_FALSE(Mentions(checkpoint, "LAST")) << "as it is, not by likeness";
  EXPECT_FALSE(Mentions(checkpoint, "/l.st")) << "no pattern";
  EXPECT_TRUE(Mentions(Failed{"disk gone"}, "gone"));
  EXPECT_TRUE(Mentions(Paused{"backup"}, "back"));
  EXPECT_TRUE(Mentions(Started{.roots = {"/a", "/b"}}, "/b"));
  EXPECT_TRUE(Mentions(Imported{.errors = {{0, {.path = "/x"}}}}, "/x"));
  EXPECT_FALSE(Mentions(Cleared{}, "c"));
}

}  // namespace
}  // namespace foldlog::cli
