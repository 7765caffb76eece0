// Times as Python has them: seconds since 1970 in a double. Exact in both directions; never more than one rounding.
//
// A double of seconds comes back from TimeOf() and SecondsOf() as it was from 8,388,608 s (April 1970) to the end of
// TimeNs in 2262, and likewise before 1970: there the doubles lie further apart than the nanoseconds. Nearer to 1970
// only those do that are the closest to a whole nanosecond, and nowhere need a nanosecond survive as a double.

#ifndef FOLDLOG_SECONDS_H_
#define FOLDLOG_SECONDS_H_

#include "absl/status/statusor.h"
#include "foldlog/event.h"

namespace foldlog {

inline constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

// The double closest to `time` in seconds, the even one of two. (Dividing a double by 1e9 would round twice.)
double SecondsOf(TimeNs time);

// The nanosecond closest to `seconds`, the even one of two. InvalidArgument if it is no number or beyond TimeNs.
absl::StatusOr<TimeNs> TimeOf(double seconds);

}  // namespace foldlog

#endif  // FOLDLOG_SECONDS_H_
