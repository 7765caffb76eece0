// Where a log has gaps: the questions that its readers ask. Threads: any.

#ifndef FOLDLOG_GAPS_H_
#define FOLDLOG_GAPS_H_

#include <algorithm>
#include <span>
#include <string>

#include "absl/strings/str_cat.h"
#include "foldlog/event_log.h"

namespace foldlog {

// The first gap that ends at or behind event `at`; null if there is none.
inline const Gap* GapFrom(const EventLog& log, Sequence at) {
  const std::span<const Gap> gaps = log.gaps();
  const auto found =
      std::lower_bound(gaps.begin(), gaps.end(), at, [](const Gap& gap, Sequence a) { return gap.through < a; });
  return found == gaps.end() ? nullptr : &*found;
}

// The gap that event `at` is in.
inline const Gap* GapAt(const EventLog& log, Sequence at) {
  const Gap* const gap = GapFrom(log, at);
  return gap != nullptr && gap->from <= at ? gap : nullptr;
}

// The last gap that begins at or before event `at`.
inline const Gap* GapUpTo(const EventLog& log, Sequence at) {
  const std::span<const Gap> gaps = log.gaps();
  const auto behind =
      std::upper_bound(gaps.begin(), gaps.end(), at, [](Sequence a, const Gap& gap) { return a < gap.from; });
  return behind == gaps.begin() ? nullptr : &*(behind - 1);
}

// "event 7 is", "events 7 to 9 are".
inline std::string WhichAre(const Gap& gap) {
  return gap.from == gap.through ? absl::StrCat("event ", gap.from, " is")
                                 : absl::StrCat("events ", gap.from, " to ", gap.through, " are");
}

}  // namespace foldlog

#endif  // FOLDLOG_GAPS_H_
