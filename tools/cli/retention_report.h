// What prune and retention print.

#ifndef FOLDLOG_CLI_RETENTION_REPORT_H_
#define FOLDLOG_CLI_RETENTION_REPORT_H_

#include <string>
#include <vector>

#include "foldlog/retention.h"
#include "tools/cli/layout.h"
#include "tools/cli/look.h"

namespace foldlog::cli {

// Run by run, what goes and what stays.
Lines PrunableRunsText(const PrunePlan& plan, const Look& look);
std::string PrunableRunJson(const PrunePlan& plan, const PrunableRun& run);

// `done`: it has gone.
std::string PruneSummaryText(const PrunePlan& plan, bool done, const std::string& log);
std::string PruneSummaryJson(const PrunePlan& plan, bool done);

// `plan` is that of the stored policy.
Lines RetentionText(const PrunePlan& plan, const std::vector<PrunedRange>& pruned, const Look& look);
std::string RetentionJson(const PrunePlan& plan, const std::vector<PrunedRange>& pruned);

// "events 1 to 400 (operations: 3), 2026-11-01 12:00:00 UTC by foldlog, process 7 on nas: keep-runs 5".
std::string PrunedText(const PrunedRange& range, const Look& look);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_RETENTION_REPORT_H_
