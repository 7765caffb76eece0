// Many threads on one engine, and readers beside them. Run under the thread sanitizer as well.

#include <atomic>
#include <map>
#include <thread>

#include "foldlog/history.h"
#include "foldlog/log_directory.h"
#include "foldlog/replayer.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

TEST(EngineThreads, CheckpointsFromManyThreadsAreAllInTheLog) {
  constexpr int kThreads = 8;
  constexpr int kCheckpoints = 40;
  const TempDir directory;
  ASSERT_OK_AND_ASSIGN(auto engine,
                       Engine::Open(directory / "log", {.directory = SmallTail(), .snapshot_interval_events = 16}));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));

  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kCheckpoints; ++i) {
        // Everything before the call is made durable with it.
        const bool sync = i % 4 == 0;
        const Sequence before = engine->state().sequence;
        const absl::Status saved =
            engine->Checkpoint(handle, {.files_processed = t * kCheckpoints + i},
                               sync ? Durability::kSync : Durability::kInterval, Decrease::kAllowed);
        if (!saved.ok() || (sync && engine->durable_through() <= before)) ++failures;
      }
    });
  }
  threads.emplace_back([&] {
    EventReader reader(engine->log(), 1);
    Sequence durable = 0;
    while (reader.position().sequence < 1 + kThreads * kCheckpoints && failures == 0) {
      const auto event = reader.Next();
      if (!event.ok()) ++failures;
      (void)engine->state();
      (void)engine->current_handle();
      (void)engine->interruption();
      const auto extent = engine->log().Extent();
      if (!extent.ok() || extent->stored_through > extent->durable_through ||
          extent->durable_through > extent->end.sequence || extent->durable_through < durable) {
        ++failures;
      }
      durable = engine->durable_through();
    }
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);

  std::vector<bool> seen(kThreads * kCheckpoints);
  for (const RecordedEvent& event : ReadAll(engine->log(), 2)) {
    seen[static_cast<std::size_t>(std::get<Checkpoint>(event.event.body).files_processed)] = true;
  }
  EXPECT_THAT(seen, testing::Each(true));
}

// Each total is given out once, and the log has them in order, with the file that each of them is of.
TEST(EngineThreads, WhatThreadsAddIsCountedOnceAndNeverGoesBack) {
  constexpr int kThreads = 5;
  constexpr int kFiles = 400;
  const TempDir directory;
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(directory / "log", SmallTailOptions()));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({.total_files = kThreads * kFiles}));
  std::vector<std::vector<std::int64_t>> totals(kThreads);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kFiles; ++i) {
        const auto total = engine->Advance(handle, {.last_processed_file = std::to_string(t)});
        if (total.ok()) totals[t].push_back(*total);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  std::map<std::int64_t, std::string> thread_of;
  for (std::size_t t = 0; t < kThreads; ++t) {
    for (const std::int64_t total : totals[t]) EXPECT_TRUE(thread_of.emplace(total, std::to_string(t)).second);
  }
  EXPECT_EQ(thread_of.size(), static_cast<std::size_t>(kThreads * kFiles));
  EXPECT_EQ(engine->state().operation->files_processed, kThreads * kFiles);
  std::int64_t expected = 0;
  for (const RecordedEvent& event : ReadAll(engine->log(), 2)) {
    const auto& checkpoint = std::get<Checkpoint>(event.event.body);
    ASSERT_EQ(checkpoint.files_processed, ++expected);
    ASSERT_EQ(checkpoint.last_processed_file, thread_of.at(expected));
  }
}

// What a common counter leads to: threads overtake each other between counting and recording.
TEST(EngineThreads, CountThatWasOvertakenDoesNotRunBackwards) {
  constexpr std::int64_t kFiles = 2000;
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(NewWritableMemoryLog()));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
  std::atomic<std::int64_t> counter = 0;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 5; ++t) {
    threads.emplace_back([&, t] {
      const Decrease decrease = t == 0 ? Decrease::kRefused : Decrease::kIgnored;
      for (int i = 0; i < kFiles; ++i) {
        const std::int64_t done = ++counter;
        const absl::Status saved =
            engine->Checkpoint(handle, {.files_processed = done}, Durability::kInterval, decrease);
        const bool overtaken = decrease == Decrease::kRefused && absl::IsInvalidArgument(saved);
        if (!saved.ok() && !overtaken) ++wrong;
        if (engine->state().operation->files_processed < done) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(engine->state().operation->files_processed, 5 * kFiles);
  std::int64_t before = 0;
  for (const RecordedEvent& event : ReadAll(engine->log(), 2)) {
    const std::int64_t files = std::get<Checkpoint>(event.event.body).files_processed;
    ASSERT_GE(files, before);
    before = files;
  }
}

TEST(EngineThreads, OnlyOneOfManyStartsWins) {
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(NewWritableMemoryLog()));
  std::atomic<int> won = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] { won += engine->Start({}).ok() ? 1 : 0; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(won, 1);
}

TEST(EngineThreads, OpeningAndClosingFromManyThreadsSharesTheFile) {
  const TempDir directory;
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(directory / "log", SmallTailOptions()));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        auto log = OpenLogForReading(directory / "log");
        if (!log.ok() || !StateAt(**log).ok()) ++failures;
      }
    });
  }
  for (int i = 0; i < 40; ++i) EXPECT_OK(engine->Checkpoint(handle, {.files_processed = i}));
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
}

TEST(EngineThreads, ClosingWaitsForReads) {
  const TempDir directory;
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(directory / "log", SmallTailOptions()));
  ASSERT_OK(engine->Start({}));
  std::thread reader([&] {
    while (engine->log().Extent().ok()) {
    }
  });
  ASSERT_OK(engine->Close());
  reader.join();
}

}  // namespace
}  // namespace foldlog
