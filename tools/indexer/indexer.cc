// See indexer.h. This file decides what is to be done, opens what it takes and records how it ended; index_run.cc does
// it.

#include "tools/indexer/indexer.h"

#include <algorithm>
#include <csignal>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "foldlog/history.h"
#include "tools/indexer/catalog.h"
#include "tools/indexer/index_run.h"
#include "tools/indexer/job.h"
#include "tools/indexer/paths.h"
#include "tools/indexer/tree_walk.h"

namespace foldlog::indexer {
namespace {

struct Request {
  Engine& engine;
  const std::string& log_directory;
  const IndexOptions& options;
  ProgressSink& sink;
  const std::atomic<int>& stop;
};

// A job with what it takes to work on it.
struct Workplace {
  Job job;
  Exclusions exclusions;
  std::unique_ptr<Catalog> catalog;
  std::string damage;                          // what was wrong with the catalog that was moved aside
  std::optional<std::string> damaged_catalog;  // where it was moved
};

std::string SignalName(int signal) {
  if (signal == SIGINT) return "SIGINT";
  if (signal == SIGTERM) return "SIGTERM";
  if (signal == SIGHUP) return "SIGHUP";
  if (signal == SIGALRM) return "the time limit";
  return absl::StrCat("signal ", signal);
}

// Whether some operation in this log wrote to `catalog_path`. A file that is not SQLite at all is a damaged catalog
// only if it was one before; otherwise somebody mistyped, and their file is left alone.
bool WasCatalogBefore(const Engine& engine, const std::string& catalog_path) {
  const absl::StatusOr<std::vector<HistoryEntry>> history = ReadHistory(engine.log());
  if (!history.ok()) return false;
  return std::any_of(history->begin(), history->end(),
                     [&](const HistoryEntry& entry) { return RecordedCatalog(entry.operation) == catalog_path; });
}

absl::Status WithNextStep(const absl::Status& health, bool resuming) {
  if (!absl::IsDataLoss(health)) return health;
  const char* next = resuming ? "; it is damaged: move it aside and run again, the operation then starts over"
                              : "; it is damaged: index with type recovery, which moves it aside and builds a new one";
  return absl::Status(health.code(), absl::StrCat(health.message(), next));
}

absl::Status OpenCatalog(const Request& request, bool resuming, Workplace& place) {
  const std::string& path = place.job.catalog_path;
  const bool recovery = place.job.type == OperationType::kRecovery;
  absl::StatusOr<std::unique_ptr<Catalog>> catalog = Catalog::Open(path);
  const absl::Status health = catalog.ok() && recovery ? (*catalog)->QuickCheck() : catalog.status();
  if (health.ok()) {
    place.catalog = *std::move(catalog);
    return absl::OkStatus();
  }
  const bool damaged =
      absl::IsDataLoss(health) || (absl::IsInvalidArgument(health) && WasCatalogBefore(request.engine, path));
  if (!recovery || !damaged) return WithNextStep(health, resuming);
  if (catalog.ok()) catalog->reset();  // it must be closed before it is moved
  ASSIGN_OR_RETURN(place.damaged_catalog, MoveAside(path));
  place.damage = std::string(health.message());
  request.sink.Report(
      absl::StrCat(place.damage, "; moved to ", Quoted(*place.damaged_catalog), ", a new one is built"));
  ASSIGN_OR_RETURN(place.catalog, Catalog::Open(path));
  return absl::OkStatus();
}

absl::StatusOr<Workplace> Prepare(const Request& request, Job job, bool resuming) {
  Workplace place;
  place.job = std::move(job);
  const std::string& mirror = request.options.mirror_path;
  if (!mirror.empty()) place.job.mirror_path = ResolveLeniently(mirror);
  RETURN_IF_ERROR(ExclusionsFor(place.job, request.log_directory).status());
  RETURN_IF_ERROR(OpenCatalog(request, resuming, place));
  // Again, now that the catalog's files are there to be recognised under any name.
  ASSIGN_OR_RETURN(place.exclusions, ExclusionsFor(place.job, request.log_directory));
  return place;
}

absl::StatusOr<std::int64_t> CountFiles(const Request& request, const Workplace& place) {
  TreeWalk walk({.roots = place.job.roots,
                 .after = "",
                 .exclusions = place.exclusions,
                 .one_file_system = place.job.one_file_system,
                 .pseudo_file_systems = place.job.pseudo_file_systems,
                 .stop = &request.stop});
  std::int64_t files = 0;
  while (const std::optional<WalkEntry> entry = walk.Next()) {
    if (entry->kind != WalkEntry::Kind::kFile) continue;
    Progress progress;
    progress.stage = Progress::Stage::kCounting;
    progress.files_done = ++files;
    progress.current_path = entry->path;
    request.sink.Update(progress);
  }
  if (const int signal = request.stop.load(); signal != 0) {
    return absl::CancelledError(absl::StrCat("told to stop by ", SignalName(signal),
                                             " before the operation was started; nothing was recorded"));
  }
  return files;
}

Stats StatsOf(const IndexReport& report) {
  Stats stats;
  const bool recovery = report.type == OperationType::kRecovery;
  for (const NamedCounter& counter : kRunCounters) {
    const bool recovery_only = counter.value == &RunCounters::missing || counter.value == &RunCounters::differing;
    if (recovery || !recovery_only) stats.emplace_back(counter.name, report.counters.*counter.value);
  }
  stats.emplace_back("duration_s", report.duration_s);
  return stats;
}

// Leaves the operation so that it can be resumed, and tells so.
absl::Status PauseAfter(Engine& engine, const OperationHandle& handle, const absl::Status& error) {
  if (absl::IsAborted(error)) return error;  // the operation is somebody else's by now
  const absl::Status paused = engine.Pause(handle, std::string(error.message()));
  const std::string next =
      paused.ok() ? absl::StrCat("; operation ", handle.operation_id, " is paused: mend the cause and run again")
                  : absl::StrCat("; operation ", handle.operation_id, " could not be paused either (", paused.message(),
                                 "): mend the cause and run again in a new process");
  return absl::Status(error.code(), absl::StrCat(WithNextStep(error, /*resuming=*/true).message(), next));
}

absl::StatusOr<bool> Work(IndexRun& run, const Workplace& place, IndexReport& report) {
  ASSIGN_OR_RETURN(const bool claims_hold, run.CatchUp());
  report.started_over = !claims_hold;
  if (place.damaged_catalog) {
    run.NoteProblem(place.job.catalog_path, absl::StrCat("the catalog was damaged and moved to ",
                                                         Quoted(*place.damaged_catalog), ": ", place.damage));
  }
  return run.Run();
}

absl::StatusOr<IndexReport> Index(const Request& request, const OperationHandle& handle, const Workplace& place,
                                  bool resumed) {
  IndexRun run({.engine = request.engine,
                .catalog = *place.catalog,
                .sink = request.sink,
                .stop = request.stop,
                .handle = handle,
                .job = place.job,
                .exclusions = place.exclusions,
                .batch_files = request.options.batch_files,
                .accept_removed = request.options.accept_removed});
  IndexReport report;
  report.operation_id = handle.operation_id;
  report.type = place.job.type;
  report.resumed = resumed;
  report.catalog_path = place.job.catalog_path;
  report.damaged_catalog = place.damaged_catalog;
  const absl::StatusOr<bool> finished = Work(run, place, report);
  if (!finished.ok()) return PauseAfter(request.engine, handle, finished.status());
  report.counters = run.counters();
  report.duration_s = run.duration_s();
  report.left_out = run.left_out();
  ASSIGN_OR_RETURN(report.first_errors, place.catalog->FirstErrors(handle.operation_id, kReportErrorsMax));
  report.paused = !*finished;
  if (report.paused) {
    report.stopped_by = SignalName(request.stop.load());
    RETURN_IF_ERROR(request.engine.Pause(handle, report.stopped_by));
    return report;
  }
  RETURN_IF_ERROR(request.engine.Complete(handle, StatsOf(report)));
  // The operation is complete whether or not its rows go; the next start tries again.
  place.catalog->ForgetRuns(handle.operation_id).IgnoreError();
  return report;
}

absl::StatusOr<IndexReport> StartNew(const Request& request, const State& state) {
  ASSIGN_OR_RETURN(Job job, NewJob(request.options));
  ASSIGN_OR_RETURN(const Workplace place, Prepare(request, std::move(job), /*resuming=*/false));
  StartRequest start = AsStartRequest(place.job);
  ASSIGN_OR_RETURN(start.total_files, CountFiles(request, place));
  if (state.operation) RETURN_IF_ERROR(place.catalog->ForgetRuns(state.operation->operation_id));
  ASSIGN_OR_RETURN(const OperationHandle handle, request.engine.Start(start));
  return Index(request, handle, place, /*resumed=*/false);
}

bool OwnerIsGone(const Engine& engine) {
  const std::optional<OwnerFate> fate = engine.interruption();
  return fate && IsGone(*fate);
}

absl::StatusOr<IndexReport> ResumeUnfinished(const Request& request, const Operation& operation) {
  ASSIGN_OR_RETURN(Job job, RecordedJob(operation, request.options));
  std::optional<OperationHandle> handle;
  if (operation.status == OperationStatus::kInProgress && !OwnerIsGone(request.engine)) {
    // The engine refuses, and says what to do: before the catalog is touched, which the owner may be writing to.
    ASSIGN_OR_RETURN(handle, request.engine.Resume(operation.operation_id));
  }
  ASSIGN_OR_RETURN(const Workplace place, Prepare(request, std::move(job), /*resuming=*/true));
  if (!handle) {
    ASSIGN_OR_RETURN(handle, request.engine.Resume(operation.operation_id));
  }
  return Index(request, *handle, place, /*resumed=*/true);
}

}  // namespace

absl::Status CheckNewIndex(const std::string& log_directory, const IndexOptions& options) {
  // First, because the log's directory need not exist.
  Job catalog_only;
  catalog_only.catalog_path = ResolveLeniently(options.catalog_path);
  RETURN_IF_ERROR(ExclusionsFor(catalog_only, log_directory).status());
  ASSIGN_OR_RETURN(const Job job, NewJob(options));
  RETURN_IF_ERROR(ExclusionsFor(job, log_directory).status());
  return Catalog::CheckPath(job.catalog_path);
}

absl::StatusOr<IndexReport> RunIndex(Engine& engine, const std::string& log_directory, const IndexOptions& options,
                                     ProgressSink& sink, const std::atomic<int>& stop_signal) {
  const Request request{
      .engine = engine, .log_directory = log_directory, .options = options, .sink = sink, .stop = stop_signal};
  const State state = engine.state();
  if (state.active()) return ResumeUnfinished(request, *state.operation);
  return StartNew(request, state);
}

}  // namespace foldlog::indexer
