// A log with a tail, as its writer has it: when events are durable, who waits for whose flush, and what a failed flush
// means.

#include <filesystem>
#include <functional>
#include <thread>

#include "foldlog/log_directory.h"
#include "tests/support/child_process.h"
#include "tests/support/flush_faults.h"
#include "tests/support/test_support.h"
#include "tests/support/writer_parts.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::AllOf;
using testing::HasSubstr;

// For what has to happen soon, on any machine.
constexpr milliseconds kLongWait = std::chrono::seconds(60);

class WriterLogTest : public testing::Test {
 protected:
  ~WriterLogTest() override {
    FailFlushes(0, 0);
    flush_time_ms = 0;
  }

  void Open(milliseconds flush_interval = std::chrono::hours(1)) {
    LogDirectoryOptions options = SmallTail();
    options.flush_interval = flush_interval;
    auto opened = OpenLogForWriting(directory_ / "log", options);
    ASSERT_OK(opened);
    log_ = std::move(opened->log);
    recovery_ = opened->recovery;
  }

  absl::Status Append(int count) {
    const ChainEnd end = log_->Extent()->end;
    std::vector<Event> events;
    events.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) events.push_back(CheckpointEvent(i));
    return log_->Append(RunAfter(end, events), Space::kUnreserved);
  }

  Sequence Durable() const { return log_->Extent()->durable_through; }

  // Whether `sequence` becomes durable within `time`, unasked.
  bool BecomesDurable(Sequence sequence, milliseconds time) const {
    for (const auto end = steady_clock::now() + time; steady_clock::now() < end;) {
      if (Durable() >= sequence) return true;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return false;
  }

  TempDir directory_;
  std::unique_ptr<EventLog> log_;
  RecoveryReport recovery_;
};

TEST_F(WriterLogTest, EventsBecomeDurableUnasked) {
  Open(milliseconds(50));
  for (Sequence last = 3; last <= 9; last += 3) {
    ASSERT_OK(Append(3));
    EXPECT_TRUE(BecomesDurable(last, kLongWait));
    std::this_thread::sleep_for(milliseconds(60));  // time for the flushing thread to fall asleep
  }
}

TEST_F(WriterLogTest, EventsAreNotDurableBeforeTheirTime) {
  Open();
  ASSERT_OK(Append(3));
  EXPECT_FALSE(BecomesDurable(1, milliseconds(200)));
  EXPECT_EQ(log_->Extent()->end.sequence, 3u);
}

TEST_F(WriterLogTest, ShortestIntervalMakesEventsDurableToo) {
  Open(milliseconds(1));
  ASSERT_OK(Append(1));
  EXPECT_TRUE(BecomesDurable(1, kLongWait));
}

