// Which operations a filter of history.h lets pass. Pure.

#ifndef FOLDLOG_REPLAY_HISTORY_FILTER_H_
#define FOLDLOG_REPLAY_HISTORY_FILTER_H_

#include "absl/status/status.h"
#include "foldlog/history.h"

namespace foldlog {

// InvalidArgument if the range of times is upside down.
absl::Status CheckFilter(const HistoryFilter& filter);

bool Passes(const HistoryFilter& filter, const HistoryEntry& entry);

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_HISTORY_FILTER_H_
