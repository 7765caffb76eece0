// What became of an indexing run, as text and as JSON.

#include "tools/cli/index_report.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace foldlog::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

indexer::IndexReport SomeReport() {
  indexer::IndexReport report;
  report.operation_id = "op-1";
  report.paused = true;
  report.counters.files = 1234;
  report.duration_s = 12.34;
  report.catalog_path = "/c\n.db";
  return report;
}

TEST(ReportTest, SaysWhatWasDone) {
  EXPECT_THAT(IndexReportText(SomeReport()),
              ElementsAre("Operation      op-1 (initial)", "Status         paused", "Took           12.3 s",
                          "Files          1,234", "Catalog        /c\\n.db"));
}

TEST(ReportTest, NamesTheFirstErrorsAndWhereAllAre) {
  indexer::IndexReport report = SomeReport();
  report.counters.errors = 7;
  report.first_errors = {{"/a\n", "denied"}, {"", "no path"}};
  report.left_out = {"\"/proc\" (proc)"};
  const Lines lines = IndexReportText(report);
  EXPECT_THAT(lines, Contains("Errors         7"));
  EXPECT_THAT(lines, Contains("First errors   /a\\n: denied"));
  EXPECT_THAT(lines, Contains("               no path"));
  EXPECT_THAT(lines, Contains("All errors     foldlog events --errors --operation op-1"));
  EXPECT_THAT(lines, Contains("Left out       \"/proc\" (proc)"));
}

TEST(ReportTest, IsOneJsonObject) {
  indexer::IndexReport report = SomeReport();
  report.first_errors = {{"/a\xff", "denied"}};
  const std::string json = IndexReportJson(report);
  EXPECT_THAT(json, StartsWith(R"({"operation_id": "op-1", "operation_type": "initial", "status": "paused", )"));
  EXPECT_THAT(json, HasSubstr(R"("files": 1234, "hashed": 0)"));
  EXPECT_THAT(json, HasSubstr(R"("first_errors": [{"path": "/a\udcff", "message": "denied"}])"));
  EXPECT_THAT(json, EndsWith(R"("catalog": "/c\n.db", "damaged_catalog": null})"));
}

}  // namespace
}  // namespace foldlog::cli
