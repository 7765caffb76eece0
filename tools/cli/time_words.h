// Moments and spans of time as people type them, for --since, --until and the like.

#ifndef FOLDLOG_CLI_TIME_WORDS_H_
#define FOLDLOG_CLI_TIME_WORDS_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "foldlog/event.h"

namespace foldlog::cli {

// The moment that `text` names, in `zone` unless it names an offset itself:
//
//   2026-11-01                   the first moment of that day
//   2026-11-01 14:30[:05[.5]]    what the program prints can be given back: an offset or UTC may follow
//   2026-11-01T14:30:05+01:00    RFC 3339
//   today, yesterday, now        the first moment of the day; `now`
//   7d, 3h, 90m, 45s, 2w         so long before `now`; a day is 24 hours
//
// An hour that summer time skips begins where it would have begun: at the change. One that comes twice is the first.
// Pure. InvalidArgument if it is none of these, or out of the range of TimeNs (1677 to 2262); the message says what is
// understood.
absl::StatusOr<TimeNs> ParseMoment(std::string_view text, TimeNs now, const absl::TimeZone& zone);

// "90s", "5m", "3h", "7d", "2w": nanoseconds, more than 0. InvalidArgument otherwise.
absl::StatusOr<std::int64_t> ParseSpan(std::string_view text);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_TIME_WORDS_H_
