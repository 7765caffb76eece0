#include "foldlog/verify.h"

#include <xxhash.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

#include "foldlog/log_directory.h"
#include "tests/support/test_support.h"
#include "tests/support/verify_fixture.h"

namespace foldlog {
namespace {

using testing::HasSubstr;

TEST_F(VerifyTest, SoundLogHasNoFindings) {
  MakeLarge();
  ExpectSound();
  const VerifyReport report = Look();
  ASSERT_OK_AND_ASSIGN(const auto log, OpenLogForReading(log_dir_));
  ASSERT_OK_AND_ASSIGN(const LogExtent extent, log->Extent());
  EXPECT_EQ(report.end, extent.end);
  EXPECT_EQ(report.events, extent.end.sequence);
  EXPECT_GT(report.batches, 192U) << "so that there are several parts";
  EXPECT_GT(Leaves(Image(image_), "events").size(), 1U);
  EXPECT_GT(Values(Image(image_), "snapshots").size(), 100U);
}

TEST_F(VerifyTest, LogWithoutEventsAndLogWithATailAloneAreSound) {
  { ASSERT_OK(OpenLogForWriting(log_dir_, SmallTail())); }
  ExpectSound();
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, Options()));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
  for (int i = 1; i <= 150; ++i) ASSERT_OK(engine->Checkpoint(handle, {.files_processed = i}));
  ExpectSound();
  EXPECT_EQ(Look().events, 151U);
}

TEST_F(VerifyTest, WhatIsNoLogIsAnError) {
  EXPECT_THAT(Verify(log_dir_), Fails(absl::StatusCode::kNotFound, HasSubstr("no log")));
  std::filesystem::create_directory(log_dir_);
  WriteFile(path(), std::string(10'000, 'x'));
  EXPECT_THAT(Verify(log_dir_), Fails(absl::StatusCode::kFailedPrecondition, HasSubstr("name the directory of a log")));
}

TEST_F(VerifyTest, BesideAWriterAtFullSpeedALogIsSound) {
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, Options()));
  std::atomic<bool> done = false;
  std::thread writer([&] {
    while (!done) {
      const auto handle = engine->Start({});
      ASSERT_OK(handle);
      for (int i = 1; i <= 500 && !done; ++i) {
        ASSERT_OK(
            engine->Checkpoint(*handle, {.files_processed = i, .current_path = "/a/" + std::to_string(i * 7919)}));
      }
      ASSERT_OK(engine->Complete(*handle));
    }
  });
  constexpr std::uint64_t kEventsWanted = 50'000;  // so that most are in log.mdb, and pages of it are used again
  std::uint64_t events = 0;
  for (int i = 0; i < 50 || (events < kEventsWanted && i < 10'000); ++i) {
    const auto depth = i % 2 == 0 ? VerifyOptions::Depth::kFull : VerifyOptions::Depth::kQuick;
    const auto report = Verify(log_dir_, {.depth = depth, .jobs = 2});
    EXPECT_OK(report);
    if (!report.ok()) continue;
    EXPECT_TRUE(report->sound());
    for (const VerifyFinding& finding : report->findings) ADD_FAILURE() << finding.message;
    EXPECT_GE(report->events, events);
    events = report->events;
  }
  done = true;
  writer.join();
  ASSERT_OK(engine->Close());
  EXPECT_GE(Look().events, events);
}

TEST_F(VerifyTest, ProgressGrowsAndIsToldByOneThreadAtATime) {
  MakeLarge();
  std::uint64_t told = 0;
  ASSERT_OK(Verify(log_dir_, {.jobs = 4}, [&](const VerifyProgress& progress) {
    EXPECT_GE(progress.batches, told);
    EXPECT_LE(progress.batches, progress.batches_total);
    told = progress.batches;
  }));
  EXPECT_GT(told, 0U);
}

TEST_F(VerifyTest, RowsOfNoBatchAndNoOperationAreFound) {
  MakeLog(3);
  for (const char* table : {"batches", "operations"}) {
    Database(path()).Commit([&](Transaction& transaction) { transaction.Put(table, 77'777, 112); });
    Image image(ReadFile(path()));
    const u64 record = Values(image, "meta").at(1).offset;  // that of the commit, which names its transaction
    image.Set<u64>(record, image.TxnId(image.Newest()));
    image.Set<u64>(record + 56, XXH3_64bits(&image.bytes[record], 56));
    Write(image);
    std::vector<std::string> strays;
    for (const VerifyFinding& finding : Look().findings) {
      if (finding.part == VerifyPart::kIndex && !finding.is_note) strays.push_back(finding.message);
    }
    EXPECT_THAT(strays, testing::Contains(testing::StrEq("1 rows of " + std::string(table) +
                                                         " are of none, the first that of event 77777")));
  }
}

}  // namespace
}  // namespace foldlog
