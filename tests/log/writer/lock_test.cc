// The writer lock: one holder, who is named, and a record that tells the next one how the last one ended.

#include "engine/log/writer/lock.h"

#include <unistd.h>

#include <random>
#include <thread>

#include "tests/support/child_process.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

class WriterLockTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<WriterLock>> Acquire(const std::string& instance, WriterLockOptions options = {}) {
    return WriterLock::Acquire(directory_.path(), DescribeThisProcess(instance), options);
  }
  WriterInfo Inspect() { return *InspectWriterLock(directory_.path()); }

  const TempDir directory_;
};

TEST_F(WriterLockTest, DirectoryWithoutALockFileHasNoWriter) {
  const WriterInfo info = Inspect();
  EXPECT_FALSE(info.held);
  EXPECT_FALSE(info.writer.has_value());
}

TEST_F(WriterLockTest, HeldLockIsRefusedWithItsHoldersNameAndFreeOnceTheHolderGoes) {
  {
    ASSERT_OK_AND_ASSIGN(const auto first, Acquire("first"));
    EXPECT_TRUE(Inspect().held);
    EXPECT_EQ(Inspect().writer, first->self());
    EXPECT_TRUE(first->self().holds_log);
    EXPECT_THAT(Acquire("second"),
                Fails(StatusCode::kFailedPrecondition,
                      AllOf(HasSubstr("process " + std::to_string(getpid())), HasSubstr("written by"))));
  }
  EXPECT_FALSE(Inspect().held);
  ASSERT_OK_AND_ASSIGN(const auto second, Acquire("second"));
  EXPECT_EQ(second->previous().writer->instance, "first");
}

TEST_F(WriterLockTest, NextWriterLearnsHowTheLastOneEnded) {
  { ASSERT_OK((*Acquire("clean"))->MarkCleanClose()); }
  EXPECT_THAT(Inspect().closed_cleanly, testing::ElementsAre("clean"));
  { EXPECT_THAT((*Acquire("dead"))->previous().closed_cleanly, testing::ElementsAre("clean")); }
  ASSERT_OK_AND_ASSIGN(const auto next, Acquire("next"));
  EXPECT_EQ(next->previous().writer->instance, "dead");
  EXPECT_THAT(next->previous().closed_cleanly, testing::Not(testing::Contains("dead")));
}

TEST_F(WriterLockTest, ReportOfARecoveryStaysInTheRecord) {
  const RecoveryReport report{.events_from_tail = 12, .frames_discarded = 3};
  ASSERT_OK_AND_ASSIGN(const auto lock, Acquire("a"));
  EXPECT_FALSE(Inspect().recovery.has_value());
  ASSERT_OK(lock->NoteRecovery(report));
  EXPECT_EQ(Inspect().recovery, report);
  ASSERT_OK(lock->MarkCleanClose());
  EXPECT_EQ(Inspect().recovery, report);
}

TEST_F(WriterLockTest, OneThatWaitsGetsTheLockWhenItIsLetGo) {
  auto first = Acquire("first");
  ASSERT_OK(first);
  std::thread letting_go([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    first->reset();
  });
  const auto second = Acquire("second", {.wait = std::chrono::seconds(60)});
  letting_go.join();
  ASSERT_OK(second);
  EXPECT_EQ(Inspect().writer->instance, "second");
}

TEST_F(WriterLockTest, ChildOfForkDoesNotHoldIt) {
  auto lock = Acquire("parent");
  ASSERT_OK(lock);
  const Helper child(SleepForever);
  lock->reset();
  EXPECT_OK(Acquire("next"));
}

Owner Writer() {
  Owner writer = DescribeThisProcess("self");
  writer.place = {.file_system = 1, .device = 2, .directory = 3, .lock_file = 4};
  return writer;
}

TEST(WriterRecord, ComesBackAsItWas) {
  const Owner self = Writer();
  const WriterInfo open = ParseWriterRecord(FormatWriterRecord(self, {}));
  EXPECT_EQ(open.writer, self);
  EXPECT_TRUE(open.closed_cleanly.empty());
  EXPECT_THAT(ParseWriterRecord(FormatWriterRecord(self, {"a", "b"})).closed_cleanly, testing::ElementsAre("a", "b"));
  Owner odd = self;
  odd.program = "two\nlines \x1b[31m";
  EXPECT_EQ(ParseWriterRecord(FormatWriterRecord(odd, {})).writer->program, "two?lines ?[31m");
  EXPECT_EQ(ParseWriterRecord(FormatWriterRecord(self, {}, {}, WriterUse::kIndexer)).use, WriterUse::kIndexer);
  Owner holder = self;
  holder.holds_log = true;
  EXPECT_EQ(ParseWriterRecord(FormatWriterRecord(holder, {})).writer, holder);
}

TEST(WriterRecord, NoBytesCrashTheParser) {
  std::mt19937_64 random(TestSeed());
  const std::string good = FormatWriterRecord(Writer(), {"a", "b"});
  for (int i = 0; i < 5000; ++i) {
    std::string text = good;
    text[random() % text.size()] = static_cast<char>(random());
    if (random() % 2 == 0) text.resize(random() % text.size());
    (void)ParseWriterRecord(text);
  }
  EXPECT_FALSE(ParseWriterRecord("").writer.has_value());
  EXPECT_FALSE(ParseWriterRecord("foldlog writer 1\npid x\n").writer.has_value());
}

TEST(WriterRecord, ReportIsReadBackAsWrittenAndAnyBytesGiveNone) {
  const Owner writer = DescribeThisProcess(NewUuid());
  const RecoveryReport report{.events_from_tail = 12, .frames_discarded = 3, .last_writer = OwnerFate::kUnknown};
  EXPECT_EQ(ParseWriterRecord(FormatWriterRecord(writer, {}, report)).recovery, report);
  EXPECT_EQ(ParseWriterRecord(FormatWriterRecord(writer, {}, RecoveryReport{})).recovery, RecoveryReport{});
  EXPECT_FALSE(ParseWriterRecord(FormatWriterRecord(writer, {})).recovery.has_value());
  const std::string title = "foldlog writer 1\n";
  for (const std::string bad : {"events_from_tail 12\n", "events_from_tail 12\nframes_discarded x\n",
                                "events_from_tail -1\nframes_discarded 0\n"}) {
    EXPECT_FALSE(ParseWriterRecord(title + bad).recovery.has_value()) << bad;
  }
  const auto odd_fate = ParseWriterRecord(title + "events_from_tail 1\nframes_discarded 0\nlast_writer ascended\n");
  EXPECT_EQ(odd_fate.recovery, RecoveryReport{.events_from_tail = 1});
}

}  // namespace
}  // namespace foldlog
