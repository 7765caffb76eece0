// The single row: what each transition leaves in it.

#include "foldlog/single_row.h"

#include "foldlog/log_directory.h"
#include "foldlog/replayer.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr TimeNs kSecond = 1'000'000'000;

class SingleRowTest : public testing::Test {
 protected:
  SingleRowTest() {
    EngineOptions options;
    options.clock = [this] { return now_; };
    options.new_id = [] { return "op"; };
    engine_ = *Engine::Open(NewWritableMemoryLog(), std::move(options));
    projector_.emplace(engine_->log());
  }

  void Start(std::optional<std::int64_t> total = 10) {
    ASSERT_OK_AND_ASSIGN(handle_, engine_->Start({.total_files = total}));
  }

  SingleRow Row() {
    const auto row = projector_->Project(engine_->state());
    EXPECT_OK(row);
    EXPECT_TRUE(row->has_value());
    return **row;
  }

  TimeNs now_ = 1'700'000'000'250'000'000;
  std::unique_ptr<Engine> engine_;
  OperationHandle handle_;
  std::optional<SingleRowProjector> projector_;
};

TEST_F(SingleRowTest, IdleIsNoRow) {
  EXPECT_EQ(*projector_->Project(engine_->state()), std::nullopt);
  Start();
  ASSERT_OK(engine_->Reset());
  EXPECT_EQ(*projector_->Project(engine_->state()), std::nullopt);
}

TEST_F(SingleRowTest, StartWritesEveryMember) {
  Start();
  EXPECT_EQ(Row(), (SingleRow{"initial", "in_progress",
                              R"({"operation_id": "op", "operation_type": "initial", "total_files": 10, )"
                              R"("files_processed": 0, "current_path": null, "last_processed_file": null, )"
                              R"("errors": [], "rate": 0.0, "started_at": 1700000000.25, )"
                              R"("last_update": 1700000000.25, "batch_num": 0, "checkpoint_version": "1.0"})",
                              1'700'000'000, 1'700'000'000, std::nullopt}));
}

TEST_F(SingleRowTest, CheckpointMovesProgressAndRate) {
  Start(std::nullopt);
  now_ += 4 * kSecond;
  ASSERT_OK(engine_->Checkpoint(
      handle_, {.files_processed = 6, .current_path = "/\xff", .last_processed_file = "b\xc3\xa9", .batch_num = 3}));
  const SingleRow row = Row();
  EXPECT_THAT(row.checkpoint_data,
              HasSubstr(R"("total_files": null, "files_processed": 6, "current_path": "/\udcff", )"
                        R"("last_processed_file": "b\u00e9", "errors": [], "rate": 1.5, )"
                        R"("started_at": 1700000000.25, "last_update": 1700000004.25, "batch_num": 3)"));
  EXPECT_EQ(row.updated_at, 1'700'000'004);
}

TEST_F(SingleRowTest, PauseAndResumeTouchUpdatedAtOnly) {
  Start();
  const std::string before = Row().checkpoint_data;
  now_ += 2 * kSecond;
  ASSERT_OK(engine_->Pause(handle_));
  EXPECT_EQ(Row(), (SingleRow{"initial", "paused", before, 1'700'000'000, 1'700'000'002, std::nullopt}));
  now_ += 2 * kSecond;
  ASSERT_OK(engine_->Resume("op"));
  EXPECT_EQ(Row(), (SingleRow{"initial", "in_progress", before, 1'700'000'000, 1'700'000'004, std::nullopt}));
  now_ += 2 * kSecond;
  ASSERT_OK(engine_->RecoverByForce("op", "test"));
  EXPECT_EQ(Row(), (SingleRow{"initial", "in_progress", before, 1'700'000'000, 1'700'000'006, std::nullopt}));
}

TEST_F(SingleRowTest, CompletionSetsLastUpdateRateAndCompletedAt) {
  Start();
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 10}));
  EXPECT_THAT(Row().checkpoint_data, HasSubstr(R"("rate": 0.0)")) << "no time has passed";
  now_ += 4 * kSecond;
  ASSERT_OK(engine_->Complete(handle_, {{"n", std::int64_t{1}}}));
  const SingleRow row = Row();
  EXPECT_THAT(row.checkpoint_data,
              HasSubstr(R"("rate": 2.5, "started_at": 1700000000.25, "last_update": 1700000004.25)"));
  EXPECT_EQ(row.status, "completed");
  EXPECT_EQ(row.updated_at, 1'700'000'004);
  EXPECT_EQ(row.completed_at, 1'700'000'004);
  ASSERT_OK(engine_->Clear());
  EXPECT_EQ(*projector_->Project(engine_->state()), std::nullopt);
}

TEST_F(SingleRowTest, FailureIsAFatalErrorAndLeavesLastUpdateAndRate) {
  Start();
  now_ += 4 * kSecond;
  ASSERT_OK(engine_->Fail(handle_, "disk \"full\""));
  const SingleRow row = Row();
  EXPECT_EQ(row.status, "failed");
  EXPECT_EQ(row.updated_at, 1'700'000'004);
  EXPECT_EQ(row.completed_at, std::nullopt);
  EXPECT_THAT(row.checkpoint_data,
              HasSubstr(R"("errors": [{"error": "disk \"full\"", "timestamp": 1700000004.25, "fatal": true}], )"
                        R"("rate": 0.0, "started_at": 1700000000.25, "last_update": 1700000000.25)"));
}

