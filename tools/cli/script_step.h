// Which operation a script's step is about, and whether the step may be taken.
//
// A step is one of the operation's present owner, if this process descends from it; or the caller shows with the token,
// "ID@EPOCH", that it is the one that the operation was last handed to. Everybody else is refused: a script that was
// taken over must not go on as if nothing had happened.

#ifndef FOLDLOG_CLI_SCRIPT_STEP_H_
#define FOLDLOG_CLI_SCRIPT_STEP_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "foldlog/engine.h"

namespace foldlog::cli {

// As the arguments name it. Nothing: the operation on the row.
struct NamedOperation {
  std::optional<std::string> text = {};    // a token or an id
  std::optional<std::int64_t> epoch = {};  // of --epoch
};

// "ID@EPOCH".
std::string TokenOf(const OperationHandle& handle);

// The id in a token; an id that is none is returned as it is.
std::string WithoutEpoch(const std::string& token_or_id);

// The handle for a step of the owner. Aborted if the operation is not the caller's, or no longer. Whether the state
// allows the step, and there is such an operation at all, is left to the engine.
absl::StatusOr<OperationHandle> HandleForStep(const NamedOperation& named, const Engine& engine);

// The id of an operation that the caller wants to take over. Aborted if it names an epoch that is not the present one.
absl::StatusOr<std::string> IdToTake(const NamedOperation& named, const Engine& engine);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_SCRIPT_STEP_H_
