// The program whose power or life is cut while it prunes a log.
//
//   prune_workload DIRECTORY            operations and prunings in DIRECTORY/log, all of which keep the latest two
//   prune_workload DIRECTORY forever    until it is killed
//
// Items are the sum of the log's end and its base, both of which only grow.

#include <cstdio>
#include <memory>
#include <random>
#include <string>

#include "engine/base/status_macros.h"
#include "foldlog/engine.h"
#include "foldlog/event_index.h"
#include "foldlog/retention.h"
#include "tests/crash/recorder.h"

namespace foldlog {
namespace {

using power_cut::MarkAcknowledged;
using power_cut::MarkSubmitted;

constexpr std::uint64_t kTailBytes = std::uint64_t{64} << 10;

absl::StatusOr<Sequence> Sum(const std::string& directory) {
  ASSIGN_OR_RETURN(const auto log, OpenLogForReading(directory));
  ASSIGN_OR_RETURN(const LogExtent extent, log->Extent());
  return extent.base.sequence + extent.end.sequence;
}

// Each of 12 events, the texts of which do not pack.
absl::Status Grow(const std::string& directory, int operations, std::mt19937_64& random) {
  constexpr Sequence kEvents = 12;
  const absl::StatusOr<Sequence> before = Sum(directory);
  MarkSubmitted(before.value_or(0) + kEvents * static_cast<Sequence>(operations));
  EngineOptions options;
  options.directory.tail_bytes = kTailBytes;
  options.retention = RetentionPolicy();
  ASSIGN_OR_RETURN(auto engine, Engine::Open(directory, std::move(options)));
  for (int i = 0; i < operations; ++i) {
    ASSIGN_OR_RETURN(const OperationHandle handle, engine->Start({}));
    for (int j = 1; j <= 10; ++j) {
      std::string path(600, '\0');
      for (char& byte : path) byte = static_cast<char>(random());
      RETURN_IF_ERROR(engine->Checkpoint(handle, {.files_processed = j, .current_path = path}));
    }
    RETURN_IF_ERROR(engine->Complete(handle));
  }
  RETURN_IF_ERROR(engine->Close());
  ASSIGN_OR_RETURN(const Sequence after, Sum(directory));
  MarkAcknowledged(after);
  return absl::OkStatus();
}

absl::Status PruneOnce(const std::string& directory) {
  LogDirectoryOptions options;
  options.indexer = NewEventIndexer();
  ASSIGN_OR_RETURN(WritableLog log, OpenLogForWriting(directory, options));
  ASSIGN_OR_RETURN(const PrunePlan plan, PlanPrune(*log.log, {.keep_runs = 2}, SystemClock()().time));
  ASSIGN_OR_RETURN(const LogExtent extent, log.log->Extent());
  MarkSubmitted(plan.through + extent.end.sequence);
  RETURN_IF_ERROR(Prune(*log.log, plan, "the workload"));
  MarkAcknowledged(plan.through + extent.end.sequence);
  RETURN_IF_ERROR(log.log->FreePruned());
  return log.log->Close();
}

absl::Status Work(const std::string& directory, bool forever) {
  std::mt19937_64 random(1);
  const std::string log = directory + "/log";
  for (int round = 0; forever || round < 3; ++round) {
    RETURN_IF_ERROR(Grow(log, round == 0 ? 8 : 3, random));
    RETURN_IF_ERROR(PruneOnce(log));
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace foldlog

int main(int argc, char** argv) {
  absl::Status status = absl::InvalidArgumentError("usage: prune_workload DIRECTORY [forever]");
  if (argc == 2 || argc == 3) status = foldlog::Work(argv[1], argc == 3);
  if (!status.ok()) fprintf(stderr, "prune_workload: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
