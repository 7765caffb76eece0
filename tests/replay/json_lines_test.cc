// A log as lines of JSON, and back: the same frames, and no line that was changed, moved or taken from elsewhere.

#include "foldlog/json_lines.h"

#include <filesystem>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"
#include "tests/support/log_directory_fixture.h"
#include "tests/support/random_events.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;
using Lines = std::vector<std::string>;

class JsonLinesTest : public LogDirectoryFixture {
 protected:
  const std::string copy_dir_ = directory_ / "copy";
  std::mt19937_64 random_{TestSeed()};

  // Frames that a log may hold: random events, and now and then words that are no event, or no canonical one.
  void MakeRandomLog(int events) {
    ASSERT_OK_AND_ASSIGN(const WritableLog written, OpenLogForWriting(log_dir_, SmallTail()));
    for (int i = 0; i < events; ++i) {
      ASSERT_OK_AND_ASSIGN(const LogExtent extent, written.log->Extent());
      FrameRun run{.before = extent.end, .after = extent.end};
      if (random_() % 10 == 0) {
        std::vector<std::uint64_t> words(1 + random_() % 20);
        for (std::uint64_t& word : words) word = random_() % 2 == 0 ? 0 : random_();
        ASSERT_OK(AppendPayload(words, run));
      } else {
        ASSERT_OK(AppendFrame(RandomEvent(random_), run));
      }
      ASSERT_OK(written.log->Append(run, Space::kUnreserved));
    }
  }

  static absl::StatusOr<Lines> Export(const std::string& directory) {
    ASSIGN_OR_RETURN(const auto log, OpenLogForReading(directory));
    ASSIGN_OR_RETURN(const LogId id, ReadLogId(directory));
    ASSIGN_OR_RETURN(JsonLinesExport lines, JsonLinesExport::Of(*log, id));
    Lines all;
    while (true) {
      ASSIGN_OR_RETURN(std::optional<std::string> line, lines.Next());
      if (!line) return all;
      all.push_back(*std::move(line));
    }
  }

  absl::StatusOr<JsonLinesSummary> Import(const Lines& lines) const {
    auto next = lines.begin();
    return ImportJsonLines(
        [&]() -> absl::StatusOr<std::optional<std::string_view>> {
          if (next == lines.end()) return std::optional<std::string_view>();
          return std::optional<std::string_view>(*next++);
        },
        copy_dir_);
  }

  // The import is refused with such a message, and nothing of it stays.
  void ExpectRefused(const Lines& lines, const testing::Matcher<const std::string&>& message) const {
    ASSERT_THAT(Import(lines), Fails(StatusCode::kInvalidArgument, message));
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      ASSERT_FALSE(absl::StartsWith(entry.path().filename().string(), "copy")) << entry.path();
    }
  }

  static std::vector<std::uint64_t> AllFrames(const std::string& directory) {
    std::vector<std::uint64_t> words;
    const auto log = OpenLogForReading(directory);
    EXPECT_OK(log);
    for (Sequence next = 1; true;) {
      const auto run = (*log)->Read(next, 1 << 20);
      EXPECT_OK(run);
      if (run->empty()) return words;
      words.insert(words.end(), run->words.begin(), run->words.end());
      next = run->after.sequence + 1;
    }
  }
};

TEST_F(JsonLinesTest, ImportGivesTheSameFramesOfRandomEvents) {
  MakeRandomLog(600);
  ASSERT_OK_AND_ASSIGN(const Lines lines, Export(log_dir_));
  EXPECT_EQ(lines.size(), 602u);
  ASSERT_OK_AND_ASSIGN(const JsonLinesSummary made, Import(lines));
  EXPECT_EQ(made.events, 600u);
  ASSERT_OK_AND_ASSIGN(const LogId id, ReadLogId(log_dir_));
  ASSERT_OK_AND_ASSIGN(const LogId copied_id, ReadLogId(copy_dir_));
  EXPECT_EQ(copied_id, id);
  EXPECT_EQ(AllFrames(copy_dir_), AllFrames(log_dir_));
  ASSERT_OK_AND_ASSIGN(const Lines again, Export(copy_dir_));
  EXPECT_EQ(again, lines);
}

// Of everyday events, the fields are enough: people can read them, and nothing hides in a payload.
TEST_F(JsonLinesTest, EverydayEventsNeedNoPayload) {
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, SmallTailOptions()));
  ASSERT_OK_AND_ASSIGN(OperationHandle handle,
                       engine->Start({.total_files = 3, .roots = {"/a", "\xff"}, .metadata = {{"what", "x"}}}));
  ASSERT_OK(
      engine->Checkpoint(handle, {.files_processed = 1, .current_path = "/a", .last_processed_file = "\xc3\xa9\xff"}));
  ASSERT_OK(engine->Checkpoint(
      handle,
      {.files_processed = 2, .batch_num = 7, .error = FileError{"/a/b", "bad", R"({"errno": 5, "x": [1.5, "y"]})"}}));
  ASSERT_OK(engine->Pause(handle, "night"));
  ASSERT_OK_AND_ASSIGN(handle, engine->Resume(handle.operation_id));
  ASSERT_OK(engine->Complete(handle, {{"bytes", std::int64_t{5}}, {"rate", 0.1}, {"text", std::string("t")}}));
  ASSERT_OK(engine->Clear());
  ASSERT_OK(engine->Close());
  ASSERT_OK_AND_ASSIGN(const Lines lines, Export(log_dir_));
  for (const std::string& line : lines) EXPECT_THAT(line, testing::Not(HasSubstr("\"payload\"")));
  ASSERT_OK(Import(lines));
  EXPECT_EQ(AllFrames(copy_dir_), AllFrames(log_dir_));
}

