// RunStore: what an operation had done as of each of its last batches, kept in the catalog itself.
//
// A batch's row is written in the transaction that writes its files. So the catalog always knows exactly how far it
// got, whatever the log had time to record: after a kill between the two, the log is brought up to the catalog
// (index_run.h), no file counts twice, and no difference found is forgotten.
//
//   foldlog_run(operation_id, batch_num, phase, last_file, swept_to, sweeps, elapsed_ns, a column for each counter)
//   foldlog_run_error(operation_id, batch_num, number, path, message)     the file errors of that batch
//
// Both are empty again once the operation is complete.

#ifndef FOLDLOG_TOOLS_INDEXER_RUN_STORE_H_
#define FOLDLOG_TOOLS_INDEXER_RUN_STORE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/projection/sqlite.h"
#include "foldlog/event.h"

namespace foldlog::indexer {

// What a run found and did, from the start of its operation.
struct RunCounters {
  std::int64_t files = 0;         // regular files dealt with: hashed, skipped, or not readable
  std::int64_t hashed = 0;        // read to the end
  std::int64_t skipped = 0;       // incremental: as the catalog has them, not read
  std::int64_t bytes_hashed = 0;  // of the files hashed
  std::int64_t added = 0;         // initial, incremental: rows new in the catalog
  std::int64_t changed = 0;       // rows that were not as the file is; with recovery, only if size or time differed
  std::int64_t removed = 0;       // rows of files that are no longer there
  std::int64_t errors = 0;        // files and directories that could not be read
  std::int64_t missing = 0;       // recovery: files that the catalog did not have
  std::int64_t differing = 0;  // recovery: content differed although size and time did not: the row or the disk erred
  std::int64_t late = 0;       // files that came to directories after these had been walked
  std::int64_t kept = 0;      // rows without a file that were kept, because the file may be on a disk that is not there
  std::int64_t unproven = 0;  // directories that went on changing, so that files may have been missed
  bool operator==(const RunCounters&) const = default;
};

struct NamedCounter {
  const char* name;
  std::int64_t RunCounters::*value;
};

// The names in the catalog and in the operation's statistics.
inline constexpr std::array<NamedCounter, 13> kRunCounters = {{{"files", &RunCounters::files},
                                                               {"hashed", &RunCounters::hashed},
                                                               {"skipped", &RunCounters::skipped},
                                                               {"bytes_hashed", &RunCounters::bytes_hashed},
                                                               {"added", &RunCounters::added},
                                                               {"changed", &RunCounters::changed},
                                                               {"removed", &RunCounters::removed},
                                                               {"errors", &RunCounters::errors},
                                                               {"missing", &RunCounters::missing},
                                                               {"differing", &RunCounters::differing},
                                                               {"late", &RunCounters::late},
                                                               {"kept", &RunCounters::kept},
                                                               {"unproven", &RunCounters::unproven}}};

// Stored: never renumber.
enum class RunPhase : std::int64_t {
  kWalk = 0,   // visiting the files that are there
  kSweep = 1,  // dropping the rows of those that are not
};

struct RunRow {
  std::string operation_id;
  std::int64_t batch_num = 0;
  RunPhase phase = RunPhase::kWalk;
  std::string last_file;    // the last one dealt with, in walk order; empty: none yet
  std::string swept_to;     // the last row looked at by the sweep; empty: none yet
  std::int64_t sweeps = 0;  // how often the sweep was begun
  std::int64_t elapsed_ns = 0;
  RunCounters counters;
  std::vector<FileError> errors;  // of this batch
  bool operator==(const RunRow&) const = default;
};

class RunStore {
 public:
  // Creates the tables if need be. `database` must outlive the store.
  static absl::StatusOr<std::unique_ptr<RunStore>> Open(SqliteDatabase& database);

  // Within the caller's transaction: replaces what there is of the same operation and batch.
  absl::Status Put(const RunRow& row);
  absl::Status ForgetBefore(const std::string& operation_id, std::int64_t batch_num);  // its errors stay
  absl::Status Forget(const std::string& operation_id);

  // The rows of `from_batch` and later, in order.
  absl::StatusOr<std::vector<RunRow>> Load(const std::string& operation_id, std::int64_t from_batch);

  // The operation's errors, the first `limit` of them; and whether it has this one.
  absl::StatusOr<std::vector<FileError>> FirstErrors(const std::string& operation_id, std::size_t limit);
  absl::StatusOr<bool> HasError(const std::string& operation_id, const FileError& error);

 private:
  explicit RunStore(SqliteDatabase& database) : database_(database) {}
  absl::Status PutErrors(const RunRow& row);
  absl::Status LoadErrors(RunRow& row);

  SqliteDatabase& database_;
  std::unique_ptr<SqliteStatement> put_;
  std::unique_ptr<SqliteStatement> put_error_;
  std::unique_ptr<SqliteStatement> forget_;
  std::unique_ptr<SqliteStatement> has_error_;
};

}  // namespace foldlog::indexer

#endif  // FOLDLOG_TOOLS_INDEXER_RUN_STORE_H_
