// The table of operations. Pure: the present time is given.

#ifndef FOLDLOG_CLI_HISTORY_TABLE_H_
#define FOLDLOG_CLI_HISTORY_TABLE_H_

#include <string>
#include <vector>

#include "foldlog/history.h"
#include "tools/cli/layout.h"
#include "tools/cli/log_view.h"
#include "tools/cli/look.h"
#include "tools/cli/styled.h"

namespace foldlog::cli {

// Each degree keeps what the ones before it did.
enum class Degree { kWhole, kWithoutEmptyColumns, kShortIds, kRelativeTimes };

// What the pieces of a table that is shown piece by piece have in common: columns stay below each other, and get wider
// only where a later piece needs it. As soon as there are other headings, they are shown again.
struct HistoryShape {
  Degree degree = Degree::kWhole;
  Table::Shape table = {};
  std::size_t id_bytes = 0;
  std::vector<std::string> headings = {};
};

// One line for each operation, in the order given. Where it is wider than look.columns, it first loses columns that say
// nothing, then ids are cut to what tells them apart, then times become relative; then texts are cut.
// `shape`: of the pieces before.
Lines HistoryText(const std::vector<HistoryEntry>& entries, const LogView& view, TimeNs now, const Look& look,
                  HistoryShape& shape);
Lines HistoryText(const std::vector<HistoryEntry>& entries, const LogView& view, TimeNs now, const Look& look = {});

// Of `ids`, the least number of bytes, 8 or more, that tells all of them apart.
std::size_t TellingPrefix(std::vector<std::string> ids);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_HISTORY_TABLE_H_
