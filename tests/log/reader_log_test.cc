// Readers in other processes than the writer: what they see of the tail, how they are woken, and that they miss nothing
// and see nothing that is not there, whatever the writer does meanwhile.

#include <atomic>
#include <chrono>
#include <iostream>
#include <list>
#include <thread>

#include "foldlog/log_directory.h"
#include "tests/support/child_process.h"
#include "tests/support/file_bytes.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Much longer than anything takes that is waited for.
constexpr milliseconds kLongWait = std::chrono::seconds(60);

// Another process, which begins when it is told to. To be made before the log is opened: a child has its parent's locks
// and not its threads, so it would wait for good if one of them was allocating memory (under a sanitizer, which does
// not mend its allocator's locks as the C library does).
class OtherProcess {
 public:
  explicit OtherProcess(const std::function<int()>& body)
      : process_([this, body] { return told_.Await() ? body() : 98; }) {}

  void Begin() const { told_.Give(); }
  int Wait() { return process_.Wait(); }
  int Run() {
    Begin();
    return Wait();
  }

 private:
  const Signal told_;
  Helper process_;
};

class TailReaderTest : public testing::Test {
 protected:
  void OpenWriter(std::uint64_t tail_bytes, milliseconds flush_interval) {
    auto opened = OpenLogForWriting(log_dir_, {.tail_bytes = tail_bytes, .flush_interval = flush_interval});
    ASSERT_OK(opened);
    log_ = std::move(opened->log);
  }

  // A small tail of which nothing is made durable or put into the store unasked.
  void OpenQuietWriter() { OpenWriter(kSmallTail, std::chrono::hours(1)); }

  // Event n is CheckpointEvent(n).
  void AppendThrough(Sequence last) {
    for (ChainEnd end = log_->Extent()->end; end.sequence < last;) {
      const FrameRun run = RunAfter(end, {CheckpointEvent(static_cast<std::int64_t>(end.sequence) + 1)});
      ASSERT_OK(log_->Append(run, Space::kUnreserved));
      end = run.after;
    }
  }

  static constexpr std::uint64_t kSmallTail = std::uint64_t{64} << 10;
  TempDir directory_;
  const std::string log_dir_ = directory_ / "log";
  std::unique_ptr<EventLog> log_;
};

int Complain(const absl::Status& status, int code) {
  std::cerr << status << "\n";
  return code;
}

// Reads events `from` to `last`, waiting for each, and resting after every `rest_after`. 0 if they are the ones that
// AppendThrough() writes.
int Follow(const EventLog& log, Sequence from, Sequence last, Sequence rest_after) {
  EventReader reader(log, from);
  for (Sequence expected = from; expected <= last;) {
    const auto event = reader.Next();
    if (!event.ok()) return Complain(event.status(), 2);
    if (!*event) {
      const auto more = log.WaitForMore(expected - 1, kLongWait);
      if (!more.ok()) return Complain(more.status(), 3);
      if (!*more) return 4;
      continue;
    }
    if ((*event)->sequence != expected) return 5;
    if ((*event)->event != CheckpointEvent(static_cast<std::int64_t>(expected))) return 6;
    if (expected % rest_after == 0) usleep(2000);
    ++expected;
  }
  return 0;
}

int OpenAndFollow(const std::string& directory, Sequence last, Sequence rest_after) {
  const auto log = OpenLogForReading(directory);
  return log.ok() ? Follow(**log, 1, last, rest_after) : Complain(log.status(), 1);
}

int ExtentIs(const std::string& directory, Sequence end, Sequence durable, Sequence stored) {
  const auto log = OpenLogForReading(directory);
  if (!log.ok()) return Complain(log.status(), 1);
  const auto extent = (*log)->Extent();
  if (!extent.ok()) return Complain(extent.status(), 2);
  std::cerr << "end " << extent->end.sequence << ", durable " << extent->durable_through << ", stored "
            << extent->stored_through << "\n";
  return extent->end.sequence == end && extent->durable_through == durable && extent->stored_through == stored ? 0 : 3;
}

