// The table of operations, in terminals of any width.

#include "tools/cli/history_table.h"

#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/render_support.h"
#include "tools/cli/printable.h"

namespace foldlog::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr TimeNs kNow = kStart + 300 * kSecond;

std::vector<HistoryEntry> TwoOperations() {
  Operation first = SomeOperation();
  first.operation_id = "0b8f3c5e-6c1a-4f5e-9d53-0d2a6e6c2f11";
  first.status = OperationStatus::kFailed;
  first.error_count = 1;
  Operation second = SomeOperation();
  second.operation_id = "0b8f3c5e-7c1a-4f5e-9d53-0d2a6e6c2f11";
  second.first_sequence = 8;
  second.total_files.reset();
  return {{first, std::nullopt}, {first, 5}, {second, std::nullopt}};
}

LogView ViewOfSecond() { return ViewOf(TwoOperations()[2].operation, OwnerFate::kProcessDied, true); }

Lines In(std::size_t columns) { return HistoryText(TwoOperations(), ViewOfSecond(), kNow, {.columns = columns}); }

TEST(HistoryTableTest, AnEmptyHistoryHasNoLines) { EXPECT_THAT(HistoryText({}, LogView(), kNow), IsEmpty()); }

TEST(HistoryTableTest, WhereThereIsRoomItIsComplete) {
  const auto whole = ElementsAre(
      "OPERATION                             TYPE         STATUS       STARTED (UTC)          TOOK         FILES  "
      "ERRORS"
      "  INTERRUPTIONS",
      "0b8f3c5e-6c1a-4f5e-9d53-0d2a6e6c2f11  incremental  failed       2026-01-02 03:04:05  10.0 s  500 of 2,000      "
      " 1"
      "              0",
      "0b8f3c5e-6c1a-4f5e-9d53-0d2a6e6c2f11  incremental  reset        2026-01-02 03:04:05  10.0 s  500 of 2,000      "
      " 1"
      "              0",
      "0b8f3c5e-7c1a-4f5e-9d53-0d2a6e6c2f11  incremental  interrupted  2026-01-02 03:04:05  10.0 s           500       "
      "0"
      "              0");
  EXPECT_THAT(HistoryText(TwoOperations(), ViewOfSecond(), kNow), whole);
  EXPECT_THAT(In(200), whole);
}

TEST(HistoryTableTest, ItGetsNarrowerByDegrees) {
  EXPECT_THAT(In(120)[3].text,
              HasSubstr("0b8f3c5e-7c1a-4f5e-9d53-0d2a6e6c2f11  incremental  interrupted  2026-01-02 03:04:05 "
                        " 10.0 s           500"))
      << "without interruptions, of which there are none";
  EXPECT_THAT(In(100),
              ElementsAre("OPERATION   TYPE         STATUS       STARTED (UTC)          TOOK         FILES  ERRORS",
                          "0b8f3c5e-6  incremental  failed       2026-01-02 03:04:05  10.0 s  500 of 2,000       1",
                          "0b8f3c5e-6  incremental  reset        2026-01-02 03:04:05  10.0 s  500 of 2,000       1",
                          "0b8f3c5e-7  incremental  interrupted  2026-01-02 03:04:05  10.0 s           500"));
  EXPECT_EQ(In(80)[3].text, "0b8f3c5e-7  incremental  interrupted  5 min ago  10.0 s           500");
  EXPECT_EQ(In(60)[3].text, "0b8f3c5…  incr…  interrupted  5 min ago  10.0 s           500") << "no narrower than this";
}

TEST(HistoryTableTest, FailedAndInterruptedStandOut) {
  const Lines lines = In(100);
  EXPECT_THAT(lines[0].tints, ElementsAre(Tint{0, lines[0].text.size(), Tone::kHeading}));
  EXPECT_THAT(lines[1].tints, ElementsAre(Tint{25, 6, Tone::kBad}));
  EXPECT_THAT(lines[2].tints, ElementsAre());
  EXPECT_THAT(lines[3].tints, ElementsAre(Tint{25, 11, Tone::kWarning}));
}

