// What salvage makes of logs that are damaged in one way each.

#include "foldlog/salvage.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/salvage_fixture.h"
#include "tests/support/tail_bytes.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

void ZeroMetas(std::string& image) { std::fill_n(image.begin(), 2 * kPageBytes, '\0'); }

class SalvageOneTest : public SalvageTest {
 protected:
  // What the directory holds, to see that it is only read.
  std::string Files() const { return ReadFile(path()) + ReadFile(tail()); }
};

TEST_F(SalvageOneTest, SoundLogComesBackWhole) {
  MakeStored();
  AddToTail();
  SetTruth();
  const std::string before = Files();
  const SalvageReport report = SalvageAll();
  EXPECT_EQ(report.end.sequence, truth_.size());
  EXPECT_EQ(report.last_known, truth_.size());
  EXPECT_TRUE(report.complete());
  EXPECT_THAT(report.gaps(), IsEmpty());
  EXPECT_EQ(Files(), before);
  ASSERT_OK_AND_ASSIGN(const LogId id, ReadLogId(log_dir_));
  EXPECT_EQ(report.log_id, id);
  // A writer goes on with the new log.
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(new_dir(), SmallTailOptions()));
  ASSERT_OK(engine->Reset("goes on"));
}

TEST_F(SalvageOneTest, WithoutBothMetaPagesAllEventsComeBack) {
  MakeStored();
  AddToTail();
  SetTruth();
  ZeroMetas(image_);
  WriteFile(path(), image_);
  EXPECT_FALSE(OpenLogForReading(log_dir_).ok());
  const SalvageReport report = SalvageAll();
  EXPECT_EQ(report.end.sequence, truth_.size());
  EXPECT_TRUE(report.complete());
}

TEST_F(SalvageOneTest, OfLargeLogWithoutMetaPagesAndLeavesAllEventsComeBack) {
  MakeLarge();
  SetTruth();
  Image image(image_);
  for (const u64 leaf : Leaves(image, "events")) image.bytes.replace(leaf, kPageBytes, kPageBytes, '\0');
  ZeroMetas(image.bytes);
  Write(image);
  const SalvageReport report = SalvageAll();
  // What is in the leaves themselves is lost, and in none but them.
  for (const Sequence event : Missing(report)) {
    bool in_leaf = false;
    for (const Place& batch : Values(Image(image_), "events")) {
      in_leaf = in_leaf || (batch.key <= event && batch.bytes < 2048);
    }
    EXPECT_TRUE(in_leaf) << event;
  }
  EXPECT_GT(report.end.sequence, 0U);
}

TEST_F(SalvageOneTest, WhatIsBeyondAGapIsToldAndExported) {
  MakeLarge();
  SetTruth();
  std::filesystem::remove(tail());
  const std::vector<Place> batches = Values(Image(image_), "events");
  const std::size_t middle = batches.size() / 2;
  std::string image = image_;
  // Old pages may hold it once more.
  const std::string batch = image.substr(batches[middle].offset, batches[middle].bytes);
  for (std::size_t at = image.find(batch); at != std::string::npos; at = image.find(batch)) {
    image.replace(at, batch.size(), batch.size(), '\0');
  }
  WriteFile(path(), image);
  std::vector<std::string> lines;
  const SalvageReport report = SalvageAll({.beyond_gaps = [&](const std::string& line) {
    lines.push_back(line);
    return absl::OkStatus();
  }});
  const Gap gap{batches[middle].key, batches[middle + 1].key - 1};
  EXPECT_THAT(report.gaps(), ElementsAre(gap));
  EXPECT_EQ(report.end.sequence, gap.from - 1);
  ASSERT_EQ(report.beyond.size(), 1U);
  EXPECT_EQ(report.beyond[0].after.sequence, truth_.size());
  ASSERT_EQ(lines.size(), report.beyond[0].count() + 2);
  EXPECT_THAT(lines[0], HasSubstr("\"base_sequence\": " + std::to_string(gap.through)));
  EXPECT_THAT(lines[1], HasSubstr("{\"sequence\": " + std::to_string(gap.through + 1) + ","));
  EXPECT_FALSE(report.complete());
}