TEST_F(TailReaderTest, AnotherProcessSeesEventsThatNobodyHasFlushed) {
  OtherProcess asking([&] { return ExtentIs(log_dir_, 20, 0, 0); });
  OtherProcess reading([&] { return OpenAndFollow(log_dir_, 20, 1000); });
  OpenQuietWriter();
  AppendThrough(20);
  const LogExtent extent = *log_->Extent();
  ASSERT_EQ(extent.durable_through, 0u);
  ASSERT_EQ(extent.stored_through, 0u);
  EXPECT_EQ(asking.Run(), 0);
  EXPECT_EQ(reading.Run(), 0);
}

TEST_F(TailReaderTest, AnotherProcessIsToldWhatIsDurable) {
  OtherProcess asking([&] { return ExtentIs(log_dir_, 30, 20, 0); });
  OpenQuietWriter();
  AppendThrough(20);
  ASSERT_OK(log_->Sync(20));
  AppendThrough(30);
  EXPECT_EQ(log_->Extent()->durable_through, 20u);
  EXPECT_EQ(asking.Run(), 0);
}

TEST_F(TailReaderTest, ReadingBehindTheEndIsOutOfRangeAndAtTheEndIsEmpty) {
  OpenQuietWriter();
  AppendThrough(5);
  ASSERT_OK_AND_ASSIGN(const auto reader, OpenLogForReading(log_dir_));
  EXPECT_TRUE(reader->Read(6, 1000)->empty());
  EXPECT_THAT(reader->Read(7, 1000), Fails(absl::StatusCode::kOutOfRange, testing::HasSubstr("event 7")));
  EXPECT_THAT(reader->Read(0, 1000), Fails(absl::StatusCode::kOutOfRange, testing::_));
  EXPECT_EQ(reader->Read(3, 1)->count(), 1u);
  EXPECT_EQ(reader->Read(3, 1 << 20)->count(), 3u);
}

