// Everything that --json prints: one object a line, in the format of Python's json.dumps (engine/json/writer.h).
// Field names are for programs, so they are only ever added. What JSON has no number for (NaN, infinity) is null. Pure:
// no clock, no I/O.
//
// Paths and other bytes that are not UTF-8 arrive in Python as os.fsdecode() would give them; os.fsencode() gives back
// the exact bytes.

#ifndef FOLDLOG_CLI_RENDER_JSON_H_
#define FOLDLOG_CLI_RENDER_JSON_H_

#include <cstdint>
#include <optional>
#include <string>

#include "foldlog/engine.h"
#include "foldlog/event.h"
#include "foldlog/history.h"
#include "foldlog/operation_story.h"
#include "tools/cli/event_summary.h"
#include "tools/cli/log_view.h"

namespace foldlog::cli {

// The operation on the row, if any, and the log. Idle: the operation's fields are null, its counts 0.
// `stalled` is null without `stalled_after_ns`.
std::string StatusJson(const LogView& view, const Moment& now, std::optional<std::int64_t> stalled_after_ns = {});

// One operation. `view` tells whether it is the one in progress, and interrupted.
std::string HistoryJson(const HistoryEntry& entry, const LogView& view);

// The same, with its events in short and its story.
std::string ShowJson(const OperationStory& story, const LogView& view, const EventSummary& summary);

// `operation_id` is that of the operation it belongs to; empty if there is none.
std::string EventJson(const ShownEvent& shown, const std::string& operation_id);

// The single row with its columns' names, or null.
std::string RowJson(const std::optional<SingleRow>& row);

// `state` as it was, with the row of that moment. The fields of an operation, as in the history; nulls and zeros if
// idle.
std::string AtJson(const State& state, const std::optional<SingleRow>& row);

// What a step answers: the operation with its token (script_step.h) for the steps to come, null if there is none now,
// and the number of the last event.
std::string StepJson(const State& state);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_RENDER_JSON_H_
