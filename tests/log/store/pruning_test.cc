// What is dropped of log.mdb: the base moves at once and for good, and the space of what lies before it comes back.

#include "engine/log/store/pruning.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "engine/base/file_system.h"
#include "engine/log/store/base_record.h"
#include "engine/log/store/lmdb/env.h"
#include "engine/log/store/pruned_part.h"
#include "engine/log/store/store.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

class PruningTest : public testing::Test {
 protected:
  PruningTest() {
    EXPECT_OK(Store::Create(directory_.path(), LogId{7}));
    store_ = *Store::Open(*LogFile::Open(path_, "log"), "log");
    end_ = Commit().end;
  }

  CommitRecord Commit() const { return *store_->file().ReadCommit(); }

  // `batches` batches of several pages, which do not become smaller when packed.
  void Append(int batches) {
    for (int i = 0; i < batches; ++i) {
      Event event = CheckpointEvent(1);
      std::string path(20'000, '\0');
      for (char& byte : path) byte = static_cast<char>(random_());
      std::get<Checkpoint>(event.body).current_path = path;
      const FrameRun run = RunAfter(end_, {event, CheckpointEvent(2)});
      ASSERT_OK(store_->Append({SpanOf(run), 0, {}}));
      end_ = run.after;
      ends_.push_back(end_);
    }
  }

  PruneRequest RequestUpTo(const ChainEnd& behind) const {
    return {.range = {.before = Commit().base, .behind = behind, .time = 5, .policy = "keep-runs 1", .by = "a test"},
            .state = {1, 2, 3}};
  }

  absl::Status Prune(const ChainEnd& behind) {
    const PruneRequest request = RequestUpTo(behind);
    if (const absl::Status fits = store_->CheckPrune(request); !fits.ok()) return fits;
    return store_->Append({{{}, end_, end_}, 0, {}, &request});
  }

  void FreeAll() {
    while (store_->HasMoreToFree()) ASSERT_OK(store_->Append({{{}, end_, end_}, 0, {}}));
  }

  std::uint64_t DiskBytes() const {
    struct stat info = {};
    EXPECT_EQ(stat(path_.c_str(), &info), 0);
    return static_cast<std::uint64_t>(info.st_blocks) * 512;
  }

  std::mt19937_64 random_{7};
  const TempDir directory_;
  const std::string path_ = PathOfLogFile(directory_.path());
  std::unique_ptr<Store> store_;
  ChainEnd end_;
  std::vector<ChainEnd> ends_;  // of the batches
};

TEST_F(PruningTest, WhatIsBeforeTheBaseIsRefusedAndWhatIsBehindStaysReadable) {
  Append(10);
  ASSERT_OK(Prune(ends_[3]));
  EXPECT_EQ(Commit().base, ends_[3]);
  EXPECT_EQ(Commit().batches, 6U);
  EXPECT_THAT(
      store_->file().Read(ends_[3].sequence, 1),
      Fails(StatusCode::kOutOfRange,
            HasSubstr("event 8 was pruned with events 1 to 8, at 1970-01-01 00:00:00 UTC by a test (keep-runs 1)")));
  ASSERT_OK_AND_ASSIGN(const FrameRun rest, store_->file().Read(ends_[3].sequence + 1, 1 << 20));
  EXPECT_EQ(rest.before, ends_[3]);
  EXPECT_EQ(rest.after, end_);
  ASSERT_OK(store_->file().CheckLastBatch());
}

// Only as a whole does it go.
TEST_F(PruningTest, BatchThatTheBaseLiesInStays) {
  Append(3);
  ASSERT_OK_AND_ASSIGN(const FrameRun in_second, store_->file().Read(3, 1));
  ASSERT_EQ(in_second.after.sequence, 3U);
  ASSERT_OK(Prune(in_second.after));
  EXPECT_EQ(Commit().batches, 2U);
  ASSERT_OK_AND_ASSIGN(const FrameRun rest, store_->file().Read(4, 1 << 20));
  EXPECT_EQ(rest.before, in_second.after);
  ASSERT_OK_AND_ASSIGN(const FrameRun batch, store_->file().ReadBatch(in_second.after));
  EXPECT_EQ(batch.before, in_second.after);
  EXPECT_EQ(batch.after, ends_[1]);
  ASSERT_OK(Prune(ends_[1]));
  EXPECT_EQ(Commit().batches, 1U);
}

TEST_F(PruningTest, EverythingMayGo) {
  Append(3);
  ASSERT_OK(Prune(end_));
  EXPECT_EQ(Commit().batches, 0U);
  ASSERT_OK(store_->file().CheckLastBatch());
  Append(1);
  ASSERT_OK_AND_ASSIGN(const FrameRun rest, store_->file().Read(7, 1 << 20));
  EXPECT_EQ(rest.before, ends_[2]);
}

TEST_F(PruningTest, RequestThatDoesNotFitIsRefused) {
  Append(3);
  PruneRequest stale = RequestUpTo(ends_[1]);
  stale.range.before.sequence = 1;
  EXPECT_THAT(store_->CheckPrune(stale), Fails(StatusCode::kAborted, HasSubstr("was pruned meanwhile")));
  EXPECT_THAT(store_->CheckPrune(RequestUpTo({9, 9})), Fails(StatusCode::kInvalidArgument, HasSubstr("event 9")));
  EXPECT_THAT(store_->CheckPrune(RequestUpTo({4, 9})), Fails(StatusCode::kInvalidArgument, HasSubstr("another")));
  EXPECT_THAT(store_->CheckPrune(RequestUpTo(Commit().base)), Fails(StatusCode::kInvalidArgument, testing::_));
  PruneRequest stateless = RequestUpTo(ends_[1]);
  stateless.state.clear();
  EXPECT_THAT(store_->CheckPrune(stateless), Fails(StatusCode::kInvalidArgument, testing::_));
}

TEST_F(PruningTest, StateAtTheBaseIsFoundWhereNoSnapshotIs) {
  Append(4);
  EXPECT_EQ(*store_->file().FindSnapshot(8), std::nullopt);
  ASSERT_OK(Prune(ends_[1]));
  ASSERT_OK_AND_ASSIGN(const auto found, store_->file().FindSnapshot(8));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->at, ends_[1]);
  EXPECT_EQ(found->words, (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(*store_->file().FindSnapshot(3), std::nullopt);
}

TEST_F(PruningTest, RecordsOfPruningsFollowEachOtherAndTheOldestBecomeOne) {
  constexpr int kPrunings = 260;
  for (int i = 0; i < kPrunings; ++i) {
    Append(1);
    ASSERT_OK(Prune(end_));
  }
  ASSERT_OK_AND_ASSIGN(const std::vector<PrunedRange> ranges, store_->file().ReadPruned());
  EXPECT_EQ(ranges.size(), 256U);
  EXPECT_EQ(ranges.front().times, 5U);
  EXPECT_EQ(ranges.front().before.sequence, 0U);
  for (std::size_t i = 1; i < ranges.size(); ++i) EXPECT_EQ(ranges[i].before, ranges[i - 1].behind);
  EXPECT_EQ(ranges.back().behind, end_);
}

TEST_F(PruningTest, DamagedRecordIsSaidToBe) {
  Append(2);
  ASSERT_OK(Prune(ends_[0]));
  std::vector<std::uint64_t> words = EncodeBase({.range = (*store_->file().ReadPruned()).back(), .state = {4}});
  EXPECT_EQ(DecodeBase(ends_[0].sequence, words)->state, std::vector<std::uint64_t>{4});
  EXPECT_THAT(DecodeBase(ends_[0].sequence + 1, words), Fails(StatusCode::kDataLoss, HasSubstr("is damaged")));
  for (std::uint64_t& word : words) {
    word ^= 1;
    EXPECT_THAT(DecodeBase(ends_[0].sequence, words), Fails(StatusCode::kDataLoss, testing::_));
    word ^= 1;
  }
}

TEST_F(PruningTest, SpaceIsUsedAgainFirstAndCanBeGivenBack) {
  Append(200);
  ASSERT_OK(Prune(ends_[180]));
  FreeAll();
  Append(1);
  ASSERT_OK_AND_ASSIGN(const LogSpace freed, store_->file().ReadSpace());
  EXPECT_GT(freed.free_bytes, freed.used_bytes * 4);
  const std::uint64_t file_bytes = freed.file_bytes;
  Append(100);
  EXPECT_EQ((*store_->file().ReadSpace()).file_bytes, file_bytes);
  const std::uint64_t before = DiskBytes();
  ASSERT_OK(store_->file().PunchUnusedPages());
  ASSERT_OK_AND_ASSIGN(const LogSpace punched, store_->file().ReadSpace());
  EXPECT_LT(DiskBytes(), before - before / 4);
  EXPECT_LT(punched.disk_bytes, punched.used_bytes + (std::uint64_t{1} << 20));
  ASSERT_OK_AND_ASSIGN(const FrameRun rest, store_->file().Read(ends_[180].sequence + 1, 1));
  Append(50);
  store_ = nullptr;
  store_ = *Store::Open(*LogFile::Open(path_, "log"), "log");
  ASSERT_OK(store_->EnsureWritable());
  Append(1);
}

// LMDB trusts that header: what it says would be freed.
TEST_F(PruningTest, BatchWithADamagedFirstPageStaysAndTheLogGoesOn) {
  Append(5);
  ASSERT_OK_AND_ASSIGN(const auto file, OpenRegularFile(path_, O_RDWR));
  ASSERT_OK_AND_ASSIGN(const std::uint64_t bytes, store_->file().SizeBytes());
  // The first batch is the first run of pages with so many of them.
  for (std::uint64_t page = 2; page < bytes / 4096; ++page) {
    std::array<std::uint16_t, 8> header = {};
    ASSERT_OK(ReadFully(file.get(), std::as_writable_bytes(std::span(header)), page * 4096, path_));
    if (header[5] != 4) continue;
    header[6] += 40;
    ASSERT_OK(WriteFully(file.get(), std::as_bytes(std::span(header)), page * 4096, path_));
    break;
  }
  ASSERT_OK(Prune(ends_[3]));
  EXPECT_EQ(Commit().base, ends_[3]);
  EXPECT_EQ(Commit().batches, 5U);
  EXPECT_THAT(store_->free_damage(), Fails(StatusCode::kDataLoss, HasSubstr("is damaged; it stays")));
  EXPECT_FALSE(store_->HasMoreToFree());
  Append(1);
  EXPECT_EQ(Commit().batches, 6U);
}

TEST_F(PruningTest, PolicyIsKept) {
  EXPECT_EQ(*store_->file().ReadPolicy(), "");
  ASSERT_OK(store_->StorePolicy("keep-runs 5"));
  EXPECT_EQ(*store_->file().ReadPolicy(), "keep-runs 5");
  ASSERT_OK(store_->StorePolicy(""));
  EXPECT_EQ(*store_->file().ReadPolicy(), "");
  Append(1);
}

}  // namespace
}  // namespace foldlog
