// Rows of the index: what is decoded comes back from what it is encoded to, with the first row of a group as a
// dictionary and without.

#include <cstring>
#include <optional>
#include <utility>

#include "engine/codec/state_codec.h"
#include "engine/index/batch_summary.h"
#include "engine/index/operation_row.h"
#include "engine/index/row_hash.h"
#include "tests/fuzz/sample.h"
#include "tests/fuzz/target.h"
#include "tests/support/rows_only_log.h"

namespace foldlog::fuzz {
namespace {

using Words = std::vector<std::uint64_t>;

// An input is two rows: the words of the first one, the key and words of each.
std::pair<IndexRow, IndexRow> RowsIn(std::string_view input) {
  const Words words = WordsIn(input);
  if (words.size() < 3) return {};
  const auto size = static_cast<std::ptrdiff_t>(words[0] % (words.size() - 2));
  const auto begin = words.begin() + 2;
  IndexRow head{.key = words[1], .words = Words(begin, begin + size)};
  const auto rest = begin + size;
  return {std::move(head), IndexRow{.key = *rest, .words = Words(rest + 1, words.end())}};
}

std::string InputOf(const IndexRow& head, const IndexRow& row) {
  Words words = {head.words.size(), head.key};
  words.insert(words.end(), head.words.begin(), head.words.end());
  words.push_back(row.key);
  words.insert(words.end(), row.words.begin(), row.words.end());
  return BytesOf(words);
}

void CheckSummary(const IndexRow& row) {
  const std::optional<BatchSummary> summary = DecodeSummary(row);
  if (!summary) return;
  Require(summary->first == row.key && summary->first <= summary->last, "a summary is of the batch that its key names");
  Require(DecodeSummary(EncodeSummary(*summary)) == summary, "a summary comes back from its row");
}

Words StateOf(const OperationRow& row) {
  Words words;
  if (!EncodeState(State{.operation = row.operation}, words).ok()) return {};
  words.push_back(row.ordinal);
  words.push_back(row.reset_by.value_or(0));
  return words;
}

void CheckOperation(const IndexRow& head, const IndexRow& row) {
  RowsOnlyLog log;
  log.rows = {head, row};
  if (row.key < head.key) std::swap(log.rows[0], log.rows[1]);
  const std::optional<OperationRow> decoded = OperationRowDecoder(log).Decode(row);
  if (!decoded) return;
  Require(decoded->operation.first_sequence == row.key, "a row is of the operation that its key names");
  OperationRowEncoder encoder;
  encoder.Resume(head);
  const std::optional<IndexRow> again = encoder.Encode(*decoded);
  if (!again) return;
  log.rows = {*again};
  if (head.key < row.key) log.rows.insert(log.rows.begin(), head);
  if (head.key > row.key) log.rows.push_back(head);
  const std::optional<OperationRow> twice = OperationRowDecoder(log).Decode(*again);
  Require(twice && StateOf(*twice) == StateOf(*decoded), "an operation comes back from its row");
}

void Run(std::string_view input) {
  const auto [head, row] = RowsIn(input);
  CheckSummary(head);
  CheckSummary(row);
  CheckOperation(head, row);
}

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds;
  const IndexRows& rows = TheSample().rows;
  Require(!rows.batches.empty() && rows.operations.size() > 3, "the sample has rows");
  for (const IndexRow& row : rows.batches) seeds.push_back(InputOf({}, row));
  for (std::size_t i = 0; i < rows.operations.size() && i < 12; ++i) {
    seeds.push_back(InputOf(rows.operations[i == 0 ? 1 : 0], rows.operations[i]));
  }
  return seeds;
}

void Repair(std::string& input) {
  auto [head, row] = RowsIn(input);
  if (!head.words.empty()) Seal(head);
  if (!row.words.empty()) Seal(row);
  const Words words = WordsIn(input);
  if (words.size() < 3) return;
  Words repaired = WordsIn(InputOf(head, row));
  repaired[0] = words[0];
  PutBack(repaired, input);
}

}  // namespace

const Target kRowTarget = {"row", Run, Seeds, Repair};

}  // namespace foldlog::fuzz
