#include "engine/codec/state_codec.h"

#include <algorithm>
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/codec/codec_parts.h"
#include "schema/state.capnp.h"

namespace foldlog {
namespace {

// Every text and list that Fill() writes must be counted here, or encoding fails.
SizeBound BoundOf(const State& state) {
  SizeBound bound;
  if (!state.operation) return bound;
  const Operation& operation = *state.operation;
  bound.Add(operation.operation_id);
  bound.Add(operation.owner);
  bound.Add(operation.roots);
  bound.Add(operation.metadata);
  if (operation.current_path) bound.Add(*operation.current_path);
  if (operation.last_processed_file) bound.Add(*operation.last_processed_file);
  bound.Add(operation.pause_reason);
  bound.Add(operation.failure);
  bound.Add(operation.stats);
  return bound;
}

void Fill(const Operation& operation, schema::Operation::Builder out) {
  out.setOperationId(ToData(operation.operation_id));
  out.setType(static_cast<schema::OperationType>(operation.type));
  out.setStatus(static_cast<schema::OperationStatus>(operation.status));
  out.setEpoch(operation.epoch);
  EncodeOwner(operation.owner, out.initOwner());
  EncodePaths(operation.roots, out.initRoots(static_cast<unsigned>(operation.roots.size())));
  EncodeMetadata(operation.metadata, out.initMetadata(static_cast<unsigned>(operation.metadata.size())));
  out.setTotalFiles(ToCount(operation.total_files));
  out.setFilesProcessed(operation.files_processed);
  if (operation.current_path) out.setCurrentPath(ToData(*operation.current_path));
  if (operation.last_processed_file) out.setLastProcessedFile(ToData(*operation.last_processed_file));
  out.setBatchNum(operation.batch_num);
  out.setErrorCount(operation.error_count);
  out.setRate(operation.rate);
  out.setStartedAt(operation.started_at);
  out.setUpdatedAt(operation.updated_at);
  out.setLastProgressAt(operation.last_progress_at);
  out.setCompletedAt(operation.completed_at.value_or(kNotCompleted));
  out.setFirstErrorSequence(operation.first_error_sequence);
  out.setLastErrorSequence(operation.last_error_sequence);
  out.setImported(operation.imported);
  out.setActiveNs(operation.active_ns);
  out.setRecentFromFiles(operation.recent_from.files);
  out.setRecentFromNs(operation.recent_from.active_ns);
  out.setRecentNextFiles(operation.recent_next.files);
  out.setRecentNextNs(operation.recent_next.active_ns);
  out.setClockSteps(operation.clock_steps);
  out.setClockStepSequence(operation.clock_step_sequence);
  out.setClockStepNs(operation.clock_step_ns);
  out.setFirstSequence(operation.first_sequence);
  out.setLastSequence(operation.last_sequence);
  out.setCheckpoints(operation.checkpoints);
  out.setPausedNs(operation.paused_ns);
  auto interruptions = out.initInterruptionsBy(kEvidenceKinds);
  for (unsigned i = 0; i < kEvidenceKinds; ++i) interruptions.set(i, operation.interruptions_by.at(i));
  out.setPauseReason(ToData(operation.pause_reason));
  out.setFailure(ToData(operation.failure));
  EncodeStats(operation.stats, out.initStats(static_cast<unsigned>(operation.stats.size())));
}

// Only what could break the fold is checked: a snapshot is covered by a hash, and its fold version tells its layout.
absl::StatusOr<Operation> Read(schema::Operation::Reader in) {
  Operation operation;
  operation.operation_id = FromData(in.getOperationId());
  ASSIGN_OR_RETURN(operation.type, DecodeOperationType(in.getType()));
  ASSIGN_OR_RETURN(operation.status, DecodeOperationStatus(in.getStatus()));
  operation.epoch = in.getEpoch();
  operation.owner = DecodeOwner(in.getOwner());
  operation.roots = DecodePaths(in.getRoots());
  operation.metadata = DecodeMetadata(in.getMetadata());
  ASSIGN_OR_RETURN(operation.total_files, FromCount(in.getTotalFiles(), "total of files"));
  operation.files_processed = in.getFilesProcessed();
  if (in.hasCurrentPath()) operation.current_path = FromData(in.getCurrentPath());
  if (in.hasLastProcessedFile()) operation.last_processed_file = FromData(in.getLastProcessedFile());
  operation.batch_num = in.getBatchNum();
  operation.error_count = in.getErrorCount();
  operation.rate = in.getRate();
  operation.started_at = in.getStartedAt();
  operation.updated_at = in.getUpdatedAt();
  operation.last_progress_at = in.getLastProgressAt();
  if (in.getCompletedAt() != kNotCompleted) operation.completed_at = in.getCompletedAt();
  operation.first_error_sequence = in.getFirstErrorSequence();
  operation.last_error_sequence = in.getLastErrorSequence();
  operation.imported = in.getImported();
  operation.active_ns = in.getActiveNs();
  operation.recent_from = {in.getRecentFromFiles(), in.getRecentFromNs()};
  operation.recent_next = {in.getRecentNextFiles(), in.getRecentNextNs()};
  operation.clock_steps = in.getClockSteps();
  operation.clock_step_sequence = in.getClockStepSequence();
  operation.clock_step_ns = in.getClockStepNs();
  operation.first_sequence = in.getFirstSequence();
  operation.last_sequence = in.getLastSequence();
  operation.checkpoints = in.getCheckpoints();
  operation.paused_ns = in.getPausedNs();
  const auto interruptions = in.getInterruptionsBy();
  for (unsigned i = 0; i < std::min<unsigned>(kEvidenceKinds, interruptions.size()); ++i) {
    operation.interruptions_by.at(i) = interruptions[i];
  }
  operation.pause_reason = FromData(in.getPauseReason());
  operation.failure = FromData(in.getFailure());
  ASSIGN_OR_RETURN(operation.stats, DecodeStats(in.getStats()));
  return operation;
}

}  // namespace

// A state with a misfit is not stored: whether an event fits is found out anew, from the events, by the version that
// reads them.
absl::Status EncodeState(const State& state, std::vector<std::uint64_t>& words) {
  if (state.misfit) return absl::FailedPreconditionError("a state behind a misfit is not stored");
  return EncodeMessage<schema::State>(BoundOf(state), words, [&](schema::State::Builder out) {
    out.setFoldVersion(kFoldVersion);
    out.setSequence(state.sequence);
    out.setEpoch(state.epoch);
    out.setSeenTime(state.seen.time);
    out.setSeenBootedAt(state.seen.boot.at);
    out.setSeenBoot(state.seen.boot.id);
    if (state.operation) Fill(*state.operation, out.initOperation());
  });
}

absl::StatusOr<State> DecodeState(std::span<const std::uint64_t> words) {
  return DecodeMessage<schema::State>(words, [](schema::State::Reader in) -> absl::StatusOr<State> {
    if (in.getFoldVersion() != kFoldVersion) {
      return absl::DataLossError(absl::StrCat("a snapshot of fold version ", in.getFoldVersion()));
    }
    State state{.sequence = in.getSequence(),
                .epoch = in.getEpoch(),
                .seen = {in.getSeenTime(), {.at = in.getSeenBootedAt(), .id = in.getSeenBoot()}}};
    if (in.hasOperation()) {
      ASSIGN_OR_RETURN(state.operation, Read(in.getOperation()));
    }
    return state;
  });
}

}  // namespace foldlog
