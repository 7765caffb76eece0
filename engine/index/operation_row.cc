#include "engine/index/operation_row.h"

#include <span>
#include <utility>

#include "engine/codec/state_codec.h"
#include "engine/index/row_hash.h"

namespace foldlog {
namespace {

// Hash, ordinal and `reset_by` stand before the state that holds the operation.
constexpr std::size_t kOrdinalAt = 1;
constexpr std::size_t kResetAt = 2;
constexpr std::size_t kHeadWords = 3;

}  // namespace

std::optional<IndexRow> EncodeOperationRow(const OperationRow& row) {
  IndexRow stored{.key = row.operation.first_sequence, .words = {0, row.ordinal, row.reset_by.value_or(0)}};
  if (!EncodeState(State{.sequence = row.operation.last_sequence, .operation = row.operation}, stored.words).ok()) {
    return std::nullopt;
  }
  Seal(stored);
  return stored;
}

std::optional<OperationRow> DecodeOperationRow(const IndexRow& row) {
  if (row.words.size() <= kHeadWords || !IsSealed(row)) return std::nullopt;
  absl::StatusOr<State> state = DecodeState(std::span(row.words).subspan(kHeadWords));
  if (!state.ok() || !state->operation || state->operation->first_sequence != row.key) return std::nullopt;
  OperationRow decoded{.ordinal = row.words[kOrdinalAt], .operation = *std::move(state->operation)};
  if (row.words[kResetAt] != 0) decoded.reset_by = row.words[kResetAt];
  return decoded;
}

}  // namespace foldlog