TEST_F(SingleRowTest, ErrorsAreListedInOrderWithTheirDetailsIfThereAreSome) {
  Start();
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 1, .error = FileError{"/a", "no", ""}}));
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 2}));
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 3, .error = FileError{"/b", "no", R"({"x": NaN})"}}));
  EXPECT_THAT(Row().checkpoint_data,
              HasSubstr(R"("errors": [{"path": "/a", "error": "no", "timestamp": 1700000000.25}, {"x": NaN}])"));
  ASSERT_OK(engine_->Fail(handle_, "end"));
  EXPECT_THAT(Row().checkpoint_data, HasSubstr(R"({"x": NaN}, {"error": "end", "timestamp")"));
}

TEST_F(SingleRowTest, ErrorsOfAnEarlierOperationOrALaterMomentAreNotShown) {
  Start();
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 1, .error = FileError{"/a", "first", ""}}));
  const State earlier = engine_->state();
  const SingleRow earlier_row = Row();
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 1, .error = FileError{"/a", "second", ""}}));
  ASSERT_OK(engine_->Fail(handle_, "third"));
  EXPECT_THAT(Row().checkpoint_data, HasSubstr("third"));
  EXPECT_EQ(**projector_->Project(earlier), earlier_row);
  EXPECT_THAT(Row().checkpoint_data, testing::AllOf(HasSubstr("first"), HasSubstr("second"), HasSubstr("third")));
  Start();
  EXPECT_THAT(Row().checkpoint_data, HasSubstr(R"("errors": [])"));
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 1, .error = FileError{"/a", "fourth", ""}}));
  EXPECT_THAT(Row().checkpoint_data, HasSubstr(R"("errors": [{"path": "/a", "error": "fourth")"));
}

TEST_F(SingleRowTest, TheStateHoldsTheBoundsOfTheErrorsAndNotTheErrors) {
  Start();
  EXPECT_EQ(engine_->state().operation->first_error_sequence, 0u);
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = i}));
    ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = i, .error = FileError{"/a", "no", ""}}));
  }
  EXPECT_EQ(engine_->state().operation->first_error_sequence, 3u);
  EXPECT_EQ(engine_->state().operation->last_error_sequence, 7u);
  EXPECT_EQ(engine_->state().operation->error_count, 3);
}

