// What became of an indexing run, for people and for programs. Pure.

#ifndef FOLDLOG_CLI_INDEX_REPORT_H_
#define FOLDLOG_CLI_INDEX_REPORT_H_

#include <string>

#include "tools/cli/render_text.h"
#include "tools/indexer/indexer.h"

namespace foldlog::cli {

Lines IndexReportText(const indexer::IndexReport& report);

// One object; README.md describes its members.
std::string IndexReportJson(const indexer::IndexReport& report);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_INDEX_REPORT_H_
