// Deciding: a command and the state before it give an event, or a refusal that says why and what to do instead. Pure;
// the table of transitions is in README.md.

#ifndef FOLDLOG_TRANSITION_H_
#define FOLDLOG_TRANSITION_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/command.h"
#include "foldlog/event.h"
#include "foldlog/state.h"

namespace foldlog {

// The moment of a decision, and the process that is to own the result.
struct Actor {
  Moment now = {};
  Owner owner = {};  // owns what is started, resumed or recovered
};

// `fate` is that of the active operation's owner. A checkpoint that may be recorded is its own event.
absl::StatusOr<Event> DecideStart(const State& state, const StartRequest& request, std::string operation_id,
                                  OwnerFate fate, const Actor& actor);
absl::Status CheckCheckpoint(const State& state, const OperationHandle& handle, const Checkpoint& checkpoint);
absl::StatusOr<std::int64_t> DecideCount(std::int64_t files_processed, std::int64_t files_before, Decrease decrease);
absl::StatusOr<Checkpoint> DecideAdvance(const State& state, const OperationHandle& handle, const Increment& increment);
absl::StatusOr<Event> DecidePause(const State& state, const OperationHandle& handle, const std::string& reason,
                                  const Moment& now);
absl::StatusOr<Event> DecideResume(const State& state, const std::string& operation_id, const std::string& reason,
                                   OwnerFate fate, const Actor& actor);
absl::StatusOr<Event> DecideRecoverByForce(const State& state, const std::string& operation_id,
                                           const std::string& reason, OwnerFate fate, const Actor& actor);
absl::StatusOr<Event> DecideComplete(const State& state, const OperationHandle& handle, const Stats& stats,
                                     const Moment& now);
absl::StatusOr<Event> DecideFail(const State& state, const OperationHandle& handle, const std::string& error,
                                 const Moment& now);
absl::StatusOr<Event> DecideClear(const State& state, const Moment& now);
absl::StatusOr<Event> DecideImport(const State& state, Imported operation, std::string new_id, const Actor& actor);
absl::StatusOr<Event> DecideReset(const State& state, const std::string& reason, const Moment& now);

}  // namespace foldlog

#endif  // FOLDLOG_TRANSITION_H_
