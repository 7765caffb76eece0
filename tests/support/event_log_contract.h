// The contract that every EventLog adapter passes. An adapter's test names a Backend with
//   std::unique_ptr<EventLog> Open();    the log, created empty the first time
//   static constexpr bool kPersistent;   whether Open() after Close() finds what was appended
// and instantiates the suite:
//   INSTANTIATE_TYPED_TEST_SUITE_P(Memory, EventLogContract, MemoryBackend);

#ifndef FOLDLOG_TESTS_SUPPORT_EVENT_LOG_CONTRACT_H_
#define FOLDLOG_TESTS_SUPPORT_EVENT_LOG_CONTRACT_H_

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/test_support.h"

namespace foldlog {

// Much longer than anything takes that is waited for: who waits so long was not woken.
inline constexpr std::chrono::milliseconds kLongWait = std::chrono::seconds(60);

template <typename Backend>
class EventLogContract : public testing::Test {
 protected:
  void SetUp() override { log_ = backend_.Open(); }

  ChainEnd End() { return log_->Extent()->end; }

  // Appends `count` checkpoints as one run.
  void AppendEvents(int count) {
    std::vector<Event> events;
    events.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i)
      events.push_back(CheckpointEvent(static_cast<std::int64_t>(End().sequence) + i + 1));
    ASSERT_OK(log_->Append(RunAfter(End(), events), Space::kUnreserved));
  }

  Backend backend_;
  std::unique_ptr<EventLog> log_;
};

TYPED_TEST_SUITE_P(EventLogContract);

TYPED_TEST_P(EventLogContract, NewLogIsEmpty) {
  ASSERT_OK_AND_ASSIGN(const LogExtent extent, this->log_->Extent());
  EXPECT_EQ(extent.base.sequence, 0u);
  EXPECT_EQ(extent.end, extent.base);
  EXPECT_TRUE(ReadAll(*this->log_).empty());
  ASSERT_OK_AND_ASSIGN(const auto snapshot, this->log_->FindSnapshot(1000));
  EXPECT_FALSE(snapshot.has_value());
}

TYPED_TEST_P(EventLogContract, AppendedEventsAreReadBackInOrder) {
  this->AppendEvents(3);
  this->AppendEvents(1);
  this->AppendEvents(5);
  const auto events = ReadAll(*this->log_);
  ASSERT_EQ(events.size(), 9u);
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].sequence, i + 1);
    EXPECT_EQ(events[i].event, CheckpointEvent(static_cast<std::int64_t>(i) + 1));
  }
  EXPECT_EQ(this->End().sequence, 9u);
}

TYPED_TEST_P(EventLogContract, ReadingStartsAnywhereEvenInsideARun) {
  this->AppendEvents(4);
  this->AppendEvents(4);
  for (Sequence from = 1; from <= 9; ++from) {
    EXPECT_EQ(ReadAll(*this->log_, from).size(), 9 - from) << "from " << from;
  }
}

TYPED_TEST_P(EventLogContract, ReadGivesAtLeastOneEventHoweverSmallTheBudget) {
  this->AppendEvents(3);
  ASSERT_OK_AND_ASSIGN(const FrameRun run, this->log_->Read(2, 1));
  EXPECT_EQ(run.count(), 1u);
  EXPECT_EQ(run.before.sequence, 1u);
}

TYPED_TEST_P(EventLogContract, ReadKeepsToItsBudget) {
  this->AppendEvents(100);
  this->AppendEvents(100);
  constexpr std::size_t kBudget = 4096;
  ASSERT_OK_AND_ASSIGN(const FrameRun run, this->log_->Read(1, kBudget));
  EXPECT_LE(run.words.size() * sizeof(std::uint64_t), kBudget);
  EXPECT_GT(run.count(), 10u);
}

