// Rows of operations: what is read is what was written, or nothing.

#include "engine/index/operation_row.h"

#include <optional>
#include <random>
#include <vector>

#include "engine/index/row_hash.h"
#include "tests/support/random_events.h"
#include "tests/support/rows_only_log.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

OperationRow AnyRow(std::mt19937_64& random, std::uint64_t ordinal) {
  OperationRow row{.ordinal = ordinal, .operation = Randomizer(random).AnyOperation()};
  if (random() % 2 == 0) row.reset_by = random() | 1;
  return row;
}

class OperationRowTest : public testing::Test {
 protected:
  // Rows with the ordinals from `first` on.
  void Make(std::uint64_t first, std::uint64_t count) {
    OperationRowEncoder encoder;
    Sequence key = 1;
    for (std::uint64_t i = 0; i < count; ++i) {
      OperationRow row = AnyRow(random_, first + i);
      row.operation.first_sequence = key += 1 + random_() % 9;
      std::optional<IndexRow> stored = encoder.Encode(row);
      ASSERT_TRUE(stored);
      EXPECT_EQ(stored->key, row.operation.first_sequence);
      log_.rows.push_back(*std::move(stored));
      operations_.push_back(std::move(row));
    }
  }

  std::optional<OperationRow> Decode(const IndexRow& row) const { return OperationRowDecoder(log_).Decode(row); }

  std::mt19937_64 random_{TestSeed()};
  RowsOnlyLog log_;
  std::vector<OperationRow> operations_;
};

TEST_F(OperationRowTest, WhatIsReadIsWhatWasWrittenInAnyOrder) {
  for (const std::uint64_t first : {1, 20, 33}) {
    log_.rows.clear();
    operations_.clear();
    Make(first, 300);
    OperationRowDecoder rising(log_);
    OperationRowDecoder falling(log_);
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      const std::size_t back = operations_.size() - 1 - i;
      ASSERT_EQ(rising.Decode(log_.rows[i]), operations_[i]);
      ASSERT_EQ(falling.Decode(log_.rows[back]), operations_[back]);
      ASSERT_EQ(Decode(log_.rows[i]), operations_[i]) << "with no row read before";
    }
  }
}

TEST_F(OperationRowTest, RowsOfAGroupNeedItsFirst) {
  Make(1, 40);
  log_.rows[0].words.back() ^= 1;
  for (std::size_t i = 0; i < 32; ++i) EXPECT_EQ(Decode(log_.rows[i]), std::nullopt) << i;
  for (std::size_t i = 32; i < 40; ++i) EXPECT_EQ(Decode(log_.rows[i]), operations_[i]) << i;
  log_.rows.erase(log_.rows.begin());
  EXPECT_EQ(Decode(log_.rows[0]), std::nullopt);
  log_.failure = absl::DataLossError("gone");
  EXPECT_EQ(Decode(log_.rows[39]), std::nullopt);
}

TEST_F(OperationRowTest, EncoderThatGoesOnMakesTheSameRows) {
  Make(1, 40);
  OperationRowEncoder behind;
  behind.Resume(log_.rows[0]);
  EXPECT_EQ(behind.Encode(operations_[20]), log_.rows[20]);
  behind.Resume(log_.rows[5]);
  EXPECT_EQ(behind.Encode(operations_[21]), log_.rows[21]) << "no first row: ignored";
  EXPECT_EQ(behind.Encode(operations_[32]), log_.rows[32]);
  EXPECT_EQ(behind.Encode(operations_[33]), log_.rows[33]);
  OperationRowEncoder alone;
  const std::optional<IndexRow> row = alone.Encode(operations_[20]);
  ASSERT_TRUE(row);
  EXPECT_NE(*row, log_.rows[20]);
  log_.rows.clear();
  EXPECT_EQ(Decode(*row), operations_[20]);
}

TEST_F(OperationRowTest, RowsThatResembleTheFirstTakeAQuarter) {
  Make(1, 1);
  OperationRow like = operations_[0];
  like.ordinal = 2;
  ++like.operation.first_sequence;
  OperationRowEncoder encoder;
  encoder.Resume(log_.rows[0]);
  EXPECT_LT(encoder.Encode(like)->words.size(), log_.rows[0].words.size() / 4);
}

TEST_F(OperationRowTest, RowWithAnyBitChangedOrOfAnotherKeyIsNone) {
  Make(1, 2);
  for (const IndexRow& row : log_.rows) {
    for (std::size_t bit = 0; bit < row.words.size() * 64; ++bit) {
      IndexRow damaged = row;
      damaged.words[bit / 64] ^= std::uint64_t{1} << bit % 64;
      EXPECT_EQ(Decode(damaged), std::nullopt) << bit;
    }
    IndexRow moved = row;
    ++moved.key;
    EXPECT_EQ(Decode(moved), std::nullopt);
  }
  EXPECT_EQ(Decode({.key = 1, .words = {}}), std::nullopt);
}

TEST_F(OperationRowTest, SealedRowWithWrongSizesIsNone) {
  Make(1, 2);
  for (const IndexRow& row : log_.rows) {
    for (const std::uint64_t sizes : {std::uint64_t{0}, ~std::uint64_t{0}, row.words[4] + 8, row.words[4] - 8,
                                      row.words[4] + (std::uint64_t{1} << 40), row.words[4] + 1}) {
      IndexRow wrong = row;
      wrong.words[4] = sizes;
      Seal(wrong);
      EXPECT_EQ(Decode(wrong), std::nullopt) << sizes;
    }
  }
}

TEST_F(OperationRowTest, SealedRowThatNamesAnotherFirstIsNone) {
  Make(1, 40);
  for (const Sequence key : {log_.rows[1].key, log_.rows[32].key, log_.rows[39].key + 1}) {
    IndexRow wrong = log_.rows[2];
    wrong.words[3] = key;
    Seal(wrong);
    const std::optional<OperationRow> read = Decode(wrong);
    EXPECT_TRUE(!read || *read != operations_[2]) << key;
  }
}

}  // namespace
}  // namespace foldlog
