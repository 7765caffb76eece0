// One event as a line for people, everything from the log escaped (printable.h). Pure.

#ifndef FOLDLOG_CLI_EVENT_TEXT_H_
#define FOLDLOG_CLI_EVENT_TEXT_H_

#include "tools/cli/event_summary.h"
#include "tools/cli/look.h"
#include "tools/cli/styled.h"

namespace foldlog::cli {

// Sequence number, time, kind and gist; and what the notes ask for. Never cut: what does not fit wraps.
StyledLine EventText(const ShownEvent& shown, const Look& look = {});

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_EVENT_TEXT_H_
