// How the operation on the row is getting on: whether it is at work, when it last got further, what is left. Pure.

#ifndef FOLDLOG_REPORT_PULSE_H_
#define FOLDLOG_REPORT_PULSE_H_

#include <cstdint>
#include <optional>

#include "foldlog/state.h"
#include "replay/report/log_view.h"

namespace foldlog::report {

// `operation` is the one on the row, in progress, and its owner is not proven gone.
bool IsAtWork(const Operation& operation, const LogView& view);

// Files a second for the rest: lately if that is known and it is at work, otherwise from the start on. 0: no telling.
double RateAhead(const Operation& operation, bool at_work);

// How long the rest will take at that rate, in seconds; nothing if there is no telling.
std::optional<double> SecondsLeft(std::int64_t files_total, std::int64_t files_done, double files_per_s);

// How long ago the operation on the row last got further (its start, a checkpoint), even if the clock was set since;
// nothing if none is in progress.
std::optional<std::int64_t> IdleNs(const LogView& view, const Moment& now);

// The operation on the row is in progress, interrupted or not, and has not got further for longer than that.
bool IsStalled(const LogView& view, const Moment& now, std::int64_t stalled_after_ns);

}  // namespace foldlog::report

#endif  // FOLDLOG_REPORT_PULSE_H_
