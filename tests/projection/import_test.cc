// Rows of older programs as events: they come back byte for byte, and what follows is as if foldlog had been there from
// the start.

#include <limits>

#include "foldlog/history.h"
#include "foldlog/log_directory.h"
#include "foldlog/replayer.h"
#include "tests/support/golden_traces.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

const Imported& Body(const RecordedEvent& event) { return std::get<Imported>(event.event.body); }

class ImportTest : public testing::Test {
 protected:
  ImportTest() { engine_ = *Engine::Open(NewWritableMemoryLog(), DeterministicOptions()); }

  // Imports and expects the row to come back; gives the event.
  Imported Import(const SingleRow& row) {
    const auto handle = foldlog::Import(*engine_, row, "state.db");
    EXPECT_OK(handle) << row.checkpoint_data;
    if (!handle.ok()) return {};
    handle_ = *handle;
    EXPECT_EQ(Row(), row);
    const auto events = ReadAll(engine_->log());
    EXPECT_EQ(events.size(), 1u);
    return Body(events[0]);
  }

  SingleRow Row() { return **ProjectSingleRow(engine_->log(), engine_->state()); }

  // Refused with such a message, and nothing is written.
  void ExpectRefused(const SingleRow& row, const std::string& message) {
    EXPECT_THAT(foldlog::Import(*engine_, row), Fails(StatusCode::kInvalidArgument, HasSubstr(message)))
        << row.checkpoint_data;
    EXPECT_EQ(engine_->log().Extent()->end.sequence, 0u);
  }

  static SingleRow RowWith(const std::string& data, const std::string& status = "in_progress") {
    return {"initial", status, data, 1'700'000'000, 1'700'000'060, {}};
  }

  std::unique_ptr<Engine> engine_;
  OperationHandle handle_;
};

// The strongest claim: import a recorded row at any step, go on with the recorded calls, and every later row is the
// recorded one.
TEST(ImportGolden, ARowOfAnyStepIsComputedFromEventsAndGoesOnAsRecorded) {
  int imports = 0;
  std::mt19937_64 random(TestSeed());
  for (const std::vector<TraceStep>& trace : ReadGoldenTraces()) {
    for (std::size_t from = 0; from < trace.size(); ++from) {
      if (!trace[from].row_after) continue;
      Replay replay;
      ASSERT_OK(Import(replay.engine(), *trace[from].row_after));
      ASSERT_TRUE(replay.Row() == trace[from].row_after) << Shown(trace[from].row_after);
      ASSERT_FALSE(Body(ReadAll(replay.engine().log())[0]).row) << "kept as it is: " << Shown(trace[from].row_after);
      ++imports;
      if (random() % 4 != 0) continue;
      for (std::size_t next = from + 1; next < trace.size(); ++next) {
        ASSERT_OK(replay.Step(Object(*ParseJson(trace[next].text)))) << trace[next].text;
        ASSERT_TRUE(replay.Row() == trace[next].row_after)
            << "\nis " << Shown(replay.Row()) << "\nnot " << Shown(trace[next].row_after);
      }
    }
  }
  EXPECT_GT(imports, 2000);
}

TEST_F(ImportTest, EarlierRowsAreKeptAsTheyAreUntilTheNextEvent) {
  const SingleRow row{"full", "indexing", R"({"files_processed": 10, "last_path": "/a", "batch_num": 3})",
                      100,    200,        {}};
  const Imported imported = Import(row);
  EXPECT_EQ(imported.row, row);
  EXPECT_EQ(imported.source, "state.db");
  EXPECT_EQ(engine_->state().status(), OperationStatus::kInProgress);
  EXPECT_EQ(engine_->state().operation->files_processed, 10);
  EXPECT_EQ(engine_->state().operation->last_processed_file, "/a");
  EXPECT_EQ(engine_->state().operation->batch_num, 3);
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 11}));
  EXPECT_EQ(Row().status, "in_progress");
  EXPECT_EQ(Row().operation_type, "initial");
  EXPECT_THAT(Row().checkpoint_data, AllOf(HasSubstr(R"({"operation_id": "op-1", "operation_type": "initial")"),
                                           HasSubstr(R"("files_processed": 11, "current_path": null, )"
                                                     R"("last_processed_file": "/a")")));
}

