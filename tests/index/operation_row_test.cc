// Rows of operations: what is read is what was written, or nothing.

#include "engine/index/operation_row.h"

#include <random>

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

}  // namespace
}  // namespace foldlog
