// Reported errors are those that a look at each event finds.

#include "foldlog/error_report.h"

#include <algorithm>
#include <map>
#include <set>

#include "foldlog/history.h"
#include "foldlog/replayer.h"
#include "replay/error_groups.h"
#include "replay/message_kind.h"
#include "tests/support/indexed_log.h"
#include "tests/support/memory_log_of.h"
#include "tests/support/other_index.h"
#include "tests/support/random_log.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

std::vector<ReportedError> All(const EventLog& log, const ErrorFilter& filter = {}) {
  std::vector<ReportedError> found;
  auto query = ErrorQuery::Over(log, filter);
  EXPECT_OK(query);
  while (query.ok()) {
    auto error = query->Next();
    EXPECT_OK(error);
    if (!error.ok() || !*error) break;
    found.push_back(**std::move(error));
  }
  return found;
}

std::vector<std::string> Paths(const EventLog& log, const ErrorFilter& filter = {}) {
  std::vector<std::string> found;
  auto paths = FailedPaths::Over(log, filter);
  EXPECT_OK(paths);
  while (paths.ok()) {
    auto path = paths->Next();
    EXPECT_OK(path);
    if (!path.ok() || !*path) break;
    found.push_back(**path);
  }
  return found;
}

// Every error with the time of its event, by the fold.
struct NaiveError {
  ReportedError error;
  TimeNs event_time = 0;
};

std::vector<NaiveError> ByFold(const EventLog& log) {
  std::vector<NaiveError> errors;
  auto replayer = Replayer::From(log, 1);
  while (true) {
    const Sequence before = replayer->state().operation ? replayer->state().operation->first_sequence : 0;
    auto event = replayer->Next();
    EXPECT_OK(event);
    if (!event.ok() || !*event) return errors;
    const auto& [sequence, hash, fact] = **event;
    const auto add = [&, time = fact.time](TimeNs of_error, bool failure, const FileError& error, Sequence operation) {
      errors.push_back({{sequence, of_error, operation, replayer->operation_id(), failure, error}, time});
    };
    if (const auto* checkpoint = std::get_if<Checkpoint>(&fact.body)) {
      if (checkpoint->error) add(fact.time, false, *checkpoint->error, before);
    } else if (const auto* failed = std::get_if<Failed>(&fact.body)) {
      add(fact.time, true, {.message = failed->error}, before);
    } else if (const auto* imported = std::get_if<Imported>(&fact.body)) {
      const auto& now = replayer->state().operation;
      const Sequence operation = now && now->first_sequence == sequence ? sequence : 0;
      for (const ImportedError& error : imported->errors) add(error.time, false, error.error, operation);
      if (imported->status == OperationStatus::kFailed)
        add(imported->ended_at, true, {.message = imported->failure}, operation);
    }
  }
}

bool Wanted(const ErrorFilter& filter, const NaiveError& naive) {
  const ReportedError& error = naive.error;
  if (error.sequence < filter.from || error.sequence > filter.through) return false;
  if (filter.since && naive.event_time < *filter.since) return false;
  if (filter.until && naive.event_time >= *filter.until) return false;
  if (filter.operation != 0 && error.operation != filter.operation) return false;
  if (filter.path_prefix.empty()) return true;
  return !error.is_failure && error.error.path.substr(0, filter.path_prefix.size()) == filter.path_prefix;
}

// What a report says, counted a second time.
void ExpectTrueReport(const ErrorReport& report, const std::vector<ReportedError>& wanted) {
  std::map<std::string, std::vector<ReportedError>> kinds;
  std::map<std::string, std::vector<ReportedError>> directories;
  for (const ReportedError& error : wanted) {
    kinds[MessageKind(error.error.message, error.error.path)].push_back(error);
    if (!error.is_failure) directories[DirectoryOf(error.error.path)].push_back(error);
  }
  EXPECT_EQ(report.errors, static_cast<std::int64_t>(wanted.size()));
  for (const auto& [groups, naive] : {std::pair(report.by_kind, kinds), {report.by_directory, directories}}) {
    EXPECT_EQ(groups.left_out, 0);
    ASSERT_EQ(groups.groups.size(), naive.size());
    for (const ErrorGroup& group : groups.groups) {
      const std::vector<ReportedError>& errors = naive.at(group.key);
      EXPECT_EQ(group.count, static_cast<std::int64_t>(errors.size()));
      const auto [first, last] = std::minmax_element(errors.begin(), errors.end(),
                                                     [](const auto& a, const auto& b) { return a.time < b.time; });
      EXPECT_EQ(group.first_time, first->time);
      EXPECT_EQ(group.last_time, last->time);
      EXPECT_EQ(group.first_sequence, errors.front().sequence);
      EXPECT_EQ(group.last_sequence, errors.back().sequence);
      for (std::size_t i = 0; i < group.examples.size(); ++i) EXPECT_EQ(group.examples[i], errors[i]);
    }
  }
}

