// Scans give each event once and in order, on however many threads, and notice a chain that is broken between parts.

#include "foldlog/scan.h"

#include "foldlog/state.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

constexpr std::int64_t kEvents = 150'000;  // several parts

// Its value depends on every event and on their order.
struct Digest {
  std::uint64_t events = 0;
  std::uint64_t factor = 1;
  std::uint64_t digest = 0;

  void Add(const EventView& event) {
    digest = digest * 31 + event.hash + static_cast<std::uint64_t>(event.files_processed);
    factor *= 31;
    ++events;
  }
  void Merge(const Digest& later) {
    digest = digest * later.factor + later.digest;
    factor *= later.factor;
    events += later.events;
  }
  bool operator==(const Digest&) const = default;
};

class ScanTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    log_ = NewMemoryLog().release();
    for (std::int64_t i = 0; i < kEvents; i += 1000) {
      std::vector<Event> events;
      for (std::int64_t j = i; j < i + 1000; ++j) events.push_back(CheckpointEvent(j));
      ASSERT_OK(log_->Append(RunAfter(log_->Extent()->end, events), Space::kUnreserved));
    }
    EventReader reader(*log_, 1);
    while (true) {
      ASSERT_OK_AND_ASSIGN(const auto event, reader.Next());
      if (!event) break;
      EventView view;
      view.hash = event->hash;
      view.files_processed = std::get<Checkpoint>(event->event.body).files_processed;
      expected_.Add(view);
    }
  }
  static void TearDownTestSuite() { delete log_; }

  static EventLog* log_;
  static Digest expected_;
};
EventLog* ScanTest::log_ = nullptr;
Digest ScanTest::expected_;

TEST_F(ScanTest, SumIsTheSameOnAnyNumberOfThreads) {
  for (const int jobs : {1, 2, 3, 8, 0}) {
    ASSERT_OK_AND_ASSIGN(const Digest sum, SumEvents<Digest>(*log_, {.jobs = jobs}));
    EXPECT_EQ(sum, expected_) << jobs << " jobs";
  }
}

TEST_F(ScanTest, EachEventIsGivenInOrder) {
  Sequence last = 0;
  Digest digest;
  ASSERT_OK(ForEachEvent(*log_, {.jobs = 4}, [&](const EventView& event) {
    EXPECT_EQ(event.sequence, last + 1);
    last = event.sequence;
    digest.Add(event);
    return absl::OkStatus();
  }));
  EXPECT_EQ(digest, expected_);
}

TEST_F(ScanTest, RangeIsKeptTo) {
  std::vector<Sequence> seen;
  ASSERT_OK(ForEachEvent(*log_, {.from = 7, .through = 9}, [&](const EventView& event) {
    seen.push_back(event.sequence);
    return absl::OkStatus();
  }));
  EXPECT_THAT(seen, testing::ElementsAre(7, 8, 9));
  ASSERT_OK_AND_ASSIGN(const Digest some, SumEvents<Digest>(*log_, {.from = 1001, .through = 140'000, .jobs = 2}));
  EXPECT_EQ(some.events, 139'000u);
  ASSERT_OK_AND_ASSIGN(const Digest none, SumEvents<Digest>(*log_, {.from = 10, .through = 9}));
  EXPECT_EQ(none.events, 0u);
}

TEST_F(ScanTest, RangeThatTheLogDoesNotHoldIsRefused) {
  const auto refused = Fails(StatusCode::kOutOfRange, HasSubstr("holds events 1 to 150000"));
  EXPECT_THAT(SumEvents<Digest>(*log_, {.from = 0}), refused);
  EXPECT_THAT(SumEvents<Digest>(*log_, {.through = kEvents + 1}), refused);
  EXPECT_THAT(SumEvents<Digest>(*log_, {.from = kEvents + 2}), refused);
}

TEST_F(ScanTest, ErrorOfTheCallerEndsTheScan) {
  Sequence last = 0;
  const absl::Status status = ForEachEvent(*log_, {}, [&](const EventView& event) {
    last = event.sequence;
    return last == 5 ? absl::CancelledError("enough") : absl::OkStatus();
  });
  EXPECT_THAT(status, Fails(StatusCode::kCancelled, HasSubstr("enough")));
  EXPECT_EQ(last, 5u);
}

TEST(Scan, LogWithoutEventsAddsUpToNothing) {
  const auto log = NewMemoryLog();
  ASSERT_OK_AND_ASSIGN(const Digest sum, SumEvents<Digest>(*log));
  EXPECT_EQ(sum, Digest());
}

// Gives the events of one log up to a place, and those of another behind it: each a chain, but not one chain.
class SplicedLog final : public EventLog {
 public:
  SplicedLog(const EventLog& first, const EventLog& second, Sequence second_from)
      : first_(&first), second_(&second), second_from_(second_from) {}

  absl::Status ReadInto(Sequence from, std::size_t bytes_max, FrameRun& run) const override {
    // A run does not reach over the splice: only the readers of two parts meet there.
    if (from >= second_from_) return second_->ReadInto(from, bytes_max, run);
    return first_->ReadInto(from, bytes_max, run);
  }
  absl::StatusOr<LogExtent> Extent() const override { return first_->Extent(); }
  absl::Status Append(const FrameRun&, Space) override { return absl::UnimplementedError(""); }
  absl::Status Sync(Sequence) override { return absl::UnimplementedError(""); }
  absl::Status PutSnapshot(const Snapshot&) override { return absl::UnimplementedError(""); }
  absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence) const override { return std::optional<Snapshot>(); }
  absl::StatusOr<bool> WaitForMore(Sequence, std::chrono::milliseconds) const override { return false; }
  absl::Status Close() override { return absl::OkStatus(); }
  const std::string& name() const override { return first_->name(); }

 private:
  const EventLog* first_;
  const EventLog* second_;
  Sequence second_from_;
};

TEST_F(ScanTest, ChainThatIsBrokenBetweenTwoPartsIsDamage) {
  ASSERT_OK_AND_ASSIGN(const ScanPlan plan, PlanScan(*log_, {.jobs = 2}));
  const auto other = NewMemoryLog();
  for (std::int64_t i = 0; i < kEvents; i += 1000) {
    std::vector<Event> events;
    for (std::int64_t j = i; j < i + 1000; ++j) events.push_back(CheckpointEvent(j + 1));
    ASSERT_OK(other->Append(RunAfter(other->Extent()->end, events), Space::kUnreserved));
  }
  const Sequence second_from = plan.from + 2 * plan.part_events;
  const SplicedLog spliced(*log_, *other, second_from);
  EXPECT_THAT(SumEvents<Digest>(spliced, {.jobs = 2}),
              Fails(StatusCode::kDataLoss, HasSubstr("event " + std::to_string(second_from) + " of the log")));
}

TEST_F(ScanTest, DamageIsReportedForTheFirstEventThatHasIt) {
  const auto log = NewMemoryLog();
  for (std::int64_t i = 0; i < kEvents; i += 1000) {
    std::vector<Event> events;
    for (std::int64_t j = i; j < i + 1000; ++j) events.push_back(CheckpointEvent(j));
    FrameRun run = RunAfter(log->Extent()->end, events);
    if (i == 50'000 || i == 120'000) run.words[kFrameHeaderWords] ^= 1;
    ASSERT_OK(log->Append(run, Space::kUnreserved));
  }
  for (const int jobs : {1, 4}) {
    EXPECT_THAT(SumEvents<Digest>(*log, {.jobs = jobs}),
                Fails(StatusCode::kDataLoss, HasSubstr("event 50001 of the log")));
  }
}

}  // namespace
}  // namespace foldlog
