// Whatever is wrong with an index, walks over it cover every event once, and believe no damaged row.

#include "engine/index/index_reader.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "foldlog/memory_log.h"
#include "tests/support/random_events.h"
#include "tests/support/rows_only_log.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

class IndexReaderTest : public testing::Test {
 protected:
  IndexReaderTest() : random_(TestSeed()) {}

  // Rows for batches of random length, some of them missing or damaged.
  void MakeRows(int missing_percent, int damaged_percent) {
    log_.rows.clear();
    good_.clear();
    for (Sequence first = 1; first < 1000;) {
      const Sequence last = first + random_() % 40;
      const int luck = static_cast<int>(random_() % 100);
      const BatchSummary summary{.first = first, .last = last, .operations = last};
      if (luck >= missing_percent) log_.rows.push_back(EncodeSummary(summary));
      if (luck >= missing_percent && luck < missing_percent + damaged_percent) log_.rows.back().words[3] ^= 4;
      if (luck >= missing_percent + damaged_percent) good_.push_back(summary);
      first = last + 1;
    }
  }

  // The stretches from `first` to `last`, in rising order, which join and cover everything.
  std::vector<Stretch> Walk(Sequence first, Sequence last, IndexOrder order) {
    BatchWalk walk(log_, first, last, order);
    std::vector<Stretch> stretches;
    while (const auto stretch = walk.Next()) stretches.push_back(*stretch);
    if (order == IndexOrder::kFalling) std::reverse(stretches.begin(), stretches.end());
    damage_ = walk.damage();
    Sequence next = first;
    for (const Stretch& stretch : stretches) {
      EXPECT_EQ(stretch.first, next);
      EXPECT_GE(stretch.last, stretch.first);
      next = stretch.last + 1;
    }
    EXPECT_EQ(next, last + 1);
    return stretches;
  }

  std::mt19937_64 random_;
  RowsOnlyLog log_;
  std::vector<BatchSummary> good_;
  absl::Status damage_;
};

TEST_F(IndexReaderTest, StretchesJoinWhateverRowsAreMissingOrDamagedAndAllGoodOnesAreThere) {
  for (int round = 0; round < 300; ++round) {
    MakeRows(static_cast<int>(random_() % 60), static_cast<int>(random_() % 40));
    const Sequence first = 1 + random_() % 1000;
    const Sequence last = first + random_() % (1001 - first);
    const auto rising = Walk(first, last, IndexOrder::kRising);
    const auto falling = Walk(first, last, IndexOrder::kFalling);
    ASSERT_EQ(rising.size(), falling.size());
    std::vector<BatchSummary> found;
    for (std::size_t i = 0; i < rising.size(); ++i) {
      EXPECT_EQ(rising[i].summary, falling[i].summary);
      EXPECT_EQ(rising[i].first, falling[i].first);
      if (rising[i].summary) found.push_back(*rising[i].summary);
    }
    std::vector<BatchSummary> expected;
    for (const BatchSummary& summary : good_) {
      if (summary.first <= last && summary.last >= first) expected.push_back(summary);
    }
    EXPECT_EQ(found, expected);
  }
}

TEST_F(IndexReaderTest, DamageIsToldAndMissingRowsAreNot) {
  MakeRows(30, 0);
  Walk(1, 1000, IndexOrder::kRising);
  EXPECT_OK(damage_);
  MakeRows(0, 30);
  Walk(1, 1000, IndexOrder::kRising);
  EXPECT_THAT(damage_, Fails(absl::StatusCode::kDataLoss, testing::HasSubstr("foldlog reindex")));
  log_.failure = absl::DataLossError("page 7");
  EXPECT_EQ(Walk(1, 1000, IndexOrder::kRising).size(), 1);
  EXPECT_THAT(damage_, Fails(absl::StatusCode::kDataLoss, testing::HasSubstr("page 7")));
}

TEST_F(IndexReaderTest, LogWithoutAnIndexIsOneStretch) {
  EXPECT_EQ(Walk(1, 1000, IndexOrder::kRising).size(), 1);
  EXPECT_EQ(Walk(5, 5, IndexOrder::kFalling).size(), 1);
  EXPECT_OK(damage_);
  EXPECT_FALSE(FindOperationsIndexed(log_, 1000, damage_));
  EXPECT_OK(damage_);
}

