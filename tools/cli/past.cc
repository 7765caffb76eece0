// Sequence numbers and times.

#include "tools/cli/past.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "engine/base/status_macros.h"
#include "foldlog/replayer.h"
#include "tools/cli/time_range.h"

namespace foldlog::cli {

absl::StatusOr<Place> ParsePlace(const std::string& name, const std::string& text, const Context& context) {
  const bool digits =
      !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) {
    ASSIGN_OR_RETURN(const TimeNs time, ParseGivenMoment(name, text, context));
    return AtTime{time};
  }
  Sequence sequence = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), sequence).ec == std::errc()) return sequence;
  return UsageError(name + ": " + text + " is too large a number");
}

absl::StatusOr<State> StateAtPlace(const EventLog& log, const Place& place) {
  if (const auto* at = std::get_if<AtTime>(&place)) return StateAtTime(log, at->time);
  return StateAt(log, std::get<Sequence>(place));
}

}  // namespace foldlog::cli