TEST_F(ImportTest, EveryKnownStatusHasItsMeaning) {
  const std::vector<std::pair<std::string, OperationStatus>> rows = {
      {"in_progress", OperationStatus::kInProgress}, {"indexing", OperationStatus::kInProgress},
      {"Running", OperationStatus::kInProgress},     {"paused", OperationStatus::kPaused},
      {"stopped", OperationStatus::kPaused},         {"completed", OperationStatus::kCompleted},
      {"done", OperationStatus::kCompleted},         {"idle", OperationStatus::kCompleted},
      {"failed", OperationStatus::kFailed},          {"error", OperationStatus::kFailed},
      {"cancelled", OperationStatus::kFailed},
  };
  for (const auto& [word, status] : rows) {
    engine_ = *Engine::Open(NewWritableMemoryLog(), DeterministicOptions());
    Import(RowWith("{}", word));
    EXPECT_EQ(engine_->state().status(), status) << word;
    const bool active = engine_->state().active();
    EXPECT_EQ(engine_->Start({}).ok(), !active) << word;
  }
}

TEST_F(ImportTest, ErrorsAreInTheEventAndOutliveTheRowThatIsKept) {
  const Imported imported =
      Import(RowWith("{\"errors\": [ {\"path\": \"/a\", \"error\": \"b\", \"timestamp\": 1700000001.5},\n"
                     "{\"errno\":13,\"x\":\"\u00e9\"}, \"text\", null, {\"a\": 1, \"b\": 2, \"a\": 3}]}"));
  ASSERT_EQ(imported.errors.size(), 5u);
  EXPECT_EQ(imported.errors[0], (ImportedError{1'700'000'001'500'000'000, {"/a", "b", ""}}));
  EXPECT_EQ(engine_->state().operation->error_count, 5);
  EXPECT_EQ(engine_->state().operation->checkpoints, 0);
  EXPECT_EQ(engine_->state().operation->updated_at, 1'700'000'060'000'000'000);
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 1}));
  EXPECT_THAT(Row().checkpoint_data,
              HasSubstr(R"("errors": [{"path": "/a", "error": "b", "timestamp": 1700000001.5}, )"
                        R"({"errno": 13, "x": "\u00e9"}, {"path": "", "error": "text", "timestamp": 1700000060.0}, )"
                        R"({"path": "", "error": "null", "timestamp": 1700000060.0}, {"a": 3, "b": 2}])"));
}

