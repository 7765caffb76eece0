// What people see: aligned lines without colour, every value from the log escaped (printable.h). Pure: the present time
// is given.

#ifndef FOLDLOG_CLI_RENDER_TEXT_H_
#define FOLDLOG_CLI_RENDER_TEXT_H_

#include <string>
#include <vector>

#include "foldlog/event.h"
#include "foldlog/history.h"
#include "tools/cli/event_summary.h"
#include "tools/cli/log_view.h"

namespace foldlog::cli {

using Lines = std::vector<std::string>;

// The operation on the row, the log, and what may be done next.
Lines StatusText(const LogView& view, TimeNs now);

// A table of all operations, the newest last.
Lines HistoryText(const std::vector<HistoryEntry>& entries, const LogView& view);

// Everything about one operation.
Lines ShowText(const HistoryEntry& entry, const LogView& view, const EventSummary& summary, TimeNs now);

// One event: sequence number, time (UTC), kind and gist.
std::string EventText(const RecordedEvent& event);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_RENDER_TEXT_H_
