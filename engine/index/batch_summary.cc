#include "engine/index/batch_summary.h"

#include <cstring>
#include <variant>

#include "engine/index/row_hash.h"

namespace foldlog {
namespace {

// The words of a row, in the order of FORMAT.md. A copy of memory is the encoding: everything is little endian.
struct StoredSummary {
  std::uint64_t hash;
  Sequence last;
  std::uint64_t previous_hash;
  std::uint64_t last_hash;
  TimeNs earliest;
  TimeNs latest;
  Epoch least_epoch;
  Epoch greatest_epoch;
  Sequence first_error;
  Sequence last_error;
  std::uint64_t operations;
  TimeNs booted_at;
  std::uint32_t boot;
  std::uint32_t errors;
  std::uint16_t kinds;
  std::uint8_t fields;
  std::uint8_t flags;
  std::uint32_t reserved;
};
constexpr std::size_t kWords = 14;
static_assert(sizeof(StoredSummary) == kWords * sizeof(std::uint64_t));

constexpr std::uint8_t kOneBoot = 1;
constexpr std::uint8_t kOperationsKnown = 2;

}  // namespace

bool CarriesError(const EventBody& body) {
  if (const auto* checkpoint = std::get_if<Checkpoint>(&body)) return checkpoint->error.has_value();
  if (const auto* imported = std::get_if<Imported>(&body)) {
    return !imported->errors.empty() || imported->status == OperationStatus::kFailed;
  }
  return std::holds_alternative<Failed>(body);
}

IndexRow EncodeSummary(const BatchSummary& summary) {
  const Boot boot = summary.boot.value_or(Boot{});
  const StoredSummary stored{
      .hash = 0,
      .last = summary.last,
      .previous_hash = summary.previous_hash,
      .last_hash = summary.last_hash,
      .earliest = summary.earliest,
      .latest = summary.latest,
      .least_epoch = summary.least_epoch,
      .greatest_epoch = summary.greatest_epoch,
      .first_error = summary.first_error,
      .last_error = summary.last_error,
      .operations = summary.operations.value_or(0),
      .booted_at = boot.at,
      .boot = boot.id,
      .errors = summary.errors,
      .kinds = summary.kinds,
      .fields = summary.fields,
      .flags = static_cast<std::uint8_t>((summary.boot ? kOneBoot : 0) | (summary.operations ? kOperationsKnown : 0)),
      .reserved = 0};
  IndexRow row{.key = summary.first, .words = std::vector<std::uint64_t>(kWords)};
  std::memcpy(row.words.data(), &stored, sizeof stored);
  Seal(row);
  return row;
}

std::optional<BatchSummary> DecodeSummary(const IndexRow& row) {
  if (row.words.size() != kWords || !IsSealed(row)) return std::nullopt;
  StoredSummary stored;
  std::memcpy(&stored, row.words.data(), sizeof stored);
  BatchSummary summary{.first = row.key,
                       .last = stored.last,
                       .previous_hash = stored.previous_hash,
                       .last_hash = stored.last_hash,
                       .earliest = stored.earliest,
                       .latest = stored.latest,
                       .least_epoch = stored.least_epoch,
                       .greatest_epoch = stored.greatest_epoch,
                       .errors = stored.errors,
                       .first_error = stored.first_error,
                       .last_error = stored.last_error,
                       .kinds = stored.kinds,
                       .fields = stored.fields};
  if ((stored.flags & kOneBoot) != 0) summary.boot = Boot{.at = stored.booted_at, .id = stored.boot};
  if ((stored.flags & kOperationsKnown) != 0) summary.operations = stored.operations;
  return summary.last >= summary.first ? std::optional(summary) : std::nullopt;
}

}  // namespace foldlog