TEST_F(SalvageOneTest, WhatFollowsTheNewestCommitAndTheMarkIsUnproven) {
  MakeStored();
  AddToTail();
  SetTruth();
  ForgetCopy(tail_);  // its marks
  WriteFile(tail(), tail_);
  const Sequence stored = truth_.size() - 61;
  const SalvageReport report = SalvageAll();
  EXPECT_EQ(report.end.sequence, truth_.size());
  EXPECT_EQ(report.proven_through, stored);
  EXPECT_EQ(report.unproven, 61U);
  const SalvageReport proven = SalvageAll({.proven_only = true});
  EXPECT_EQ(proven.end.sequence, stored);
  EXPECT_EQ(proven.unproven, 61U);
}

TEST_F(SalvageOneTest, MarkOfTheTailProves) {
  MakeStored();
  AddToTail();
  ASSERT_OK(engine_->Flush());  // which claims what the flush before has made durable
  SetTruth();
  const SalvageReport report = LookForEvents();
  EXPECT_GE(report.proven_through, truth_.size() - 31);
}

// As a power cut leaves it: the kernel has written nothing of the ring.
TEST_F(SalvageOneTest, CopyOfTheTailMakesUpForTheRing) {
  MakeStored();
  AddToTail();
  ASSERT_OK(engine_->Flush());
  SetTruth();
  const std::size_t ring = TailRingOffset(tail_);
  std::fill(tail_.begin() + static_cast<std::ptrdiff_t>(ring), tail_.end(), '\0');
  WriteFile(tail(), tail_);
  EXPECT_EQ(LookForEvents().end.sequence, truth_.size());
}

TEST_F(SalvageOneTest, EitherFileMayBeLost) {
  MakeStored();
  AddToTail();
  SetTruth();
  std::filesystem::remove(tail());
  SalvageReport report = SalvageAll();
  EXPECT_EQ(report.end.sequence, truth_.size() - 61);
  EXPECT_EQ(report.missing_files.size(), 1U);
  WriteFile(tail(), tail_);
  std::filesystem::remove(path());
  report = SalvageAll();
  // The ring has room for all that was ever appended.
  EXPECT_EQ(report.end.sequence, truth_.size());
  std::filesystem::remove(tail());
  EXPECT_THAT(Salvage(log_dir_, "", {}), Fails(absl::StatusCode::kNotFound, testing::_));
}

TEST_F(SalvageOneTest, IdIsGivenWhereNoFileTellsIt) {
  MakeStored();
  SetTruth();
  ASSERT_OK_AND_ASSIGN(const LogId id, ReadLogId(log_dir_));
  std::fill_n(tail_.begin(), 4096, '\0');
  WriteFile(tail(), tail_);
  for (std::size_t at = image_.find("FOLDLOG"); at != std::string::npos; at = image_.find("FOLDLOG")) image_[at] = 'x';
  WriteFile(path(), image_);
  EXPECT_THAT(Salvage(log_dir_, "", {}), Fails(absl::StatusCode::kInvalidArgument, HasSubstr("--log-id")));
  EXPECT_EQ(SalvageAll({.log_id = id}).end.sequence, truth_.size());
  // With another id, no first event is its own.
  EXPECT_EQ(LookForEvents({.log_id = LogId{7}}).end.sequence, 0U);
}

TEST_F(SalvageOneTest, OtherIdThanThatOfTheFilesIsRefused) {
  MakeStored();
  SetTruth();
  EXPECT_THAT(Salvage(log_dir_, "", {.log_id = LogId{7}}), Fails(absl::StatusCode::kFailedPrecondition, testing::_));
}

