// What most tests need: a directory of their own on a real file system, matchers for statuses, a clock that stands
// still, and random events.

#ifndef FOLDLOG_TESTS_SUPPORT_TEST_SUPPORT_H_
#define FOLDLOG_TESTS_SUPPORT_TEST_SUPPORT_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/codec/frame.h"
#include "foldlog/engine.h"
#include "foldlog/event_reader.h"
#include "foldlog/memory_log.h"
#include "foldlog/single_row.h"

namespace foldlog {

inline absl::Status ToStatus(const absl::Status& status) { return status; }
template <typename T>
absl::Status ToStatus(const absl::StatusOr<T>& status_or) {
  return status_or.status();
}

// EXPECT_THAT(status, IsOk()); EXPECT_THAT(status, Fails(absl::StatusCode::kAborted, HasSubstr("stale")));
MATCHER(IsOk, "is OK") {
  *result_listener << ToStatus(arg).ToString();
  return ToStatus(arg).ok();
}

MATCHER_P2(FailsWith, code, text_matcher, "") {
  const absl::Status status = ToStatus(arg);
  *result_listener << status.ToString();
  return status.code() == code &&
         testing::Value(std::string(status.message()), testing::SafeMatcherCast<const std::string&>(text_matcher));
}

template <typename TextMatcher>
auto Fails(absl::StatusCode code, TextMatcher text) {
  return FailsWith(code, testing::SafeMatcherCast<const std::string&>(text));
}

#define ASSERT_OK(expression) ASSERT_THAT(expression, ::foldlog::IsOk())
#define EXPECT_OK(expression) EXPECT_THAT(expression, ::foldlog::IsOk())
#define ASSERT_OK_AND_ASSIGN(target, expression) \
  ASSERT_OK_AND_ASSIGN_INNER(GTEST_CONCAT_TOKEN_(status_or_, __LINE__), target, expression)
#define ASSERT_OK_AND_ASSIGN_INNER(holder, target, expression) \
  auto holder = (expression);                                  \
  ASSERT_OK(holder);                                           \
  target = *std::move(holder)

// A directory that goes when the test ends. In the build tree, because /tmp may be memory, where a flush costs nothing.
class TempDir {
 public:
  TempDir() {
    std::string pattern = std::filesystem::current_path() / "foldlog_test_XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// The seed of a randomised test: from the environment to repeat a failure, else new. It is printed either way.
inline std::uint64_t TestSeed() {
  const char* given = getenv("FOLDLOG_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
  printf("FOLDLOG_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

inline std::string RandomBytes(std::mt19937_64& random, std::size_t bytes_max) {
  std::string bytes(random() % (bytes_max + 1), '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// For tests that are not about the tail's size: creating a log writes the whole tail.
inline LogDirectoryOptions SmallTail() { return {.tail_bytes = std::uint64_t{64} << 10}; }
inline EngineOptions SmallTailOptions() { return {.directory = SmallTail()}; }

// A writable log in memory, as if no writer had been there before.
inline WritableLog NewWritableMemoryLog() {
  return {.log = NewMemoryLog(), .self = DescribeThisProcess(NewUuid()), .previous = {}};
}

// An engine whose clock starts at 1,000 s and moves one second at each reading, and whose ids are op-1, op-2, …
inline EngineOptions DeterministicOptions() {
  constexpr TimeNs kSecond = 1'000'000'000;
  EngineOptions options;
  options.clock = [now = std::make_shared<TimeNs>(1000 * kSecond)] { return *now += kSecond; };
  options.new_id = [last = std::make_shared<int>(0)] { return "op-" + std::to_string(++*last); };
  return options;
}

inline std::vector<RecordedEvent> ReadAll(const EventLog& log, Sequence from = 1) {
  std::vector<RecordedEvent> events;
  EventReader reader(log, from);
  while (true) {
    auto event = reader.Next();
    EXPECT_THAT(event, IsOk());
    if (!event.ok() || !*event) return events;
    events.push_back(**std::move(event));
  }
}

inline absl::StatusOr<OperationHandle> Import(Engine& engine, const SingleRow& row, const std::string& source = "") {
  absl::StatusOr<Imported> operation = ImportedFrom(row, source);
  if (!operation.ok()) return operation.status();
  return engine.Import(*std::move(operation));
}

inline Event CheckpointEvent(std::int64_t files) { return {files, 1, Checkpoint{.files_processed = files}}; }

inline FrameRun RunAfter(const ChainEnd& end, const std::vector<Event>& events) {
  FrameRun run{.words = {}, .before = end, .after = end};
  for (const Event& event : events) EXPECT_OK(AppendFrame(event, run));
  return run;
}

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_TEST_SUPPORT_H_
