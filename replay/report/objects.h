// The objects that programs are given: a log's status, an operation of the past, a state of the past. The program's
// --json and the Python module put the same ones, each into a sink of its own; schema/JSON.md lists their fields. Pure:
// no clock, no I/O.
//
// Each puts its fields into an object that the caller has begun, and may add to.

#ifndef FOLDLOG_REPORT_OBJECTS_H_
#define FOLDLOG_REPORT_OBJECTS_H_

#include <cstdint>
#include <optional>

#include "foldlog/event_log.h"
#include "foldlog/history.h"
#include "foldlog/single_row.h"
#include "foldlog/state.h"
#include "replay/report/log_view.h"
#include "replay/report/sink.h"

namespace foldlog::report {

// The operation on the row, if any, and the log. Idle: the operation's fields are null, its counts 0.
// `stalled` is null without `stalled_after_ns`.
void PutStatus(Sink& sink, const LogView& view, const Moment& now, std::optional<std::int64_t> stalled_after_ns = {});

// One operation. `view` tells whether it is the one in progress, and interrupted.
void PutHistoryEntry(Sink& sink, const HistoryEntry& entry, const LogView& view);

// The events of a gap, of the kind `missing`: they are damaged, and were left out.
void PutGap(Sink& sink, const Gap& gap);

// `state` as it was, with the row of that moment. The fields of an operation, as in the history; nulls and zeros if
// idle.
void PutStateAt(Sink& sink, const State& state, const std::optional<SingleRow>& row);

}  // namespace foldlog::report

#endif  // FOLDLOG_REPORT_OBJECTS_H_
