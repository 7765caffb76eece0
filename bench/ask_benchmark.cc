// What questions about the past cost. Each row asks the library what a command of the program asks it, and checks the
// answer against a pass over all events.
//
//   build/release/ask_benchmark                   20 million events in 10,000 operations; one operation of 10 million
//   build/release/ask_benchmark --log=DIR         the same; the logs are made once, and kept there
//   build/release/ask_benchmark --small           to see that it works
//
// The log is opened anew for each question, and its pages are warm. "run" rows are of the second log: one operation
// with an error at either end of its checkpoints.

#include <benchmark/benchmark.h>
#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "bench/bench_support.h"
#include "bench/generated_log.h"
#include "foldlog/error_report.h"
#include "foldlog/event_query.h"
#include "foldlog/event_reader.h"
#include "foldlog/history.h"
#include "foldlog/log_directory.h"
#include "foldlog/operation_story.h"
#include "foldlog/replayer.h"
#include "foldlog/single_row.h"
#include "replay/sql/virtual_table.h"

namespace foldlog {
namespace {

constexpr TimeNs kWindowNs = std::int64_t{300} * 1'000'000'000;

// What is asked, and the right answers.
struct Subject {
  std::string years;  // the log of many operations
  std::string run;    // that of a long one
  std::int64_t events = 0;
  std::int64_t failed = 0;
  std::int64_t recovered = 0;
  std::int64_t errors = 0;
  std::int64_t in_window = 0;
  std::int64_t operations = 0;
  Sequence middle = 0;
  TimeNs middle_time = 0;
  std::int64_t run_checkpoints = 0;
};
Subject* subject = nullptr;

absl::Status WriteLongRun(const std::string& directory, std::int64_t checkpoints) {
  ASSIGN_OR_RETURN(const auto engine, Engine::Open(directory));
  ASSIGN_OR_RETURN(const OperationHandle handle, engine->Start({.total_files = checkpoints}));
  for (std::int64_t i = 1; i <= checkpoints; ++i) {
    Checkpoint checkpoint = TypicalCheckpoint(i);
    if (i == 1 || i == checkpoints) checkpoint.error = FileError{"/srv/media/one", "cannot read", ""};
    RETURN_IF_ERROR(engine->Checkpoint(handle, checkpoint));
  }
  return engine->Close();
}

void Count(const RecordedEvent& event) {
  const EventBody& body = event.event.body;
  ++subject->events;
  subject->failed += std::holds_alternative<Failed>(body) ? 1 : 0;
  subject->recovered += std::holds_alternative<Recovered>(body) ? 1 : 0;
  subject->operations += std::holds_alternative<Started>(body) ? 1 : 0;
  subject->errors += TellsOfAnError(body) ? 1 : 0;
  // Checkpoints of one call have one time: the state at it is that after the last of them.
  const TimeNs since = event.event.time - subject->middle_time;
  if (since == 0) subject->middle = event.sequence;
  if (since >= 0 && since < kWindowNs) ++subject->in_window;
}

absl::Status Prepare(const std::string& directory, const LogShape& shape, std::int64_t run_checkpoints) {
  subject->years = directory + "/years";
  subject->run = directory + "/run";
  subject->run_checkpoints = run_checkpoints;
  if (!std::filesystem::exists(subject->years)) RETURN_IF_ERROR(LogGenerator(shape).Write(subject->years));
  if (!std::filesystem::exists(subject->run)) RETURN_IF_ERROR(WriteLongRun(subject->run, run_checkpoints));
  ASSIGN_OR_RETURN(const auto log, OpenLogForReading(subject->years));
  ASSIGN_OR_RETURN(const LogExtent extent, log->Extent());
  subject->middle = extent.end.sequence / 2;
  ASSIGN_OR_RETURN(const State middle, StateAt(*log, subject->middle));
  subject->middle_time = middle.seen.time;
  EventReader reader(*log, extent.base);
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<RecordedEvent> event, reader.Next());
    if (!event) return absl::OkStatus();
    Count(*event);
  }
}

using Question = absl::StatusOr<bool> (*)(const EventLog& log);

// Opening the log is a part of every question.
void Ask(benchmark::State& state, const std::string& directory, Question question) {
  bool right = true;
  for (auto _ : state) {
    const auto log = OpenLogForReading(directory);
    const absl::StatusOr<bool> answer = log.ok() ? question(**log) : absl::StatusOr<bool>(log.status());
    right = right && answer.ok() && *answer;
  }
  if (!right) return state.SkipWithError("the answer is wrong");
  Label(state, "reading");
}

absl::StatusOr<std::int64_t> CountOperations(const EventLog& log, std::int64_t limit) {
  ASSIGN_OR_RETURN(HistoryQuery query, HistoryQuery::Over(log, {}, Order::kNewestFirst));
  std::int64_t count = 0;
  while (count < limit) {
    ASSIGN_OR_RETURN(const std::optional<HistoryEntry> entry, query.Next());
    if (!entry) break;
    ++count;
  }
  return count;
}

absl::StatusOr<bool> History(const EventLog& log) {
  ASSIGN_OR_RETURN(const std::int64_t count, CountOperations(log, subject->operations + 1));
  return count == subject->operations;
}

