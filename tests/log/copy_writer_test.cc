// A log made of the frames of another one: the same events with the same hashes, and as good a log as any.

#include "engine/log/copy_writer.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include "engine/codec/state_codec.h"
#include "engine/fold.h"
#include "engine/index/event_indexer.h"
#include "foldlog/event_index.h"
#include "foldlog/verify.h"
#include "tests/support/log_directory_fixture.h"
#include "tests/support/random_log.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

class CopyWriterTest : public LogDirectoryFixture {
 protected:
  CopyWriterTest() : random_(TestSeed()) {}

  // Frames of any events, as they would stand at the start of the log `id_`.
  FrameRun Frames(std::size_t count) {
    RandomLog log(random_, 20);
    return RunAfter(genesis(), log.Next(count));
  }

  // Frames of plain checkpoints behind a start.
  FrameRun Checkpoints(std::size_t count) {
    std::vector<Event> events = {{1, 1, Started{.operation_id = "a"}}};
    while (events.size() < count) events.push_back(CheckpointEvent(static_cast<std::int64_t>(events.size())));
    return RunAfter(genesis(), events);
  }

  ChainEnd genesis() const { return {0, GenesisHash(id_)}; }

  absl::StatusOr<std::unique_ptr<CopyWriter>> Create() {
    return CopyWriter::Create(log_dir_, {.log_id = id_, .base = genesis(), .tail_bytes = kTailBytesMin},
                              NewEventIndexer());
  }

  void MakeCopy(const FrameRun& run) {
    ASSERT_OK_AND_ASSIGN(const auto copy, Create());
    ASSERT_OK(copy->Append(SpanOf(run)));
    ASSERT_OK(copy->Finish());
  }

  // The events from `from` to `through` of a run that begins with event 1.
  static FrameRun Part(const FrameRun& run, Sequence from, Sequence through) {
    FrameRun part{.words = {}, .before = run.before, .after = run.before};
    for (std::span<const std::uint64_t> rest = run.words; !rest.empty();) {
      const FrameView frame = *FrameAtStartOf(rest);
      if (frame.header.sequence < from) part.before = frame.end();
      if (frame.header.sequence >= from && frame.header.sequence <= through) {
        part.words.insert(part.words.end(), rest.begin(),
                          rest.begin() + static_cast<std::ptrdiff_t>(frame.size_words()));
      }
      if (frame.header.sequence <= through) part.after = frame.end();
      rest = rest.subspan(frame.size_words());
    }
    return part;
  }

  void ExpectHolds(const FrameRun& run) const {
    ASSERT_OK_AND_ASSIGN(const auto log, OpenLogForReading(log_dir_));
    ASSERT_OK_AND_ASSIGN(const LogExtent extent, log->Extent());
    EXPECT_EQ(extent.base, run.before);
    EXPECT_EQ(extent.end, run.after);
    EXPECT_EQ(extent.durable_through, run.after.sequence);
    std::vector<std::uint64_t> words;
    while (words.size() < run.words.size()) {
      Sequence next = extent.base.sequence + 1;
      for (std::span<const std::uint64_t> rest = words; !rest.empty(); ++next)
        rest = rest.subspan(FrameAtStartOf(rest)->size_words());
      ASSERT_OK_AND_ASSIGN(const FrameRun read, log->Read(next, std::size_t{64} << 20));
      words.insert(words.end(), read.words.begin(), read.words.end());
    }
    EXPECT_EQ(words, run.words);
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, Verify(log_dir_));
    for (const VerifyFinding& finding : report.findings) ADD_FAILURE() << finding.message;
  }

  std::size_t FilesIn(const std::string& directory) const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(directory), std::filesystem::directory_iterator()));
  }

  std::mt19937_64 random_;
  const LogId id_ = {4, 2};
};

