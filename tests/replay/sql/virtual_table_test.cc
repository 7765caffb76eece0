// The tables of a log in SQLite: what they use of a query changes how much is read, never the answer.

#include "replay/sql/virtual_table.h"

#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "foldlog/event_query.h"
#include "foldlog/history.h"
#include "foldlog/log_directory.h"
#include "tests/support/log_directory_fixture.h"
#include "tests/support/random_driver.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using testing::HasSubstr;

class SqlTest : public LogDirectoryFixture {
 protected:
  SqlTest() : random_(TestSeed()) {
    EXPECT_EQ(sqlite3_open(":memory:", &database_), SQLITE_OK);
    EXPECT_EQ(sql::AddTables(database_, log_dir_), SQLITE_OK);
  }
  ~SqlTest() override { sqlite3_close(database_); }

  // Rows as text, columns with "|" between them; or the error.
  std::vector<std::string> Select(const std::string& query) {
    std::vector<std::string> rows;
    char* error = nullptr;
    const auto collect = [](void* into, int columns, char** values, char**) {
      std::string row;
      for (int i = 0; i < columns; ++i) row.append(i > 0 ? "|" : "").append(values[i] != nullptr ? values[i] : "NULL");
      static_cast<std::vector<std::string>*>(into)->push_back(row);
      return 0;
    };
    if (sqlite3_exec(database_, query.c_str(), collect, &rows, &error) != SQLITE_OK) rows = {error};
    sqlite3_free(error);
    return rows;
  }
  std::string One(const std::string& query) {
    const std::vector<std::string> rows = Select(query);
    return rows.empty() ? "" : rows.front();
  }

  void MakeRandomLog(int steps) {
    EngineOptions options = SmallTailOptions();
    options.clock = [this] {
      now_ += static_cast<TimeNs>(random_() % 3'000'000'000);
      if (random_() % 40 == 0) now_ -= 30'000'000'000;
      return Moment(now_);
    };
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, std::move(options)));
    RandomDriver driver(*engine, random_);
    for (int i = 0; i < steps; ++i) driver.Step();
    ASSERT_OK(engine->Close());
  }

  std::uint64_t Any(std::uint64_t below) { return random_() % below; }

  std::mt19937_64 random_;
  TimeNs now_ = 1'767'323'045'000'000'000;
  sqlite3* database_ = nullptr;
};

TEST_F(SqlTest, EveryEventAndOperationIsARow) {
  MakeRandomLog(600);
  ASSERT_OK_AND_ASSIGN(const auto log, OpenLogForReading(log_dir_));
  std::vector<std::string> expected;
  ASSERT_OK_AND_ASSIGN(EventQuery query, EventQuery::Over(*log, {}));
  while (true) {
    ASSERT_OK_AND_ASSIGN(const auto found, query.Next());
    if (!found) break;
    expected.push_back(std::to_string(found->event.sequence) + "|" + std::string(KindName(found->event.event.body)) +
                       "|" + (found->operation == 0 ? "NULL" : std::to_string(found->operation)));
  }
  EXPECT_EQ(Select("SELECT sequence, kind, operation FROM events"), expected);
  EXPECT_EQ(One("SELECT count(*) FROM checkpoints"), One("SELECT count(*) FROM events WHERE +kind = 'checkpoint'"));
  ASSERT_OK_AND_ASSIGN(const auto history, ReadHistory(*log));
  expected.clear();
  for (const HistoryEntry& entry : history) {
    const Operation& operation = entry.operation;
    expected.push_back(std::to_string(operation.first_sequence) + "|" + std::string(Name(operation.status)) + "|" +
                       std::to_string(operation.files_processed) + "|" + std::to_string(operation.error_count) + "|" +
                       (entry.reset_by ? std::to_string(*entry.reset_by) : "NULL"));
  }
  EXPECT_EQ(Select("SELECT first_sequence, status, files, errors, reset_by FROM runs"), expected);
}

