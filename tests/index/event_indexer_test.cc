// The index that a log writes as it goes says what its events say.

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/codec/frame.h"
#include "engine/index/index_reader.h"
#include "foldlog/event_index.h"
#include "foldlog/history.h"
#include "tests/support/log_directory_fixture.h"
#include "tests/support/random_driver.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

// Nothing if the last batch does not know how many operations are over.
std::optional<std::uint64_t> OperationsByLastBatch(const EventLog& log) {
  IndexRowReader rows(log, IndexTable::kBatches, log.Extent()->end.sequence, IndexOrder::kFalling);
  const auto row = rows.Next();
  EXPECT_OK(row);
  const std::optional<BatchSummary> last = row.ok() && *row ? DecodeSummary(**row) : std::nullopt;
  return last ? last->operations : std::nullopt;
}

std::vector<IndexRow> AllRows(const EventLog& log, IndexTable table) {
  IndexRowReader reader(log, table, 0, IndexOrder::kRising);
  std::vector<IndexRow> rows;
  while (true) {
    auto row = reader.Next();
    EXPECT_OK(row);
    if (!row.ok() || !*row) return rows;
    rows.push_back(**std::move(row));
  }
}

// What a summary should say, by reading each event.
BatchSummary SummaryByReading(const std::vector<RecordedEvent>& all, Sequence first, Sequence last) {
  BatchSummary summary{.first = first, .last = last, .last_hash = all.at(last - 1).hash};
  std::set<TimeNs> times;
  std::set<Epoch> epochs;
  std::vector<Boot> boots;
  for (Sequence sequence = first; sequence <= last; ++sequence) {
    const Event& event = all.at(sequence - 1).event;
    times.insert(event.time);
    epochs.insert(event.epoch);
    boots.push_back(event.boot);
    summary.kinds |= KindBit(event.body.index());
    const auto* checkpoint = std::get_if<Checkpoint>(&event.body);
    const auto* imported = std::get_if<Imported>(&event.body);
    if ((checkpoint != nullptr && checkpoint->error) || std::holds_alternative<Failed>(event.body) ||
        (imported != nullptr && (!imported->errors.empty() || imported->status == OperationStatus::kFailed))) {
      ++summary.errors;
      if (summary.first_error == 0) summary.first_error = sequence;
      summary.last_error = sequence;
    }
    if (checkpoint == nullptr) continue;
    if (checkpoint->current_path) summary.fields |= kSetsCurrentPath;
    if (checkpoint->last_processed_file) summary.fields |= kSetsLastProcessedFile;
    if (checkpoint->batch_num) summary.fields |= kSetsBatchNum;
  }
  summary.earliest = *times.begin();
  summary.latest = *times.rbegin();
  summary.least_epoch = *epochs.begin();
  summary.greatest_epoch = *epochs.rbegin();
  if (std::all_of(boots.begin(), boots.end(), [&](const Boot& boot) { return boot == boots[0]; })) {
    summary.boot = boots[0];
  }
  return summary;
}

class EventIndexerTest : public LogDirectoryFixture {
 protected:
  EventIndexerTest() : random_(TestSeed()) {}

  // Clocks that go on, are set, and machines that are rebooted.
  EngineOptions Options() {
    EngineOptions options = SmallTailOptions();
    options.clock = [this] {
      now_.time += static_cast<TimeNs>(random_() % 1'000'000'000);
      if (random_() % 50 == 0) now_.time -= static_cast<TimeNs>(random_() % 100'000'000'000);
      if (random_() % 100 == 0) now_.boot = {now_.time, static_cast<std::uint32_t>(random_() % 4)};
      return now_;
    };
    return options;
  }

  void Drive(int steps) {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, Options()));
    RandomDriver driver(*engine, random_);
    for (int i = 0; i < steps; ++i) driver.Step();
    ASSERT_OK(engine->Close());
  }

  std::unique_ptr<EventLog> Log() {
    auto log = OpenLogForReading(log_dir_);
    EXPECT_OK(log);
    return *std::move(log);
  }

  // Every row, against what the events say.
  void ExpectRowsTellTheTruth() {
    const auto log = Log();
    const std::vector<RecordedEvent> all = ReadAll(*log);
    Sequence next = 1;
    for (const IndexRow& row : AllRows(*log, IndexTable::kBatches)) {
      const std::optional<BatchSummary> summary = DecodeSummary(row);
      ASSERT_TRUE(summary) << row.key;
      ASSERT_EQ(summary->first, next);
      BatchSummary expected = SummaryByReading(all, summary->first, summary->last);
      expected.previous_hash = next == 1 ? summary->previous_hash : all.at(next - 2).hash;
      expected.operations = summary->operations;
      EXPECT_EQ(*summary, expected);
      next = summary->last + 1;
    }
    ASSERT_OK_AND_ASSIGN(const LogExtent extent, log->Extent());
    EXPECT_EQ(next, extent.stored_through + 1);
    ExpectHistory(*log);
  }

