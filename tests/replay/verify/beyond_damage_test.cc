// What is damaged hides only what is in it: all else of the log comes out as it was.

#include "foldlog/beyond_damage.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "engine/gaps.h"
#include "foldlog/event_index.h"
#include "foldlog/event_query.h"
#include "foldlog/history.h"
#include "foldlog/json_lines.h"
#include "foldlog/log_directory.h"
#include "foldlog/operation_story.h"
#include "foldlog/replayer.h"
#include "tests/support/test_support.h"
#include "tests/support/verify_fixture.h"

namespace foldlog {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

struct Seen {
  std::uint64_t hash = 0;
  Sequence operation = 0;
  std::string id = {};
  bool operator==(const Seen&) const = default;
};
using Events = std::map<Sequence, Seen>;

class BeyondDamageTest : public VerifyTest {
 protected:
  static Events EventsOf(const EventLog& log, Order order) {
    Events events;
    auto query = EventQuery::Over(log, {}, order);
    EXPECT_OK(query);
    if (!query.ok()) return events;
    Sequence last = 0;
    auto next = query->Next();
    for (; next.ok() && *next; next = query->Next()) {
      const QueriedEvent& event = **next;
      const bool in_order = last == 0 || (order == Order::kOldestFirst) == (event.event.sequence > last);
      EXPECT_TRUE(in_order) << event.event.sequence;
      last = event.event.sequence;
      events[last] = {event.event.hash, event.operation, event.operation_id};
    }
    EXPECT_OK(next);
    return events;
  }

  static std::map<Sequence, HistoryEntry> HistoryOf(const EventLog& log) {
    std::map<Sequence, HistoryEntry> history;
    const auto entries = ReadHistory(log);
    EXPECT_OK(entries);
    for (const HistoryEntry& entry : *entries) history[entry.operation.first_sequence] = entry;
    EXPECT_EQ(history.size(), entries->size());
    return history;
  }

  void SetTruth() {
    ASSERT_OK_AND_ASSIGN(const auto log, OpenLogForReading(log_dir_));
    events_ = EventsOf(*log, Order::kOldestFirst);
    history_ = HistoryOf(*log);
    ASSERT_OK_AND_ASSIGN(const auto beyond, OpenBeyondDamage(log_dir_));
    EXPECT_THAT(beyond->gaps(), IsEmpty());
    EXPECT_EQ(EventsOf(*beyond, Order::kNewestFirst), events_);
    EXPECT_EQ(HistoryOf(*beyond), history_);
  }

  static bool Cuts(const EventLog& log, const HistoryEntry& entry) {
    const Gap* const gap = GapFrom(log, entry.operation.first_sequence);
    return gap != nullptr && gap->from <= entry.operation.last_sequence + 1;
  }

  // Every event that is in no gap is there, with its operation if `indexed`. Returns the gaps.
  std::vector<Gap> ExpectAllElse(bool indexed = true) const {
    const auto log = OpenBeyondDamage(log_dir_);
    EXPECT_OK(log);
    if (!log.ok()) return {};
    std::vector<Gap> gaps((*log)->gaps().begin(), (*log)->gaps().end());
    EXPECT_FALSE(gaps.empty());
    Events wanted = events_;
    for (const Gap& gap : gaps) wanted.erase(wanted.lower_bound(gap.from), wanted.upper_bound(gap.through));
    for (const Order order : {Order::kOldestFirst, Order::kNewestFirst}) {
      Events found = EventsOf(**log, order);
      if (!indexed) Forget(found), Forget(wanted);
      EXPECT_EQ(found.size(), wanted.size());
      EXPECT_TRUE(found == wanted);
    }
    // Nothing of what was before damage is needed to see what no gap cuts.
    const auto history = HistoryOf(**log);
    for (const auto& [first, entry] : history_) {
      if (!indexed && Cuts(**log, entry)) continue;
      EXPECT_EQ(history.count(first), 1U) << first;
      if (history.count(first) == 1) {
        EXPECT_EQ(history.at(first), entry);
      }
    }
    return gaps;
  }

  static void Forget(Events& events) {
    for (auto& [sequence, seen] : events) seen.operation = 0, seen.id.clear();
  }

  // A batch in the middle, of which nothing can be unpacked.
  Place DamageBatch(Image& image) {
    const std::vector<Place> batches = Values(image, "events");
    const Place batch = batches.at(batches.size() / 2);
    next_key_ = batches.at(batches.size() / 2 + 1).key;
    image.Set<std::uint32_t>(batch.offset + 8, 0xffffff);
    return batch;
  }

