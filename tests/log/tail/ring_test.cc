// The ring of a tail as its writer uses it: laps, skip marks, room, runs for LMDB, and readers beside them.

#include "engine/log/tail/ring.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <set>
#include <thread>

#include "engine/log/tail/file.h"
#include "engine/log/tail/walk.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

Event EventWithPath(std::size_t path_bytes) {
  return {1, 1, Checkpoint{.files_processed = 1, .current_path = std::string(path_bytes, 'p')}};
}

// The size of the frame of EventWithPath(path_bytes).
std::size_t FrameWords(std::size_t path_bytes) { return RunAfter({}, {EventWithPath(path_bytes)}).words.size(); }

// A ring in memory, and what a log would do with it.
class Tail {
 public:
  explicit Tail(std::size_t size, const TailPosition& start = {})
      : words_(size), ring_(words_, start, {.end = start}), model_before_(start.chain) {}

  FrameRun Append(const std::vector<Event>& events) {
    FrameRun run = RunAfter(ring_.end().chain, events);
    ring_.Append(SpanOf(run));
    return run;
  }

  // Takes the next run out, as the drain does.
  FrameRun Drain(std::size_t words_max = 1U << 20) {
    const TailRing::Run next = ring_.NextRun(words_max).value();
    FrameRun run{{next.frames.words.begin(), next.frames.words.end()}, next.frames.before, next.frames.after};
    EXPECT_EQ(run.before, model_before_);
    model_before_ = run.after;
    ring_.Free(next.end);
    return run;
  }

  TailRing& ring() { return ring_; }
  std::vector<std::uint64_t>& words() { return words_; }
  bool HasSkipMark() const { return std::find(words_.begin(), words_.end(), kSkipMark) != words_.end(); }

 private:
  std::vector<std::uint64_t> words_;
  TailRing ring_;
  ChainEnd model_before_;
};

absl::StatusOr<std::optional<FrameRun>> ReadFrom(const TailRing& ring, Sequence from, std::size_t bytes_max) {
  FrameRun run;
  const absl::StatusOr<bool> read = ring.Read(from, bytes_max, run);
  if (!read.ok()) return read.status();
  if (!*read) return std::optional<FrameRun>();
  if (const absl::Status found = FindEnd(run); !found.ok()) return found;
  return run;
}

TEST(TailRing, AppendedFramesAreReadBackFromAnyOfThem) {
  Tail tail(1024);
  const FrameRun run = tail.Append({EventWithPath(1), EventWithPath(2), EventWithPath(3)});
  for (Sequence from = 1; from <= 3; ++from) {
    ASSERT_OK_AND_ASSIGN(const auto read, ReadFrom(tail.ring(), from, 1 << 20));
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->count(), 4 - from);
    EXPECT_EQ(read->after, run.after);
  }
  ASSERT_OK_AND_ASSIGN(const auto one, ReadFrom(tail.ring(), 2, 1));
  EXPECT_EQ(one->count(), 1u);
}

TEST(TailRing, WhatIsFreedIsNotReadAnyMore) {
  Tail tail(1024);
  for (int i = 0; i < 3; ++i) tail.Append({EventWithPath(100)});
  tail.Drain(1);
  ASSERT_OK_AND_ASSIGN(const auto freed, ReadFrom(tail.ring(), 1, 1 << 20));
  EXPECT_FALSE(freed.has_value());
  ASSERT_OK_AND_ASSIGN(const auto kept, ReadFrom(tail.ring(), 2, 1 << 20));
  EXPECT_EQ(kept->count(), 2u);
  EXPECT_EQ(tail.ring().stored_sequence(), 1u);
}

TEST(TailRing, EveryFrameComesOutInOrderHoweverManyLaps) {
  std::mt19937_64 random(TestSeed());
  Tail tail(1000);  // of no round size
  std::vector<std::uint64_t> in;
  std::vector<std::uint64_t> out;
  std::size_t skips = 0;
  const auto drain = [&] {
    skips += tail.HasSkipMark() ? 1 : 0;
    const FrameRun run = tail.Drain(1 + random() % 500);
    out.insert(out.end(), run.words.begin(), run.words.end());
  };
  while (tail.ring().end().position < 200'000) {
    std::vector<Event> events;
    for (std::size_t count = 1 + random() % 3; count > 0; --count) events.push_back(EventWithPath(random() % 300));
    const std::size_t words = RunAfter(tail.ring().end().chain, events).words.size();
    while (!tail.ring().HasRoom(words, 0)) drain();
    const FrameRun run = tail.Append(events);
    in.insert(in.end(), run.words.begin(), run.words.end());
  }
  while (tail.ring().backlog_words() > 0) drain();
  EXPECT_EQ(out, in);
  EXPECT_GT(skips, 100u);
  EXPECT_EQ(tail.ring().stored_sequence(), tail.ring().end_sequence());
}

