// Job: what one operation is about, as the user asks for it or as the log has it recorded.
//
// Only looks; writes nothing.

#ifndef FOLDLOG_TOOLS_INDEXER_JOB_H_
#define FOLDLOG_TOOLS_INDEXER_JOB_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "foldlog/engine.h"
#include "foldlog/state.h"
#include "tools/indexer/indexer.h"
#include "tools/indexer/tree_walk.h"

namespace foldlog::indexer {

struct Job {
  std::vector<std::string> roots;  // resolved, none below another
  std::string catalog_path;        // resolved
  OperationType type = OperationType::kInitial;
  std::vector<std::string> excluded;  // resolved, sorted
  bool one_file_system = false;
  std::string mirror_path = {};  // resolved, or empty; not recorded, for each session has its own
  bool pseudo_file_systems = false;
};

// What `options` ask for, on a log without an unfinished operation.
absl::StatusOr<Job> NewJob(const IndexOptions& options);

// What `operation`, unfinished, is about. FailedPrecondition if `options` ask for something else.
absl::StatusOr<Job> RecordedJob(const Operation& operation, const IndexOptions& options);

// How the job is recorded in the log.
StartRequest AsStartRequest(const Job& job);

// What the walk and the sweep leave out: the log, the catalog and the mirror with their companions, and what
// the job names.
// InvalidArgument if that leaves nothing of a root.
absl::StatusOr<Exclusions> ExclusionsFor(const Job& job, const std::string& log_directory);

// The catalog of an operation of this program; empty if it has none.
std::string RecordedCatalog(const Operation& operation);

}  // namespace foldlog::indexer

#endif  // FOLDLOG_TOOLS_INDEXER_JOB_H_