TEST_F(ImportTest, AFatalErrorAtTheEndIsTheFailure) {
  const Imported imported =
      Import(RowWith(R"({"errors": [{"error": "x"}, {"error": "disk", "timestamp": 5.0, "fatal": true}]})", "failed"));
  EXPECT_EQ(imported.errors.size(), 1u);
  EXPECT_EQ(imported.failure, "disk");
  EXPECT_EQ(imported.ended_at, 5'000'000'000);
  EXPECT_EQ(engine_->state().operation->failure, "disk");
}

TEST_F(ImportTest, WhatIsNoRowIsRefusedAndNothingIsWritten) {
  ExpectRefused(RowWith("{"), "its checkpoint_data is no JSON");
  ExpectRefused(RowWith(""), "its checkpoint_data is no JSON");
  ExpectRefused(RowWith("[1]"), "its checkpoint_data is [1]; it must be a JSON object");
  ExpectRefused(RowWith("{}", "sleeping"), "its status is \"sleeping\"; it must be one of in_progress");
  ExpectRefused({"nightly", "paused", "{}", 1, 1, {}}, "its operation_type is \"nightly\"; it must be one of initial");
  ExpectRefused(RowWith(R"({"files_processed": "ten"})"), "its files_processed is \"ten\"; it must be a whole number");
  ExpectRefused(RowWith(R"({"files_processed": -1})"), "its files_processed is -1");
  ExpectRefused(RowWith(R"({"files_processed": 99999999999999999999})"), "its files_processed is 99999999999999999999");
  ExpectRefused(RowWith(R"({"batch_num": 1.5})"), "its batch_num is 1.5");
  ExpectRefused(RowWith(R"({"current_path": 7})"), "its current_path is 7; it must be a string");
  ExpectRefused(RowWith(R"({"errors": {}})"), "its errors is {}; it must be a list");
  ExpectRefused(RowWith(R"({"rate": "fast"})"), "its rate is \"fast\"; it must be a number");
  ExpectRefused(RowWith(R"({"last_update": NaN})"), "its last_update is NaN; it must be a time");
  ExpectRefused({"initial", "paused", "{}", 1, 99'999'999'999, {}}, "its updated_at is 99999999999");
  ExpectRefused({"initial", "paused", "{}", 1, 1, std::numeric_limits<std::int64_t>::min()},
                "its completed_at is -9223");
  ExpectRefused(RowWith("{\"errors\": [{\"a\": " + std::string(300, '[') + std::string(300, ']') + "}]}"), "nested");
  ExpectRefused(RowWith("{\"note\": \"" + std::string((64 << 20) - 100, 'x') + "\"}"),
                "more than the 67108864 allowed");
  std::string many = "0";
  for (int i = 0; i < 1'000'000; ++i) many += ",0";
  ExpectRefused(RowWith("{\"errors\": [" + many + "]}"), "its errors is a list of 1000001; it must be of 1000000");
  ExpectRefused(RowWith(std::string((64 << 20) + 1, ' ')), "its checkpoint_data is of 67108865 bytes");
}

TEST_F(ImportTest, ItIsRefusedUnlessTheRowIsEmpty) {
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine_->Start({}));
  EXPECT_THAT(foldlog::Import(*engine_, RowWith("{}")),
              Fails(StatusCode::kFailedPrecondition, HasSubstr("in_progress")));
  ASSERT_OK(engine_->Complete(handle));
  EXPECT_THAT(foldlog::Import(*engine_, RowWith("{}")), Fails(StatusCode::kFailedPrecondition, HasSubstr("clear it")));
  ASSERT_OK(engine_->Clear());
  EXPECT_OK(foldlog::Import(*engine_, RowWith("{}")));
  ASSERT_OK_AND_ASSIGN(const auto history, ReadHistory(engine_->log()));
  EXPECT_EQ(history.size(), 2u);
}

TEST_F(ImportTest, AnOperationOfAnotherProgramIsCheckedBeforeItIsAppended) {
  const auto refused = [&](const Imported& operation, const std::string& message) {
    EXPECT_THAT(engine_->Import(operation), Fails(StatusCode::kInvalidArgument, HasSubstr(message)));
  };
  refused({.type = static_cast<OperationType>(3)}, "no operation of that type");
  refused({.status = OperationStatus::kIdle}, "in progress, paused, completed or failed");
  refused({.status = static_cast<OperationStatus>(5)}, "in progress, paused, completed or failed");
  refused({.total_files = -1}, "total number of files is -1");
  refused({.files_processed = -1}, "number of files processed is -1");
  refused({.batch_num = -1}, "batch number is -1");
  refused({.errors = {{1, {.details = "[1]"}}}}, "JSON object");
  EXPECT_EQ(engine_->log().Extent()->end.sequence, 0u);
  EXPECT_OK(engine_->Import({.errors = {{1, {.details = "{}"}}}}));
  EXPECT_EQ(engine_->state().operation->operation_id, "op-8");
}

// The owner is the process that imported it: once that has closed the log, its going is proven, and no force is needed.
TEST(ImportFile, AnOperationInProgressIsResumedWithoutForceOnceTheImporterIsGone) {
  const TempDir directory;
  {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(directory / "log"));
    ASSERT_OK(Import(*engine, {"initial", "indexing", R"({"operation_id": "old"})", 1, 2, {}}));
  }
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(directory / "log"));
  EXPECT_EQ(engine->interruption(), OwnerFate::kClosedWithoutEnd);
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Resume("old"));
  EXPECT_OK(engine->Checkpoint(handle, {.files_processed = 1}));
}