// What it waits for comes 100 ms later, or 60 s if nobody wakes it.
TEST_F(TailReaderTest, WaitingReaderIsWokenByTheWriter) {
  const Signal waiting;
  OtherProcess reader([&] {
    const auto log = OpenLogForReading(log_dir_);
    if (!log.ok()) return Complain(log.status(), 1);
    for (Sequence behind = 1; behind < 4; ++behind) {
      waiting.Give();
      const auto start = steady_clock::now();
      const auto more = (*log)->WaitForMore(behind, kLongWait);
      if (!more.ok()) return Complain(more.status(), 2);
      if (!*more || steady_clock::now() - start > kLongWait / 2) return 3;
    }
    return 0;
  });
  OpenWriter(kSmallTail, milliseconds(50));
  AppendThrough(1);
  reader.Begin();
  for (Sequence last = 2; last <= 4; ++last) {
    ASSERT_TRUE(waiting.Await());
    usleep(100'000);
    AppendThrough(last);
  }
  EXPECT_EQ(reader.Wait(), 0);
}

TEST_F(TailReaderTest, WaitingReaderIsNotToldOfWhatIsNotThere) {
  OtherProcess reader([&] {
    const auto log = OpenLogForReading(log_dir_);
    const auto more = (*log)->WaitForMore(3, milliseconds(200));
    return more.ok() && !*more ? 0 : 1;
  });
  OpenWriter(kSmallTail, milliseconds(20));
  AppendThrough(3);
  EXPECT_EQ(reader.Run(), 0);
}

// The ring holds some 500 of these events. Fast and slow readers, from the beginning.
TEST_F(TailReaderTest, NothingIsMissedWhileTheWriterLapsTheRing) {
  constexpr Sequence kEvents = 60'000;
  std::list<OtherProcess> readers;
  for (const Sequence rest_after : {Sequence{10}, Sequence{97}, kEvents}) {
    readers.emplace_back([this, rest_after] {
      // A slow one is overtaken again and again and need not see the end.
      return OpenAndFollow(log_dir_, rest_after == 10 ? kEvents / 4 : kEvents, rest_after);
    });
  }
  OpenWriter(kSmallTail, milliseconds(50));
  for (const OtherProcess& reader : readers) reader.Begin();
  AppendThrough(kEvents);
  for (OtherProcess& reader : readers) EXPECT_EQ(reader.Wait(), 0);
}

// Extents taken meanwhile never go back and never claim more than can be read.
TEST_F(TailReaderTest, ExtentsGrowAndHoldWhatTheySay) {
  constexpr Sequence kEvents = 30'000;
  OtherProcess reader([&] {
    const auto log = OpenLogForReading(log_dir_);
    if (!log.ok()) return Complain(log.status(), 1);
    LogExtent before;
    while (before.end.sequence < kEvents) {
      const auto extent = (*log)->Extent();
      if (!extent.ok()) return Complain(extent.status(), 2);
      if (extent->end.sequence < before.end.sequence || extent->durable_through < before.durable_through) return 3;
      if (extent->stored_through > extent->durable_through || extent->durable_through > extent->end.sequence) return 4;
      if (extent->end.sequence > 0) {
        const auto last = (*log)->Read(extent->end.sequence, 1);
        if (!last.ok()) return Complain(last.status(), 5);
        if (last->after != extent->end) return 6;
      }
      before = *extent;
    }
    return 0;
  });
  OpenWriter(kSmallTail, milliseconds(5));
  reader.Begin();
  AppendThrough(kEvents);
  EXPECT_EQ(reader.Wait(), 0);
}

// Longer than the tail takes: it goes past it, and the chain with it.
TEST_F(TailReaderTest, RunsThatGoPastTheTailAreFollowed) {
  OtherProcess reader([&] { return OpenAndFollow(log_dir_, 2020, 1000); });
  OpenQuietWriter();
  reader.Begin();
  AppendThrough(10);
  for (const Sequence last : {Sequence{1010}, Sequence{2010}}) {
    std::vector<Event> events;
    const ChainEnd end = log_->Extent()->end;
    for (Sequence n = end.sequence + 1; n <= last; ++n) {
      events.push_back(CheckpointEvent(static_cast<std::int64_t>(n)));
    }
    ASSERT_OK(log_->Append(RunAfter(end, events), Space::kUnreserved));
  }
  AppendThrough(2020);
  EXPECT_EQ(reader.Wait(), 0);
}

class WritersDeathTest : public TailReaderTest {
 protected:
  // A writer in another process that dies with events 1 to `last` in the tail. `meanwhile` is called while it lives.
  void WriteAndDie(
      Sequence last, const std::function<void()>& meanwhile = [] {}) {
    const Signal written;
    Helper writer([&] {
      OpenQuietWriter();
      AppendThrough(last);
      written.Give();
      return SleepForever();
    });
    ASSERT_TRUE(written.Await());
    meanwhile();
    ASSERT_TRUE(WIFSIGNALED(writer.Kill()));
  }
};

TEST_F(WritersDeathTest, ReaderOpenedAfterItSeesTheTail) {
  WriteAndDie(20);
  ASSERT_OK_AND_ASSIGN(const auto reader, OpenLogForReading(log_dir_));
  EXPECT_EQ(Follow(*reader, 1, 20, 1000), 0);
  EXPECT_EQ(reader->Extent()->durable_through, 0u);
  EXPECT_FALSE(*reader->WaitForMore(20, milliseconds(10)));
}

TEST_F(WritersDeathTest, ReaderOpenedBeforeItGoesOnWithTheNextWriter) {
  std::unique_ptr<EventLog> reader;
  WriteAndDie(20, [&] {
    ASSERT_OK_AND_ASSIGN(reader, OpenLogForReading(log_dir_));
    EXPECT_EQ(Follow(*reader, 1, 20, 1000), 0);
  });
  EXPECT_EQ(Follow(*reader, 10, 20, 1000), 0);
  EXPECT_EQ(reader->Extent()->end.sequence, 20u);
  OpenQuietWriter();
  ASSERT_OK(log_->Sync(20));
  EXPECT_EQ(reader->Extent()->durable_through, 20u);
  AppendThrough(2000);
  EXPECT_EQ(Follow(*reader, 20, 2000, 10'000), 0);
}

// It waits at the end of a dead writer's events, and is woken by the next.
TEST_F(WritersDeathTest, WaitingReaderIsWokenByTheNextWriter) {
  WriteAndDie(20);
  const Signal waiting;
  Helper reader([&] {
    const auto log = OpenLogForReading(log_dir_);
    if (!log.ok()) return Complain(log.status(), 1);
    waiting.Give();
    const auto start = steady_clock::now();
    const bool more = (*log)->WaitForMore(20, kLongWait).value_or(false);
    return more && steady_clock::now() - start < kLongWait / 2 ? 0 : 2;
  });
  ASSERT_TRUE(waiting.Await());
  usleep(50'000);
  OpenWriter(kSmallTail, milliseconds(50));
  AppendThrough(21);
  EXPECT_EQ(reader.Wait(), 0);
}

TEST_F(TailReaderTest, ClosingEndsAWaitWithTheSharedPageAndWithout) {
  OpenQuietWriter();
  AppendThrough(5);
  for (const bool shared : {true, false}) {
    if (!shared) std::filesystem::remove(log_dir_ + "/tail-shm");
    ASSERT_OK_AND_ASSIGN(const auto reader, OpenLogForReading(log_dir_));
    absl::Status status;
    const auto start = steady_clock::now();
    std::thread waiting([&] { status = reader->WaitForMore(5, kLongWait).status(); });
    usleep(20'000);
    EXPECT_OK(reader->Close());
    waiting.join();
    EXPECT_THAT(status, Fails(absl::StatusCode::kFailedPrecondition, testing::HasSubstr("closed")));
    EXPECT_LT(steady_clock::now() - start, kLongWait / 2);
  }
}

// Also one that has looked and is about to wait.
TEST_F(TailReaderTest, ClosingEndsAWaitThatIsJustBeginning) {
  OpenQuietWriter();
  for (int i = 0; i < 500; ++i) {
    ASSERT_OK_AND_ASSIGN(const auto reader, OpenLogForReading(log_dir_));
    std::atomic<bool> running = false;
    absl::Status status;
    const auto start = steady_clock::now();
    std::thread waiting([&] {
      running = true;
      status = reader->WaitForMore(0, kLongWait).status();
    });
    while (!running) std::this_thread::yield();
    for (const auto end = steady_clock::now() + std::chrono::nanoseconds(i * 100); steady_clock::now() < end;) {
    }
    EXPECT_OK(reader->Close());
    waiting.join();
    ASSERT_THAT(status, Fails(absl::StatusCode::kFailedPrecondition, testing::HasSubstr("closed"))) << i;
    ASSERT_LT(steady_clock::now() - start, kLongWait / 2) << i;
  }
}

TEST_F(TailReaderTest, ReaderWithoutTheSharedPageLooksForItself) {
  OtherProcess waiting([&] {
    const auto log = OpenLogForReading(log_dir_);
    const auto start = steady_clock::now();
    const bool more = log.ok() && (*log)->WaitForMore(5, kLongWait).value_or(false);
    return more && steady_clock::now() - start < kLongWait / 2 ? 0 : 1;
  });
  OpenQuietWriter();
  for (const Sequence through : {4, 5}) {
    AppendThrough(through);
    ASSERT_OK(log_->Sync(through));
  }
  std::filesystem::rename(log_dir_ + "/tail-shm", directory_ / "elsewhere");
  ASSERT_OK_AND_ASSIGN(const auto reader, OpenLogForReading(log_dir_));
  EXPECT_EQ(Follow(*reader, 1, 5, 1000), 0);
  EXPECT_EQ(reader->Extent()->durable_through, 4u);  // by the tail, which says so with the next flush
  waiting.Begin();
  usleep(100'000);
  AppendThrough(6);
  EXPECT_EQ(waiting.Wait(), 0);
}

}  // namespace
}  // namespace foldlog
