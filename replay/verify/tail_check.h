// Looks through the file `tail`, and tells where the log ends.

#ifndef FOLDLOG_VERIFY_TAIL_CHECK_H_
#define FOLDLOG_VERIFY_TAIL_CHECK_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/index/event_indexer.h"
#include "foldlog/event_log.h"
#include "replay/verify/batch_check.h"
#include "replay/verify/derived_check.h"
#include "replay/verify/findings.h"

namespace foldlog::verify {

struct TailResult {
  Findings findings = {};
  std::optional<ChainEnd> end = {};  // of the whole log; nothing if it can't be told
  std::uint64_t events = 0;          // behind those in log.mdb
};

// `fold`: the state behind the last event in log.mdb, if it is known; with it, `snapshots` of events in the tail,
// rising, are compared. `search_rest`: also looks for frames behind the end of the chain.
absl::StatusOr<TailResult> CheckTail(const StoreSource& source, std::optional<EventIndexer::Progress> fold,
                                     const std::vector<SnapshotPlace>& snapshots, bool search_rest);

}  // namespace foldlog::verify

#endif  // FOLDLOG_VERIFY_TAIL_CHECK_H_