TEST_F(CopyWriterTest, NewLogIsThereWhenItIsFinishedAndNotBefore) {
  const FrameRun run = Frames(700);
  ASSERT_OK_AND_ASSIGN(const auto copy, Create());
  ASSERT_OK(copy->Append(SpanOf(Part(run, 1, 300))));
  ASSERT_OK(copy->Flush());
  ASSERT_OK(copy->Append(SpanOf(Part(run, 301, 700))));
  EXPECT_EQ(copy->end(), run.after);
  EXPECT_EQ(copy->stored().sequence, 300U);
  EXPECT_THAT(OpenLogForReading(log_dir_), Fails(StatusCode::kNotFound, HasSubstr("no log")));
  ASSERT_OK(copy->Finish());
  ExpectHolds(run);
  ASSERT_OK_AND_ASSIGN(const LogId id, ReadLogId(log_dir_));
  EXPECT_EQ(id, id_);
  ASSERT_OK_AND_ASSIGN(const WriterInfo writer, InspectWriter(log_dir_));
  EXPECT_FALSE(writer.held);
  ASSERT_TRUE(writer.writer);
  EXPECT_EQ(writer.use, WriterUse::kCopy);
  EXPECT_THAT(writer.closed_cleanly, testing::Contains(writer.writer->instance));
}

TEST_F(CopyWriterTest, EngineGoesOnWithIt) {
  MakeCopy(Checkpoints(50));
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, SmallTailOptions()));
  EXPECT_EQ(engine->state().sequence, 50U);
  ASSERT_OK(engine->Reset("as any log"));
  ASSERT_OK(engine->Close());
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, Verify(log_dir_));
  EXPECT_TRUE(report.sound());
  EXPECT_EQ(report.end.sequence, 51U);
}

TEST_F(CopyWriterTest, EmptyLogIsALog) {
  ASSERT_OK_AND_ASSIGN(const auto copy, Create());
  ASSERT_OK(copy->Finish());
  ExpectHolds({.words = {}, .before = genesis(), .after = genesis()});
}

TEST_F(CopyWriterTest, NewLogThatIsGivenUpLeavesNothing) {
  {
    ASSERT_OK_AND_ASSIGN(const auto copy, Create());
    ASSERT_OK(copy->Append(SpanOf(Frames(10))));
    ASSERT_OK(copy->Flush());
  }
  EXPECT_FALSE(std::filesystem::exists(log_dir_));
  std::filesystem::create_directory(log_dir_);
  { ASSERT_OK(Create()); }
  EXPECT_EQ(FilesIn(log_dir_), 1U);  // writer.lock: somebody may be waiting for it
  MakeCopy(Frames(10));
}

TEST_F(CopyWriterTest, WhatAKilledCreationLeftIsRemovedByTheNext) {
  const FrameRun run = Frames(10);
  const pid_t child = fork();
  if (child == 0) {
    const auto copy = Create();
    if (!copy.ok() || !(*copy)->Append(SpanOf(run)).ok() || !(*copy)->Flush().ok()) _exit(1);
    _exit(0);  // as if killed: no destructor runs
  }
  int status = -1;
  waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(std::filesystem::exists(log_dir_ + "/log.mdb.new"));
  EXPECT_THAT(OpenLogForReading(log_dir_), Fails(StatusCode::kNotFound, HasSubstr("no log")));
  const FrameRun other = Frames(20);
  MakeCopy(other);
  ExpectHolds(other);
  EXPECT_FALSE(std::filesystem::exists(log_dir_ + "/log.mdb.new"));
}

TEST_F(CopyWriterTest, NothingIsOverwritten) {
  MakeCopy(Frames(5));
  EXPECT_THAT(Create(), Fails(StatusCode::kFailedPrecondition, HasSubstr("there is a log at")));
  const std::string other = directory_ / "other";
  std::filesystem::create_directory(other);
  std::ofstream(other + "/photo.jpg") << "x";
  EXPECT_THAT(CopyWriter::Create(other, {.log_id = id_, .base = genesis()}, nullptr),
              Fails(StatusCode::kFailedPrecondition, HasSubstr("photo.jpg")));
  EXPECT_EQ(FilesIn(other), 1U);
  EXPECT_THAT(CopyWriter::OpenToExtend(directory_ / "none", nullptr), Fails(StatusCode::kNotFound, HasSubstr("none")));
}