// Run after run into one memory: each gives exactly its own frames, whatever was there before.
TYPED_TEST_P(EventLogContract, ReadIntoUsesTheMemoryOfTheRunAgain) {
  this->AppendEvents(100);
  this->AppendEvents(100);
  const std::vector<RecordedEvent> events = ReadAll(*this->log_);
  FrameRun run;
  run.words.assign(1 << 16, 0x5a5a5a5a5a5a5a5a);
  const std::uint64_t* const memory = run.words.data();
  for (const std::size_t bytes_max : {std::size_t{1} << 16, std::size_t{4096}, std::size_t{1}}) {
    for (Sequence from = 1; from <= 200;) {
      ASSERT_OK(this->log_->ReadInto(from, bytes_max, run));
      ASSERT_EQ(run.words.data(), memory);
      ASSERT_EQ(run.before.sequence, from - 1);
      ASSERT_FALSE(run.empty());
      ChainEnd end = run.before;
      for (std::span<const std::uint64_t> rest = run.words; !rest.empty();) {
        const auto frame = FrameBehind(end, rest);
        ASSERT_TRUE(frame) << "behind event " << end.sequence;
        end = frame->end();
        ASSERT_EQ(end.hash, events[end.sequence - 1].hash);
        rest = rest.subspan(frame->size_words());
      }
      from = end.sequence + 1;
    }
  }
  ASSERT_OK(this->log_->ReadInto(201, 100, run));
  EXPECT_TRUE(run.empty());
  EXPECT_FALSE(this->log_->ReadInto(202, 100, run).ok());
}

TYPED_TEST_P(EventLogContract, ReadingOutsideTheLogIsOutOfRange) {
  this->AppendEvents(2);
  EXPECT_THAT(this->log_->Read(0, 100), Fails(absl::StatusCode::kOutOfRange, testing::HasSubstr("event 0")));
  EXPECT_THAT(this->log_->Read(4, 100), Fails(absl::StatusCode::kOutOfRange, testing::HasSubstr("event 4")));
  ASSERT_OK_AND_ASSIGN(const FrameRun run, this->log_->Read(3, 100));
  EXPECT_TRUE(run.empty());
}

TYPED_TEST_P(EventLogContract, AppendOnAnOldEndIsAborted) {
  const ChainEnd old_end = this->End();
  this->AppendEvents(1);
  const FrameRun late = RunAfter(old_end, {CheckpointEvent(7)});
  EXPECT_THAT(this->log_->Append(late, Space::kUnreserved),
              Fails(absl::StatusCode::kAborted, testing::HasSubstr("ends with event 1")));
  EXPECT_EQ(ReadAll(*this->log_).size(), 1u);
  this->AppendEvents(1);  // and the log goes on
}

TYPED_TEST_P(EventLogContract, AppendOnTheRightNumberButAnotherHistoryIsAborted) {
  this->AppendEvents(1);
  ChainEnd forged = this->End();
  forged.hash ^= 1;
  EXPECT_THAT(this->log_->Append(RunAfter(forged, {CheckpointEvent(2)}), Space::kUnreserved),
              Fails(absl::StatusCode::kAborted, testing::_));
}

TYPED_TEST_P(EventLogContract, RunThatIsNoChainIsRefused) {
  FrameRun run = RunAfter(this->End(), {CheckpointEvent(1), CheckpointEvent(2)});
  FrameRun gap = run;
  gap.words.erase(gap.words.begin(), gap.words.begin() + static_cast<std::ptrdiff_t>(gap.words.size() / 2));
  EXPECT_THAT(this->log_->Append(gap, Space::kUnreserved), Fails(absl::StatusCode::kInvalidArgument, testing::_));
  FrameRun cut = run;
  cut.words.pop_back();
  EXPECT_FALSE(this->log_->Append(cut, Space::kUnreserved).ok());
  FrameRun wrong_end = run;
  wrong_end.after.hash ^= 1;
  EXPECT_THAT(this->log_->Append(wrong_end, Space::kUnreserved), Fails(absl::StatusCode::kInvalidArgument, testing::_));
  EXPECT_TRUE(ReadAll(*this->log_).empty());
  EXPECT_OK(this->log_->Append(run, Space::kUnreserved));
}

