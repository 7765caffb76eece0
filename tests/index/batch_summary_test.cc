// Rows of batches: what is read is what was written, or nothing.

#include "engine/index/batch_summary.h"

#include <cstdint>
#include <random>

#include "engine/index/row_hash.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

BatchSummary AnySummary(std::mt19937_64& random) {
  BatchSummary summary{.first = random() >> 1,
                       .last = 0,
                       .previous_hash = random(),
                       .last_hash = random(),
                       .earliest = static_cast<TimeNs>(random()),
                       .latest = static_cast<TimeNs>(random()),
                       .least_epoch = random(),
                       .greatest_epoch = random(),
                       .errors = static_cast<std::uint32_t>(random()),
                       .first_error = random(),
                       .last_error = random(),
                       .kinds = static_cast<std::uint16_t>(random()),
                       .fields = static_cast<std::uint8_t>(random())};
  summary.last = summary.first + random() % 1000;
  if (random() % 2 == 0) summary.boot = Boot{static_cast<TimeNs>(random()), static_cast<std::uint32_t>(random())};
  if (random() % 2 == 0) summary.operations = random();
  return summary;
}

TEST(BatchSummaryTest, WhatIsReadIsWhatWasWritten) {
  std::mt19937_64 random(TestSeed());
  for (int i = 0; i < 1000; ++i) {
    const BatchSummary summary = AnySummary(random);
    EXPECT_EQ(DecodeSummary(EncodeSummary(summary)), summary);
  }
}

TEST(BatchSummaryTest, RowWithAnyBitChangedIsNone) {
  std::mt19937_64 random(TestSeed());
  const IndexRow row = EncodeSummary(AnySummary(random));
  for (std::size_t bit = 0; bit < row.words.size() * 64; ++bit) {
    IndexRow damaged = row;
    damaged.words[bit / 64] ^= std::uint64_t{1} << bit % 64;
    EXPECT_EQ(DecodeSummary(damaged), std::nullopt) << bit;
  }
}

TEST(BatchSummaryTest, RowOfAnotherKeyOrLengthIsNone) {
  std::mt19937_64 random(TestSeed());
  IndexRow row = EncodeSummary(AnySummary(random));
  ++row.key;
  EXPECT_EQ(DecodeSummary(row), std::nullopt);
  --row.key;
  row.words.push_back(0);
  Seal(row);
  EXPECT_EQ(DecodeSummary(row), std::nullopt);
  row.words.clear();
  EXPECT_EQ(DecodeSummary(row), std::nullopt);
}

TEST(BatchSummaryTest, SealedRowThatEndsBeforeItsBeginIsNone) {
  IndexRow row = EncodeSummary({.first = 10, .last = 12});
  EXPECT_NE(DecodeSummary(row), std::nullopt);
  row.key = 13;
  Seal(row);
  EXPECT_EQ(DecodeSummary(row), std::nullopt);
}

}  // namespace
}  // namespace foldlog
