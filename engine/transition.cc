#include "engine/transition.h"

#include <limits>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/ascii.h"
#include "engine/base/status_macros.h"
#include "engine/base/text.h"
#include "engine/json/reader.h"

namespace foldlog {
namespace {

// Every event of an operation has the time of the decision, and the epoch that it is made under.
Event At(const Moment& now, Epoch epoch, EventBody body) { return {now.time, epoch, std::move(body), now.boot}; }

std::string NameOf(const Operation& operation) {
  return absl::StrCat("operation ", operation.operation_id, " (", ToAbsl(Name(operation.type)), ")");
}

// The facts about the owner, and the next step with the operation that stands in the way.
std::string NextStep(const Operation& operation, OwnerFate fate) {
  const std::string owner = Describe(operation.owner);
  if (operation.status == OperationStatus::kPaused) return "resume it, or complete or fail it first";
  switch (fate) {
    case OwnerFate::kAlive:
      return absl::StrCat("its owner, ", owner, ", is still there: wait for it or stop it first");
    case OwnerFate::kUnknown:
      return absl::StrCat("nothing here proves that its owner, ", owner,
                          ", is gone: if you know that it is, recover the operation by force, with a reason (recover "
                          "--force --reason)");
    case OwnerFate::kCopied:
      return absl::StrCat("this log is a copy, or was moved to another file system: its owner, ", owner,
                          ", worked on the original and may go on there. Go on with the original, or let this one go "
                          "its own way: recover it by force, with a reason (recover --force --reason)");
    case OwnerFate::kProcessDied:
    case OwnerFate::kMachineRebooted:
    case OwnerFate::kClosedWithoutEnd:
      return absl::StrCat("its owner, ", owner, ", is gone: resume it, or fail it first");
  }
  return "resume it, or fail it first";
}

absl::Status NoActiveOperation(const State& state, std::string_view verb) {
  if (!state.operation) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot ", ToAbsl(verb), ": there is no operation; start one first"));
  }
  return absl::FailedPreconditionError(absl::StrCat("cannot ", ToAbsl(verb), ": ", NameOf(*state.operation), " is ",
                                                    ToAbsl(Name(state.operation->status)),
                                                    "; start a new operation first"));
}

// The guard of everything but a reset: whatever else were stored now, the fold would refuse.
absl::Status CheckSound(const State& state, std::string_view verb) {
  if (!state.misfit) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("cannot ", ToAbsl(verb), ": ", state.misfit->why,
                                          "; a reset takes the operation off the row and goes on from there, and every "
                                          "event stays in the log (foldlog reset --reason …)"));
}

// The guard of all commands that only the current handle may give. A handle of the same operation but of another epoch
// is Aborted, as is one of another operation: in both cases its holder has to stop working.
absl::Status CheckHandle(const State& state, const OperationHandle& handle, std::string_view verb) {
  RETURN_IF_ERROR(CheckSound(state, verb));
  const bool current = state.operation && state.operation->operation_id == handle.operation_id;
  if (current && handle.epoch < state.operation->epoch) {
    return absl::AbortedError(absl::StrCat("cannot ", ToAbsl(verb), ": the handle of operation ", handle.operation_id,
                                           " is stale: it has epoch ", handle.epoch,
                                           ", but the operation was taken over under epoch ", state.operation->epoch,
                                           " by ", Describe(state.operation->owner), "; stop working on it"));
  }
  if (current && handle.epoch > state.operation->epoch) {
    return absl::AbortedError(absl::StrCat("cannot ", ToAbsl(verb), ": operation ", handle.operation_id, " has epoch ",
                                           state.operation->epoch, ", and no handle of epoch ", handle.epoch,
                                           " was ever given out by this log"));
  }
  if (!state.active()) return NoActiveOperation(state, verb);
  if (!current) {
    return absl::AbortedError(absl::StrCat("cannot ", ToAbsl(verb), ": the handle is of operation ",
                                           handle.operation_id, ", but the active one is ", NameOf(*state.operation),
                                           "; stop working on the former"));
  }
  return absl::OkStatus();
}

absl::Status CheckId(const State& state, const std::string& operation_id, std::string_view verb) {
  RETURN_IF_ERROR(CheckSound(state, verb));
  if (!state.active()) return NoActiveOperation(state, verb);
  if (state.operation->operation_id == operation_id) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("cannot ", ToAbsl(verb), " operation ", operation_id,
                                                    ": the active one is ", NameOf(*state.operation)));
}