TEST_F(JsonLinesTest, WhatFieldsCannotTellComesAsPayload) {
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, SmallTailOptions()));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({.metadata = {{"a", "1"}, {"b", "2"}, {"a", "3"}}}));
  ASSERT_OK(engine->Complete(handle, {{"nan", std::numeric_limits<double>::quiet_NaN()}}));
  ASSERT_OK(engine->Close());
  ASSERT_OK_AND_ASSIGN(const Lines lines, Export(log_dir_));
  EXPECT_THAT(lines[1], HasSubstr("\"payload\""));
  EXPECT_THAT(lines[2], HasSubstr("\"payload\""));
  ASSERT_OK(Import(lines));
  EXPECT_EQ(AllFrames(copy_dir_), AllFrames(log_dir_));
}

TEST_F(JsonLinesTest, EmptyLogIsTwoLines) {
  { ASSERT_OK(OpenLogForWriting(log_dir_, SmallTail())); }
  ASSERT_OK_AND_ASSIGN(const Lines lines, Export(log_dir_));
  EXPECT_EQ(lines.size(), 2u);
  ASSERT_OK_AND_ASSIGN(const JsonLinesSummary made, Import(lines));
  EXPECT_EQ(made.events, 0u);
}

// Whatever a byte becomes, its line is refused by its number, and there is no log.
TEST_F(JsonLinesTest, EachDamagedByteIsRefusedWithItsLine) {
  MakeRandomLog(12);
  ASSERT_OK_AND_ASSIGN(const Lines lines, Export(log_dir_));
  for (std::size_t number = 0; number < lines.size(); ++number) {
    for (std::size_t at = 0; at < lines[number].size(); ++at) {
      Lines damaged = lines;
      damaged[number][at] = static_cast<char>(damaged[number][at] ^ (1 << random_() % 8));
      ASSERT_NO_FATAL_FAILURE(ExpectRefused(damaged, testing::StartsWith("line " + std::to_string(number + 1) + ": ")));
    }
  }
}

TEST_F(JsonLinesTest, LinesThatAreMissingMovedOrGivenTwiceAreRefused) {
  MakeRandomLog(20);
  ASSERT_OK_AND_ASSIGN(const Lines lines, Export(log_dir_));
  for (std::size_t number = 0; number < lines.size(); ++number) {
    Lines without = lines;
    without.erase(without.begin() + static_cast<std::ptrdiff_t>(number));
    ExpectRefused(without, HasSubstr(number + 1 == lines.size() ? "cut short" : "line "));
    Lines twice = lines;
    twice.insert(twice.begin() + static_cast<std::ptrdiff_t>(number), lines[number]);
    ExpectRefused(twice, HasSubstr("line " + std::to_string(number + 2)));
    if (number == 0) continue;
    Lines moved = lines;
    std::swap(moved[number - 1], moved[number]);
    ExpectRefused(moved, HasSubstr("line " + std::to_string(number)));
  }
  ExpectRefused({}, HasSubstr("not one line"));
  ExpectRefused({"hello"}, AllOf(HasSubstr("line 1: "), HasSubstr("no line of an export")));
}

TEST_F(JsonLinesTest, LineOfAnotherLogIsRefused) {
  MakeLog(3);
  ASSERT_OK_AND_ASSIGN(Lines lines, Export(log_dir_));
  std::filesystem::remove_all(log_dir_);
  MakeLog(3);
  ASSERT_OK_AND_ASSIGN(const Lines others, Export(log_dir_));
  lines[2] = others[2];
  ExpectRefused(lines, AllOf(HasSubstr("line 3: "), HasSubstr("another log")));
}

TEST_F(JsonLinesTest, NothingThatIsThereIsReplaced) {
  MakeLog(1);
  ASSERT_OK_AND_ASSIGN(const Lines lines, Export(log_dir_));
  ASSERT_OK(Import(lines));
  EXPECT_THAT(Import(lines), Fails(StatusCode::kFailedPrecondition, HasSubstr("already")));
  EXPECT_EQ(AllFrames(copy_dir_), AllFrames(log_dir_));
  std::filesystem::remove_all(copy_dir_);
  std::filesystem::create_directory(copy_dir_);  // an empty directory holds nothing
  ASSERT_OK(Import(lines));
}

}  // namespace
}  // namespace foldlog
