// Options that name times.

#include "tools/cli/time_range.h"

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "tools/cli/arguments.h"
#include "tools/cli/time_format.h"
#include "tools/cli/time_words.h"

namespace foldlog::cli {

void AddTimeRange(CLI::App& app, TimeRangeText& target) {
  AddText(app, "--since", target.since, "From this time on: 2026-11-01, \"2026-11-01 14:30\", yesterday, 7d, 3h")
      ->type_name("TIME");
  AddText(app, "--until", target.until, "Before this time")->type_name("TIME");
}

absl::StatusOr<TimeNs> ParseGivenMoment(const std::string& name, const std::string& text, const Context& context) {
  const absl::StatusOr<TimeNs> time = ParseMoment(text, Now(), context.look().zone);
  if (!time.ok()) return UsageError(absl::StrCat(name, ": ", time.status().message()));
  return time;
}

absl::StatusOr<TimeRange> ParseTimeRange(const TimeRangeText& text, const Context& context) {
  TimeRange range;
  if (text.since) {
    ASSIGN_OR_RETURN(range.since, ParseGivenMoment("--since", *text.since, context));
  }
  if (text.until) {
    ASSIGN_OR_RETURN(range.until, ParseGivenMoment("--until", *text.until, context));
  }
  if (range.since && range.until && *range.since > *range.until) {
    return UsageError(
        absl::StrCat("the range is upside down: --since ", *text.since, " is later than --until ", *text.until));
  }
  return range;
}

}  // namespace foldlog::cli