  Events events_;
  std::map<Sequence, HistoryEntry> history_;
  u64 next_key_ = 0;
};

TEST_F(BeyondDamageTest, DamagedBatchHidesOnlyWhatIsInIt) {
  MakeLarge();
  SetTruth();
  Image image(image_);
  const Place batch = DamageBatch(image);
  Write(image);
  EXPECT_EQ(ExpectAllElse(), (std::vector<Gap>{{batch.key, next_key_ - 1}}));
  // The control: without the option, the damage ends the question, and the error names it.
  ASSERT_OK_AND_ASSIGN(const auto log, OpenLogForReading(log_dir_));
  ASSERT_OK_AND_ASSIGN(EventQuery query, EventQuery::Over(*log, {}));
  auto next = query.Next();
  while (next.ok() && *next) next = query.Next();
  EXPECT_THAT(next, Fails(absl::StatusCode::kDataLoss, HasSubstr("--beyond-damage")));
}

TEST_F(BeyondDamageTest, ZeroedLeafHidesOnlyWhatIsInIt) {
  MakeLarge();
  SetTruth();
  Image image(image_);
  const std::vector<u64> leaves = Leaves(image, "events");
  const u64 first = image.Get<u64>(Image::Key(image.Node(leaves.at(0), 0)));
  const u64 behind = image.Get<u64>(Image::Key(image.Node(leaves.at(1), 0)));
  image.bytes.replace(leaves[0], kPageBytes, kPageBytes, '\0');
  Write(image);
  EXPECT_EQ(ExpectAllElse(), (std::vector<Gap>{{first, behind - 1}}));
}

TEST_F(BeyondDamageTest, LastBatchMayBeTheDamagedOne) {
  MakeLarge();
  SetTruth();
  Image image(image_);
  const Place batch = Values(image, "events").back();
  image.Set<std::uint32_t>(batch.offset + 8, 0xffffff);
  Write(image);
  EXPECT_EQ(ExpectAllElse(/*indexed=*/false), (std::vector<Gap>{{batch.key, events_.rbegin()->first}}));
}

// Without rows, the fold has to begin anew behind the gap.
TEST_F(BeyondDamageTest, WithoutAnIndexOnlyTheOperationsThatAGapCutsChange) {
  MakeLarge();
  SetTruth();
  Image image(image_);
  DamageBatch(image);
  for (const char* const table : {"batches", "operations"}) image.Set<u16>(Leaves(image, table).front() + kFlags, 0x77);
  Write(image);
  const std::vector<Gap> gaps = ExpectAllElse(/*indexed=*/false);
  ASSERT_EQ(gaps.size(), 1U);
  ASSERT_OK_AND_ASSIGN(const auto log, OpenBeyondDamage(log_dir_));
  // The state before the gap, in it, behind it and at the end.
  EXPECT_OK(StateAt(*log, gaps[0].from - 1));
  EXPECT_THAT(StateAt(*log, gaps[0].from), Fails(absl::StatusCode::kDataLoss, testing::_));
  ASSERT_OK_AND_ASSIGN(const State behind, StateAt(*log, gaps[0].through + 1));
  EXPECT_EQ(behind.sequence, gaps[0].through + 1);
  ASSERT_OK_AND_ASSIGN(const State at_end, StateAt(*log));
  EXPECT_EQ(at_end.misfit, std::nullopt);
  EXPECT_EQ(at_end.operation->first_sequence, history_.rbegin()->first);
}

TEST_F(BeyondDamageTest, StoryOfAnOperationThatAGapCutsIsToldAsFarAsItCanBe) {
  MakeLarge();
  SetTruth();
  Image image(image_);
  const Place batch = DamageBatch(image);
  Write(image);
  ASSERT_OK_AND_ASSIGN(const auto log, OpenBeyondDamage(log_dir_));
  int cut = 0;
  for (const auto& [first, entry] : history_) {
    if (!Cuts(*log, entry)) continue;
    ++cut;
    ASSERT_OK_AND_ASSIGN(const OperationStory story, TellStory(*log, entry));
    EXPECT_EQ(story.start.sequence, first);
    for (const StoryStep& step : story.steps) EXPECT_EQ(GapAt(*log, step.sequence), nullptr);
    // The control: without the option it is told only if nothing of the damaged batch is needed for it, as where the
    // operation ends right before the gap, or no step is taken from there.
    ASSERT_OK_AND_ASSIGN(const auto damaged, OpenLogForReading(log_dir_));
    const auto ordinary = TellStory(*damaged, entry);
    if (ordinary.ok()) {
      EXPECT_EQ(ordinary->steps, story.steps) << batch.key;
    } else {
      EXPECT_THAT(ordinary, Fails(absl::StatusCode::kDataLoss, HasSubstr("--beyond-damage")));
    }
  }
  EXPECT_GT(cut, 0);
}

TEST_F(BeyondDamageTest, ExportTellsOfTheGapWhereItIs) {
  MakeLarge();
  SetTruth();
  Image image(image_);
  DamageBatch(image);
  Write(image);
  ASSERT_OK_AND_ASSIGN(const auto log, OpenBeyondDamage(log_dir_));
  const Gap gap = log->gaps()[0];
  ASSERT_OK_AND_ASSIGN(JsonLinesExport lines, JsonLinesExport::Of(*log, LogId{}));
  std::vector<std::string> all;
  while (true) {
    ASSERT_OK_AND_ASSIGN(std::optional<std::string> line, lines.Next());
    if (!line) break;
    all.push_back(*std::move(line));
  }
  EXPECT_EQ(all.size(), 3 + events_.size() - (gap.through - gap.from + 1));
  EXPECT_THAT(all.front(), HasSubstr("\"whole\": false"));
  EXPECT_THAT(all.at(gap.from), HasSubstr("\"kind\": \"missing\", \"from\": " + std::to_string(gap.from) +
                                          ", \"through\": " + std::to_string(gap.through)));
}

// Several frames in one batch that nothing packs.
class BeyondFrameTest : public BeyondDamageTest {
 protected:
  void SetUp() override {
    LogDirectoryOptions options = SmallTail();
    options.indexer = NewEventIndexer();
    ASSERT_OK_AND_ASSIGN(const WritableLog written, OpenLogForWriting(log_dir_, options));
    ASSERT_OK_AND_ASSIGN(const LogExtent extent, written.log->Extent());
    std::vector<Event> events = {{1, 1, Started{.operation_id = "op"}}};
    for (int i = 1; i < 8; ++i) {
      std::string text(20'000, ' ');
      for (char& letter : text) letter = static_cast<char>(random_());
      events.push_back({i, 1, Checkpoint{.files_processed = i, .current_path = text}});
    }
    events.push_back({9, 1, Completed{}});
    ASSERT_OK(written.log->Append(RunAfter(extent.end, events), Space::kUnreserved));
    ASSERT_OK(written.log->Close());
    image_ = ReadFile(path());
    SetTruth();
  }

  // Where the frame of the event is.
  std::size_t FrameOf(Sequence sequence) const {
    for (std::size_t at = image_.find("FLG1"); at != std::string::npos; at = image_.find("FLG1", at + 1)) {
      if (Image(image_).Get<u64>(at + 24) == sequence) return at;
    }
    ADD_FAILURE() << "no frame " << sequence;
    return 0;
  }
};

TEST_F(BeyondFrameTest, DamagedFrameHidesOneEvent) {
  Image image(image_);
  ASSERT_EQ(Values(image, "events").size(), 1U);
  image.bytes.at(FrameOf(4) + 1000) ^= 4;
  Write(image);
  EXPECT_EQ(ExpectAllElse(), (std::vector<Gap>{{4, 4}}));
}

TEST_F(BeyondFrameTest, FrameWithoutItsSizeHidesOneEvent) {
  Image image(image_);
  image.Set<std::uint32_t>(FrameOf(4) + 4, 7);
  image.Set<std::uint32_t>(FrameOf(7), 0);
  Write(image);
  EXPECT_EQ(ExpectAllElse(), (std::vector<Gap>{{4, 4}, {7, 7}}));
}

// Each byte of log.mdb, changed by itself: what is read is true, and what is not read is said to be missing.
class BeyondFlipTest : public BeyondDamageTest {
 protected:
#ifdef NDEBUG
  static constexpr std::size_t kStep = 61;
#else
  static constexpr std::size_t kStep = 2999;
#endif
};

TEST_F(BeyondFlipTest, WhatIsReadIsTrueAndTheRestIsSaidToBeMissing) {
  for (int session = 0; session < 3; ++session) {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, Options()));
    ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({.total_files = 60}));
    for (int i = 1; i <= 60; ++i) {
      ASSERT_OK(engine->Checkpoint(handle, {.files_processed = i, .current_path = "/" + std::to_string(random_())}));
    }
    ASSERT_OK(engine->Complete(handle));
    ASSERT_OK(engine->Close());
  }
  image_ = ReadFile(path());
  SetTruth();
  int with_gaps = 0;
  for (std::size_t at = TestSeed() % kStep; at < image_.size(); at += kStep) {
    std::string bytes = image_;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << at % 8));
    WriteFile(path(), bytes);
    const auto log = OpenBeyondDamage(log_dir_);
    if (!log.ok()) continue;  // meta pages and records: for salvage
    Events found = EventsOf(**log, Order::kOldestFirst);
    Sequence missing = 0;
    for (const Gap& gap : (*log)->gaps()) missing += gap.through - gap.from + 1;
    with_gaps += missing > 0 ? 1 : 0;
    EXPECT_EQ(found.size() + missing, events_.size()) << at;
    for (const auto& [sequence, seen] : found) EXPECT_EQ(seen.hash, events_.at(sequence).hash) << at;
    HistoryOf(**log);
  }
#ifdef NDEBUG
  EXPECT_GT(with_gaps, 0);
#endif
}

}  // namespace
}  // namespace foldlog