TEST(ImportFile, AHundredThousandErrorsAreOneEventAndComeBack) {
  const TempDir directory;
  std::string errors;
  for (int i = 0; i < 100'000; ++i) {
    absl::StrAppend(&errors, i == 0 ? "" : ", ", "{\"path\": \"/photos/", i, "\", \"error\": \"no\", \"errno\": 13}");
  }
  const SingleRow row{
      "initial",
      "paused",
      absl::StrCat(R"({"operation_id": "a", "operation_type": "initial", "total_files": null, )"
                   R"("files_processed": 7, "current_path": null, "last_processed_file": null, "errors": [)",
                   errors,
                   R"(], "rate": 0.5, "started_at": 1.5, "last_update": 15.5, "batch_num": 0, )"
                   R"("checkpoint_version": "1.0"})"),
      1,
      20,
      {}};
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(directory / "log"));
  ASSERT_OK(Import(*engine, row));
  ASSERT_OK(engine->Close());
  ASSERT_OK_AND_ASSIGN(const auto log, OpenLogForReading(directory / "log"));
  ASSERT_OK_AND_ASSIGN(const State state, StateAt(*log));
  EXPECT_EQ(state.sequence, 1u);
  EXPECT_EQ(state.operation->error_count, 100'000);
  ASSERT_OK_AND_ASSIGN(const auto projected, ProjectSingleRow(*log, state));
  EXPECT_TRUE(*projected == row);
}

// Rows with a few bytes changed: refused with a message, or back byte for byte, whatever they say.
TEST(ImportMutation, NoRowDoesHarmAndWhatIsTakenComesBack) {
  std::mt19937_64 random(TestSeed());
  const auto traces = ReadGoldenTraces();
  int taken = 0;
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::vector<TraceStep>& trace = traces[random() % traces.size()];
    const std::optional<SingleRow>& original = trace[random() % trace.size()].row_after;
    if (!original) continue;
    SingleRow row = *original;
    for (std::uint64_t changes = 1 + random() % 3; changes > 0; --changes) {
      std::string& text = row.checkpoint_data;
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text.erase(at, 1 + random() % 8);
          break;
        case 1:
          text.insert(at, 1, static_cast<char>(random()));
          break;
        case 2:
          text.insert(at, text.substr(random() % text.size(), random() % 12));
          break;
        default:
          text[at] = "{}[],:\"\\0123456789-.eE ntf"[random() % 27];
      }
    }
    if (random() % 8 == 0) row.updated_at = static_cast<std::int64_t>(random()) >> (random() % 64);
    if (random() % 8 == 0) row.completed_at = static_cast<std::int64_t>(random()) >> (random() % 64);
    ASSERT_OK_AND_ASSIGN(const auto engine, Engine::Open(NewWritableMemoryLog(), DeterministicOptions()));
    const auto handle = Import(*engine, row);
    if (!handle.ok()) {
      ASSERT_THAT(handle, Fails(StatusCode::kInvalidArgument, HasSubstr("row cannot be imported")));
      ASSERT_EQ(engine->log().Extent()->end.sequence, 0u);
      ++refused;
      continue;
    }
    ++taken;
    ASSERT_OK_AND_ASSIGN(const auto projected, ProjectSingleRow(engine->log(), engine->state()));
    ASSERT_TRUE(*projected == row) << "is " << Shown(projected) << "\nnot " << Shown(row);
    ASSERT_OK_AND_ASSIGN(const State folded, StateAt(engine->log()));
    ASSERT_EQ(folded, engine->state());
  }
  EXPECT_GT(taken, 500);
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace foldlog
