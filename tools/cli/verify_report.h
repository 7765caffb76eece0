// What verify found, in words and in JSON, and how far it is.

#ifndef FOLDLOG_CLI_VERIFY_REPORT_H_
#define FOLDLOG_CLI_VERIFY_REPORT_H_

#include <cstddef>
#include <string>

#include "foldlog/verify.h"
#include "tools/cli/output.h"

namespace foldlog::cli {

// One line each.
std::string FindingText(const VerifyFinding& finding);
std::string FindingJson(const VerifyFinding& finding);
std::string SummaryText(const VerifyReport& report, bool quick, double seconds);
std::string SummaryJson(const VerifyReport& report, bool quick, double seconds);

// At most `columns` columns.
std::string VerifyProgressLine(const VerifyProgress& progress, std::size_t columns);

// A line on the terminal that renews itself. Threads: one at a time.
class VerifyDisplay {
 public:
  explicit VerifyDisplay(Output& out) : out_(&out) {}
  ~VerifyDisplay() { Finish(); }
  VerifyDisplay(const VerifyDisplay&) = delete;
  VerifyDisplay& operator=(const VerifyDisplay&) = delete;

  void Update(const VerifyProgress& progress);

  // Takes the line off the terminal.
  void Finish();

 private:
  Output* out_;
  bool shown_ = false;
};

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_VERIFY_REPORT_H_