absl::Status CheckCount(const std::optional<std::int64_t>& count, std::string_view what) {
  if (!count || *count >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the ", ToAbsl(what), " is ", *count, "; it must be 0 or more"));
}

absl::Status CheckType(OperationType type) {
  if (type <= OperationType::kRecovery) return absl::OkStatus();
  return absl::InvalidArgumentError("there is no operation of that type");
}

absl::Status CheckDetails(const std::string& details) {
  if (details.empty()) return absl::OkStatus();
  if (!IsPrintableAscii(details)) {
    return absl::InvalidArgumentError("the details of an error must be printable ASCII; escape the rest (\\u00e9)");
  }
  const absl::StatusOr<JsonSlice> value = ParseJson(details);
  if (!value.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the details of an error must be one JSON object: ", value.status().message()));
  }
  if (value->kind != JsonSlice::Kind::kObject || value->text.size() != details.size()) {
    return absl::InvalidArgumentError("the details of an error must be one JSON object and no more");
  }
  return absl::OkStatus();
}

absl::Status CheckImported(const Imported& operation) {
  RETURN_IF_ERROR(CheckType(operation.type));
  if (operation.status == OperationStatus::kIdle || operation.status > OperationStatus::kFailed) {
    return absl::InvalidArgumentError("an imported operation is in progress, paused, completed or failed");
  }
  RETURN_IF_ERROR(CheckCount(operation.total_files, "total number of files"));
  RETURN_IF_ERROR(CheckCount(operation.files_processed, "number of files processed"));
  RETURN_IF_ERROR(CheckCount(operation.batch_num, "batch number"));
  for (const ImportedError& error : operation.errors) RETURN_IF_ERROR(CheckDetails(error.error.details));
  return absl::OkStatus();
}

Evidence EvidenceFor(OwnerFate fate) {
  if (fate == OwnerFate::kMachineRebooted) return Evidence::kMachineRebooted;
  if (fate == OwnerFate::kClosedWithoutEnd) return Evidence::kClosedWithoutEnd;
  return Evidence::kProcessDied;
}

}  // namespace

absl::StatusOr<Event> DecideStart(const State& state, const StartRequest& request, std::string operation_id,
                                  OwnerFate fate, const Actor& actor) {
  RETURN_IF_ERROR(CheckSound(state, "start"));
  if (state.active()) {
    return absl::FailedPreconditionError(absl::StrCat("cannot start: ", NameOf(*state.operation), " is ",
                                                      ToAbsl(Name(state.status())), "; ",
                                                      NextStep(*state.operation, fate)));
  }
  RETURN_IF_ERROR(CheckCount(request.total_files, "total number of files"));
  if (operation_id.empty()) return absl::InvalidArgumentError("the operation id is empty");
  RETURN_IF_ERROR(CheckType(request.type));
  return At(actor.now, state.epoch + 1,
            Started{std::move(operation_id), request.type, request.total_files, request.roots, request.metadata,
                    actor.owner});
}

absl::Status CheckCheckpoint(const State& state, const OperationHandle& handle, const Checkpoint& checkpoint) {
  RETURN_IF_ERROR(CheckHandle(state, handle, "record a checkpoint"));
  RETURN_IF_ERROR(CheckCount(checkpoint.files_processed, "number of files processed"));
  RETURN_IF_ERROR(CheckCount(checkpoint.batch_num, "batch number"));
  if (checkpoint.error) RETURN_IF_ERROR(CheckDetails(checkpoint.error->details));
  return absl::OkStatus();
}

// Of threads that count for themselves, one may be overtaken: by default its count is ignored, and what else it reports
// is kept.
absl::StatusOr<std::int64_t> DecideCount(std::int64_t files_processed, std::int64_t files_before, Decrease decrease) {
  if (files_processed >= files_before || decrease == Decrease::kAllowed) return files_processed;
  if (decrease == Decrease::kIgnored) return files_before;
  return absl::InvalidArgumentError(absl::StrCat(
      "the number of files processed is ", files_processed, ", but the operation stands at ", files_before,
      " already: add to it instead of counting yourself (checkpoint --add, Engine::Advance()), or say that it is to go "
      "back (--allow-decrease, Decrease::kAllowed)"));
}

