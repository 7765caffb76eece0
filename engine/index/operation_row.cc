#include "engine/index/operation_row.h"

#include <lz4.h>

#include <cstddef>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "engine/codec/state_codec.h"
#include "engine/index/row_hash.h"

namespace foldlog {
namespace {

// Hash, ordinal, `reset_by` and the two sizes stand before the state that holds the operation, which is packed: half of
// such a message is zeros.
constexpr std::size_t kOrdinalAt = 1;
constexpr std::size_t kResetAt = 2;
constexpr std::size_t kSizesAt = 3;
constexpr std::size_t kHeadWords = 4;
constexpr std::size_t kWordBytes = sizeof(std::uint64_t);

// A row that claims more is damaged. An operation's texts come from a few events of at most 4 MiB.
constexpr std::size_t kStateBytesMax = std::size_t{64} << 20;

struct Sizes {
  std::uint32_t state_bytes;  // unpacked
  std::uint32_t block_bytes;
};
static_assert(sizeof(Sizes) == kWordBytes);

// Appends the state, packed, to the row's words. False if it is too large.
bool AppendPacked(std::span<const std::uint64_t> state, std::vector<std::uint64_t>& words) {
  if (state.size_bytes() > kStateBytesMax) return false;
  const auto bytes = static_cast<int>(state.size_bytes());
  const int bound = LZ4_compressBound(bytes);
  words.resize(kHeadWords + (static_cast<std::size_t>(bound) + kWordBytes - 1) / kWordBytes);
  const int block = LZ4_compress_default(reinterpret_cast<const char*>(state.data()),
                                         reinterpret_cast<char*>(words.data() + kHeadWords), bytes, bound);
  if (block <= 0) return false;
  words.resize(kHeadWords + (static_cast<std::size_t>(block) + kWordBytes - 1) / kWordBytes);
  // The last word is padded with zeros, so that equal rows are equal bytes.
  char* const begin = reinterpret_cast<char*>(words.data() + kHeadWords);
  std::memset(begin + block, 0, (words.size() - kHeadWords) * kWordBytes - static_cast<std::size_t>(block));
  const Sizes sizes{static_cast<std::uint32_t>(bytes), static_cast<std::uint32_t>(block)};
  std::memcpy(&words[kSizesAt], &sizes, sizeof sizes);
  return true;
}

std::optional<std::vector<std::uint64_t>> Unpack(std::span<const std::uint64_t> words) {
  Sizes sizes;
  std::memcpy(&sizes, &words[kSizesAt], sizeof sizes);
  const std::span<const std::uint64_t> block = words.subspan(kHeadWords);
  if (sizes.block_bytes > block.size_bytes() || sizes.state_bytes > kStateBytesMax ||
      sizes.state_bytes % kWordBytes != 0) {
    return std::nullopt;
  }
  std::vector<std::uint64_t> state(sizes.state_bytes / kWordBytes);
  const int bytes =
      LZ4_decompress_safe(reinterpret_cast<const char*>(block.data()), reinterpret_cast<char*>(state.data()),
                          static_cast<int>(sizes.block_bytes), static_cast<int>(sizes.state_bytes));
  return bytes == static_cast<int>(sizes.state_bytes) ? std::optional(std::move(state)) : std::nullopt;
}

}  // namespace

std::optional<IndexRow> EncodeOperationRow(const OperationRow& row) {
  std::vector<std::uint64_t> state;
  if (!EncodeState(State{.sequence = row.operation.last_sequence, .operation = row.operation}, state).ok()) {
    return std::nullopt;
  }
  IndexRow stored{.key = row.operation.first_sequence, .words = {0, row.ordinal, row.reset_by.value_or(0), 0}};
  if (!AppendPacked(state, stored.words)) return std::nullopt;
  Seal(stored);
  return stored;
}

std::optional<OperationRow> DecodeOperationRow(const IndexRow& row) {
  if (row.words.size() <= kHeadWords || !IsSealed(row)) return std::nullopt;
  const std::optional<std::vector<std::uint64_t>> words = Unpack(row.words);
  if (!words) return std::nullopt;
  absl::StatusOr<State> state = DecodeState(*words);
  if (!state.ok() || !state->operation || state->operation->first_sequence != row.key) return std::nullopt;
  OperationRow decoded{.ordinal = row.words[kOrdinalAt], .operation = *std::move(state->operation)};
  if (row.words[kResetAt] != 0) decoded.reset_by = row.words[kResetAt];
  return decoded;
}

}  // namespace foldlog