// With a "+" before its column, SQLite does not offer a constraint to the table.
TEST_F(SqlTest, ConstraintsThatAreUsedGiveTheAnswersOfThoseThatAreNot) {
  MakeRandomLog(800);
  const int events = std::stoi(One("SELECT count(*) FROM events"));
  const auto any_sequence = [&] { return std::to_string(static_cast<std::int64_t>(Any(events + 20)) - 10); };
  const auto any_time = [&] {
    const std::string time = One("SELECT time FROM events WHERE sequence = " + std::to_string(1 + Any(events)));
    if (Any(5) == 0) return "'" + time.substr(0, 10) + " " + time.substr(11, 8) + "'";
    return "'" + time.substr(0, Any(3) == 0 ? 10 : Any(2) == 0 ? 19 : 11 + Any(20)) + "'";
  };
  const auto any_of = [&](const std::vector<std::string>& texts) { return texts[Any(texts.size())]; };
  const std::vector<std::string> comparisons = {"=", "<", "<=", ">", ">="};
  const std::vector<std::string> tables = {"events", "checkpoints", "errors"};
  int with_rows = 0;
  for (int round = 0; round < 400; ++round) {
    const std::string table = any_of(tables);
    std::vector<std::string> columns, rests;
    const auto add = [&](const std::string& column, const std::string& rest) {
      columns.push_back(column);
      rests.push_back(rest);
    };
    for (std::uint64_t i = Any(3); i > 0; --i) add("sequence", any_of(comparisons) + any_sequence());
    for (std::uint64_t i = Any(3); i > 0; --i) add("time", any_of(comparisons) + any_time());
    if (Any(4) == 0) add("operation", "= " + One("SELECT first_sequence FROM runs ORDER BY random()"));
    if (Any(4) == 0) add("operation_id", "= '" + One("SELECT operation_id FROM runs ORDER BY random()") + "'");
    if (table == "events" && Any(3) == 0)
      add("kind", any_of({"= 'failed'", "= 'checkpoint'", "IN ('reset', 'started')", "= 'x'"}));
    std::string used = "SELECT * FROM " + table + " WHERE 1", unused = used;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      used += " AND " + columns[i] + " " + rests[i];
      unused += " AND +" + columns[i] + " " + rests[i];
    }
    const std::string order = Any(2) == 0 ? " ORDER BY sequence" : " ORDER BY sequence DESC";
    const auto rows = Select(used + order);
    ASSERT_EQ(rows, Select(unused + (order.size() > 18 ? " ORDER BY +sequence DESC" : " ORDER BY +sequence")))
        << used << order;
    if (!rows.empty()) ++with_rows;
  }
  EXPECT_GT(with_rows, 20);
}

TEST_F(SqlTest, RunsByTheirConstraintsAreTheSameEitherWay) {
  MakeRandomLog(1500);
  for (const std::string rest : {"status = 'failed'", "status = 'in_progress'", "type = 'initial'",
                                 "started_at >= '2026-01-02'", "started_at < '2026-01-02T03:10:00Z'"}) {
    EXPECT_EQ(Select("SELECT * FROM runs WHERE " + rest), Select("SELECT * FROM runs WHERE +" + rest)) << rest;
  }
  EXPECT_EQ(Select("SELECT first_sequence FROM runs ORDER BY first_sequence DESC"),
            Select("SELECT first_sequence FROM runs ORDER BY +first_sequence DESC"));
}

TEST_F(SqlTest, PlanShowsWhatIsUsedAndBatchesThatCannotHoldAnAnswerAreNotUnpacked) {
  MakeLog(20'000);
  EXPECT_THAT(
      One("EXPLAIN QUERY PLAN SELECT * FROM events WHERE sequence > 7 AND kind = 'failed' ORDER BY sequence DESC"),
      HasSubstr("sequence>? AND kind=?, newest first"));
  const auto unpacked_by = [&](const std::string& query) {
    const int before = std::stoi(One("SELECT foldlog_batches_unpacked()"));
    Select(query);
    return std::stoi(One("SELECT foldlog_batches_unpacked()")) - before;
  };
  EXPECT_GT(unpacked_by("SELECT count(*) FROM events"), 20);
  EXPECT_LE(unpacked_by("SELECT * FROM events WHERE kind = 'started'"), 2);
  EXPECT_LE(unpacked_by("SELECT * FROM errors"), 1);
  EXPECT_LE(unpacked_by("SELECT * FROM events WHERE sequence BETWEEN 5000 AND 5010"), 2);
  EXPECT_LE(unpacked_by("SELECT * FROM events ORDER BY sequence DESC LIMIT 3"), 2);
}

TEST_F(SqlTest, ValuesOfOneNameAreAListAsInTheLinesOfJson) {
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, SmallTailOptions()));
  ASSERT_OK(engine->Start({.roots = {"/a", "/\"b"}, .metadata = {{"tag", "x"}, {"host", "nas"}, {"tag", "y"}}}));
  ASSERT_OK(engine->Close());
  EXPECT_EQ(One("SELECT metadata FROM runs"), "{\"tag\": [\"x\", \"y\"], \"host\": \"nas\"}");
  EXPECT_EQ(One("SELECT json_extract(roots, '$[1]') FROM runs"), "/\"b");
}

TEST_F(SqlTest, LogThatIsNamedIsTheSameWithOr) {
  MakeLog(100);
  const std::string named = "SELECT count(*) FROM events('" + log_dir_ + "') WHERE ";
  for (const std::string rest : {"sequence = 3 OR sequence IN (12, 45)", "sequence BETWEEN 1 AND 3 OR sequence = 45",
                                 "kind = 'started' OR operation = 1"}) {
    EXPECT_EQ(One(named + "(" + rest + ")"), One("SELECT count(*) FROM events WHERE " + rest)) << rest;
    EXPECT_NE(One(named + "(" + rest + ")"), "0") << rest;
  }
  EXPECT_EQ(One("SELECT DISTINCT log FROM runs('" + log_dir_ + "')"), log_dir_);
}