TEST(TailRing, RunThatDoesNotFitIntoTheLapGoesBehindASkipMark) {
  const std::size_t frame = FrameWords(8);
  Tail tail(3 * frame + 1);
  for (int i = 0; i < 3; ++i) tail.Append({EventWithPath(8)});
  EXPECT_FALSE(tail.HasSkipMark());
  tail.Drain();
  tail.Append({EventWithPath(8)});
  EXPECT_EQ(tail.words().back(), kSkipMark);
  EXPECT_EQ(tail.ring().end().position, 3 * frame + 1 + frame);
  EXPECT_EQ(tail.Drain().count(), 1u);
}

TEST(TailRing, RunThatEndsWithTheLapNeedsNoSkipMark) {
  const std::size_t frame = FrameWords(8);
  Tail tail(3 * frame);
  for (int lap = 0; lap < 4; ++lap) {
    for (int i = 0; i < 3; ++i) tail.Append({EventWithPath(8)});
    EXPECT_FALSE(tail.ring().HasRoom(1, 0));
    EXPECT_EQ(tail.Drain().count(), 3u);
  }
  EXPECT_FALSE(tail.HasSkipMark());
  EXPECT_EQ(tail.ring().end().position, 12 * frame);
}

TEST(TailRing, RoomIsCountedToTheWord) {
  const std::size_t frame = FrameWords(8);
  Tail tail(10 * frame);
  for (int i = 0; i < 9; ++i) tail.Append({EventWithPath(8)});
  EXPECT_TRUE(tail.ring().HasRoom(frame, 0));
  EXPECT_FALSE(tail.ring().HasRoom(frame + 1, 0));
  EXPECT_TRUE(tail.ring().HasRoom(frame - 1, 1));
  EXPECT_FALSE(tail.ring().HasRoom(frame, 1));
}

// What is left of the lap is lost to a run that does not fit there.
TEST(TailRing, RoomDoesNotCountWhatIsSkipped) {
  const std::size_t frame = FrameWords(8);
  Tail tail(3 * frame + 2);
  for (int i = 0; i < 3; ++i) tail.Append({EventWithPath(8)});
  tail.Drain(2 * frame);
  EXPECT_TRUE(tail.ring().HasRoom(2, 0));
  EXPECT_TRUE(tail.ring().HasRoom(2 * frame, 0));
  EXPECT_FALSE(tail.ring().HasRoom(2 * frame + 1, 0));
  tail.Append({EventWithPath(8), EventWithPath(8)});
  EXPECT_FALSE(tail.ring().HasRoom(1, 0));
  EXPECT_EQ(tail.Drain().count(), 1u);
  EXPECT_EQ(tail.Drain().count(), 2u);
}

TEST(TailRing, StretchEndsAtItsLimitButHoldsAtLeastOneFrame) {
  const std::size_t frame = FrameWords(8);
  Tail tail(10 * frame);
  for (int i = 0; i < 6; ++i) tail.Append({EventWithPath(8)});
  EXPECT_EQ(tail.Drain(2 * frame + 1).count(), 2u);
  EXPECT_EQ(tail.Drain(2 * frame).count(), 2u);
  EXPECT_EQ(tail.Drain(1).count(), 1u);
  EXPECT_EQ(tail.Drain().count(), 1u);
  EXPECT_EQ(tail.Drain().count(), 0u);
}

TEST(TailRing, StretchEndsAtTheEndOfTheLap) {
  const std::size_t frame = FrameWords(8);
  Tail tail(4 * frame);
  for (int i = 0; i < 4; ++i) tail.Append({EventWithPath(8)});
  tail.Drain(3 * frame);
  tail.Append({EventWithPath(8)});
  tail.Append({EventWithPath(8)});
  EXPECT_EQ(tail.Drain().count(), 1u);
  EXPECT_EQ(tail.Drain().count(), 2u);
}

TEST(TailRing, StretchThatSomebodyElseChangedIsDamage) {
  Tail tail(1024);
  tail.Append({EventWithPath(8)});
  tail.words()[0] = 0;
  EXPECT_THAT(ReadFrom(tail.ring(), 1, 1), Fails(absl::StatusCode::kDataLoss, testing::_));
}

TEST(TailRing, SkipMarkThatSomebodyElseChangedIsDamage) {
  const std::size_t frame = FrameWords(8);
  Tail tail(3 * frame + 1);
  for (int i = 0; i < 3; ++i) tail.Append({EventWithPath(8)});
  tail.Drain();
  tail.Append({EventWithPath(8)});
  ASSERT_OK(tail.ring().NextRun(1 << 20));
  tail.words().back() = 0;
  EXPECT_THAT(tail.ring().NextRun(1 << 20), Fails(absl::StatusCode::kDataLoss, testing::_));
}

// Even a run that was appended as a whole, and one that recovery found.
TEST(TailRing, RunsAreNoLongerThanAskedForBeyondADistanceOfMarks) {
  constexpr std::size_t kWords = std::size_t{1} << 16;
  std::vector<std::uint64_t> words(kWords);
  TailRing appended(words, {}, {.end = {}});
  appended.Append(SpanOf(RunAfter({}, std::vector<Event>(200, EventWithPath(100)))));
  const TailRing found(words, {}, ScanTail(words, {}, false));
  for (const TailRing* ring : std::initializer_list<const TailRing*>{&appended, &found}) {
    ASSERT_OK_AND_ASSIGN(const TailRing::Run run, ring->NextRun(kWords / 16));
    EXPECT_LE(run.frames.words.size(), kWords / 16);
    EXPECT_GT(run.frames.words.size(), kWords / 32);
  }
}