// Asks `log` for errors, of which ByFold() tells the answers.
void ExpectTrueAnswers(const EventLog& log, const std::vector<NaiveError>& all, std::mt19937_64& random) {
  const auto extent = log.Extent();
  const auto history = ReadHistory(log);
  for (int i = 0; i < 12 && !all.empty(); ++i) {
    ErrorFilter filter;
    if (random() % 3 == 0) filter.from = 1 + random() % extent->end.sequence;
    if (random() % 3 == 0) filter.since = all[random() % all.size()].event_time;
    if (random() % 3 == 0) filter.until = filter.since.value_or(all[random() % all.size()].event_time) + 60'000'000'000;
    if (random() % 3 == 0) filter.operation = (*history)[random() % history->size()].operation.first_sequence;
    if (random() % 3 == 0) filter.path_prefix = "/data/" + std::to_string(random() % 3);
    std::vector<ReportedError> wanted;
    for (const NaiveError& error : all) {
      if (Wanted(filter, error)) wanted.push_back(error.error);
    }
    ASSERT_TRUE(All(log, filter) == wanted);
    ASSERT_OK_AND_ASSIGN(const ErrorReport report, ReportErrors(log, filter));
    ExpectTrueReport(report, wanted);
    std::vector<std::string> paths;
    for (const ReportedError& error : wanted) {
      const std::string& path = error.error.path;
      if (!path.empty() && std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
    }
    ASSERT_EQ(Paths(log, filter), paths);
  }
}

TEST(ErrorReport, FindsWhatALookAtEachEventFinds) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 30; ++round) {
    const auto log = LogOf(RandomLog(random, /*one_misfit_in=*/round % 2 == 0 ? 0 : 40).Next(1 + random() % 400));
    ExpectTrueAnswers(*log, ByFold(*log), random);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(ErrorReport, AnswersWithTheIndexAreThoseWithoutIt) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 6; ++round) {
    IndexedLog indexed;
    RandomLog events(random, /*one_misfit_in=*/round % 2 == 0 ? 0 : 40);
    for (int batch = 0; batch < 6; ++batch) indexed.Store(events.Next(1 + random() % 60));
    const auto log = indexed.Read();
    ExpectTrueAnswers(*log, ByFold(*log), random);
    ExpectTrueAnswers(OtherIndex(*log), ByFold(*log), random);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(ErrorReport, DamageOfTheIndexIsTold) {
  IndexedLog indexed;
  indexed.Store({{1, 1, Started{.operation_id = "a"}}, {2, 1, Failed{"no"}}});
  const auto log = indexed.Read();
  const OtherIndex damaged(*log, [](IndexTable, IndexRow& row) { return row.words.back() ^= 1, true; });
  EXPECT_OK(ReportErrors(*log)->index_damage);
  EXPECT_FALSE(ReportErrors(damaged)->index_damage.ok());
  EXPECT_EQ(ReportErrors(damaged)->failures, 1);
}

TEST(ErrorReport, GroupsAndExamplesAreBounded) {
  std::vector<Event> events = {{1, 1, Started{.operation_id = "a"}}};
  for (int i = 0; i < 50; ++i) {
    const std::string word(1 + i % 10, 'x');
    events.push_back({2 + i, 1, Checkpoint{.files_processed = i, .error = FileError{"/" + word + "/f", word, ""}}});
  }
  const auto log = LogOf(events);
  ASSERT_OK_AND_ASSIGN(const ErrorReport report, ReportErrors(*log, {}, {.groups_max = 3, .examples_max = 2}));
  EXPECT_EQ(report.errors, 50);
  EXPECT_EQ(report.by_kind.groups.size(), 3u);
  EXPECT_EQ(report.by_kind.groups[0].count, 5);
  EXPECT_EQ(report.by_kind.groups[0].examples.size(), 2u);
  EXPECT_EQ(report.by_kind.left_out, 35);
  EXPECT_EQ(report.by_directory.left_out, 35);
  EXPECT_EQ(report.first_time, 2);
  EXPECT_EQ(report.last_time, 51);
}

TEST(ErrorReport, ExamplesKeepNoMemoryOfWhatIsCut) {
  const FileError huge{"/f", std::string(1 << 20, 'x'), "\"" + std::string(1 << 20, 'y') + "\""};
  const auto log =
      LogOf({{1, 1, Started{.operation_id = "a"}}, {2, 1, Checkpoint{.files_processed = 1, .error = huge}}});
  ASSERT_OK_AND_ASSIGN(const ErrorReport report, ReportErrors(*log));
  ASSERT_EQ(report.by_kind.groups.size(), 1u);
  ASSERT_EQ(report.by_kind.groups[0].examples.size(), 1u);
  const FileError& example = report.by_kind.groups[0].examples[0].error;
  EXPECT_EQ(example.message.size(), kExampleBytesMax);
  EXPECT_EQ(example.details, "");
  EXPECT_LT(example.message.capacity() + example.details.capacity(), 3 * kExampleBytesMax);
}

}  // namespace
}  // namespace foldlog
