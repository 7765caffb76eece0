// What --csv prints: the fields of JSON that fit into a column, under the same names. Times are RFC 3339 in UTC. Pure.

#ifndef FOLDLOG_CLI_CSV_ROWS_H_
#define FOLDLOG_CLI_CSV_ROWS_H_

#include <string>
#include <vector>

#include "foldlog/history.h"
#include "tools/cli/event_summary.h"
#include "tools/cli/log_view.h"

namespace foldlog::cli {

std::vector<std::string> HistoryColumns();
std::vector<std::string> HistoryCells(const HistoryEntry& entry, const LogView& view);

// `operation_id` is that of the operation that the event belongs to. The error of a checkpoint is in three columns.
std::vector<std::string> EventColumns(bool with_hash);
std::vector<std::string> EventCells(const ShownEvent& shown, const std::string& operation_id);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_CSV_ROWS_H_
