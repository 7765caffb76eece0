// Parts hold what a look at each of their events finds, in pieces where they are long or hold much.

#include "replay/part_reader.h"

#include <vector>

#include "foldlog/memory_log.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;

Event Failure(TimeNs time) { return {time, 1, Failed{"no"}}; }

class PartReaderTest : public testing::Test {
 protected:
  FrameRun RunOf(const std::vector<Event>& events) { return RunAfter(log_->Extent()->end, events); }
  void Store(const FrameRun& run) { ASSERT_OK(log_->Append(run, Space::kUnreserved)); }

  const std::unique_ptr<EventLog> log_ = NewMemoryLog();
};

std::vector<Sequence> Numbers(const FoundPart& found) {
  std::vector<Sequence> numbers;
  for (const FoundEvent& event : found.events) numbers.push_back(event.sequence);
  return numbers;
}

const EventFilter kFailures{.kinds = {KindOf<Failed>}};

TEST_F(PartReaderTest, FindsWhatPassesAndTheClocksBeforeIt) {
  Store(RunOf({CheckpointEvent(7), Failure(8), Failure(9), CheckpointEvent(10), Failure(11)}));
  PartReader reader(*log_, kFailures, Order::kOldestFirst);
  const FoundPart found = reader.Read({.range = {1, 4}});
  EXPECT_THAT(Numbers(found), ElementsAre(2, 3));
  EXPECT_EQ(found.events[0].before, Moment(7));
  EXPECT_EQ(found.events[1].before, Moment(8));
  EXPECT_EQ(found.moment, Moment(10));
  EXPECT_EQ(found.read.through, 4u);
  // The next part joins: its first link is checked, and the clocks before it are known.
  const FoundPart next = reader.Read({.range = {5, 5}}, found.after);
  EXPECT_EQ(next.events.at(0).before, Moment(10));
  EXPECT_EQ(next.before, found.after);
  EXPECT_EQ(next.after, log_->Extent()->end);
  // Nothing is known of what lies before a part that begins anew.
  EXPECT_THAT(Numbers(reader.Read({.range = {3, 3}, .batch = 1})), ElementsAre(3));
  EXPECT_FALSE(reader.Read({.range = {3, 3}, .batch = 1}).events.at(0).before);
}

TEST_F(PartReaderTest, WhatWasFoundBeforeDamageIsTrue) {
  FrameRun run = RunOf({Failure(1), CheckpointEvent(2), Failure(3)});
  const std::size_t behind = run.words.size();
  ASSERT_OK(AppendFrame(CheckpointEvent(4), run));
  run.words[behind + kFrameHeaderWords + 1] ^= 1;
  Store(run);
  PartReader reader(*log_, kFailures, Order::kOldestFirst);
  const FoundPart found = reader.Read({.range = {1, 4}, .batch = 1});
  EXPECT_THAT(Numbers(found), ElementsAre(1, 3));
  EXPECT_EQ(found.read.through, 3u);
  EXPECT_THAT(found.failure, Fails(StatusCode::kDataLoss, HasSubstr("event 4 of the log")));
  EXPECT_THAT(reader.Read({.range = {4, 4}, .batch = 1}, found.after).failure,
              Fails(StatusCode::kDataLoss, HasSubstr("event 4 of the log")));
}

TEST_F(PartReaderTest, IntactFrameWithoutAnEventStandsInItsPlace) {
  FrameRun run = RunOf({Failure(1)});
  ASSERT_OK(AppendPayload(std::vector<std::uint64_t>{1, 2, 3}, run));
  ASSERT_OK(AppendFrame(Failure(3), run));
  Store(run);
  const FoundPart found = PartReader(*log_, kFailures, Order::kOldestFirst).Read({.range = {1, 3}});
  ASSERT_THAT(Numbers(found), ElementsAre(1, 2, 3));
  EXPECT_THAT(found.events[1].event, Fails(StatusCode::kDataLoss, HasSubstr("event 2 of the log")));
  EXPECT_FALSE(found.events[2].before);
  EXPECT_OK(found.failure);
}

TEST_F(PartReaderTest, PartThatDoesNotContinueTheChainIsDamage) {
  Store(RunOf({Failure(1), Failure(2), Failure(3)}));
  const EventFilter all = {};
  PartReader reader(*log_, all, Order::kOldestFirst);
  EXPECT_THAT(reader.Read({.range = {2, 3}, .batch = 2}, ChainEnd{1, 99}).failure,
              Fails(StatusCode::kDataLoss, HasSubstr("the chain is broken: found event 2")));
}

TEST_F(PartReaderTest, EndOfTheLogWithinAPartIsDamage) {
  Store(RunOf({Failure(1)}));
  const EventFilter all = {};
  EXPECT_THAT(PartReader(*log_, all, Order::kOldestFirst).Read({.range = {1, 2}}).failure,
              Fails(StatusCode::kDataLoss, HasSubstr("ends before event 2")));
}

// All events in pieces, with the most that one held.
std::pair<std::vector<Sequence>, std::size_t> InPieces(const EventLog& log, Part part, Order order) {
  const EventFilter all = {};
  PartReader reader(log, all, order);
  std::vector<Sequence> numbers;
  std::size_t most = 0;
  while (!part.range.empty()) {
    const FoundPart found = reader.Read(part);
    EXPECT_OK(found.failure);
    if (!found.failure.ok()) break;
    most = std::max(most, found.bytes);
    const std::vector<Sequence> piece = Numbers(found);
    const bool rising = order == Order::kOldestFirst;
    numbers.insert(rising ? numbers.end() : numbers.begin(), piece.begin(), piece.end());
    if (rising) part.range.from = found.read.through + 1;
    if (!rising) part.range.through = found.read.from - 1;
  }
  return {numbers, most};
}

TEST_F(PartReaderTest, LongPartsAndLargeOnesComeInPieces) {
  std::vector<Event> events;
  std::vector<Sequence> all;
  for (Sequence i = 1; i <= 10'000; ++i) {
    events.push_back(CheckpointEvent(static_cast<TimeNs>(i)));
    if (i > 9990) events.back().body = Failed{std::string(std::size_t{1} << 20, 'x')};
    all.push_back(i);
  }
  Store(RunOf(events));
  for (const Order order : {Order::kOldestFirst, Order::kNewestFirst}) {
    for (const Sequence batch : {0, 1}) {
      const auto [numbers, most] = InPieces(*log_, {.range = {1, 10'000}, .batch = batch}, order);
      EXPECT_EQ(numbers, all);
      EXPECT_LT(most, std::size_t{6} << 20);
    }
  }
}

}  // namespace
}  // namespace foldlog