// An event's time does not start again with each one after it.
TEST_F(WriterLogTest, SteadyAppendingDoesNotPutTheFlushOff) {
  Open(milliseconds(20));
  const auto end = steady_clock::now() + kLongWait;
  while (Durable() == 0 && steady_clock::now() < end) {
    ASSERT_OK(Append(1));
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_GT(Durable(), 0u);
}

TEST_F(WriterLogTest, IdleLogIsNotFlushed) {
  Open(milliseconds(10));
  const int before = flush_count;
  ASSERT_OK(Append(1));
  ASSERT_TRUE(BecomesDurable(1, kLongWait));
  ASSERT_TRUE(Eventually([&] { return flush_count == before + 2; })) << "the event, and the claim that it is durable";
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(flush_count, before + 2);
}

TEST_F(WriterLogTest, SyncReturnsWhenTheEventsAreDurable) {
  Open();
  ASSERT_OK(Append(3));
  EXPECT_EQ(Durable(), 0u);
  const int before = flush_count;
  ASSERT_OK(log_->Sync(2));
  EXPECT_GE(Durable(), 2u);
  EXPECT_EQ(flush_count, before + 1);
  ASSERT_OK(log_->Sync(3));  // the same flush was for all that was there
  EXPECT_EQ(flush_count, before + 1);
  ASSERT_OK(Append(1));
  ASSERT_OK(log_->Sync(4));
  EXPECT_EQ(flush_count, before + 2);
}

TEST_F(WriterLogTest, SyncWaitsForTheFlush) {
  Open();
  ASSERT_OK(Append(1));
  flush_time_ms = 100;
  const auto start = steady_clock::now();
  ASSERT_OK(log_->Sync(1));
  EXPECT_GE(steady_clock::now() - start, milliseconds(100));
}

TEST_F(WriterLogTest, InterruptedFlushIsTakenUpAgain) {
  Open();
  ASSERT_OK(Append(1));
  FailFlushes(3, EINTR);
  EXPECT_OK(log_->Sync(1));
  EXPECT_EQ(flushes_to_fail, 0);
  EXPECT_EQ(Durable(), 1u);
}

// Each appends and syncs `rounds` times, sharing the appending as the engine does.
int FlushesOf(EventLog& log, int thread_count, int rounds) {
  std::mutex appending;
  std::atomic<int> failures = 0;
  const int before = flush_count;
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(thread_count));
  for (int t = 0; t < thread_count; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < rounds; ++i) {
        Sequence mine = 0;
        {
          const std::lock_guard lock(appending);
          const FrameRun run = RunAfter(log.Extent()->end, {CheckpointEvent(i)});
          if (!log.Append(run, Space::kUnreserved).ok()) ++failures;
          mine = run.after.sequence;
        }
        if (!log.Sync(mine).ok() || log.Extent()->durable_through < mine) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  return flush_count - before;
}

TEST_F(WriterLogTest, ThreadsThatWaitAtTheSameTimeShareFlushes) {
  Open();
  flush_time_ms = 2;
  EXPECT_EQ(FlushesOf(*log_, 1, 10), 10);
  EXPECT_LE(FlushesOf(*log_, 16, 20), 16 * 20 / 4);
}

TEST_F(WriterLogTest, FailedFlushStopsTheWriterForGood) {
  Open();
  ASSERT_OK(Append(2));
  ASSERT_OK(log_->Sync(2));
  ASSERT_OK(Append(3));
  FailFlushes(1, EIO);
  const auto stopped = Fails(StatusCode::kUnavailable, AllOf(HasSubstr("tail"), HasSubstr("events up to 2 are durable"),
                                                             HasSubstr("open it anew")));
  EXPECT_THAT(log_->Sync(3), stopped);
  // The disk is well again. What the kernel could not write it may have dropped: a second flush would prove nothing.
  const int before = flush_count;
  EXPECT_THAT(log_->Sync(5), stopped);
  EXPECT_THAT(log_->Append(RunAfter(log_->Extent()->end, {CheckpointEvent(1)}), Space::kReserve), stopped);
  EXPECT_THAT(log_->PutSnapshot({log_->Extent()->end, {1}}), stopped);
  EXPECT_EQ(flush_count, before);
  EXPECT_EQ(Durable(), 2u);
  EXPECT_OK(log_->Sync(2));
  EXPECT_EQ(ReadAll(*log_).size(), 5u);
  EXPECT_THAT(log_->Close(), stopped);
}

TEST_F(WriterLogTest, LogIsOpenedAnewAfterAFailedFlush) {
  Open();
  ASSERT_OK(Append(5));
  FailFlushes(1, EIO);
  ASSERT_FALSE(log_->Sync(5).ok());
  const auto before = ReadAll(*log_);
  log_.reset();
  const int flushes = flush_count;
  Open();
  EXPECT_EQ(recovery_.events_from_tail, 5u);
  EXPECT_EQ(ReadAll(*log_), before);
  // Only in the page cache, for all that is known.
  EXPECT_EQ(Durable(), 0u);
  EXPECT_OK(log_->Sync(5));
  EXPECT_EQ(Durable(), 5u);
  EXPECT_GT(flush_count, flushes);
  EXPECT_OK(Append(1));
  EXPECT_OK(log_->Sync(6));
}

TEST_F(WriterLogTest, WhatWasFoundBecomesDurableWithinTheInterval) {
  Open();
  ASSERT_OK(Append(5));
  FailFlushes(1, EIO);
  ASSERT_FALSE(log_->Sync(5).ok());
  log_.reset();
  Open(milliseconds(10));
  const auto end = steady_clock::now() + kLongWait;
  while (Durable() < 5 && steady_clock::now() < end) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(Durable(), 5u);
}

// What was found must not be called durable if it could not be flushed.
TEST_F(WriterLogTest, FailedFlushOfWhatWasFoundStopsTheWriter) {
  Open();
  ASSERT_OK(Append(5));
  FailFlushes(1, EIO);
  ASSERT_FALSE(log_->Sync(5).ok());
  log_.reset();
  Open();
  FailFlushes(1000, EIO);
  EXPECT_THAT(log_->Sync(5), Fails(StatusCode::kUnavailable, testing::_));
  EXPECT_THAT(Append(1), Fails(StatusCode::kUnavailable, testing::_));
  EXPECT_EQ(Durable(), 0u);
  log_.reset();
  FailFlushes(0, 0);
  Open();
  EXPECT_EQ(recovery_.events_from_tail, 5u);
}

TEST_F(WriterLogTest, FailedFlushIsToldToAllWhoWaitForIt) {
  Open();
  ASSERT_OK(Append(8));
  flush_time_ms = 50;
  FailFlushes(2, EIO);  // two may be at work at once
  std::atomic<int> told = 0;
  std::vector<std::thread> threads;
  for (Sequence mine = 1; mine <= 8; ++mine) {
    threads.emplace_back([&, mine] { told += absl::IsUnavailable(log_->Sync(mine)) ? 1 : 0; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(told, 8);
  EXPECT_EQ(Durable(), 0u);
}

TEST_F(WriterLogTest, FailedFlushThatNobodyWaitsForStopsTheWriter) {
  Open(milliseconds(10));
  FailFlushes(1, EIO);
  ASSERT_OK(Append(1));
  absl::Status status;
  for (const auto end = steady_clock::now() + kLongWait; status.ok() && steady_clock::now() < end;) {
    status = log_->PutSnapshot({log_->Extent()->end, {1}});
  }
  EXPECT_THAT(status, Fails(StatusCode::kUnavailable, HasSubstr("events up to 0 are durable")));
  EXPECT_THAT(Append(1), Fails(StatusCode::kUnavailable, testing::_));
  EXPECT_EQ(Durable(), 0u);
}

// A disk that refuses the flush for want of room has failed like any other: the tail's blocks were there before.
TEST_F(WriterLogTest, FlushThatFindsTheDiskFullStopsTheWriter) {
  Open();
  ASSERT_OK(Append(1));
  FailFlushes(1, ENOSPC);
  EXPECT_THAT(log_->Sync(1), Fails(StatusCode::kUnavailable, testing::_));
  EXPECT_THAT(Append(1), Fails(StatusCode::kUnavailable, testing::_));
}

TEST_F(WriterLogTest, ExtentNeverClaimsMoreThanThereIs) {
  Open(milliseconds(1));
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  constexpr int kThreads = 2;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      while (!done) {
        const LogExtent extent = *log_->Extent();
        const bool ordered =
            extent.stored_through <= extent.durable_through && extent.durable_through <= extent.end.sequence;
        if (!ordered) ++wrong;
      }
    });
  }
  ChainEnd end = log_->Extent()->end;
  for (int i = 0; i < 30'000; ++i) {
    const FrameRun run = RunAfter(end, {CheckpointEvent(i)});
    ASSERT_OK(log_->Append(run, Space::kUnreserved));
    end = run.after;
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(WriterLogTest, SnapshotIsFoundBeforeAndAfterItIsStored) {
  Open();
  ASSERT_OK(Append(3));
  const ChainEnd end = log_->Extent()->end;
  ASSERT_OK(log_->PutSnapshot({end, {7, 8}}));
  EXPECT_EQ(log_->Extent()->stored_through, 0u);
  for (int opened = 0; opened < 2; ++opened) {
    ASSERT_OK_AND_ASSIGN(const auto snapshot, log_->FindSnapshot(3));
    ASSERT_TRUE(snapshot.has_value());
    EXPECT_EQ(snapshot->at, end);
    EXPECT_EQ(snapshot->words, (std::vector<std::uint64_t>{7, 8}));
    ASSERT_OK(log_->Close());
    Open();
  }
}

TEST_F(WriterLogTest, ClosingPutsEverythingIntoTheStore) {
  Open();
  ASSERT_OK(Append(3));
  ASSERT_OK(log_->Close());
  Open();
  EXPECT_EQ(recovery_.events_from_tail, 0u);
  EXPECT_EQ(log_->Extent()->stored_through, 3u);
}

TEST_F(WriterLogTest, WriterSignsOffOnlyIfEverythingIsSafe) {
  const auto last_has_closed_cleanly = [&] {
    const auto info = InspectWriter(directory_ / "log");
    return info.ok() && info->writer && !info->closed_cleanly.empty() &&
           info->closed_cleanly.back() == info->writer->instance;
  };
  Open();
  ASSERT_OK(Append(1));
  ASSERT_OK(log_->Close());
  EXPECT_TRUE(last_has_closed_cleanly());
  Open();
  ASSERT_OK(Append(1));
  FailFlushes(1, EIO);
  EXPECT_FALSE(log_->Close().ok());
  EXPECT_FALSE(last_has_closed_cleanly());
}

// It ended in no good order, and the next one is told so.
TEST_F(WriterLogTest, WriterWhoseLastFlushFailedCountsAsDead) {
  EXPECT_EQ(InChild([&] {
              Open();
              if (!Append(5).ok()) return 1;
              FailFlushes(1, EIO);
              return log_->Close().ok() ? 2 : 0;
            }),
            0);
  Open();
  EXPECT_EQ(recovery_.last_writer, OwnerFate::kProcessDied);
  EXPECT_EQ(recovery_.events_from_tail, 5u);
}

// Who removes, renames or replaces a file under its writer. In the time between, and for a process that only appends
// without asking for durability, that is noticed by the next flush, at the latest within the interval.
class WriterLogFilesTest : public WriterLogTest, public testing::WithParamInterface<const char*> {
 protected:
  const std::string file_ = directory_ / "log/" + GetParam();
  const std::string aside_ = directory_ / "aside";
};

TEST_P(WriterLogFilesTest, WriterPromisesNothingMoreOnceAFileWasRemovedRenamedOrReplaced) {
  const std::vector<std::function<void()>> harms = {
      [&] { std::filesystem::remove(file_); },
      [&] { std::filesystem::rename(file_, aside_); },
      [&] {
        std::filesystem::copy_file(file_, aside_);
        std::filesystem::rename(aside_, file_);
      },
  };
  for (const auto& harm : harms) {
    std::filesystem::remove_all(directory_ / "log");
    std::filesystem::remove(aside_);
    Open();
    ASSERT_OK(Append(3));
    ASSERT_OK(log_->Sync(3));
    harm();
    ASSERT_OK(Append(1));
    const auto gone = Fails(StatusCode::kDataLoss, AllOf(HasSubstr(file_ + " was re"), HasSubstr("events up to 3")));
    EXPECT_THAT(log_->Sync(4), gone);
    EXPECT_EQ(Durable(), 3u);
    EXPECT_THAT(Append(1), gone);
    EXPECT_THAT(log_->Close(), gone);
  }
}

TEST_P(WriterLogFilesTest, RemovalIsNoticedWithoutAnybodyWaiting) {
  Open(milliseconds(10));
  ASSERT_OK(Append(3));
  ASSERT_TRUE(BecomesDurable(3, kLongWait));
  std::filesystem::remove(file_);
  absl::Status status;
  const auto end = steady_clock::now() + kLongWait;
  while (status.ok() && steady_clock::now() < end) status = Append(1);
  EXPECT_THAT(status, Fails(StatusCode::kDataLoss, HasSubstr("was removed")));
}

TEST_P(WriterLogFilesTest, RemovalIsNoticedByTheDrainAndByClosing) {
  Open();
  ASSERT_OK(Append(3));
  ASSERT_OK(log_->Sync(3));
  std::filesystem::remove(file_);
  EXPECT_THAT(log_->Close(), Fails(StatusCode::kDataLoss, HasSubstr("was removed")));
  std::filesystem::remove_all(directory_ / "log");
  Open();
  std::filesystem::remove(file_);
  EXPECT_THAT(Append(1000), Fails(StatusCode::kDataLoss, HasSubstr("was removed"))) << "past the tail";
  EXPECT_EQ(Durable(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Files, WriterLogFilesTest, testing::Values("log.mdb", "tail", "writer.lock"));

TEST_F(WriterLogTest, DirectoryMayBeRenamedUnderItsWriter) {
  Open();
  ASSERT_OK(Append(1));
  std::filesystem::rename(directory_ / "log", directory_ / "moved");
  ASSERT_OK(log_->Sync(1));
  ASSERT_OK(Append(1));
  ASSERT_OK(log_->Close());
  EXPECT_EQ(OpenLogForReading(directory_ / "moved").value()->Extent()->end.sequence, 2u);
}

}  // namespace
}  // namespace foldlog
