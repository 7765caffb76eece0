// --since TIME and --until TIME.

#ifndef FOLDLOG_CLI_TIME_RANGE_H_
#define FOLDLOG_CLI_TIME_RANGE_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "foldlog/event.h"
#include "tools/cli/command.h"

namespace foldlog::cli {

// As given, since --utc may stand behind them.
struct TimeRangeText {
  std::optional<std::string> since;
  std::optional<std::string> until;
};

// since <= time < until.
struct TimeRange {
  std::optional<TimeNs> since;
  std::optional<TimeNs> until;
};

// `target` must live as long as the app.
void AddTimeRange(CLI::App& app, TimeRangeText& target);

// Wrong usage if one of them is no time, or the range is upside down.
absl::StatusOr<TimeRange> ParseTimeRange(const TimeRangeText& text, const Context& context);

// A moment given for `name`: wrong usage if it is none.
absl::StatusOr<TimeNs> ParseGivenMoment(const std::string& name, const std::string& text, const Context& context);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_TIME_RANGE_H_
