// What a batch of events holds, in a row of the table `batches`: enough to tell which questions it cannot answer, so
// that it need not be unpacked for them. schema/FORMAT.md has the layout.

#ifndef FOLDLOG_INDEX_BATCH_SUMMARY_H_
#define FOLDLOG_INDEX_BATCH_SUMMARY_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "foldlog/event.h"
#include "foldlog/log_index.h"

namespace foldlog {

// Which fields the checkpoints of a batch set; bits of BatchSummary::fields.
enum CheckpointField : std::uint8_t { kSetsCurrentPath = 1, kSetsLastProcessedFile = 2, kSetsBatchNum = 4 };

// The bit in BatchSummary::kinds of that alternative of EventBody.
constexpr std::uint16_t KindBit(std::size_t kind) { return static_cast<std::uint16_t>(1U << kind); }

struct BatchSummary {
  Sequence first = 0;
  Sequence last = 0;
  std::uint64_t previous_hash = 0;  // that the first frame names
  std::uint64_t last_hash = 0;      // of the last frame
  // The least and the greatest time, as the events have them, and epoch.
  TimeNs earliest = 0;
  TimeNs latest = 0;
  Epoch least_epoch = 0;
  Epoch greatest_epoch = 0;
  // Events with an error: checkpoints with one, failures, imports with errors or of a failed operation.
  std::uint32_t errors = 0;
  Sequence first_error = 0;  // 0: none
  Sequence last_error = 0;
  std::uint16_t kinds = 0;
  std::uint8_t fields = 0;
  // The boot that all events are of; nothing if they are of several.
  std::optional<Boot> boot = {};
  // Operations that were over by the last event, since the log was created: so many rows there should be. Nothing if
  // the indexer did not know.
  std::optional<std::uint64_t> operations = {};
  bool operator==(const BatchSummary&) const = default;
};

// Whether the event counts among BatchSummary::errors. Who asks for events with an error must ask by this.
bool CarriesError(const EventBody& body);

IndexRow EncodeSummary(const BatchSummary& summary);

// Nothing if the row is damaged, or of another layout.
std::optional<BatchSummary> DecodeSummary(const IndexRow& row);

}  // namespace foldlog

#endif  // FOLDLOG_INDEX_BATCH_SUMMARY_H_