TEST_F(SalvageOneTest, NothingIsOverwritten) {
  MakeStored();
  SetTruth();
  std::filesystem::create_directory(new_dir());
  WriteFile(new_dir() + "/x", "x");
  EXPECT_THAT(Salvage(log_dir_, new_dir(), {}), Fails(absl::StatusCode::kFailedPrecondition, testing::_));
  EXPECT_THAT(Salvage(log_dir_, log_dir_, {}), Fails(absl::StatusCode::kFailedPrecondition, testing::_));
}

// The file of one moment and the tail of another history.
TEST_F(SalvageOneTest, OfTwoHistoriesTheCommittedOneIsTaken) {
  MakeStored();
  const std::string other = log_dir_ + ".other";
  std::filesystem::copy(log_dir_, other);
  AddToTail(5);
  ASSERT_OK(engine_->Close());
  SetTruth();
  {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(other, SmallTailOptions()));
    ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
    for (int i = 1; i <= 50; ++i) ASSERT_OK(engine->Checkpoint(handle, {.files_processed = 100 + i}));
    ASSERT_OK(engine->Close());
  }
  std::filesystem::copy(other + "/tail", tail(), std::filesystem::copy_options::overwrite_existing);
  const SalvageReport report = SalvageAll();
  EXPECT_EQ(report.end.sequence, truth_.size());
  EXPECT_GE(report.others, 50U);
  EXPECT_GT(report.first_other, 186U);
  EXPECT_FALSE(report.complete());
  std::filesystem::remove_all(other);
}

// Whatever the bytes are, the search ends, takes little memory, and finds nothing that is not there.
class SalvageJunkTest : public SalvageTest {
 protected:
  void SetUp() override {
    MakeStored();
    SetTruth();
  }

  void ExpectNothing(const std::string& junk) {
    WriteFile(path(), junk);
    WriteFile(tail(), junk);
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(LookForEvents({.log_id = LogId{7}}).end.sequence, 0U);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
  }
};

TEST_F(SalvageJunkTest, RandomBytes) {
  for (int i = 0; i < 20; ++i) {
    std::string junk(random_() % 200'000, ' ');
    for (char& byte : junk) byte = static_cast<char>(random_());
    // Some words that begin something.
    for (std::size_t at = 0; at + 16 < junk.size(); at += 8 * (1 + random_() % 40)) {
      const std::uint32_t magic = random_() % 2 == 0 ? 0x31474c46 : 0x5a474c46;
      const auto size = static_cast<std::uint32_t>(random_() % 2000 * 8);
      std::memcpy(junk.data() + at, &magic, sizeof magic);
      std::memcpy(junk.data() + at + 4, &size, sizeof size);
    }
    ExpectNothing(junk);
  }
}

TEST_F(SalvageJunkTest, SizesThatAskForMoreThanTheFileHas) {
  // Each word begins a batch that would become 255 times as large, or a frame to the end of the file.
  std::string bombs;
  std::string frames;
  for (std::uint32_t i = 0; i < 60'000; ++i) {
    const std::uint32_t bomb[] = {0x5a474c46, 60 << 20, 300'000, 0};
    const std::uint32_t frame[] = {0x31474c46, 400'000};
    bombs.append(reinterpret_cast<const char*>(bomb), sizeof bomb);
    frames.append(reinterpret_cast<const char*>(frame), sizeof frame);
  }
  ExpectNothing(bombs);
  ExpectNothing(frames);
  WriteFile(path(), frames);
  EXPECT_THAT(LookForEvents({.log_id = LogId{7}}).given_up, testing::Contains(path()));
}

// Pages of the log in another order, some of them twice.
TEST_F(SalvageJunkTest, ShuffledPagesGiveWhatIsWholeInThem) {
  for (int i = 0; i < 20; ++i) {
    std::string shuffled;
    for (std::size_t page = 0; page < image_.size() / kPageBytes; ++page) {
      shuffled += image_.substr(random_() % (image_.size() / kPageBytes) * kPageBytes, kPageBytes);
    }
    WriteFile(path(), shuffled);
    LookForEvents();
  }
}

}  // namespace
}  // namespace foldlog
