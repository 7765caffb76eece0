// A log of any intact frames: every question about it is answered, or refused with a reason; all ways to ask the same
// agree; and an export tells each event byte for byte.

#include <memory>
#include <optional>

#include "engine/index/event_indexer.h"
#include "engine/json/reader.h"
#include "foldlog/error_report.h"
#include "foldlog/event_query.h"
#include "foldlog/history.h"
#include "foldlog/json_lines.h"
#include "replay/json_event.h"
#include "replay/json_line.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/sample.h"
#include "tests/fuzz/target.h"

namespace foldlog::fuzz {
namespace {

using Words = std::vector<std::uint64_t>;

// The frames that the lines of an export give.
void CheckExport(const EventLog& log, std::span<const std::uint64_t> words) {
  auto lines = JsonLinesExport::Of(log, kSampleId);
  if (!lines.ok()) return;
  FrameRun run{.words = {}, .before = kStart, .after = kStart};
  while (true) {
    const auto line = lines->Next();
    if (!line.ok()) return;  // a kind that this version does not know
    if (!*line) break;
    Require(HasRightLineHash(**line), "a line ends with its hash");
    const auto object = ParseJson(**line);
    Require(object.ok(), "a line is JSON");
    const JsonFields fields(*object);
    const std::string kind = fields.Text("kind").value_or("");
    if (kind == kBeginKind || kind == kEndKind) continue;
    if (const std::optional<std::string> payload = fields.Text("payload")) {
      const std::optional<Words> taken = WordsOf(*payload);
      Require(taken && AppendPayload(*taken, run).ok(), "a payload comes back from base64");
    } else {
      const auto event = EventFromJson(fields);
      Require(event.ok() && AppendFrame(*event, run).ok(), "an event comes back from its line");
    }
  }
  Require(run.words == Words(words.begin(), words.end()), "an export gives the same frames");
}

// Rows made of the events, batch by batch.
void CheckIndexer(const EventLog& log, std::span<const std::uint64_t> words) {
  EventIndexer indexer;
  indexer.Begin(log, 0);
  IndexRows rows;
  int frames = 0;
  for (std::size_t at = 0; at < words.size();) {
    const FrameView frame = *FrameAtStartOf(words.subspan(at));
    indexer.Add(words.subspan(at, frame.size_words()));
    at += frame.size_words();
    if (++frames % 3 == 0 || at == words.size()) indexer.EndBatch(rows);
  }
  for (const IndexRow& row : rows.batches) Require(DecodeSummary(row).has_value(), "a row of a batch is one");
}

template <typename Query>
std::optional<std::uint64_t> Count(absl::StatusOr<Query> query) {
  if (!query.ok()) return std::nullopt;
  constexpr std::uint64_t kCountMax = 100'000;
  for (std::uint64_t count = 0;; ++count) {
    Require(count < kCountMax, "a query comes to an end");
    const auto next = query->Next();
    if (!next.ok()) return std::nullopt;
    if (!*next) return count;
  }
}

void CheckQueries(const EventLog& log) {
  for (const bool with_error : {false, true}) {
    const EventFilter filter{.with_error = with_error};
    const auto oldest = Count(EventQuery::Over(log, filter, Order::kOldestFirst));
    const auto newest = Count(EventQuery::Over(log, filter, Order::kNewestFirst));
    Require(!oldest || !newest || *oldest == *newest, "both orders give as many events");
  }
  const auto oldest = Count(HistoryQuery::Over(log, {}, Order::kOldestFirst));
  const auto newest = Count(HistoryQuery::Over(log, {}, Order::kNewestFirst));
  Require(oldest.has_value() == newest.has_value() && oldest == newest, "both orders give as many operations");
  const auto sum = SumUp(log);
  Require(!sum.ok() || !oldest || static_cast<std::uint64_t>(sum->operations) == *oldest, "all operations are summed");
}

void Run(std::string_view input) {
  Words words = WordsIn(input);
  const Chain chain = FollowChain(words, kStart);
  words.resize(chain.words);
  const WordsLog log(words, chain.end.sequence, chain.end.hash);
  CheckExport(log, words);
  CheckIndexer(log, words);
  CheckQueries(log);
}

std::vector<std::string> Seeds() {
  const Words& words = TheSample().run.words;
  std::vector<std::string> seeds;
  for (const int count : {1, 5, 20}) {
    std::size_t end = 0;
    for (int i = 0; i < count; ++i) end += FrameAtStartOf(std::span(words).subspan(end))->size_words();
    seeds.push_back(BytesOf({words.begin(), words.begin() + static_cast<std::ptrdiff_t>(end)}));
  }
  return seeds;
}

void Repair(std::string& input) {
  Words words = WordsIn(input);
  RepairChain(words, kStart);
  PutBack(words, input);
}

}  // namespace

const Target kQueryTarget = {"query", Run, Seeds, Repair};

}  // namespace foldlog::fuzz
