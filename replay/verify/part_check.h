// Looks through all batches of log.mdb, on several threads: parts of neighbouring batches, each by one thread.
//
// Rows and snapshots are compared with a fold, which needs the state before a part. It is taken on trust from the
// newest snapshot before it, folded on to where the part begins, and proven afterwards: it must be the state with which
// the part before ended. Where it is not, the part is folded once more from that. So the whole fold is made, from the
// first event on, and no thread waits for another.

#ifndef FOLDLOG_VERIFY_PART_CHECK_H_
#define FOLDLOG_VERIFY_PART_CHECK_H_

#include <functional>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/index/event_indexer.h"
#include "foldlog/verify.h"
#include "replay/verify/batch_check.h"
#include "replay/verify/derived_check.h"
#include "replay/verify/findings.h"

namespace foldlog::verify {

struct PartsResult {
  std::vector<Run> runs = {};  // what is whole, in order
  Findings findings = {};      // of batches, frames and links within a batch
  DerivedResult derived = {};
  // The fold behind the last batch, if it is known.
  std::optional<EventIndexer::Progress> end = {};
  bool all_derived = true;  // false: not everything could be compared
};

// `snapshots` are those of events in log.mdb, rising. `jobs` is at least 1.
absl::StatusOr<PartsResult> CheckParts(const StoreSource& source, const std::vector<SnapshotPlace>& snapshots, int jobs,
                                       const std::function<void(const VerifyProgress&)>& progress);

}  // namespace foldlog::verify

#endif  // FOLDLOG_VERIFY_PART_CHECK_H_
