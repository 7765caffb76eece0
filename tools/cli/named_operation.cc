// Ids, words and tokens.

#include "tools/cli/named_operation.h"

#include "absl/status/status.h"
#include "tools/cli/script_step.h"

namespace foldlog::cli {

absl::StatusOr<HistoryEntry> FindNamedOperation(const EventLog& log, const std::string& name) {
  absl::StatusOr<HistoryEntry> found = ResolveOperation(log, name);
  // An id may look like a token.
  const std::string id = WithoutEpoch(name);
  if (found.ok() || !absl::IsNotFound(found.status()) || id == name) return found;
  return ResolveOperation(log, id);
}

}  // namespace foldlog::cli
