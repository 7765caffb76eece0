// Many threads on one engine, and readers beside them. Run under the thread sanitizer as well.

#include <atomic>
#include <thread>

#include "foldlog/history.h"
#include "foldlog/log_directory.h"
#include "foldlog/replayer.h"
#include "tests/test_support.h"

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
        const absl::Status saved = engine->Checkpoint(handle, {.files_processed = t * kCheckpoints + i},
                                                      sync ? Durability::kSync : Durability::kInterval);
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
