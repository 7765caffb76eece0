// The drain by itself: runs go from the ring into log.mdb, snapshots with them, and what cannot be stored stays.

#include "engine/log/writer/drain.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "tests/support/small_disk.h"
#include "tests/support/writer_parts.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

class TailDrainTest : public testing::Test {
 protected:
  TailDrainTest() { EXPECT_OK(drain_.Start()); }
  ~TailDrainTest() override { drain_.Stop(); }

  const TempDir directory_;
  WriterParts parts_{directory_.path()};
  TailRing& ring_ = parts_.ring();
  TailDrain drain_{parts_.store(), parts_.watched(), ring_, parts_.progress()};
};

TEST_F(TailDrainTest, DrainAllMovesEveryFrameAsItIs) {
  const FrameRun run = parts_.NextRun(5);
  ring_.Append(SpanOf(run));
  ASSERT_OK(drain_.DrainAll());
  EXPECT_EQ(ring_.backlog_words(), 0u);
  EXPECT_EQ(ring_.stored_sequence(), 5u);
  EXPECT_EQ(parts_.progress().durable(), 5u);
  EXPECT_EQ(parts_.StoredEnd(), run.after);
  ASSERT_OK_AND_ASSIGN(const FrameRun stored, parts_.store().file().Read(1, 1 << 20));
  EXPECT_EQ(stored, run);
}

TEST_F(TailDrainTest, BacklogThatIsWorthATransactionIsMovedUnasked) {
  while (ring_.backlog_words() < ring_.size_words() / 4) {
    EXPECT_EQ(parts_.StoredEnd().sequence, 0u) << "too little for a transaction";
    parts_.Append(1, 500);
    drain_.NoteAppended();
  }
  EXPECT_TRUE(Eventually([&] { return parts_.StoredEnd() == ring_.end().chain; }));
}

TEST_F(TailDrainTest, MoreThanATransactionTakesIsMovedInSeveral) {
  while (ring_.HasRoom(parts_.NextRun(1, 500).words.size(), 0)) parts_.Append(1, 500);
  ASSERT_OK(drain_.DrainSome());
  EXPECT_GT(ring_.stored_sequence(), 0u);
  EXPECT_LT(ring_.stored_sequence(), ring_.end_sequence());
  EXPECT_EQ(parts_.StoredEnd().sequence, ring_.stored_sequence());
  ASSERT_OK(drain_.DrainAll());
  EXPECT_EQ(parts_.StoredEnd(), ring_.end().chain);
}

TEST_F(TailDrainTest, SnapshotsGoAlongWithTheirEvents) {
  parts_.Append(3);
  const Snapshot snapshot{ring_.end().chain, {7, 8}};
  drain_.AddSnapshot(snapshot);
  EXPECT_EQ(drain_.FindSnapshot(3)->words, snapshot.words);
  EXPECT_FALSE(drain_.FindSnapshot(2).has_value());
  EXPECT_FALSE(parts_.store().file().FindSnapshot(3)->has_value());
  ASSERT_OK(drain_.DrainAll());
  EXPECT_FALSE(drain_.FindSnapshot(3).has_value()) << "it waits no longer";
  ASSERT_OK_AND_ASSIGN(const auto stored, parts_.store().file().FindSnapshot(3));
  ASSERT_TRUE(stored.has_value());
  EXPECT_EQ(stored->at, snapshot.at);
  EXPECT_EQ(stored->words, snapshot.words);
}

TEST_F(TailDrainTest, SnapshotOfAnEventThatIsStoredAlreadyIsStoredToo) {
  parts_.Append(1);
  ASSERT_OK(drain_.DrainAll());
  drain_.AddSnapshot({ring_.end().chain, {9}});
  ASSERT_OK(drain_.DrainAll());
  EXPECT_TRUE(parts_.store().file().FindSnapshot(1)->has_value());
}

