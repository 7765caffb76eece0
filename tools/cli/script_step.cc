#include "tools/cli/script_step.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "foldlog/event_reader.h"
#include "tools/cli/calling_script.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

struct Parsed {
  std::string id;
  std::optional<Epoch> epoch;
};

Parsed ParseToken(const std::string& text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string::npos || at == 0) return {text, std::nullopt};
  const std::string digits = text.substr(at + 1);
  Epoch epoch = 0;
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) return {text, std::nullopt};
  if (!absl::SimpleAtoi(digits, &epoch)) return {text, std::nullopt};
  return {text.substr(0, at), epoch};
}

// The operation and the epoch that were named; the row's operation, if none was.
absl::StatusOr<Parsed> Resolve(const NamedOperation& named, const State& state) {
  if (named.text && named.text->empty()) {
    return absl::InvalidArgumentError(
        "an operation is named by its token or its id, and \"\" is neither (an empty variable?); without a name, the "
        "active one is meant");
  }
  Parsed parsed;
  if (state.operation) parsed.id = state.operation->operation_id;
  // An imported operation may have an id that looks like a token.
  if (named.text && *named.text != parsed.id) parsed = ParseToken(*named.text);
  if (!named.epoch) return parsed;
  const auto epoch = static_cast<Epoch>(*named.epoch);
  if (parsed.epoch && *parsed.epoch != epoch) {
    return absl::InvalidArgumentError(absl::StrCat("the token ", *named.text, " has epoch ", *parsed.epoch,
                                                   ", and --epoch says ", epoch, "; leave one of them out"));
  }
  parsed.epoch = epoch;
  return parsed;
}

// The first event of the present epoch is the one by which the owner got the operation. Epochs only grow, so that it is
// found in a few looks however long the log is.
absl::StatusOr<std::optional<TimeNs>> TimeOfTaking(const Engine& engine, const Operation& operation) {
  Sequence low = operation.first_sequence;
  Sequence high = operation.last_sequence;
  std::optional<TimeNs> time;
  while (low <= high) {
    const Sequence middle = low + (high - low) / 2;
    ASSIGN_OR_RETURN(const std::optional<RecordedEvent> event, EventReader(engine.log(), middle).Next());
    if (!event) return std::nullopt;
    if (event->event.epoch < operation.epoch) {
      low = middle + 1;
      continue;
    }
    time = event->event.time;
    if (middle == 0) break;
    high = middle - 1;
  }
  return time;
}

std::string SinceWhen(const Engine& engine, const Operation& operation) {
  const absl::StatusOr<std::optional<TimeNs>> time = TimeOfTaking(engine, operation);
  return time.ok() && *time ? " at " + HumanTime(**time) : "";
}

absl::Status TakenOver(const Engine& engine, const Operation& operation, const std::string& why) {
  return absl::AbortedError(absl::StrCat("operation ", operation.operation_id, " was taken over under epoch ",
                                         operation.epoch, " by ", Describe(operation.owner),
                                         SinceWhen(engine, operation), "; ", why, ": stop working on it"));
}

bool WasTakenOver(const Engine& engine, const Operation& operation) {
  const absl::StatusOr<std::optional<RecordedEvent>> first = EventReader(engine.log(), operation.first_sequence).Next();
  return first.ok() && *first && (*first)->event.epoch < operation.epoch;
}

absl::Status NotTheOwners(const Engine& engine, const Operation& operation) {
  const std::string token = TokenOf({operation.operation_id, operation.epoch});
  if (WasTakenOver(engine, operation)) {
    return TakenOver(engine, operation,
                     absl::StrCat("this call does not come from it, and without the token ", token, " it is refused"));
  }
  return absl::AbortedError(absl::StrCat("operation ", operation.operation_id, " belongs to ",
                                         Describe(operation.owner), ", from which this call does not come; name it by ",
                                         "its token, ", token, ", or resume it first"));
}

}  // namespace

std::string TokenOf(const OperationHandle& handle) { return absl::StrCat(handle.operation_id, "@", handle.epoch); }

std::string WithoutEpoch(const std::string& token_or_id) { return ParseToken(token_or_id).id; }

absl::StatusOr<OperationHandle> HandleForStep(const NamedOperation& named, const Engine& engine) {
  const State state = engine.state();
  ASSIGN_OR_RETURN(Parsed parsed, Resolve(named, state));
  OperationHandle handle{std::move(parsed.id), parsed.epoch.value_or(state.operation ? state.operation->epoch : 0)};
  if (!state.active() || state.operation->operation_id != handle.operation_id) return handle;
  const Operation& operation = *state.operation;
  if (parsed.epoch && *parsed.epoch < operation.epoch) {
    return TakenOver(engine, operation, absl::StrCat("the token of epoch ", *parsed.epoch, " is stale"));
  }
  if (!parsed.epoch && !DescendsFrom(operation.owner)) return NotTheOwners(engine, operation);
  return handle;
}

absl::StatusOr<std::string> IdToTake(const NamedOperation& named, const Engine& engine) {
  const State state = engine.state();
  ASSIGN_OR_RETURN(const Parsed parsed, Resolve(named, state));
  if (!parsed.epoch || !state.active() || state.operation->operation_id != parsed.id) return parsed.id;
  if (*parsed.epoch == state.operation->epoch) return parsed.id;
  return absl::AbortedError(absl::StrCat("the token of epoch ", *parsed.epoch, " is stale: operation ", parsed.id,
                                         " went on under epoch ", state.operation->epoch, " with ",
                                         Describe(state.operation->owner), SinceWhen(engine, *state.operation),
                                         "; name it by its id alone if you want it nevertheless"));
}

}  // namespace foldlog::cli
