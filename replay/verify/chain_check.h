// Puts together what the checks of pages and batches found: which events are hidden, whether the batches are one chain
// from where the log begins to where the commit record says that it ends, and whether rows of the index are missing.

#ifndef FOLDLOG_VERIFY_CHAIN_CHECK_H_
#define FOLDLOG_VERIFY_CHAIN_CHECK_H_

#include <vector>

#include "replay/verify/batch_check.h"
#include "replay/verify/findings.h"
#include "replay/verify/part_check.h"

namespace foldlog::verify {

// The damaged pages of the survey. `runs`: what is whole; `complete`: that is all there is.
Findings ToFindings(const StoreSource& source, const std::vector<Run>& runs, bool complete);

// The links between runs, and gaps that `known` does not tell of. Without `complete`, `runs` are those of the last
// batch.
Findings CheckChain(const StoreSource& source, const std::vector<Run>& runs, bool complete, const Findings& known);

// Rows that there should be and are not, and those that nothing asks for.
Findings CheckRowKeys(const StoreSource& source, const PartsResult& parts);

}  // namespace foldlog::verify

#endif  // FOLDLOG_VERIFY_CHAIN_CHECK_H_
