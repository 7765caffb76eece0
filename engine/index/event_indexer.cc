// Makes the rows of the index, on the way of the events into the store.

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "engine/base/status_macros.h"
#include "engine/codec/checkpoint_codec.h"
#include "engine/codec/event_codec.h"
#include "engine/codec/frame.h"
#include "engine/fold.h"
#include "engine/index/batch_summary.h"
#include "engine/index/operation_row.h"
#include "engine/lazy_fold.h"
#include "foldlog/event_index.h"

namespace foldlog {
namespace {

constexpr std::size_t kCheckpoint = 1;  // its place in EventBody
static_assert(std::is_same_v<std::variant_alternative_t<kCheckpoint, EventBody>, Checkpoint>);
constexpr std::uint16_t kCheckpointBit = KindBit(kCheckpoint);

std::uint8_t FieldsSet(const CheckpointView& checkpoint) {
  return static_cast<std::uint8_t>((IsPresent(checkpoint.current_path) ? kSetsCurrentPath : 0) |
                                   (IsPresent(checkpoint.last_processed_file) ? kSetsLastProcessedFile : 0) |
                                   (checkpoint.batch_num ? kSetsBatchNum : 0));
}

// The summary of a batch, as its events come.
class Summing {
 public:
  Summing() = default;
  explicit Summing(const FrameView& first) {
    summary_.first = first.header.sequence;
    summary_.previous_hash = first.header.previous_hash;
  }

  void Add(std::size_t kind, Moment at, Epoch epoch) {
    const bool first = summary_.kinds == 0;
    summary_.earliest = first ? at.time : std::min(summary_.earliest, at.time);
    summary_.latest = first ? at.time : std::max(summary_.latest, at.time);
    summary_.least_epoch = first ? epoch : std::min(summary_.least_epoch, epoch);
    summary_.greatest_epoch = first ? epoch : std::max(summary_.greatest_epoch, epoch);
    if (first) summary_.boot = at.boot;
    if (summary_.boot && *summary_.boot != at.boot) summary_.boot.reset();
    summary_.kinds |= KindBit(kind);
  }

  // Add() for a checkpoint that was noted behind another event: of one epoch and boot with that, and no earlier.
  void AddNoted(TimeNs time) {
    summary_.latest = std::max(summary_.latest, time);
    summary_.kinds |= kCheckpointBit;
  }
  bool empty() const { return summary_.kinds == 0; }

  bool begun() const { return summary_.first != 0; }

  void AddError(Sequence sequence) {
    ++summary_.errors;
    if (summary_.first_error == 0) summary_.first_error = sequence;
    summary_.last_error = sequence;
  }

  void AddFields(std::uint8_t fields) { summary_.fields |= fields; }

  // A frame that holds no event: nothing can be said of the batch.
  void GiveUp() { given_up_ = true; }

  std::optional<BatchSummary> Finish(const ChainEnd& last, std::optional<std::uint64_t> operations) {
    if (given_up_) return std::nullopt;
    summary_.last = last.sequence;
    summary_.last_hash = last.hash;
    summary_.operations = operations;
    return summary_;
  }

 private:
  BatchSummary summary_;
  bool given_up_ = false;
};

// Threads: one at a time. Invariant: accepted_ is the fold of what was accepted last, done_ that of all that was added;
// between calls both are settled.
class EventIndexer final : public LogIndexer {
 public:
  void Begin(const EventLog& stored, std::uint64_t at) override {
    if (!accepted_ || accepted_->fold.sequence() != at) accepted_ = Restore(stored, at);
    done_ = accepted_;
    summing_ = {};
    over_.clear();
  }

  // Nearly all events are plain checkpoints.
  void Add(std::span<const std::uint64_t> words) override {
    FrameView frame;
    std::memcpy(&frame.header, words.data(), sizeof frame.header);
    frame.payload = words.subspan(kFrameHeaderWords);
    if (!summing_.begun()) summing_ = Summing(frame);
    last_ = frame.end();
    CheckpointView plain;
    if (!DecodePlainCheckpoint(frame.payload, plain)) return AddEvent(frame);
    summing_.AddFields(FieldsSet(plain));
    const bool noted = done_->fold.Note(frame.header.sequence, plain);
    if (noted && !summing_.empty()) return summing_.AddNoted(plain.at.time);
    summing_.Add(kCheckpoint, plain.at, plain.epoch);
    if (!noted) Fold(frame);
  }

  void EndBatch(IndexRows& rows) override {
    done_->fold.Settle();  // before the frames go
    const std::optional<BatchSummary> summary = summing_.Finish(last_, done_->operations);
    if (summary) rows.batches.push_back(EncodeSummary(*summary));
    std::move(over_.begin(), over_.end(), std::back_inserter(rows.operations));
    over_.clear();
    summing_ = {};
  }

  void Accept() override { accepted_ = done_; }

 private:
  struct Progress {
    LazyFold fold;
    std::optional<std::uint64_t> operations;  // that are over; nothing if not known
    OperationRowEncoder rows = {};
  };

  // Where the fold fails, rows of operations can't be made; those of batches can.
  static Progress Restore(const EventLog& stored, Sequence at) {
    absl::StatusOr<foldlog::Fold> fold = FoldLog(stored, at);
    if (!fold.ok()) return {.fold = LazyFold(State{.sequence = at}, stored.name()), .operations = std::nullopt};
    const std::optional<std::uint64_t> operations = OperationsBy(stored, at);
    return {.fold = LazyFold(std::move(fold->state), stored.name()),
            .operations = operations,
            .rows = RowsBehind(stored, at, operations.value_or(0))};
  }

  // Goes on with the group of the last row.
  static OperationRowEncoder RowsBehind(const EventLog& stored, Sequence at, std::uint64_t operations) {
    OperationRowEncoder encoder;
    const std::size_t in_group = operations % kRowsInAGroup;
    if (in_group == 0) return encoder;
    const auto rows = stored.ReadIndex(IndexTable::kOperations, at, EventLog::IndexOrder::kFalling, in_group);
    if (rows.ok() && rows->size() == in_group) encoder.Resume(rows->back());
    return encoder;
  }

  static std::optional<std::uint64_t> OperationsBy(const EventLog& stored, Sequence at) {
    const absl::StatusOr<LogExtent> extent = stored.Extent();
    if (extent.ok() && extent->base.sequence == at) return 0;
    const auto rows = stored.ReadIndex(IndexTable::kBatches, at, EventLog::IndexOrder::kFalling, 1);
    if (!rows.ok() || rows->empty()) return std::nullopt;
    const std::optional<BatchSummary> last = DecodeSummary(rows->front());
    return last && last->last == at ? last->operations : std::nullopt;
  }

  void AddEvent(const FrameView& frame) {
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
  void AddTransition(const FrameView& frame, const EventBody& body) {
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

  void Fold(const FrameView& frame) {
    const absl::Status folded = done_->fold.AddUnusual(frame);
    if (!folded.ok()) done_->fold.AddMisfit(std::string(folded.message()));
  }

  void AddOperation(OperationRow row) {
    if (!done_->operations) return;
    row.ordinal = ++*done_->operations;
    std::optional<IndexRow> encoded = done_->rows.Encode(row);
    if (encoded) over_.push_back(*std::move(encoded));
  }

  std::optional<Progress> accepted_;
  std::optional<Progress> done_;
  Summing summing_;             // the batch that is added
  ChainEnd last_;               // its last event so far
  std::vector<IndexRow> over_;  // of operations that are over in it
};

}  // namespace

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