TEST(HistoryTableTest, TheZoneIsInTheHeadingOrWhereItChangesInEachLine) {
  std::vector<HistoryEntry> entries = TwoOperations();
  absl::TimeZone berlin;
  ASSERT_TRUE(absl::LoadTimeZone("Europe/Berlin", &berlin));
  EXPECT_THAT(HistoryText(entries, LogView(), kNow, {.zone = berlin})[0].text, HasSubstr("STARTED (+01:00)"));
  entries[1].operation.started_at += 180 * 86'400 * kSecond;
  const Lines lines = HistoryText(entries, LogView(), kNow, {.zone = berlin});
  EXPECT_THAT(lines[1].text, HasSubstr("2026-01-02 04:04:05 +01:00"));
  EXPECT_THAT(lines[2].text, HasSubstr("2026-07-01 05:04:05 +02:00"));
}

TEST(HistoryTableTest, HostileAndWideNamesKeepTheColumnsBelowEachOther) {
  Operation operation = SomeOperation();
  operation.operation_id =
      "\u6570\u636e\u6570\u636e\u6570\u636e\u6570\u636e\u0301 \U0001f600\u202e" + std::string(60, 'x');
  Operation decomposed = SomeOperation();
  decomposed.operation_id = "e\u0301e\u0301e\u0301e\u0301\x1b[31m\n";
  for (const std::size_t columns : {80u, 100u, 110u, 132u, 200u}) {
    const Lines lines =
        HistoryText({{operation, std::nullopt}, {decomposed, std::nullopt}}, LogView(), kNow, {.columns = columns});
    ASSERT_EQ(lines.size(), 3u);
    for (const StyledLine& line : lines) {
      EXPECT_LE(Width(line.text), columns) << line.text;
      EXPECT_EQ(line.text, Printable(line.text));
    }
    const auto start_of_files = [](const StyledLine& line) {
      return Width(std::string_view(line.text).substr(0, line.text.find("500 of")));
    };
    EXPECT_EQ(start_of_files(lines[1]), start_of_files(lines[2])) << "columns are below each other";
  }
}

TEST(HistoryTableTest, TheHeadingMayBeLeftOut) {
  EXPECT_EQ(HistoryText(TwoOperations(), LogView(), kNow, {.heading = false}).size(), 3u);
}

TEST(HistoryTableTest, PiecesOfOneTableShareTheirColumns) {
  const std::vector<HistoryEntry> all = TwoOperations();
  for (const std::size_t columns : {120u, 100u, 80u}) {
    const Look look{.columns = columns};
    HistoryShape shape;
    const Lines first = HistoryText({all[2], all[0]}, ViewOfSecond(), kNow, look, shape);
    Lines second = HistoryText({all[1]}, ViewOfSecond(), kNow, look, shape);
    EXPECT_EQ(first.size(), 3u) << "with headings";
    ASSERT_EQ(second.size(), 1u) << "without";
    EXPECT_EQ(second[0].text.find("500 of 2,000"), first[2].text.find("500 of 2,000"));
  }
}

TEST(HistoryTableTest, OtherHeadingsAreShownAgain) {
  std::vector<HistoryEntry> entries = {TwoOperations()[2]};
  const Look look{.columns = 100};
  HistoryShape shape;
  EXPECT_THAT(HistoryText(entries, LogView(), kNow, look, shape)[0].text, Not(HasSubstr("ERRORS")));
  entries[0].operation.error_count = 7;
  EXPECT_THAT(HistoryText(entries, LogView(), kNow, look, shape)[0].text, HasSubstr("ERRORS"));
  entries[0].operation.error_count = 0;
  EXPECT_EQ(HistoryText(entries, LogView(), kNow, look, shape).size(), 1u) << "the column stays";
}

TEST(HistoryTableTest, APrefixTellsIdsApart) {
  EXPECT_EQ(TellingPrefix({}), 8u);
  EXPECT_EQ(TellingPrefix({"a", "b", "b"}), 8u);
  EXPECT_EQ(TellingPrefix({"nightly-2026-11-02", "nightly-2026-11-01"}), 18u);
  EXPECT_EQ(TellingPrefix({"nightly-2026", "nightly-2026-11"}), 13u);
}

}  // namespace
}  // namespace foldlog::cli
