// Times, durations and counts as text. Programs get times in UTC; people get them in the zone that they are shown with.

#ifndef FOLDLOG_CLI_TIME_FORMAT_H_
#define FOLDLOG_CLI_TIME_FORMAT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "foldlog/event.h"
#include "replay/report/text.h"

namespace foldlog::cli {

// For programs.
using report::HashText;
using report::Rfc3339;

// For people: "2026-01-02 04:04:05 +01:00", or "… UTC"; for columns whose heading says which zone it is, "2026-01-02
// 04:04:05"; with milliseconds for lists of events, "2026-01-02 04:04:05.123+01:00", or "…Z". --since takes each of
// them.
std::string HumanTime(TimeNs time, const absl::TimeZone& zone = absl::UTCTimeZone());
std::string ColumnTime(TimeNs time, const absl::TimeZone& zone = absl::UTCTimeZone());
std::string EventTime(TimeNs time, const absl::TimeZone& zone = absl::UTCTimeZone());

// What the zone adds to UTC at that time: "UTC" or "+01:00".
std::string ZoneText(TimeNs time, const absl::TimeZone& zone);

// "0 s", "under 1 ms", "340 ms", "12.3 s", "5 min 12 s", "3 h 5 min", "12 d 4 h"; cut off, not rounded. Negative
// if `to` is the earlier one: "-12.3 s".
std::string HumanDuration(TimeNs from, TimeNs to);

// "12.3 s ago", "just now", "5 min 12 s from now".
std::string HumanAgo(TimeNs then, TimeNs now);

// The same in one unit, for narrow columns: "45 s ago", "5 min ago", "3 h ago", "12 d ago", "in 5 min".
std::string BriefAgo(TimeNs then, TimeNs now);

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