TYPED_TEST_P(EventLogContract, EmptyRunChangesNothing) {
  EXPECT_OK(this->log_->Append(RunAfter(this->End(), {}), Space::kUnreserved));
  EXPECT_EQ(this->End().sequence, 0u);
}

TYPED_TEST_P(EventLogContract, SyncMakesEverythingDurable) {
  const FrameRun run = RunAfter(this->End(), {CheckpointEvent(1), CheckpointEvent(2)});
  ASSERT_OK(this->log_->Append(run, Space::kUnreserved));
  ASSERT_OK(this->log_->Sync(2));
  EXPECT_EQ(this->log_->Extent()->durable_through, 2u);
}

TYPED_TEST_P(EventLogContract, SyncBehindTheEndIsOutOfRange) {
  this->AppendEvents(1);
  EXPECT_OK(this->log_->Sync(1));
  EXPECT_THAT(this->log_->Sync(2), Fails(absl::StatusCode::kOutOfRange, testing::HasSubstr("event 2")));
}

// Longer than any stretch an adapter may keep in one piece.
TYPED_TEST_P(EventLogContract, LongRunIsKeptWhole) {
  constexpr int kEvents = 30'000;
  this->AppendEvents(kEvents);
  const auto events = ReadAll(*this->log_);
  ASSERT_EQ(events.size(), std::size_t{kEvents});
  EXPECT_EQ(events.back().event, CheckpointEvent(kEvents));
  EXPECT_EQ(ReadAll(*this->log_, kEvents - 10).size(), 11u);
}

TYPED_TEST_P(EventLogContract, NewestSnapshotAtOrBeforeIsFound) {
  this->AppendEvents(3);
  const auto events = ReadAll(*this->log_);
  ASSERT_OK(this->log_->PutSnapshot({{1, events[0].hash}, {11, 12}}));
  ASSERT_OK(this->log_->PutSnapshot({{3, events[2].hash}, {31, 32, 33}}));
  ASSERT_OK_AND_ASSIGN(const auto before, this->log_->FindSnapshot(0));
  EXPECT_FALSE(before.has_value());
  ASSERT_OK_AND_ASSIGN(const auto first, this->log_->FindSnapshot(2));
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->at.sequence, 1u);
  EXPECT_EQ(first->words, (std::vector<std::uint64_t>{11, 12}));
  ASSERT_OK_AND_ASSIGN(const auto newest, this->log_->FindSnapshot(1000));
  ASSERT_TRUE(newest.has_value());
  EXPECT_EQ(newest->at, (ChainEnd{3, events[2].hash}));
  EXPECT_EQ(newest->words, (std::vector<std::uint64_t>{31, 32, 33}));
}

TYPED_TEST_P(EventLogContract, ASnapshotPutLateDoesNotHideANewerOne) {
  this->AppendEvents(3);
  const auto events = ReadAll(*this->log_);
  ASSERT_OK(this->log_->PutSnapshot({{3, events[2].hash}, {3}}));
  ASSERT_OK(this->log_->PutSnapshot({{1, events[0].hash}, {1}}));
  for (int reopened = 0; reopened < 2; ++reopened) {
    ASSERT_OK_AND_ASSIGN(const auto newest, this->log_->FindSnapshot(3));
    ASSERT_TRUE(newest.has_value());
    EXPECT_EQ(newest->at.sequence, 3u);
    ASSERT_OK_AND_ASSIGN(const auto older, this->log_->FindSnapshot(2));
    ASSERT_TRUE(older.has_value());
    EXPECT_EQ(older->at.sequence, 1u);
    if (!TypeParam::kPersistent) return;
    ASSERT_OK(this->log_->Close());
    this->log_ = this->backend_.Open();
    ASSERT_OK(this->log_->PutSnapshot({{1, events[0].hash}, {1}}));  // again, behind the newer one that is stored
  }
}

