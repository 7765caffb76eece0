// What people see: aligned lines without colour, every value from the log escaped (printable.h). Pure: the present time
// is given.

#ifndef FOLDLOG_CLI_RENDER_TEXT_H_
#define FOLDLOG_CLI_RENDER_TEXT_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "foldlog/event.h"
#include "foldlog/history.h"
#include "tools/cli/event_summary.h"
#include "tools/cli/log_view.h"

namespace foldlog::cli {

using Lines = std::vector<std::string>;

// The operation on the row, the log, and what may be done next.
Lines StatusText(const LogView& view, const Moment& now);

struct TableStyle {
  bool heading = true;
  std::optional<std::size_t> columns_max = {};  // of the terminal
};

// A table of all operations, the newest last.
Lines HistoryText(const std::vector<HistoryEntry>& entries, const LogView& view, const TableStyle& style = {});

// Everything about one operation.
Lines ShowText(const HistoryEntry& entry, const LogView& view, const EventSummary& summary, const Moment& now);

// One event: sequence number, time (UTC), kind and gist; and what the notes ask for.
std::string EventText(const ShownEvent& shown);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_RENDER_TEXT_H_
