// What verify says in one line: how far it is, and what it comes to.

#include "tools/cli/verify_report.h"

#include "tests/support/test_support.h"

namespace foldlog::cli {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(VerifyReportTest, ProgressIsAShareOfTheBatchesOnceTheirNumberIsKnown) {
  EXPECT_EQ(VerifyProgressLine({.batches = 0, .batches_total = 0, .events = 0}), "Verifying: 0 events");
  EXPECT_EQ(VerifyProgressLine({.batches = 1, .batches_total = 4, .events = 1'234'567}),
            "Verifying: 1,234,567 events (25.0 %)");
  EXPECT_EQ(VerifyProgressLine({.batches = 4, .batches_total = 4, .events = 9}), "Verifying: 9 events (100.0 %)");
}

VerifyReport ReportWith(std::uint64_t left_out, std::uint64_t damages_left_out) {
  VerifyReport report{.findings_left_out = left_out, .damages_left_out = damages_left_out};
  report.findings = {{.part = VerifyPart::kIndex, .is_note = true, .message = "a row is missing"}};
  return report;
}

TEST(VerifyReportTest, NotesThatAreLeftOutAreNoDamage) {
  const VerifyReport report = ReportWith(7, 0);
  EXPECT_TRUE(report.sound());
  EXPECT_THAT(SummaryText(report, /*quick=*/false, 1.0), StartsWith("sound: "));
  EXPECT_THAT(SummaryText(report, /*quick=*/false, 1.0), HasSubstr("; 8 notes"));
  EXPECT_THAT(SummaryJson(report, /*quick=*/false, 1.0), HasSubstr("\"sound\": true"));
  EXPECT_THAT(SummaryJson(report, /*quick=*/false, 1.0), HasSubstr("\"damages\": 0, \"notes\": 8, \"left_out\": 7"));
}

TEST(VerifyReportTest, DamageThatIsLeftOutIsDamage) {
  const VerifyReport report = ReportWith(7, 5);
  EXPECT_FALSE(report.sound());
  EXPECT_THAT(SummaryText(report, /*quick=*/false, 1.0), StartsWith("damaged in 5 places: "));
  EXPECT_THAT(SummaryText(report, /*quick=*/false, 1.0), HasSubstr("; 3 notes"));
  EXPECT_THAT(SummaryJson(report, /*quick=*/false, 1.0), Not(HasSubstr("\"sound\": true")));
}

}  // namespace
}  // namespace foldlog::cli