TYPED_TEST_P(EventLogContract, SnapshotOfNoEventIsRefused) {
  EXPECT_THAT(this->log_->PutSnapshot({{1, 0}, {1}}),
              Fails(absl::StatusCode::kInvalidArgument, testing::HasSubstr("event 1")));
}

TYPED_TEST_P(EventLogContract, PuttingASnapshotAgainIsFine) {
  this->AppendEvents(1);
  ASSERT_OK(this->log_->PutSnapshot({this->End(), {1}}));
  ASSERT_OK(this->log_->PutSnapshot({this->End(), {1}}));
  this->AppendEvents(1);
}

TYPED_TEST_P(EventLogContract, LargeEventsAreKept) {
  const std::string path(std::size_t{1} << 20, 'p');
  const Event event{1, 1, Checkpoint{.files_processed = 1, .current_path = path}};
  ASSERT_OK(this->log_->Append(RunAfter(this->End(), {event}), Space::kUnreserved));
  const auto events = ReadAll(*this->log_);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].event, event);
}

TYPED_TEST_P(EventLogContract, ClosedLogRefusesEverything) {
  const FrameRun run = RunAfter(this->End(), {CheckpointEvent(1)});
  ASSERT_OK(this->log_->Close());
  EXPECT_OK(this->log_->Close());
  const auto refused = Fails(absl::StatusCode::kFailedPrecondition, testing::HasSubstr("closed"));
  EXPECT_THAT(this->log_->Append(run, Space::kUnreserved), refused);
  EXPECT_THAT(this->log_->Sync(0), refused);
  EXPECT_THAT(this->log_->PutSnapshot({{}, {1}}), refused);
  EXPECT_THAT(this->log_->Extent(), refused);
  EXPECT_THAT(this->log_->Read(1, 1), refused);
  EXPECT_THAT(this->log_->FindSnapshot(1), refused);
}

TYPED_TEST_P(EventLogContract, WhatWasAppendedIsThereAfterReopening) {
  this->AppendEvents(3);
  const auto before = ReadAll(*this->log_);
  ASSERT_OK(this->log_->PutSnapshot({this->End(), {5}}));
  if (!TypeParam::kPersistent) return;
  ASSERT_OK(this->log_->Close());
  this->log_.reset();
  this->log_ = this->backend_.Open();
  EXPECT_EQ(ReadAll(*this->log_), before);
  EXPECT_EQ(this->log_->Extent()->durable_through, 3u);
  ASSERT_OK_AND_ASSIGN(const auto snapshot, this->log_->FindSnapshot(3));
  EXPECT_TRUE(snapshot.has_value());
  this->AppendEvents(2);
  EXPECT_EQ(ReadAll(*this->log_).size(), 5u);
}

TYPED_TEST_P(EventLogContract, ReadersFollowAWriterInAnotherThread) {
  constexpr Sequence kEvents = 300;
  std::atomic<bool> failed = false;
  constexpr int kReaders = 3;
  std::vector<std::thread> readers;
  readers.reserve(kReaders);
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&] {
      EventReader reader(*this->log_, 1);
      while (reader.position().sequence < kEvents && !failed) {
        const auto event = reader.Next();
        if (!event.ok()) failed = true;
      }
    });
  }
  while (this->End().sequence < kEvents) this->AppendEvents(3);
  for (std::thread& reader : readers) reader.join();
  EXPECT_FALSE(failed);
}

TYPED_TEST_P(EventLogContract, WaitingEndsAtOnceIfThereIsMore) {
  this->AppendEvents(2);
  for (const auto timeout : {std::chrono::milliseconds(0), kLongWait}) {
    ASSERT_OK_AND_ASSIGN(const bool more, this->log_->WaitForMore(1, timeout));
    EXPECT_TRUE(more);
  }
}

