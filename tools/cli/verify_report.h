// What verify found, in words and in JSON, and how far it is.

#ifndef FOLDLOG_CLI_VERIFY_REPORT_H_
#define FOLDLOG_CLI_VERIFY_REPORT_H_

#include <string>

#include "foldlog/verify.h"
#include "tools/cli/output.h"
#include "tools/cli/renewed_line.h"

namespace foldlog::cli {

// One line each.
std::string FindingText(const VerifyFinding& finding);
std::string FindingJson(const VerifyFinding& finding);
std::string SummaryText(const VerifyReport& report, bool quick, double seconds);
std::string SummaryJson(const VerifyReport& report, bool quick, double seconds);

std::string VerifyProgressLine(const VerifyProgress& progress);

// A line on the terminal that says how far it is. Threads: one at a time.
class VerifyDisplay {
 public:
  explicit VerifyDisplay(Output& out) : line_(out) {}

  void Update(const VerifyProgress& progress) { line_.Show(VerifyProgressLine(progress)); }

  // Takes the line off the terminal.
  void Finish() { line_.Finish(); }

 private:
  RenewedLine line_;
};

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_VERIFY_REPORT_H_
