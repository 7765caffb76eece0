// What log.mdb tells at one moment of what was pruned, and of the room that is taken and free. Only reads.

#ifndef FOLDLOG_LOG_STORE_PRUNED_PART_H_
#define FOLDLOG_LOG_STORE_PRUNED_PART_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/log/store/moment.h"
#include "foldlog/event_log.h"

namespace foldlog {

// As EventLog has them. DataLoss if a record is damaged, or the newest is not of the log's base.
absl::StatusOr<std::vector<PrunedRange>> ReadPrunedAt(const FileMoment& moment);

// The state at the base of a pruned log; nothing in another.
absl::StatusOr<std::optional<Snapshot>> ReadBaseState(const FileMoment& moment);

absl::StatusOr<std::vector<StoredBatch>> ReadBatchesAt(const FileMoment& moment, Sequence from,
                                                       std::size_t batches_max);

// The first batches that lie before `base`, as far as they may be given to LMDB to be removed: it trusts the header of
// a run of pages, and would free what that says.
struct DeadBatches {
  std::vector<Sequence> keys = {};
  bool more = false;         // behind those
  absl::Status damage = {};  // of the next one, which must stay
};
absl::StatusOr<DeadBatches> FindDeadBatches(const FileMoment& moment, Sequence base, std::size_t batches_max);

absl::StatusOr<std::string> ReadPolicyAt(const FileMoment& moment);

// The words of the record that keeps a policy.
std::vector<std::uint64_t> EncodePolicy(const std::string& policy);

// used_bytes and free_bytes of the file.
absl::StatusOr<LogSpace> ReadSpaceAt(const FileMoment& moment);

// Runs of pages that neither of the last two transactions uses, and that no reader relies on: those that LMDB itself
// would use next. In rising order.
struct PageRun {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};
absl::StatusOr<std::vector<PageRun>> FindUnusedPages(const FileMoment& moment);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_PRUNED_PART_H_