TEST_F(IndexReaderTest, OperationsAreIndexedAsFarAsTheLastRowThatKnowsThemSays) {
  log_.rows = {EncodeSummary({.first = 1, .last = 50, .operations = 3}), EncodeSummary({.first = 51, .last = 60}),
               EncodeSummary({.first = 61, .last = 70, .operations = 9})};
  const auto indexed = [&](Sequence at_most) { return FindOperationsIndexed(log_, at_most, damage_); };
  EXPECT_EQ(indexed(1000)->through, 70);
  EXPECT_EQ(indexed(1000)->operations, 9);
  EXPECT_EQ(indexed(69)->through, 50) << "a batch counts as a whole";
  EXPECT_EQ(indexed(60)->operations, 3);
  EXPECT_FALSE(indexed(49));
  EXPECT_OK(damage_);
  log_.rows[2].words[3] ^= 1;
  EXPECT_EQ(indexed(1000)->through, 50);
  EXPECT_THAT(damage_, Fails(absl::StatusCode::kDataLoss, testing::HasSubstr("damaged")));
}

TEST_F(IndexReaderTest, SkippingComesToTheRowThatReadingOnComesTo) {
  for (int round = 0; round < 200; ++round) {
    log_.rows.clear();
    for (Sequence key = 1 + random_() % 5; log_.rows.size() < 1 + random_() % 3000; key += 1 + random_() % 9) {
      log_.rows.push_back({.key = key, .words = {key}});
    }
    IndexRowReader reader(log_, IndexTable::kOperations, 1 + random_() % 20, IndexOrder::kRising);
    ASSERT_OK_AND_ASSIGN(const auto first, reader.Next());
    auto given = std::find_if(log_.rows.begin(), log_.rows.end(), [&](const auto& row) { return row == *first; });
    while (given != log_.rows.end()) {
      const std::uint64_t far = random_() % 3 == 0 ? 4000 : random_() % 3 == 0 ? 300 : 12;
      const Sequence key = given->key + random_() % far;
      const auto behind = std::find_if(given, log_.rows.end(), [&](const auto& row) { return row.key > key; });
      ASSERT_OK_AND_ASSIGN(const bool skips, reader.SkipTo(key));
      ASSERT_EQ(skips, behind - given > 1);
      given = skips ? behind - 1 : given + 1;
      ASSERT_OK_AND_ASSIGN(const auto next, reader.Next());
      ASSERT_EQ(next.has_value(), given != log_.rows.end());
      if (next) {
        ASSERT_EQ(*next, *given);
      }
    }
  }
}

TEST_F(IndexReaderTest, SkippingNoticesThatTheRowGivenLastIsGone) {
  for (Sequence key = 1; key <= 50; ++key) log_.rows.push_back({.key = key, .words = {key}});
  IndexRowReader reader(log_, IndexTable::kOperations, 7, IndexOrder::kRising);
  ASSERT_OK(reader.Next());
  log_.rows.erase(log_.rows.begin(), log_.rows.begin() + 20);
  EXPECT_THAT(reader.SkipTo(15), Fails(absl::StatusCode::kDataLoss, testing::HasSubstr("missing")));
}

TEST_F(IndexReaderTest, MissingOrDamagedRowOfAnOperationIsDamage) {
  std::vector<IndexRow> all;
  OperationRowEncoder encoder;
  for (std::uint64_t i = 1; i <= 2000; ++i) {
    Operation operation;
    operation.first_sequence = 3 * i;
    all.push_back(*encoder.Encode({.ordinal = i, .operation = operation}));
  }
  const auto count = [&](IndexOrder order) -> absl::StatusOr<std::size_t> {
    OperationRows reader(log_, order == IndexOrder::kRising ? 0 : 1'000'000, order);
    for (std::size_t rows = 0;; ++rows) {
      const auto row = reader.Next();
      if (!row.ok()) return row.status();
      if (!*row) return rows;
    }
  };
  for (const IndexOrder order : {IndexOrder::kRising, IndexOrder::kFalling}) {
    log_.rows = all;
    EXPECT_THAT(count(order), testing::ResultOf([](const auto& rows) { return rows.value_or(0); }, 2000));
    log_.rows.erase(log_.rows.begin() + 700);
    EXPECT_THAT(count(order), Fails(absl::StatusCode::kDataLoss, testing::HasSubstr("missing")));
    log_.rows = all;
    log_.rows[900].words[1] ^= 1;
    EXPECT_THAT(count(order), Fails(absl::StatusCode::kDataLoss, testing::HasSubstr("damaged")));
  }
}

}  // namespace
}  // namespace foldlog
