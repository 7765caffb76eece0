// Checks what a pruned log keeps of the events before its base: the records of what was dropped, the state at the base,
// and the rows of operations, none of which can be made anew.

#ifndef FOLDLOG_VERIFY_BASE_CHECK_H_
#define FOLDLOG_VERIFY_BASE_CHECK_H_

#include "absl/status/statusor.h"
#include "replay/verify/batch_check.h"
#include "replay/verify/findings.h"

namespace foldlog::verify {

// Nothing to find in a log that was never pruned. An error is none of damage.
absl::StatusOr<Findings> CheckBase(const StoreSource& source);

}  // namespace foldlog::verify

#endif  // FOLDLOG_VERIFY_BASE_CHECK_H_
