// IndexRun: the work of one operation from wherever its catalog says it is, until its end or until told to stop.
//
// A batch is first committed to the catalog, together with the figures so far, and then claimed in the log; both are
// all or nothing. If the log did not get to record batches that the catalog has, CatchUp() appends them from the
// catalog before going on. Nothing is done twice.
//
// Three stages: the walk visits the files that are there, the sweep drops the rows of those that are not, and the
// second look (second_look.cc) goes again to every directory that has changed since its names were read, until none
// has: so nothing is missed that was moved about meanwhile, between two sessions or during one. What goes on changing
// is said to be unproven.
//
// The engine, the catalog, the sink and the stop signal must outlive the run.

#ifndef FOLDLOG_TOOLS_INDEXER_INDEX_RUN_H_
#define FOLDLOG_TOOLS_INDEXER_INDEX_RUN_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/engine.h"
#include "tools/indexer/catalog.h"
#include "tools/indexer/file_hash.h"
#include "tools/indexer/indexer.h"
#include "tools/indexer/job.h"
#include "tools/indexer/tree_walk.h"

namespace foldlog::indexer {

struct RunContext {
  Engine& engine;
  Catalog& catalog;
  ProgressSink& sink;
  const std::atomic<int>& stop;
  OperationHandle handle;
  Job job;
  Exclusions exclusions;
  std::int64_t batch_files = kBatchFilesDefault;
  bool accept_removed = false;
};

class IndexRun {
 public:
  explicit IndexRun(RunContext context);
  IndexRun(const IndexRun&) = delete;
  IndexRun& operator=(const IndexRun&) = delete;

  // Brings the log up to the catalog, and this run to where both are. False: the catalog does not have what the log
  // claims, so the walk starts over, which the log then says.
  absl::StatusOr<bool> CatchUp();

  // True: everything is done. False: told to stop; what was done until then is committed and claimed.
  absl::StatusOr<bool> Run();

  // Has the log record a problem that is not one of a file's, with the next batch.
  void NoteProblem(const std::string& path, const std::string& message);

  // As of the last commit.
  const RunCounters& counters() const { return committed_.counters; }

  // What this session left out although nobody asked for it, with the reason.
  const std::vector<std::string>& left_out() const { return left_out_; }
  double duration_s() const;

 private:
  using Clock = std::chrono::steady_clock;

  bool Stopped() const { return context_.stop.load(std::memory_order_relaxed) != 0; }

  absl::Status StartOver(const Operation& operation);

  absl::Status Walk();
  absl::Status VisitEntry(const WalkEntry& entry);
  absl::Status RecordDirectory(const WalkEntry& entry);
  absl::StatusOr<DirectoryRecord> RecordOf(std::int64_t parent, std::string_view name, const WalkEntry& entry);
  absl::Status VisitFile(const WalkEntry& entry);
  absl::StatusOr<HashedFile> Hash(const WalkEntry& entry);
  void NoteContent(std::string_view path, const std::optional<FileRow>& row, const HashedFile& file);
  absl::Status NoteUnreadableDirectory(const WalkEntry& entry);
  void NoteError(std::string_view path, const std::string& message);
  absl::Status NoteErrorOnce(std::string_view path, const std::string& message);
  void NoteLeftOut(const WalkEntry& entry);
  void FinishFile(std::string_view path);

  // A root or a mount: where rows without a file may only be dropped if it is what it was.
  struct PlaceState {
    std::optional<Place> recorded{};
    bool is_root = false;
    bool opened = false;
    int open_error = 0;
    std::unique_ptr<PresenceProbe> probe{};  // if it could be opened
    std::optional<std::string> doubt{};      // why nothing may be dropped; empty: it may. Unset: not looked at yet
    std::int64_t kept = 0;
  };
  absl::Status LoadPlaces();
  void NotePlace(const WalkEntry& entry);
  using Places = std::map<std::string, PlaceState, std::less<>>;
  Places::value_type& PlaceOf(std::string_view path);
  PresenceProbe* ProbeOf(Places::value_type& entry);
  std::string FindDoubt(const std::string& path, const PlaceState& place) const;
  bool HasFiles(const std::string& path) const;
  bool RemoveRow(const std::string& path);
  void RemoveOrCount(const std::string& path);
  absl::Status ConcludePlaces();

  void BeginSweep();
  absl::Status Sweep();
  absl::Status SweepRoot(const std::string& root);
  absl::Status SweepRow(const CatalogFile& row);

  // What one pass over all directories came to.
  struct Pass {
    bool clean = true;
    std::int64_t changed = 0;
    std::string first_changed{};
    std::set<std::int64_t> listed{};  // by this pass
  };
  absl::Status LookAgain();
  absl::StatusOr<Pass> LookOnce();
  absl::Status LookAtDirectories(const std::string& root, Pass& pass);
  absl::StatusOr<bool> LookAtRecord(const DirectoryRecord& record, std::string_view path, int fd, Pass& pass);
  absl::Status ListAgain(const DirectoryRecord& record, const std::string& path, int fd, Pass& pass);
  absl::Status VisitAgain(const WalkEntry& entry, const DirectoryRecord* before, Pass& pass);
  absl::StatusOr<bool> Revisit(const WalkEntry& entry, const std::optional<FileRow>& row);
  absl::Status DropGoneRows(const std::string& directory, int fd, Pass& pass);

  bool BatchIsFull() const;
  absl::Status Commit();
  void ClearBatch();
  absl::Status Claim(const RunRow& row);
  std::int64_t ForgettableBefore();
  void ShowProgress(Progress::Stage stage, std::string_view path, std::int64_t bytes_in_file = 0);

  RunContext context_;
  std::optional<std::int64_t> files_total_;
  FileHasher hasher_;

  RunRow committed_;    // as the catalog and the log have it
  CatalogBatch batch_;  // what is done since; batch_.run is where that leads

  // Directories that could not be read since the last file. They go into the batch with the next file: a batch that
  // ends at a file is one behind which the walk can be continued without meeting them again.
  std::vector<FileError> directory_errors_;

  Places places_;
  std::vector<std::string> left_out_;

  std::vector<std::int64_t> directory_ids_;  // of those that the walk is in
  std::int64_t last_directory_id_ = 0;

  // Batches in the log that a power cut could still take from it, each with its event: the catalog keeps their rows.
  struct ClaimedBatch {
    std::int64_t batch_num;
    Sequence sequence;
  };
  std::deque<ClaimedBatch> claimed_;
  std::int64_t durable_batch_ = 0;

  Clock::time_point session_start_ = Clock::now();
  Clock::time_point batch_start_ = session_start_;
  Clock::time_point shown_at_ = session_start_;
  std::int64_t session_files_start_ = 0;
  std::int64_t session_elapsed_start_ns_ = 0;
};

}  // namespace foldlog::indexer

#endif  // FOLDLOG_TOOLS_INDEXER_INDEX_RUN_H_