TYPED_TEST_P(EventLogContract, WaitingEndsAfterItsTimeIfThereIsNoMore) {
  this->AppendEvents(2);
  const auto start = std::chrono::steady_clock::now();
  ASSERT_OK_AND_ASSIGN(const bool more, this->log_->WaitForMore(2, std::chrono::milliseconds(60)));
  EXPECT_FALSE(more);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(60));
}

TYPED_TEST_P(EventLogContract, WaitingEndsWhenSomethingIsAppended) {
  this->AppendEvents(2);
  for (Sequence behind = 2; behind < 5; ++behind) {
    std::atomic<bool> more = false;
    std::thread waiting([&] { more = this->log_->WaitForMore(behind, kLongWait).value_or(false); });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const auto start = std::chrono::steady_clock::now();
    this->AppendEvents(1);
    waiting.join();
    EXPECT_TRUE(more);
    EXPECT_LT(std::chrono::steady_clock::now() - start, kLongWait / 2);
  }
}

TYPED_TEST_P(EventLogContract, WaitingForAnEventFurtherAheadGoesOn) {
  std::atomic<bool> more = false;
  std::thread waiting([&] { more = this->log_->WaitForMore(2, kLongWait).value_or(false); });
  this->AppendEvents(1);
  this->AppendEvents(1);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_FALSE(more);
  this->AppendEvents(1);
  waiting.join();
  EXPECT_TRUE(more);
}

TYPED_TEST_P(EventLogContract, ClosingEndsAWait) {
  absl::Status status;
  std::thread waiting([&] { status = this->log_->WaitForMore(0, kLongWait).status(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const auto start = std::chrono::steady_clock::now();
  ASSERT_OK(this->log_->Close());
  waiting.join();
  EXPECT_THAT(status, Fails(absl::StatusCode::kFailedPrecondition, testing::HasSubstr("closed")));
  EXPECT_LT(std::chrono::steady_clock::now() - start, kLongWait / 2);
}

TYPED_TEST_P(EventLogContract, HandledSignalEndsAWait) {
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
  std::atomic<bool> waiting = true;
  const auto start = std::chrono::steady_clock::now();
  std::thread waiter([&] {
    EXPECT_FALSE(this->log_->WaitForMore(0, kLongWait).value_or(true));
    waiting = false;
  });
  while (waiting) {
    pthread_kill(waiter.native_handle(), SIGUSR1);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  waiter.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, kLongWait / 2);
}

REGISTER_TYPED_TEST_SUITE_P(EventLogContract, NewLogIsEmpty, AppendedEventsAreReadBackInOrder,
                            ReadingStartsAnywhereEvenInsideARun, ReadGivesAtLeastOneEventHoweverSmallTheBudget,
                            ReadKeepsToItsBudget, ReadIntoUsesTheMemoryOfTheRunAgain, ReadingOutsideTheLogIsOutOfRange,
                            AppendOnAnOldEndIsAborted, AppendOnTheRightNumberButAnotherHistoryIsAborted,
                            RunThatIsNoChainIsRefused, EmptyRunChangesNothing, SyncMakesEverythingDurable,
                            SyncBehindTheEndIsOutOfRange, LongRunIsKeptWhole, NewestSnapshotAtOrBeforeIsFound,
                            SnapshotOfNoEventIsRefused, PuttingASnapshotAgainIsFine, LargeEventsAreKept,
                            ClosedLogRefusesEverything, WhatWasAppendedIsThereAfterReopening,
                            ReadersFollowAWriterInAnotherThread, WaitingEndsAtOnceIfThereIsMore,
                            WaitingEndsAfterItsTimeIfThereIsNoMore, WaitingEndsWhenSomethingIsAppended,
                            WaitingForAnEventFurtherAheadGoesOn, ClosingEndsAWait, ASnapshotPutLateDoesNotHideANewerOne,
                            HandledSignalEndsAWait);

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_EVENT_LOG_CONTRACT_H_
