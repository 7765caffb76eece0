// The sample indexer: keeps a catalog of the files below some directories, and tells a foldlog log how far it is.
//
//   IndexOptions options{.directories = {"/photos"}, .catalog_path = "catalog.db"};
//   ASSIGN_OR_RETURN(IndexReport report, RunIndex(*engine, log_directory, options, sink, stop_signal));
//
// It may be killed at any moment, and the power may fail: run again, it goes on behind the last batch of files, and the
// catalog and the figures at the end are those of a run that was never disturbed. A batch is committed to the catalog
// first and then claimed in the log, so that the log never claims what the catalog does not have.
//
// The three types differ in what they read:
//   initial      every file
//   incremental  files whose size or time is not what the catalog has
//   recovery     every file, and each row that is wrong is reported; a damaged catalog is moved aside and built anew
// All of them drop the rows of files below the directories that are no longer there, unless their disk may merely be
// missing (place.h). Rows elsewhere are not touched.
//
// Before an operation completes, the run goes again to what has changed since it was visited (index_run.h): each file
// that is there at the end, and was when its directory was last looked at, has its row.
//
// A file or directory that cannot be read is recorded as an error in the log, and the run goes on. What stops the run,
// such as a full disk, leaves the operation paused, to be resumed once the cause is mended.
//
// Threads: one run at a time an engine. `stop_signal` may be set from a signal handler or another thread.

#ifndef FOLDLOG_TOOLS_INDEXER_INDEXER_H_
#define FOLDLOG_TOOLS_INDEXER_INDEXER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "foldlog/engine.h"
#include "foldlog/event.h"
#include "tools/indexer/run_store.h"

namespace foldlog::indexer {

// A commit costs a flush to the disk, a few milliseconds. 500 files spread it thin; a kill costs reading them again.
inline constexpr std::int64_t kBatchFilesDefault = 500;

struct IndexOptions {
  // Directories to index. May be left empty to resume an operation: it knows its own.
  std::vector<std::string> directories{};

  // The SQLite file; created if missing. May be left empty to resume.
  std::string catalog_path{};

  OperationType type = OperationType::kInitial;
  bool type_given = false;  // if so, an operation of another type is not resumed

  // The most files in a batch. Time and bytes bound it as well (index_run.cc).
  std::int64_t batch_files = kBatchFilesDefault;

  bool resume = true;  // false: refuse to go on with an unfinished operation

  // What is left out: these with all that is in them, besides the log and the catalog, and what is mounted below the
  // directories. May be left unset to resume.
  std::vector<std::string> excluded{};
  bool one_file_system = false;

  // Another SQLite file that is written meanwhile; left out like the catalog.
  std::string mirror_path{};

  // /proc, /sys and their like, which show what the kernel knows and hold no files, are walked, too.
  bool pseudo_file_systems = false;

  // Rows whose files are gone are dropped even if their disk may only be missing: a root or a mount below one that is
  // on another file system than before, no longer mounted, or without any file. Holds for one session.
  bool accept_removed = false;
};

struct Progress {
  enum class Stage { kCounting, kIndexing, kSweeping, kLookingAgain };
  Stage stage = Stage::kIndexing;
  std::int64_t files_done = 0;  // since the start of the operation; while counting: found so far
  std::optional<std::int64_t> files_total;
  std::int64_t bytes_hashed = 0;  // likewise, and with what has been read of the current file
  std::int64_t errors = 0;
  std::string_view current_path;  // valid during the call
  double files_per_s = 0.0;       // in this session, not since the start of the operation
};

// Gets told what a run does, on the thread that runs it, often: it is for the sink to show no more than it wants.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;

  // After each file, and several times a second within a large one.
  virtual void Update(const Progress& progress) = 0;

  // One line, without a newline, for what a person should read: a difference found, a catalog moved aside.
  virtual void Report(const std::string& line) = 0;
};

struct IndexReport {
  std::string operation_id;
  OperationType type = OperationType::kInitial;
  bool paused = false;        // told to stop; run again to go on
  bool resumed = false;       // went on with an operation begun earlier
  bool started_over = false;  // resumed, but the catalog did not have what the log claims, so from the first file
  RunCounters counters;       // since the start of the operation
  double duration_s = 0.0;    // at work, without the time between sessions
  std::string catalog_path;
  std::optional<std::string> damaged_catalog;  // where a damaged catalog was moved
  std::string stopped_by{};                    // of a paused one: "SIGINT", "the time limit", …
  std::vector<FileError> first_errors{};       // of the operation; counters.errors says how many there are
  std::vector<std::string> left_out{};         // what this session left out unasked, with the reason
};

// How many errors a report names.
inline constexpr std::size_t kReportErrorsMax = 5;

// What RunIndex() would refuse of `options` for a new operation before it has looked into the log, which may therefore
// not exist yet. Writes nothing.
absl::Status CheckNewIndex(const std::string& log_directory, const IndexOptions& options);

// Starts an operation and runs it to its end, or goes on with the one that is unfinished. Nothing is written before the
// directories, the catalog and the state of the log have been found good.
//
// Errors, besides those of the engine and the catalog: FailedPrecondition, the unfinished operation is not the one
// asked for; InvalidArgument, NotFound, a directory or the catalog's path is no good; Cancelled, told to stop before
// the operation was started.
absl::StatusOr<IndexReport> RunIndex(Engine& engine, const std::string& log_directory, const IndexOptions& options,
                                     ProgressSink& sink, const std::atomic<int>& stop_signal);

}  // namespace foldlog::indexer

#endif  // FOLDLOG_TOOLS_INDEXER_INDEXER_H_
