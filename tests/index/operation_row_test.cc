// Rows of operations: what is read is what was written, or nothing.

#include "engine/index/operation_row.h"

#include <random>

#include "engine/index/row_hash.h"
#include "tests/support/random_events.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

OperationRow AnyRow(std::mt19937_64& random) {
  OperationRow row{.ordinal = random(), .operation = Randomizer(random).AnyOperation()};
  if (random() % 2 == 0) row.reset_by = random() | 1;
  return row;
}

TEST(OperationRowTest, WhatIsReadIsWhatWasWritten) {
  std::mt19937_64 random(TestSeed());
  for (int i = 0; i < 1000; ++i) {
    const OperationRow row = AnyRow(random);
    const std::optional<IndexRow> stored = EncodeOperationRow(row);
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->key, row.operation.first_sequence);
    EXPECT_EQ(DecodeOperationRow(*stored), row);
  }
}

TEST(OperationRowTest, RowWithAnyBitChangedOrOfAnotherKeyIsNone) {
  std::mt19937_64 random(TestSeed());
  const IndexRow row = *EncodeOperationRow(AnyRow(random));
  for (std::size_t bit = 0; bit < row.words.size() * 64; ++bit) {
    IndexRow damaged = row;
    damaged.words[bit / 64] ^= std::uint64_t{1} << bit % 64;
    EXPECT_EQ(DecodeOperationRow(damaged), std::nullopt) << bit;
  }
  IndexRow moved = row;
  ++moved.key;
  EXPECT_EQ(DecodeOperationRow(moved), std::nullopt);
  EXPECT_EQ(DecodeOperationRow({.key = 1, .words = {}}), std::nullopt);
}

TEST(OperationRowTest, SealedRowWithWrongSizesIsNone) {
  std::mt19937_64 random(TestSeed());
  const IndexRow row = *EncodeOperationRow(AnyRow(random));
  for (const std::uint64_t sizes : {std::uint64_t{0}, ~std::uint64_t{0}, row.words[3] + 8, row.words[3] - 8,
                                    row.words[3] + (std::uint64_t{1} << 40), row.words[3] + 1}) {
    IndexRow wrong = row;
    wrong.words[3] = sizes;
    Seal(wrong);
    EXPECT_EQ(DecodeOperationRow(wrong), std::nullopt) << sizes;
  }
}

}  // namespace
}  // namespace foldlog