TEST_F(SqlTest, CollationsAndTimesOfAnyKindGiveTheAnswersOfASearch) {
  MakeRandomLog(1000);
  for (const std::string rest :
       {"kind = 'FAILED' COLLATE NOCASE", "kind = 'failed  ' COLLATE RTRIM", "time < '2026-11-4 '", "time < '2026-1-2'",
        "time < '9999-12-31'", "time >= ''", "time > '2026-01-02T03:04:05.5+01:00'", "time < 'x'"}) {
    EXPECT_EQ(Select("SELECT sequence FROM events WHERE " + rest), Select("SELECT sequence FROM events WHERE +" + rest))
        << rest;
  }
  for (const std::string rest : {"started_at < '9999-12-31'", "started_at <= '2262-04-12'", "started_at > '1677'"}) {
    EXPECT_EQ(Select("SELECT * FROM runs WHERE " + rest), Select("SELECT * FROM runs WHERE +" + rest)) << rest;
  }
}

TEST_F(SqlTest, NextStatementSeesTheLogThatIsThereNow) {
  MakeLog(100);
  EXPECT_EQ(One("SELECT count(*) FROM events"), "101");
  std::filesystem::remove_all(log_dir_);
  EXPECT_THAT(One("SELECT count(*) FROM events"), HasSubstr("no log at"));
  MakeLog(50);
  EXPECT_EQ(One("SELECT count(*) FROM events"), "51");
}

TEST_F(SqlTest, JoinsBeginWithTheRunsAndReadOnlyTheirEvents) {
  const std::string join = "EXPLAIN QUERY PLAN SELECT * FROM errors e JOIN runs r ON e.operation = r.first_sequence ";
  for (const std::string rest : {"", "WHERE r.status = 'failed'", "WHERE r.operation_id = 'x'"}) {
    const auto plan = Select(join + rest);
    ASSERT_GE(plan.size(), 2) << rest;
    EXPECT_THAT(plan[0], HasSubstr("SCAN r ")) << rest;
    EXPECT_THAT(plan[1], HasSubstr("operation=?")) << rest;
  }
}

TEST_F(SqlTest, OneStatementSeesOneMoment) {
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, SmallTailOptions()));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
  ASSERT_OK(engine->Checkpoint(handle, {.files_processed = 1}));
  sqlite3_stmt* statement = nullptr;
  ASSERT_EQ(sqlite3_prepare_v2(database_,
                               "SELECT (SELECT count(*) FROM events), status, (SELECT status FROM runs) FROM runs "
                               "JOIN events ON operation = first_sequence",
                               -1, &statement, nullptr),
            SQLITE_OK);
  int rows = 0;
  while (sqlite3_step(statement) == SQLITE_ROW) {
    ++rows;
    EXPECT_EQ(sqlite3_column_int(statement, 0), 2);
    EXPECT_STREQ(reinterpret_cast<const char*>(sqlite3_column_text(statement, 1)), "in_progress");
    EXPECT_STREQ(reinterpret_cast<const char*>(sqlite3_column_text(statement, 2)), "in_progress");
    if (rows == 1) {
      ASSERT_OK(engine->Complete(handle));
    }
  }
  EXPECT_EQ(rows, 2);
  sqlite3_finalize(statement);
  EXPECT_EQ(One("SELECT count(*) FROM events"), "3");
  EXPECT_EQ(One("SELECT status FROM runs"), "completed");
}

TEST_F(SqlTest, StatesAndProgressOfThePast) {
  MakeLog(5000);
  EXPECT_EQ(One("SELECT files, sequence, status FROM state_at(101)"), "100|101|in_progress");
  EXPECT_EQ(One("SELECT status, files FROM state_at(0)"), "idle|NULL");
  EXPECT_THAT(One("SELECT * FROM state_at(9999)"), HasSubstr("does not exist"));
  EXPECT_THAT(One("SELECT * FROM state_at('x')"), HasSubstr("sequence number"));
  EXPECT_THAT(One("SELECT * FROM state_at"), HasSubstr("sequence number"));
  EXPECT_THAT(One("SELECT * FROM progress('last')"), HasSubstr("points"));
  EXPECT_EQ(One("SELECT group_concat(files) FROM progress('last', 5)"), "1000,2000,3000,4000,5000");
  EXPECT_THAT(One("SELECT * FROM progress('last', 0)"), HasSubstr("points"));
  EXPECT_THAT(One("SELECT * FROM progress('nobody', 3)"), HasSubstr("knows no"));
  EXPECT_EQ(
      One("SELECT count(*) FROM events e, state_at(e.sequence) s WHERE e.sequence = s.sequence AND e.sequence < 9"),
      "8");
}

TEST_F(SqlTest, WhatIsWrongIsSaidInWords) {
  EXPECT_THAT(One("SELECT * FROM runs"), HasSubstr("no log at"));
  EXPECT_THAT(One("SELECT * FROM runs(7)"), HasSubstr("its directory"));
  EXPECT_THAT(One("DELETE FROM events"), HasSubstr("may not be modified"));
  EXPECT_THAT(One("CREATE VIRTUAL TABLE x USING runs"), testing::Not(""));
}

}  // namespace
}  // namespace foldlog