absl::StatusOr<bool> HistoryPage(const EventLog& log) {
  ASSIGN_OR_RETURN(const std::int64_t count, CountOperations(log, 50));
  return count == std::min<std::int64_t>(50, subject->operations);
}

absl::StatusOr<std::int64_t> CountEvents(const EventLog& log, const EventFilter& filter) {
  ASSIGN_OR_RETURN(EventQuery query, EventQuery::Over(log, filter));
  for (std::int64_t count = 0;; ++count) {
    ASSIGN_OR_RETURN(const std::optional<QueriedEvent> event, query.Next());
    if (!event) return count;
  }
}

absl::StatusOr<bool> EventsFailed(const EventLog& log) {
  ASSIGN_OR_RETURN(const std::int64_t count, CountEvents(log, {.kinds = {KindOf<Failed>}}));
  return count == subject->failed;
}

absl::StatusOr<bool> EventsRecovered(const EventLog& log) {
  ASSIGN_OR_RETURN(const std::int64_t count, CountEvents(log, {.kinds = {KindOf<Recovered>}}));
  return count == subject->recovered;
}

absl::StatusOr<bool> EventsOfFiveMinutes(const EventLog& log) {
  const TimeNs since = subject->middle_time;
  ASSIGN_OR_RETURN(const std::int64_t count, CountEvents(log, {.since = since, .until = since + kWindowNs}));
  return count == subject->in_window;
}

absl::StatusOr<bool> StateAtSequence(const EventLog& log) {
  ASSIGN_OR_RETURN(const State state, StateAt(log, subject->middle));
  return state.seen.time == subject->middle_time;
}

absl::StatusOr<bool> StateAtATime(const EventLog& log) {
  ASSIGN_OR_RETURN(const State state, StateAtTime(log, subject->middle_time));
  return state.sequence == subject->middle;
}

absl::StatusOr<bool> ErrorsOfAll(const EventLog& log) {
  ASSIGN_OR_RETURN(const ErrorReport report, ReportErrors(log));
  return report.errors == subject->errors;
}

absl::StatusOr<bool> SqlRuns(const EventLog& log) {
  sqlite3* database = nullptr;
  if (sqlite3_open(":memory:", &database) != SQLITE_OK) return false;
  std::int64_t answer = -1;
  const auto take = [](void* into, int, char** values, char**) {
    *static_cast<std::int64_t*>(into) = std::stoll(values[0]);
    return 0;
  };
  sql::AddTables(database, log.name());
  sqlite3_exec(database, "SELECT count(*), sum(errors) FROM runs WHERE status = 'failed'", take, &answer, nullptr);
  sqlite3_close(database);
  return answer == subject->failed;
}

absl::StatusOr<bool> RunStory(const EventLog& log) {
  ASSIGN_OR_RETURN(const HistoryEntry entry, ResolveOperation(log, "last"));
  ASSIGN_OR_RETURN(const OperationStory story, TellStory(log, entry));
  return story.errors.errors == 2 && entry.operation.files_processed == subject->run_checkpoints;
}

absl::StatusOr<bool> RunRow(const EventLog& log) {
  ASSIGN_OR_RETURN(const State state, StateAt(log));
  ASSIGN_OR_RETURN(const std::optional<SingleRow> row, ProjectSingleRow(log, state));
  return row && state.operation->error_count == 2;
}

void Register() {
  struct Row {
    const char* name;
    Question question;
    bool of_run;
  };
  for (const Row& row :
       {Row{"History", History, false}, Row{"HistoryPage", HistoryPage, false},
        Row{"EventsFailed", EventsFailed, false}, Row{"EventsRecovered", EventsRecovered, false},
        Row{"EventsOfFiveMinutes", EventsOfFiveMinutes, false}, Row{"StateAtSequence", StateAtSequence, false},
        Row{"StateAtTime", StateAtATime, false}, Row{"ErrorsOfAll", ErrorsOfAll, false}, Row{"SqlRuns", SqlRuns, false},
        Row{"RunStory", RunStory, true}, Row{"RunRow", RunRow, true}}) {
    benchmark::RegisterBenchmark(
        row.name,
        [row](benchmark::State& state) { Ask(state, row.of_run ? subject->run : subject->years, row.question); })
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  }
}

}  // namespace
}  // namespace foldlog

int main(int argc, char** argv) {
  constexpr std::string_view kLog = "--log=";
  foldlog::LogShape shape;
  std::int64_t run_checkpoints = 10'000'000;
  const foldlog::ScratchDirectory scratch;
  std::string directory = scratch.path();
  for (std::string_view argument; argc > 1; std::rotate(argv + 1, argv + 2, argv + argc + 1)) {
    argument = argv[1];
    if (argument == "--small") {
      shape = {.events = 20'000, .operations = 50};
      run_checkpoints = 20'000;
    } else if (argument.starts_with(kLog)) {
      directory = argument.substr(kLog.size());
      std::filesystem::create_directories(directory);
    } else {
      break;
    }
    --argc;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  foldlog::subject = new foldlog::Subject;
  const absl::Status prepared = foldlog::Prepare(directory, shape, run_checkpoints);
  if (!prepared.ok()) {
    fprintf(stderr, "%s\n", prepared.ToString().c_str());
    return 1;
  }
  foldlog::Register();
  benchmark::RunSpecifiedBenchmarks();
  delete foldlog::subject;
}
