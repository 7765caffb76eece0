// The table of operations. Pure: the present time is given.

#ifndef FOLDLOG_CLI_HISTORY_TABLE_H_
#define FOLDLOG_CLI_HISTORY_TABLE_H_

#include <string>
#include <vector>

#include "foldlog/history.h"
#include "tools/cli/log_view.h"
#include "tools/cli/look.h"
#include "tools/cli/styled.h"

namespace foldlog::cli {

// One line for each operation, in the order given. Where it is wider than look.columns, it first loses columns that say
// nothing, then ids are cut to what tells them apart, then times become relative; then texts are cut.
Lines HistoryText(const std::vector<HistoryEntry>& entries, const LogView& view, TimeNs now, const Look& look = {});

// Of `ids`, the least number of bytes, 8 or more, that tells all of them apart.
std::size_t TellingPrefix(std::vector<std::string> ids);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_HISTORY_TABLE_H_
