// What people see: aligned lines, every value from the log escaped (printable.h). Pure: the present time is given.

#ifndef FOLDLOG_CLI_RENDER_TEXT_H_
#define FOLDLOG_CLI_RENDER_TEXT_H_

#include <cstdint>
#include <optional>

#include "foldlog/event.h"
#include "foldlog/history.h"
#include "foldlog/operation_story.h"
#include "tools/cli/event_summary.h"
#include "tools/cli/log_view.h"
#include "tools/cli/look.h"
#include "tools/cli/styled.h"

namespace foldlog::cli {

// When and how something is shown.
struct Showing {
  Moment now;
  Look look = {};
};

// The operation on the row, the log, and what may be done next. With `stalled_after_ns`, that it has stalled if it is
// in progress and has not got further for longer.
Lines StatusText(const LogView& view, const Showing& showing, std::optional<std::int64_t> stalled_after_ns = {});

// State and row as they were; ages are those of that moment.
Lines AtText(const State& state, const std::optional<SingleRow>& row, const Look& look = {});

// Everything about one operation.
Lines ShowText(const OperationStory& story, const LogView& view, const EventSummary& summary, const Showing& showing,
               bool unicode = true);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_RENDER_TEXT_H_