TEST_F(CopyWriterTest, LogIsExtendedBehindItsEnd) {
  const FrameRun run = Frames(900);
  MakeCopy(Part(run, 1, 400));
  for (const Sequence through : {Sequence{401}, Sequence{700}, Sequence{900}}) {
    ASSERT_OK_AND_ASSIGN(const auto copy, CopyWriter::OpenToExtend(log_dir_, NewEventIndexer()));
    ASSERT_OK(copy->Append(SpanOf(Part(run, copy->end().sequence + 1, through))));
    ASSERT_OK(copy->Finish());
  }
  ExpectHolds(run);
}

TEST_F(CopyWriterTest, ExtensionThatIsGivenUpKeepsWhatWasStored) {
  const FrameRun run = Frames(90);
  MakeCopy(Part(run, 1, 30));
  {
    ASSERT_OK_AND_ASSIGN(const auto copy, CopyWriter::OpenToExtend(log_dir_, NewEventIndexer()));
    ASSERT_OK(copy->Append(SpanOf(Part(run, 31, 60))));
    ASSERT_OK(copy->Flush());
    ASSERT_OK(copy->Append(SpanOf(Part(run, 61, 90))));
  }
  ExpectHolds(Part(run, 1, 60));
}

TEST_F(CopyWriterTest, FramesThatAnotherWriterLeftInTheTailComeFirst) {
  const FrameRun run = Frames(500);
  MakeCopy(Part(run, 1, 30));
  const pid_t child = fork();
  if (child == 0) {  // dies with the newest events in its tail
    auto log = OpenLogForWriting(log_dir_, SmallTail());
    if (!log.ok()) _exit(1);
    for (const Sequence from : {Sequence{31}, Sequence{36}}) {
      if (!log->log->Append(Part(run, from, from + 4), Space::kUnreserved).ok()) _exit(2);
    }
    _exit(log->log->Sync(40).ok() ? 0 : 3);
  }
  int status = -1;
  waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  ASSERT_OK_AND_ASSIGN(const auto copy, CopyWriter::OpenToExtend(log_dir_, NewEventIndexer()));
  EXPECT_EQ(copy->end().sequence, 40U);
  ASSERT_EQ(copy->stored().sequence, 30U) << "the child's events are no longer in the tail, and nothing is tested";
  ASSERT_OK(copy->Append(SpanOf(Part(run, 41, 500))));
  ASSERT_OK(copy->Finish());
  ExpectHolds(run);
  // And another writer finds its place in the tail.
  ASSERT_OK_AND_ASSIGN(auto log, OpenLogForWriting(log_dir_, SmallTail()));
  ASSERT_OK(log.log->Append(RunAfter(run.after, {CheckpointEvent(1)}), Space::kUnreserved));
  ASSERT_OK(log.log->Close());
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, Verify(log_dir_));
  EXPECT_TRUE(report.sound());
  EXPECT_EQ(report.events, 501U);
}

TEST_F(CopyWriterTest, FramesThatDoNotContinueAreRefused) {
  const FrameRun run = Frames(20);
  ASSERT_OK_AND_ASSIGN(const auto copy, Create());
  EXPECT_THAT(copy->Append(SpanOf(Part(run, 2, 20))), Fails(StatusCode::kAborted, testing::_));
  FrameRun damaged = run;
  damaged.words.back() ^= 1;
  EXPECT_THAT(copy->Append(SpanOf(damaged)), Fails(StatusCode::kInvalidArgument, HasSubstr("event 20")));
  EXPECT_EQ(copy->end(), genesis());
  ASSERT_OK(copy->Append(SpanOf(run)));
  ASSERT_OK(copy->Finish());
  ExpectHolds(run);
}

TEST_F(CopyWriterTest, OneWriterAtATime) {
  MakeCopy(Frames(5));
  {
    ASSERT_OK_AND_ASSIGN(const auto copy, CopyWriter::OpenToExtend(log_dir_, nullptr));
    EXPECT_THAT(Engine::Open(log_dir_, SmallTailOptions()),
                Fails(StatusCode::kFailedPrecondition, HasSubstr("which copies another log to it")));
    EXPECT_THAT(CopyWriter::OpenToExtend(log_dir_, nullptr),
                Fails(StatusCode::kFailedPrecondition, HasSubstr("is being written by")));
  }
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, SmallTailOptions()));
  EXPECT_THAT(CopyWriter::OpenToExtend(log_dir_, nullptr),
              Fails(StatusCode::kFailedPrecondition, HasSubstr("is being written by")));
}

