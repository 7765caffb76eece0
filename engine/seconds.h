// Times as Python has them: seconds since 1970 in a double. Each conversion rounds once.
//
// A double of seconds survives TimeOf() and SecondsOf() unchanged from 8,388,608 s (April 1970) to the end of TimeNs in
// 2262, and likewise before 1970, because doubles lie further apart there than nanoseconds. Nearer to 1970, only a
// double that is the closest one to a whole nanosecond survives. A nanosecond need not survive as a double anywhere.

#ifndef FOLDLOG_SECONDS_H_
#define FOLDLOG_SECONDS_H_

#include "absl/status/statusor.h"
#include "foldlog/event.h"

namespace foldlog {

inline constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

// The double closest to `time` in seconds, the even one of two. (Dividing a double by 1e9 would round twice.)
double SecondsOf(TimeNs time);

// The nanosecond closest to `seconds`, the even one of two. InvalidArgument for NaN and beyond TimeNs.
absl::StatusOr<TimeNs> TimeOf(double seconds);

}  // namespace foldlog

#endif  // FOLDLOG_SECONDS_H_