// A double of seconds may be the whole second that the nanoseconds fall short of, and the older programs cut the
// double.
TEST_F(SingleRowTest, WholeSecondsAreCutTowardsZeroFromTheDouble) {
  now_ = 1'700'000'000'999'999'999;
  Start();
  EXPECT_EQ(Row().started_at, 1'700'000'001);
  ASSERT_OK(engine_->Reset());
  now_ = 1'700'000'000'999'999'000;
  Start();
  EXPECT_EQ(Row().started_at, 1'700'000'000);
  ASSERT_OK(engine_->Reset());
  now_ = -1'500'000'000;
  Start();
  EXPECT_EQ(Row().started_at, -1);
}

TEST_F(SingleRowTest, DetailsThatAreNoJsonObjectInAsciiAreRefused) {
  Start();
  const State before = engine_->state();
  for (const char* details : {"x",
                              "[]",
                              "\"a\"",
                              "1",
                              "{",
                              "{}}",
                              " {}",
                              "{} ",
                              "{\"a\": 01}",
                              "{\"a\": 1.}",
                              "{\"a\": +1}",
                              "{a: 1}",
                              "{\"a\" 1}",
                              "{\"a\": 1,}",
                              "{\"a\": [1,]}",
                              "{\"a\": nan}",
                              "{\"a\": \"\\x\"}",
                              "{\"a\": \"\\u12g4\"}",
                              "{\"a\": \"\t\"}",
                              "{\"a\": \"\xc3\xa9\"}",
                              "{\"a\": 1NaN}",
                              "{\"a\": \"b}",
                              "{,}",
                              "{\"a\": -}"}) {
    EXPECT_THAT(engine_->Checkpoint(handle_, {.error = FileError{"", "", details}}),
                Fails(absl::StatusCode::kInvalidArgument, StartsWith("the details of an error")))
        << details;
  }
  EXPECT_EQ(engine_->state(), before);
}

TEST_F(SingleRowTest, DetailsMayHoldAllThatPythonWritesAndReads) {
  Start();
  for (const char* details :
       {"{}", R"({"a": [NaN, Infinity, -Infinity, -0.0, 1e-05, 123456789012345678901234567890]})",
        R"({"a": "\udc80\ud800 \ud83d\ude00 \" \\ \/ \b\f\n\r\t", "a": {"b": [[], {}, null, true, false]}})"}) {
    ASSERT_OK(engine_->Checkpoint(handle_, {.error = FileError{"", "", details}}));
    EXPECT_THAT(Row().checkpoint_data, HasSubstr(std::string(details) + "], \"rate\""));
  }
}

// Who reads the row or --json next has a limit of its own, and perhaps a stack.
TEST_F(SingleRowTest, DetailsNestedDeeperThanReadersReadAreRefused) {
  Start();
  const auto save = [&](std::size_t levels) {  // with the object around them
    const std::string deep = "{\"a\": " + std::string(levels - 1, '[') + std::string(levels - 1, ']') + "}";
    return engine_->Checkpoint(handle_, {.error = FileError{"", "", deep}});
  };
  EXPECT_OK(save(200));
  for (const std::size_t levels : {201, 1'000'000}) {
    EXPECT_THAT(save(levels), Fails(absl::StatusCode::kInvalidArgument, HasSubstr("nested more than 200 levels deep")));
  }
}

TEST(SingleRowFile, TheRowIsTheSameAfterReopeningAndAtAnyMoment) {
  const TempDir directory;
  std::vector<SingleRow> rows;
  {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(directory / "log"));
    ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
    for (int i = 0; i < 10; ++i) {
      ASSERT_OK(engine->Checkpoint(handle, {.files_processed = i, .error = FileError{"/a", std::to_string(i), ""}}));
      ASSERT_OK_AND_ASSIGN(auto row, ProjectSingleRow(engine->log(), engine->state()));
      rows.push_back(*row);
    }
  }
  ASSERT_OK_AND_ASSIGN(const auto log, OpenLogForReading(directory / "log"));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ASSERT_OK_AND_ASSIGN(const State state, StateAt(*log, i + 2));
    EXPECT_EQ(**ProjectSingleRow(*log, state), rows[i]);
  }
}

}  // namespace
}  // namespace foldlog
