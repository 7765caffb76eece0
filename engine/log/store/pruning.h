// The parts of a store's transaction that drop events: the base is moved once, and what lies before it is removed in
// small steps, in this transaction and later ones.
//
// A batch that the base lies in stays until all of it is before the base.

#ifndef FOLDLOG_LOG_STORE_PRUNING_H_
#define FOLDLOG_LOG_STORE_PRUNING_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/log/store/records.h"
#include "foldlog/event_log.h"

namespace foldlog {

class LmdbEnv;
class LmdbTransaction;
class LogFile;

// Whether the request fits the log: Aborted and InvalidArgument as EventLog::Prune() has them.
absl::Status CheckPruneRequest(const PruneRequest& request, const CommitRecord& commit, const LogFile& file);

// Writes the record of the new base, and thins out those before. The caller puts the base into the commit record.
absl::Status PutBase(const LmdbTransaction& txn, const LmdbEnv& env, const LogFile& file, const PruneRequest& request);

struct Freed {
  std::uint64_t batches = 0;  // that were removed
  bool more = false;          // something is left to be removed
  absl::Status damage = {};   // why the rest can't be
};

// Removes up to `batches_max` batches that lie before the base of `commit`, with their rows and snapshots. LMDB trusts
// the header of each run of pages that it frees, so that is checked first: what is damaged stays.
absl::StatusOr<Freed> FreeSome(const LmdbTransaction& txn, const LmdbEnv& env, const LogFile& file,
                               const CommitRecord& commit, std::size_t batches_max);

// Removes the entries of a table with keys behind `base`.
absl::Status RemoveBehind(const LmdbTransaction& txn, const LmdbEnv& env, const char* table_name, std::uint64_t base);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_PRUNING_H_
