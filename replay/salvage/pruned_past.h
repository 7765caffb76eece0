// Searches for what a pruned log keeps of the events before its base, none of which is in a frame.

#ifndef FOLDLOG_SALVAGE_PRUNED_PAST_H_
#define FOLDLOG_SALVAGE_PRUNED_PAST_H_

#include <optional>
#include <string>

#include "engine/log/store/base_record.h"
#include "foldlog/event_log.h"
#include "replay/salvage/search.h"

namespace foldlog::salvage {

// The row of that base, with the state there, wherever it is in log.mdb. Prunings before it are told as one with it:
// the log begins with `genesis`. Nothing if it is not found.
std::optional<BaseRecord> FindBase(const SearchedFile& file, const ChainEnd& base, const ChainEnd& genesis);

// The rows of operations up to the base, for which the tree of log.mdb must be readable. False, and the past has none,
// unless all are.
bool FindOperations(const std::string& path, const std::string& log, PrunedPast& past);

}  // namespace foldlog::salvage

#endif  // FOLDLOG_SALVAGE_PRUNED_PAST_H_