// More than one transaction holds, at once.
TEST_F(CopyWriterTest, SnapshotsAreThoseOfTheFold) {
  const FrameRun run = Checkpoints(200'000);
  MakeCopy(Part(run, 1, 6'000));
  {
    ASSERT_OK_AND_ASSIGN(const auto copy, CopyWriter::OpenToExtend(log_dir_, NewEventIndexer()));
    ASSERT_OK(copy->Append(SpanOf(Part(run, 6'001, 190'000))));
    ASSERT_OK(copy->Append(SpanOf(Part(run, 190'001, 200'000))));
    ASSERT_OK(copy->Finish());
  }
  ExpectHolds(run);  // Verify() compares snapshots with a fold
  ASSERT_OK_AND_ASSIGN(const auto log, OpenLogForReading(log_dir_));
  ASSERT_OK_AND_ASSIGN(const auto first, log->FindSnapshot(6'000));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->at.sequence, 6'000U);
  ASSERT_OK_AND_ASSIGN(const auto last, log->FindSnapshot(200'000));
  EXPECT_EQ(last->at, run.after);
  ASSERT_OK_AND_ASSIGN(const State state, DecodeState(last->words));
  EXPECT_EQ(state.operation->files_processed, 199'999);
}

TEST_F(CopyWriterTest, ReaderBesideItSeesEachTransactionAsDurable) {
  const FrameRun run = Frames(90);
  MakeCopy(Part(run, 1, 30));
  ASSERT_OK_AND_ASSIGN(const auto log, OpenLogForReading(log_dir_));
  ASSERT_OK_AND_ASSIGN(const auto copy, CopyWriter::OpenToExtend(log_dir_, NewEventIndexer()));
  ASSERT_OK(copy->Append(SpanOf(Part(run, 31, 60))));
  ASSERT_OK(copy->Flush());
  ASSERT_OK_AND_ASSIGN(const auto later, OpenLogForReading(log_dir_));
  ASSERT_OK(copy->Append(SpanOf(Part(run, 61, 90))));
  ASSERT_OK(copy->Finish());
  ASSERT_OK_AND_ASSIGN(const LogExtent extent, later->Extent());
  EXPECT_EQ(extent.end, run.after);
  EXPECT_EQ(extent.durable_through, 90U);
  ASSERT_OK_AND_ASSIGN(const LogExtent of_first, log->Extent());
  EXPECT_EQ(of_first.end, run.after);
}

TEST_F(CopyWriterTest, RestorationIsRecorded) {
  const Restoration restoration{.at = 5, .source = "/backups/photos", .host = "nas", .end = {3, 7}};
  ASSERT_OK_AND_ASSIGN(
      const auto copy,
      CopyWriter::Create(log_dir_, {.log_id = id_, .base = genesis(), .restoration = restoration}, NewEventIndexer()));
  ASSERT_OK(copy->Append(SpanOf(Frames(5))));
  ASSERT_OK(copy->Finish());
  ASSERT_OK_AND_ASSIGN(const auto read, ReadRestoration(log_dir_));
  EXPECT_EQ(read, restoration);
  ASSERT_OK_AND_ASSIGN(auto log, OpenLogForWriting(log_dir_));  // another writer leaves the record alone
  ASSERT_OK_AND_ASSIGN(const LogExtent extent, log.log->Extent());
  ASSERT_OK(log.log->Append(RunAfter(extent.end, {CheckpointEvent(1)}), Space::kUnreserved));
  ASSERT_OK(log.log->Close());
  ASSERT_OK_AND_ASSIGN(const auto again, ReadRestoration(log_dir_));
  EXPECT_EQ(again, restoration);
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, Verify(log_dir_));
  EXPECT_TRUE(report.sound());
}

}  // namespace
}  // namespace foldlog