TEST_F(TailDrainTest, TooManySnapshotsAreDroppedAndTheNewestOfTheOthersIsFound) {
  for (int i = 0; i < 70; ++i) {
    parts_.Append(1);
    drain_.AddSnapshot({ring_.end().chain, {1}});
  }
  EXPECT_EQ(drain_.FindSnapshot(70)->at.sequence, 64u);
  EXPECT_EQ(drain_.FindSnapshot(5)->at.sequence, 5u);
}

TEST_F(TailDrainTest, RunThatIsTooLongForTheRingGoesBehindAllOfIt) {
  parts_.Append(2);
  const FrameRun run = parts_.NextRun(3, 30'000);
  ASSERT_GT(run.words.size(), ring_.size_words());
  ASSERT_OK(drain_.StoreDirectly(SpanOf(run)));
  EXPECT_EQ(parts_.StoredEnd(), run.after);
  EXPECT_EQ(ring_.end().chain, run.after);
  EXPECT_EQ(parts_.progress().durable(), 5u);
  parts_.Append(1);
  ASSERT_OK(drain_.DrainAll());
  EXPECT_EQ(parts_.StoredEnd().sequence, 6u);
}

// What goes into a file that is no longer the log's is not stored, whatever LMDB says.
TEST_F(TailDrainTest, FailureStopsTheWriterAndFreesNothing) {
  parts_.Append(2);
  std::filesystem::remove(directory_ / "log.mdb");
  const auto gone = Fails(StatusCode::kDataLoss, HasSubstr("log.mdb"));
  EXPECT_THAT(drain_.DrainAll(), gone);
  EXPECT_THAT(parts_.progress().Check(), gone);
  EXPECT_THAT(drain_.DrainSome(), gone);
  EXPECT_EQ(ring_.stored_sequence(), 0u);
  EXPECT_EQ(parts_.progress().durable(), 0u);
}

TEST_F(TailDrainTest, FrameThatSomebodyElseChangedStopsTheWriter) {
  parts_.Append(3);
  parts_.tail().ring()[1] ^= 1;
  EXPECT_THAT(drain_.DrainAll(), Fails(StatusCode::kDataLoss, HasSubstr("the tail was changed by somebody else")));
  EXPECT_FALSE(parts_.progress().Check().ok());
  EXPECT_EQ(parts_.StoredEnd().sequence, 0u);
}

TEST_F(TailDrainTest, StopLeavesWhatIsInTheRing) {
  parts_.Append(1);
  drain_.NoteAppended();
  drain_.Stop();
  EXPECT_EQ(parts_.StoredEnd().sequence, 0u);
  EXPECT_EQ(ring_.stored_sequence(), 0u);
}

void Fill(const std::string& path) {
  std::ofstream file(path);
  const std::string block(4096, 'x');
  while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
  }
}

int FullDiskLeavesThemInTheRing(const std::string& directory) {
  if (!MountSmall(directory, "2m")) return kNoNamespaces;
  std::filesystem::create_directory(directory + "/log");
  WriterParts parts(directory + "/log");
  TailDrain drain(parts.store(), parts.watched(), parts.ring(), parts.progress());
  REQUIRE(drain.Start().ok());
  Fill(directory + "/ballast");
  parts.Append(20, 2000);
  REQUIRE(absl::IsResourceExhausted(drain.DrainAll()));
  REQUIRE(parts.progress().Check().ok());
  REQUIRE(parts.ring().stored_sequence() == 0);
  REQUIRE(parts.StoredEnd().sequence == 0);
  unlink((directory + "/ballast").c_str());
  REQUIRE(drain.DrainAll().ok());
  REQUIRE(parts.StoredEnd() == parts.ring().end().chain);
  drain.Stop();
  return 0;
}

TEST(TailDrainDisk, FullDiskLeavesThemInTheRingAndTheyAreStoredOnceThereIsRoom) {
  RunOnASmallDisk(&FullDiskLeavesThemInTheRing);
}

}  // namespace
}  // namespace foldlog
