// Times, durations and counts as text. All times are UTC, so that two people looking at one log read the same.

#ifndef FOLDLOG_CLI_TIME_FORMAT_H_
#define FOLDLOG_CLI_TIME_FORMAT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "foldlog/event.h"
#include "replay/report/text.h"

namespace foldlog::cli {

// For programs.
using report::HashText;
using report::Rfc3339;

// For people: "2026-01-02 03:04:05 UTC"; for columns whose heading says UTC, "2026-01-02 03:04:05"; for those without a
// heading, "2026-01-02 03:04:05.123Z".
std::string HumanTime(TimeNs time);
std::string ColumnTime(TimeNs time);
std::string EventTime(TimeNs time);

// "under 1 ms", "340 ms", "12.3 s", "5 min 12 s", "3 h 5 min", "12 d 4 h"; cut off, not rounded. Negative
// if `to` is the earlier one: "-12.3 s".
std::string HumanDuration(TimeNs from, TimeNs to);

// "12.3 s ago", "just now", "5 min 12 s from now".
std::string HumanAgo(TimeNs then, TimeNs now);

// How long the rest will take at `files_per_s`; nothing if there is no telling, or nothing left.
std::optional<std::string> TimeLeft(std::int64_t files_total, std::int64_t files_done, double files_per_s);

// The present, by the system's clock.
TimeNs Now();

// "set back by 23 h 59 min", "set forward by 12.3 s".
std::string ClockStep(std::int64_t step_ns);

// 1234567 as "1,234,567".
std::string Grouped(std::int64_t count);
std::string Grouped(std::uint64_t count);

// A rate or a percentage with one decimal, and grouped above: "0.0", "1,234.5". "-" for what is no finite number.
std::string OneDecimal(double value);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_TIME_FORMAT_H_