// The last transaction of a lap would else be a tiny one.
TEST(TailRing, RunsGoToTheEndOfTheLapIfThatIsNear) {
  constexpr std::size_t kWords = std::size_t{1} << 16;
  std::vector<std::uint64_t> words(kWords);
  TailRing ring(words, {}, {.end = {}});
  while (ring.end().position + 1000 < kWords) ring.Append(SpanOf(RunAfter(ring.end().chain, {EventWithPath(500)})));
  ASSERT_OK_AND_ASSIGN(const TailRing::Run most, ring.NextRun(kWords / 5 * 4 + 100));
  EXPECT_EQ(most.end, ring.end());
  ASSERT_OK_AND_ASSIGN(const TailRing::Run part, ring.NextRun(kWords / 4 * 3));
  EXPECT_LE(part.frames.words.size(), kWords / 4 * 3);
}

// How many pages of `words` this process has mapped.
std::size_t MappedPages(std::span<const std::uint64_t> words) {
  constexpr std::size_t kPage = 4096;
  std::vector<std::uint64_t> entries(words.size_bytes() / kPage);
  std::ifstream pagemap("/proc/self/pagemap", std::ios::binary);
  pagemap.seekg(
      static_cast<std::streamoff>(reinterpret_cast<std::uintptr_t>(words.data()) / kPage * sizeof entries[0]));
  pagemap.read(reinterpret_cast<char*>(entries.data()),
               static_cast<std::streamsize>(entries.size() * sizeof entries[0]));
  EXPECT_TRUE(pagemap.good());
  return static_cast<std::size_t>(
      std::count_if(entries.begin(), entries.end(), [](std::uint64_t entry) { return entry >> 63 != 0; }));
}

// Only where many events come, for it dirties what it maps.
TEST(TailRing, PagesAreMappedAheadOfManyEvents) {
  const TempDir directory;
  constexpr std::uint64_t kRingBytes = std::uint64_t{4} << 20;
  ASSERT_OK(TailFile::Create(directory.path(), {1}, kRingBytes));
  ASSERT_OK_AND_ASSIGN(const auto file, TailFile::Open(directory.path(), {1}, TailFile::Access::kWrite));
  TailRing ring(file->ring(), {}, {.end = {}});
  const auto append = [&] {
    ring.Append(SpanOf(RunAfter(ring.end().chain, {EventWithPath(2000)})));
    return ring.end().position;
  };
  while (append() < 8000) continue;
  EXPECT_LT(MappedPages(file->ring()), 40u);
  while (append() < 10'000) continue;
  EXPECT_GT(MappedPages(file->ring()), 250u);
  EXPECT_LT(MappedPages(file->ring()), 400u);
  while (append() + 1000 < file->ring().size()) continue;
  EXPECT_EQ(MappedPages(file->ring()), kRingBytes / 4096);
}

TEST(TailRing, EventsStoredElsewhereMoveTheEndAndTakeNoRoom) {
  Tail tail(1024);
  tail.Append({EventWithPath(1)});
  tail.Drain();
  const std::uint64_t position = tail.ring().end().position;
  tail.ring().Replace({9, 77});
  EXPECT_EQ(tail.ring().end(), (TailPosition{position, {9, 77}}));
  EXPECT_EQ(tail.ring().stored_sequence(), 9u);
  EXPECT_EQ(tail.ring().backlog_words(), 0u);
  EXPECT_EQ(RunAfter(tail.ring().end().chain, {EventWithPath(1)}).after.sequence, 10u);
}

// A lap may only go over words that nobody reads: Free() waits for them.
TEST(TailRing, ReadersSeeWholeChainsWhileTheRingIsLappedUnderThem) {
  constexpr Sequence kEvents = 20'000;
  Tail tail(2048);
  TailRing& ring = tail.ring();
  std::atomic<int> bad = 0;
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    while (ring.stored_sequence() < kEvents) tail.Drain(600);
  });
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (ring.stored_sequence() < kEvents) {
        const Sequence from = ring.stored_sequence() + 1;
        const auto run = ReadFrom(ring, from, 4096);
        if (!run.ok()) ++bad;
        if (!run.ok() || !*run) continue;
        ChainEnd at = (*run)->before;
        for (std::span<const std::uint64_t> rest = (*run)->words; !rest.empty();) {
          const auto frame = FrameBehind(at, rest);
          if (!frame) ++bad;
          if (!frame) break;
          at = frame->end();
          rest = rest.subspan(frame->size_words());
        }
      }
    });
  }
  std::mt19937_64 random(TestSeed());
  while (ring.end_sequence() < kEvents) {
    const Event event = EventWithPath(random() % 200);
    while (!ring.HasRoom(FrameWords(200), 0)) std::this_thread::yield();
    tail.Append({event});
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(bad, 0);
}

}  // namespace
}  // namespace foldlog