  void ExpectHistory(const EventLog& log) {
    ASSERT_OK_AND_ASSIGN(std::vector<HistoryEntry> history, ReadHistory(log));
    const std::optional<std::uint64_t> operations = OperationsByLastBatch(log);
    ASSERT_TRUE(operations);
    std::map<Sequence, OperationRow> rows;
    OperationRows reader(log, 0, IndexOrder::kRising);
    while (true) {
      ASSERT_OK_AND_ASSIGN(auto row, reader.Next());
      if (!row) break;
      EXPECT_EQ(row->ordinal, rows.size() + 1);
      rows[row->operation.first_sequence] = *std::move(row);
    }
    EXPECT_EQ(rows.size(), *operations);
    const bool last_is_active = !history.empty() && !history.back().reset_by &&
                                history.back().operation.status != OperationStatus::kCompleted &&
                                history.back().operation.status != OperationStatus::kFailed;
    ASSERT_EQ(rows.size(), history.size() - (last_is_active ? 1 : 0));
    for (const HistoryEntry& entry : history) {
      if (last_is_active && &entry == &history.back()) break;
      const OperationRow& row = rows[entry.operation.first_sequence];
      EXPECT_EQ(row.operation, entry.operation);
      EXPECT_EQ(row.reset_by, entry.reset_by);
    }
  }

  std::mt19937_64 random_;
  Moment now_ = {1'767'323'045'000'000'000, {.at = 1'767'000'000'000'000'000, .id = 1}};
};

TEST_F(EventIndexerTest, RowsSayWhatTheEventsSayAcrossOpenings) {
  for (int opening = 0; opening < 5; ++opening) Drive(400);
  ExpectRowsTellTheTruth();
  EXPECT_GT(AllRows(*Log(), IndexTable::kBatches).size(), 5);
}

TEST_F(EventIndexerTest, IndexMadeAnewIsTheSame) {
  for (int opening = 0; opening < 3; ++opening) Drive(400);
  const auto batches = AllRows(*Log(), IndexTable::kBatches);
  const auto operations = AllRows(*Log(), IndexTable::kOperations);
  ASSERT_OK(Reindex(log_dir_));
  EXPECT_EQ(AllRows(*Log(), IndexTable::kBatches), batches);
  EXPECT_EQ(AllRows(*Log(), IndexTable::kOperations), operations);
}

TEST_F(EventIndexerTest, EventsThatWereStoredWithoutAnIndexerHaveNoRowsUntilItIsMadeAnew) {
  Drive(300);
  {
    ASSERT_OK_AND_ASSIGN(WritableLog log, OpenLogForWriting(log_dir_));
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(std::move(log), Options()));
    RandomDriver driver(*engine, random_);
    for (int i = 0; i < 300; ++i) driver.Step();
  }
  Drive(300);
  EXPECT_FALSE(OperationsByLastBatch(*Log())) << "operations may have ended unseen";
  ASSERT_OK(Reindex(log_dir_));
  ExpectRowsTellTheTruth();
  Drive(300);
  ExpectRowsTellTheTruth();
}

TEST_F(EventIndexerTest, WhatWasNotAcceptedIsForgotten) {
  Drive(300);
  const auto log = Log();
  ASSERT_OK_AND_ASSIGN(const FrameRun run, log->Read(1, 1 << 20));
  const auto indexer = NewEventIndexer();
  const auto add = [&](bool end_batch) {
    IndexRows rows;
    indexer->Begin(*log, 0);
    std::span<const std::uint64_t> rest = run.words;
    while (const auto frame = FrameAtStartOf(rest)) {
      indexer->Add(rest.first(frame->size_words()));
      rest = rest.subspan(frame->size_words());
    }
    if (end_batch) indexer->EndBatch(rows);
    return rows;
  };
  const IndexRows first = add(true);
  EXPECT_EQ(first.batches.size(), 1u);
  add(false);
  const IndexRows again = add(true);
  EXPECT_EQ(again.batches, first.batches);
  EXPECT_EQ(again.operations, first.operations);
}

TEST_F(EventIndexerTest, ReindexOfALogThatIsNotThereOrInUseIsRefused) {
  EXPECT_THAT(Reindex(log_dir_), Fails(absl::StatusCode::kNotFound, testing::_));
  Drive(10);
  ASSERT_OK_AND_ASSIGN(const auto engine, Engine::Open(log_dir_));
  EXPECT_FALSE(Reindex(log_dir_).ok());
}

}  // namespace
}  // namespace foldlog
