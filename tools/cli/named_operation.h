// Which operation an argument means.

#ifndef FOLDLOG_CLI_NAMED_OPERATION_H_
#define FOLDLOG_CLI_NAMED_OPERATION_H_

#include <string>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/history.h"

namespace foldlog::cli {

inline constexpr const char* kOperationHelp = "id or its beginning, token, last, last~2 (two before it) or active";

// As ResolveOperation() has it; a token (script_step.h) means the operation that it was given for.
absl::StatusOr<HistoryEntry> FindNamedOperation(const EventLog& log, const std::string& name);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_NAMED_OPERATION_H_
