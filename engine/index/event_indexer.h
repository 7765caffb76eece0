// EventIndexer: makes the rows of the index, on the way of the events into the store, or anew from where any event is.

#ifndef FOLDLOG_INDEX_EVENT_INDEXER_H_
#define FOLDLOG_INDEX_EVENT_INDEXER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/codec/frame.h"
#include "engine/index/batch_summary.h"
#include "engine/index/operation_row.h"
#include "engine/lazy_fold.h"
#include "foldlog/event_log.h"
#include "foldlog/log_index.h"

namespace foldlog {

// The place of a checkpoint in EventBody.
inline constexpr std::size_t kCheckpointKind = 1;
static_assert(std::is_same_v<std::variant_alternative_t<kCheckpointKind, EventBody>, Checkpoint>);

// The summary of a batch, as its events come.
class BatchSumming {
 public:
  BatchSumming() = default;
  explicit BatchSumming(const FrameView& first) {
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
    summary_.kinds |= KindBit(kCheckpointKind);
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
  // Where an indexer stands between two events.
  struct Progress {
    LazyFold fold;
    std::optional<std::uint64_t> operations;  // that are over; nothing if not known
    OperationRowEncoder rows = {};
    bool knows_state = true;  // false where the fold could not be made, and began with nothing
  };

  // Behind event `at`, by the snapshots and rows of `stored`.
  static absl::StatusOr<Progress> ProgressBehind(const EventLog& stored, Sequence at);

  void Begin(const EventLog& stored, std::uint64_t at) override;
  void Begin(Progress progress);
  void Add(std::span<const std::uint64_t> words) override;
  void EndBatch(IndexRows& rows) override;
  bool EncodeFold(std::vector<std::uint64_t>& words) override;
  void Accept() override { accepted_ = done_; }

  // The state behind the event that was added last.
  const State& Settled() { return done_->fold.Settled(); }

  // Behind the batch that was ended last.
  const Progress& progress() const { return *done_; }

 private:
  void AddEvent(const FrameView& frame);
  void AddTransition(const FrameView& frame, const EventBody& body);
  void Fold(const FrameView& frame);
  void AddOperation(OperationRow row);

  std::optional<Progress> accepted_;
  std::optional<Progress> done_;
  BatchSumming summing_;        // the batch that is added
  ChainEnd last_;               // its last event so far
  std::vector<IndexRow> over_;  // of operations that are over in it
};

}  // namespace foldlog

#endif  // FOLDLOG_INDEX_EVENT_INDEXER_H_
