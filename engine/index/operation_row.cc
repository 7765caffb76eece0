#include "engine/index/operation_row.h"

#include <lz4.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "engine/codec/state_codec.h"
#include "engine/index/row_hash.h"

namespace foldlog {
namespace {

// Hash, ordinal, `reset_by`, the key of the group's first row and the two sizes stand before the state that holds the
// operation, which is packed: half of such a message is zeros.
constexpr std::size_t kOrdinalAt = 1;
constexpr std::size_t kResetAt = 2;
constexpr std::size_t kHeadAt = 3;
constexpr std::size_t kSizesAt = 4;
constexpr std::size_t kHeadWords = 5;
constexpr std::size_t kWordBytes = sizeof(std::uint64_t);

// A row that claims more is damaged. An operation's texts come from a few events of at most 4 MiB.
constexpr std::size_t kStateBytesMax = std::size_t{64} << 20;

// No block of LZ4's becomes more than so many times its size, so a row that claims more is not even given the memory.
constexpr std::size_t kExpansionMax = 255;

struct Sizes {
  std::uint32_t state_bytes;  // unpacked
  std::uint32_t block_bytes;
};
static_assert(sizeof(Sizes) == kWordBytes);

using Words = std::span<const std::uint64_t>;

const char* BytesOf(Words words) { return reinterpret_cast<const char*>(words.data()); }

// What LZ4 uses of a dictionary.
Words LastOf(Words dictionary) {
  constexpr std::size_t kWordsMax = (std::size_t{64} << 10) / kWordBytes;
  return dictionary.last(std::min(dictionary.size(), kWordsMax));
}

// Nothing if there is no memory for it.
std::optional<int> Pack(Words state, Words dictionary, std::span<std::uint64_t> block) {
  const std::unique_ptr<LZ4_stream_t, int (*)(LZ4_stream_t*)> stream(LZ4_createStream(), LZ4_freeStream);
  if (!stream) return std::nullopt;
  const Words used = LastOf(dictionary);
  LZ4_loadDict(stream.get(), BytesOf(used), static_cast<int>(used.size_bytes()));
  const int bytes =
      LZ4_compress_fast_continue(stream.get(), BytesOf(state), reinterpret_cast<char*>(block.data()),
                                 static_cast<int>(state.size_bytes()), static_cast<int>(block.size_bytes()), 1);
  return bytes > 0 ? std::optional(bytes) : std::nullopt;
}

// Appends the state, packed, to the row's words. False if it is too large.
bool AppendPacked(Words state, Words dictionary, std::vector<std::uint64_t>& words) {
  if (state.size_bytes() > kStateBytesMax) return false;
  const auto bytes = static_cast<int>(state.size_bytes());
  words.resize(kHeadWords + (static_cast<std::size_t>(LZ4_compressBound(bytes)) + kWordBytes - 1) / kWordBytes);
  const std::optional<int> packed = Pack(state, dictionary, std::span(words).subspan(kHeadWords));
  if (!packed) return false;
  const auto block = static_cast<std::size_t>(*packed);
  words.resize(kHeadWords + (block + kWordBytes - 1) / kWordBytes);
  // The last word is padded with zeros, so that equal rows are equal bytes.
  char* const begin = reinterpret_cast<char*>(words.data() + kHeadWords);
  std::memset(begin + block, 0, (words.size() - kHeadWords) * kWordBytes - block);
  const Sizes sizes{static_cast<std::uint32_t>(bytes), static_cast<std::uint32_t>(block)};
  std::memcpy(&words[kSizesAt], &sizes, sizeof sizes);
  return true;
}

std::optional<std::vector<std::uint64_t>> Unpack(Words words, Words dictionary) {
  Sizes sizes;
  std::memcpy(&sizes, &words[kSizesAt], sizeof sizes);
  const Words block = words.subspan(kHeadWords);
  if (sizes.block_bytes > block.size_bytes() || sizes.state_bytes > kStateBytesMax ||
      sizes.state_bytes % kWordBytes != 0 || sizes.state_bytes / kExpansionMax > sizes.block_bytes) {
    return std::nullopt;
  }
  std::vector<std::uint64_t> state(sizes.state_bytes / kWordBytes);
  const Words used = LastOf(dictionary);
  const int bytes = LZ4_decompress_safe_usingDict(
      BytesOf(block), reinterpret_cast<char*>(state.data()), static_cast<int>(sizes.block_bytes),
      static_cast<int>(sizes.state_bytes), BytesOf(used), static_cast<int>(used.size_bytes()));
  return bytes == static_cast<int>(sizes.state_bytes) ? std::optional(std::move(state)) : std::nullopt;
}

bool IsSound(const IndexRow& row) { return row.words.size() > kHeadWords && IsSealed(row); }

bool IsFirstOfGroup(std::uint64_t ordinal) { return ordinal % kRowsInAGroup == 1; }

// Nothing if the row is damaged, or not the first of a group.
std::optional<GroupHead> ReadHead(const IndexRow& row) {
  if (!IsSound(row) || row.words[kHeadAt] != 0 || !IsFirstOfGroup(row.words[kOrdinalAt])) return std::nullopt;
  std::optional<std::vector<std::uint64_t>> state = Unpack(row.words, {});
  if (!state) return std::nullopt;
  return GroupHead{.key = row.key, .ordinal = row.words[kOrdinalAt], .state = *std::move(state)};
}

std::optional<OperationRow> ReadRow(const IndexRow& row, Words state_words) {
  absl::StatusOr<State> state = DecodeState(state_words);
  if (!state.ok() || !state->operation || state->operation->first_sequence != row.key) return std::nullopt;
  OperationRow decoded{.ordinal = row.words[kOrdinalAt], .operation = *std::move(state->operation)};
  if (row.words[kResetAt] != 0) decoded.reset_by = row.words[kResetAt];
  return decoded;
}

}  // namespace

void OperationRowEncoder::Resume(const IndexRow& first) {
  std::optional<GroupHead> head = ReadHead(first);
  if (head) head_ = std::make_shared<const GroupHead>(*std::move(head));
}

std::optional<IndexRow> OperationRowEncoder::Encode(const OperationRow& row) {
  std::vector<std::uint64_t> state;
  if (!EncodeState(State{.sequence = row.operation.last_sequence, .operation = row.operation}, state).ok()) {
    return std::nullopt;
  }
  const auto group = [](std::uint64_t ordinal) { return (ordinal - 1) / kRowsInAGroup; };
  const bool first = IsFirstOfGroup(row.ordinal);
  if (first || (head_ && group(head_->ordinal) != group(row.ordinal))) head_ = nullptr;
  const Sequence head_key = head_ ? head_->key : 0;
  IndexRow stored{.key = row.operation.first_sequence,
                  .words = {0, row.ordinal, row.reset_by.value_or(0), head_key, 0}};
  if (!AppendPacked(state, head_ ? Words(head_->state) : Words(), stored.words)) return std::nullopt;
  Seal(stored);
  if (first) {
    head_ = std::make_shared<const GroupHead>(
        GroupHead{.key = stored.key, .ordinal = row.ordinal, .state = std::move(state)});
  }
  return stored;
}

// False if it is missing or damaged.
bool OperationRowDecoder::FindHead(Sequence key) {
  if (head_.key == key) return true;
  const auto rows = log_->ReadIndex(IndexTable::kOperations, key, EventLog::IndexOrder::kRising, 1);
  if (!rows.ok() || rows->empty() || rows->front().key != key) return false;
  std::optional<GroupHead> head = ReadHead(rows->front());
  if (head) head_ = *std::move(head);
  return head_.key == key;
}

std::optional<OperationRow> OperationRowDecoder::Decode(const IndexRow& row) {
  if (!IsSound(row)) return std::nullopt;
  const Sequence head = row.words[kHeadAt];
  if (head != 0 && !FindHead(head)) return std::nullopt;
  const std::optional<std::vector<std::uint64_t>> state = Unpack(row.words, head != 0 ? Words(head_.state) : Words());
  if (!state) return std::nullopt;
  std::optional<OperationRow> decoded = ReadRow(row, *state);
  if (decoded && head == 0 && IsFirstOfGroup(decoded->ordinal)) head_ = {row.key, decoded->ordinal, *state};
  return decoded;
}

}  // namespace foldlog