absl::StatusOr<Checkpoint> DecideAdvance(const State& state, const OperationHandle& handle,
                                         const Increment& increment) {
  Checkpoint checkpoint{.current_path = increment.current_path,
                        .last_processed_file = increment.last_processed_file,
                        .batch_num = increment.batch_num,
                        .error = increment.error};
  RETURN_IF_ERROR(CheckCheckpoint(state, handle, checkpoint));
  RETURN_IF_ERROR(CheckCount(increment.files_added, "number of files added"));
  const std::int64_t before = state.operation->files_processed;
  // Checked before the sum, whose overflow would be undefined.
  if (increment.files_added > std::numeric_limits<std::int64_t>::max() - before) {
    return absl::InvalidArgumentError(absl::StrCat("the number of files processed is ", before, "; ",
                                                   increment.files_added, " more do not fit into 64 bits"));
  }
  checkpoint.files_processed = before + increment.files_added;
  return checkpoint;
}

absl::StatusOr<Event> DecidePause(const State& state, const OperationHandle& handle, const std::string& reason,
                                  const Moment& now) {
  RETURN_IF_ERROR(CheckHandle(state, handle, "pause"));
  if (state.status() == OperationStatus::kPaused) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot pause: ", NameOf(*state.operation), " is paused already"));
  }
  return At(now, state.epoch, Paused{reason});
}

// A paused operation goes on under any owner. One in progress needs proof that its owner is gone: two indexers must
// never work on it at once.
absl::StatusOr<Event> DecideResume(const State& state, const std::string& operation_id, const std::string& reason,
                                   OwnerFate fate, const Actor& actor) {
  RETURN_IF_ERROR(CheckId(state, operation_id, "resume"));
  if (state.status() == OperationStatus::kPaused) {
    return At(actor.now, state.epoch + 1, Resumed{reason, actor.owner});
  }
  if (!IsGone(fate)) {
    return absl::FailedPreconditionError(absl::StrCat("cannot resume: ", NameOf(*state.operation), " is in progress; ",
                                                      NextStep(*state.operation, fate)));
  }
  return At(actor.now, state.epoch + 1, Recovered{EvidenceFor(fate), reason, actor.owner});
}

// Force is for owners that may be alive. The reason goes on record, and if there is proof after all, that does, too.
absl::StatusOr<Event> DecideRecoverByForce(const State& state, const std::string& operation_id,
                                           const std::string& reason, OwnerFate fate, const Actor& actor) {
  RETURN_IF_ERROR(CheckId(state, operation_id, "recover"));
  if (state.status() == OperationStatus::kPaused) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot recover: ", NameOf(*state.operation), " is paused; resume it instead"));
  }
  if (reason.empty()) {
    return absl::InvalidArgumentError("recovering by force takes a reason; it is recorded for the auditor");
  }
  const Evidence evidence = IsGone(fate) ? EvidenceFor(fate) : Evidence::kForced;
  return At(actor.now, state.epoch + 1, Recovered{evidence, reason, actor.owner});
}

absl::StatusOr<Event> DecideComplete(const State& state, const OperationHandle& handle, const Stats& stats,
                                     const Moment& now) {
  RETURN_IF_ERROR(CheckHandle(state, handle, "complete"));
  return At(now, state.epoch, Completed{stats});
}

absl::StatusOr<Event> DecideFail(const State& state, const OperationHandle& handle, const std::string& error,
                                 const Moment& now) {
  RETURN_IF_ERROR(CheckHandle(state, handle, "fail"));
  return At(now, state.epoch, Failed{error});
}

absl::StatusOr<Event> DecideClear(const State& state, const Moment& now) {
  RETURN_IF_ERROR(CheckSound(state, "clear"));
  if (!state.operation) return absl::FailedPreconditionError("cannot clear: there is no operation");
  if (state.active()) {
    return absl::FailedPreconditionError(absl::StrCat("cannot clear: ", NameOf(*state.operation), " is ",
                                                      ToAbsl(Name(state.status())), "; complete or fail it first"));
  }
  return At(now, state.epoch, Cleared{});
}

absl::StatusOr<Event> DecideImport(const State& state, Imported operation, std::string new_id, const Actor& actor) {
  RETURN_IF_ERROR(CheckSound(state, "import"));
  if (state.operation) {
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot import: ", NameOf(*state.operation), " is ", ToAbsl(Name(state.status())), "; ",
        state.active() ? "complete or fail it, and clear it" : "clear it", ", or import into another log"));
  }
  RETURN_IF_ERROR(CheckImported(operation));
  if (operation.operation_id.empty()) operation.operation_id = std::move(new_id);
  operation.owner = actor.owner;
  return At(actor.now, state.epoch + 1, std::move(operation));
}

// Never refused: it is the way out of every state, a misfit included.
absl::StatusOr<Event> DecideReset(const State& state, const std::string& reason, const Moment& now) {
  return At(now, state.epoch, Reset{reason});
}

}  // namespace foldlog
