#include "engine/index/event_indexer.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "engine/base/status_macros.h"
#include "engine/codec/checkpoint_codec.h"
#include "engine/codec/event_codec.h"
#include "engine/codec/frame.h"
#include "engine/codec/state_codec.h"
#include "engine/fold.h"
#include "foldlog/event_index.h"

namespace foldlog {
namespace {

std::uint8_t FieldsSet(const CheckpointView& checkpoint) {
  return static_cast<std::uint8_t>((IsPresent(checkpoint.current_path) ? kSetsCurrentPath : 0) |
                                   (IsPresent(checkpoint.last_processed_file) ? kSetsLastProcessedFile : 0) |
                                   (checkpoint.batch_num ? kSetsBatchNum : 0));
}

// Goes on with the group of the last row.
OperationRowEncoder RowsBehind(const EventLog& stored, Sequence at, std::uint64_t operations) {
  OperationRowEncoder encoder;
  const std::size_t in_group = operations % kRowsInAGroup;
  if (in_group == 0) return encoder;
  const auto rows = stored.ReadIndex(IndexTable::kOperations, at, EventLog::IndexOrder::kFalling, in_group);
  if (rows.ok() && rows->size() == in_group) encoder.Resume(rows->back());
  return encoder;
}

// Those of events before the base.
std::optional<std::uint64_t> OperationsPruned(const EventLog& stored) {
  const auto ranges = stored.ReadPruned();
  if (!ranges.ok()) return std::nullopt;
  return ranges->empty() ? 0 : ranges->back().operations;
}

std::optional<std::uint64_t> OperationsBy(const EventLog& stored, Sequence at) {
  const absl::StatusOr<LogExtent> extent = stored.Extent();
  if (extent.ok() && extent->base.sequence == at) return OperationsPruned(stored);
  const auto rows = stored.ReadIndex(IndexTable::kBatches, at, EventLog::IndexOrder::kFalling, 1);
  if (!rows.ok() || rows->empty()) return std::nullopt;
  const std::optional<BatchSummary> last = DecodeSummary(rows->front());
  return last && last->last == at ? last->operations : std::nullopt;
}

// Where the fold fails, rows of operations can't be made; those of batches can.
EventIndexer::Progress Restore(const EventLog& stored, Sequence at) {
  absl::StatusOr<EventIndexer::Progress> progress = EventIndexer::ProgressBehind(stored, at);
  if (progress.ok()) return *std::move(progress);
  return {.fold = LazyFold(State{.sequence = at}, stored.name()), .operations = std::nullopt, .knows_state = false};
}

}  // namespace

absl::StatusOr<EventIndexer::Progress> EventIndexer::ProgressBehind(const EventLog& stored, Sequence at) {
  ASSIGN_OR_RETURN(foldlog::Fold fold, FoldLog(stored, at));
  const std::optional<std::uint64_t> operations = OperationsBy(stored, at);
  return Progress{.fold = LazyFold(std::move(fold.state), stored.name()),
                  .operations = operations,
                  .rows = RowsBehind(stored, at, operations.value_or(0))};
}

void EventIndexer::Begin(Progress progress) {
  accepted_ = std::move(progress);
  done_ = accepted_;
  summing_ = {};
  over_.clear();
}

void EventIndexer::Begin(const EventLog& stored, std::uint64_t at) {
  if (!accepted_ || accepted_->fold.sequence() != at) accepted_ = Restore(stored, at);
  done_ = accepted_;
  summing_ = {};
  over_.clear();
}

// Nearly all events are plain checkpoints.
void EventIndexer::Add(std::span<const std::uint64_t> words) {
  FrameView frame;
  std::memcpy(&frame.header, words.data(), sizeof frame.header);
  frame.payload = words.subspan(kFrameHeaderWords);
  if (!summing_.begun()) summing_ = BatchSumming(frame);
  last_ = frame.end();
  CheckpointView plain;
  if (!DecodePlainCheckpoint(frame.payload, plain)) return AddEvent(frame);
  summing_.AddFields(FieldsSet(plain));
  const bool noted = done_->fold.Note(frame.header.sequence, plain);
  if (noted && !summing_.empty()) return summing_.AddNoted(plain.at.time);
  summing_.Add(kCheckpointKind, plain.at, plain.epoch);
  if (!noted) Fold(frame);
}

void EventIndexer::EndBatch(IndexRows& rows) {
  done_->fold.Settle();  // before the frames go
  const std::optional<BatchSummary> summary = summing_.Finish(last_, done_->operations);
  if (summary) rows.batches.push_back(EncodeSummary(*summary));
  std::move(over_.begin(), over_.end(), std::back_inserter(rows.operations));
  over_.clear();
  summing_ = {};
}

bool EventIndexer::EncodeFold(std::vector<std::uint64_t>& words) {
  words.clear();
  return accepted_ && accepted_->knows_state && EncodeState(accepted_->fold.Settled(), words).ok();
}

void EventIndexer::AddEvent(const FrameView& frame) {
  const absl::StatusOr<Event> event = DecodeEvent(frame.payload);
  if (!event.ok()) {
    summing_.GiveUp();
    return Fold(frame);
  }
  const EventBody& body = event->body;
  summing_.Add(body.index(), {event->time, event->boot}, event->epoch);
  if (CarriesError(body)) summing_.AddError(frame.header.sequence);
  if (const auto* checkpoint = std::get_if<Checkpoint>(&body)) {
    summing_.AddFields(FieldsSet(ViewOf({}, 0, *checkpoint)));
    return Fold(frame);
  }
  AddTransition(frame, body);
}

// An operation is over when it has ended, was imported as such, or is reset while active.
void EventIndexer::AddTransition(const FrameView& frame, const EventBody& body) {
  std::optional<Operation> active;
  const State& before = done_->fold.Settled();
  if (std::holds_alternative<Reset>(body) && before.active()) active = before.operation;
  Fold(frame);
  const State& state = done_->fold.Settled();
  if (state.misfit) return;
  const bool has_ended = std::holds_alternative<Completed>(body) || std::holds_alternative<Failed>(body) ||
                         (std::holds_alternative<Imported>(body) && !state.active());
  if (has_ended) AddOperation({.operation = *state.operation});
  if (active) AddOperation({.reset_by = frame.header.sequence, .operation = *std::move(active)});
}

void EventIndexer::Fold(const FrameView& frame) {
  const absl::Status folded = done_->fold.AddUnusual(frame);
  if (!folded.ok()) done_->fold.AddMisfit(std::string(folded.message()));
}

void EventIndexer::AddOperation(OperationRow row) {
  if (!done_->operations) return;
  row.ordinal = ++*done_->operations;
  std::optional<IndexRow> encoded = done_->rows.Encode(row);
  if (encoded) over_.push_back(*std::move(encoded));
}

std::unique_ptr<LogIndexer> NewEventIndexer() { return std::make_unique<EventIndexer>(); }

absl::Status Reindex(const std::string& directory, const LogDirectoryOptions& options) {
  LogDirectoryOptions existing = options;
  existing.create = LogDirectoryOptions::Create::kNever;
  existing.indexer = NewEventIndexer();
  ASSIGN_OR_RETURN(const WritableLog log, OpenLogForWriting(directory, existing));
  RETURN_IF_ERROR(log.log->RebuildIndex(*existing.indexer));
  return log.log->Close();
}

}  // namespace foldlog
