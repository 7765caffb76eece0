// What a number of operations amount to, for people and for programs. Pure.

#ifndef FOLDLOG_CLI_TOTALS_H_
#define FOLDLOG_CLI_TOTALS_H_

#include <string>

#include "foldlog/history.h"
#include "tools/cli/styled.h"

namespace foldlog::cli {

Lines TotalsText(const Totals& totals);

// One object. Every status and every kind of evidence has its count, 0 included.
std::string TotalsJson(const Totals& totals);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_TOTALS_H_
